"""`python -m bench.cost` measures, records and writes docs/cost.md; see there."""

import argparse
import json
import sys
from datetime import UTC, datetime

from bench import report
from bench.cost import page
from bench.cost.measure import measure
from bench.cost.partitions import bearable_rate

SHARDS = (1, 2, 4, 8)
INDEXES = ("activity", "log")


def main() -> int:
    """Measure and write; or only one of both."""
    parser = argparse.ArgumentParser(prog="python -m bench.cost", description=__doc__)
    parser.add_argument("--page", action="store_true", help="write the page again, after new prices or templates")
    parser.add_argument("--only", nargs="+", default=[], help="measure some acts, print what they took, write nothing")
    options = parser.parse_args()
    record = json.loads(page.RECORD.read_text())
    if options.only:
        print(json.dumps(measure(record["deployed"]["access_log"], options.only)))
        return 0
    from bench.cost.deployment import deployed  # SAM's translator takes its time to import

    record["deployed"] = deployed()
    if not options.page:
        record |= _measured(measure(record["deployed"]["access_log"]))
    page.RECORD.write_text(json.dumps(record, indent=1) + "\n")
    page.PAGE.write_text(page.rendered())
    return 0


def _measured(acts: dict[str, dict[str, float]]) -> dict[str, object]:
    units = {name: acts["visitor send"][f"write/{name}"] for name in INDEXES}
    return {
        "measured_at": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": report.machine(),
        "acts": acts,
        "shards": SHARDS,
        "partitions": {
            name: {"units": each, "rates": {str(shards): bearable_rate(each, shards) for shards in SHARDS}}
            for name, each in units.items()
        },
    }


if __name__ == "__main__":
    sys.exit(main())
