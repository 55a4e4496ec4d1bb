"""`python -m bench` measures everything and exits with 1 when a stated bound is broken; see docs/benchmarks.md."""

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench import report
from bench.report import Figure


def main() -> int:
    """Run the sections that were asked for, print the table and write the JSON."""
    options = _options()
    about, started = report.machine(), time.monotonic()
    figures: list[Figure] = []
    for name in options.only or SECTIONS:
        print(f"== {name}", flush=True)
        figures += SECTIONS[name](options.quick)
    output: Path = options.output or Path(os.environ.get("PARLEY_DATA") or "dist") / "bench.json"
    report.write(output, figures, about)
    cpus, python = about["cpus"], about["python"]
    print(
        f"\n{report.table(figures)}\n\n{cpus} CPUs, Python {python}, {time.monotonic() - started:.0f} s; see {output}"
    )
    return 0 if all(each.kept for each in figures) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure Parley; see docs/benchmarks.md.")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs; latency is not judged")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, help="some sections only")
    parser.add_argument("--output", type=Path, help="where the JSON goes (PARLEY_DATA or dist/, bench.json)")
    return parser.parse_args()


def _package(quick: bool) -> list[Figure]:  # noqa: ARG001 - it has no quick way
    from bench import package

    found = package.run()
    return [
        Figure("import CPU beside boto3 and one client", found["import_cpu_ratio"], "x", package.IMPORT_LIMIT),
        Figure("deployment package", found["zip_mb"], "MB", package.SIZE_LIMIT_MB),
    ]


def _sizes(quick: bool) -> list[Figure]:
    from bench import sizes

    return sizes.run(quick=quick)


def _serving(quick: bool) -> list[Figure]:
    from bench import serving

    return serving.run(quick=quick)


def _enumeration(quick: bool) -> list[Figure]:
    from bench import enumeration

    return enumeration.run(quick=quick)


def _webhooks(quick: bool) -> list[Figure]:
    from bench import webhooks

    return webhooks.run(quick=quick)


# The stack and the package first: they want this process's environment untouched.
SECTIONS: dict[str, Callable[[bool], list[Figure]]] = {
    "serving": _serving,
    "package": _package,
    "sizes": _sizes,
    "enumeration": _enumeration,
    "webhooks": _webhooks,
}

if __name__ == "__main__":
    sys.exit(main())
