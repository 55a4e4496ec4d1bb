"""Erase a tenant with all its data, for good: `python -m infra.erase_tenant tn_… --confirm SLUG`.

Nothing of it works from now on; the erasing begins after three minutes and goes on by itself. The function
`dispatch_events` logs `tenant_erased` when it is done, and running this again until then tells how far it is. Needs the
settings of the deployed functions (PARLEY_*) in the environment, and credentials that may write its table and send to
its events queue.
"""

import argparse
import sys

import app  # noqa: F401 - knows what kinds of jobs do
from chalicelib.core.errors import ApiError
from chalicelib.tenants.erasing import start_erasing
from chalicelib.tenants.standing import OPERATOR


def main(arguments: list[str] | None = None) -> int:
    """Begin, or say how far it is."""
    parser = argparse.ArgumentParser(prog="python -m infra.erase_tenant", description=__doc__)
    parser.add_argument("tenant_id", metavar="tn_…")
    parser.add_argument("--confirm", required=True, metavar="SLUG", help="the tenant's slug")
    given = parser.parse_args(arguments)
    try:
        job = start_erasing(given.tenant_id, OPERATOR, given.confirm)
    except ApiError as exc:
        print(f"{given.tenant_id}: {exc.message}", file=sys.stderr)
        return 1
    print(f"{given.tenant_id} is being erased: {job.id}, stage {job.stage} of {job.stages}, {job.done} rows so far.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
