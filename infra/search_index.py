"""Let conversations that are older than the search be found by it: `python -m infra.search_index tn_… [tn_…]`.

Starts a job for each tenant, which goes on by itself; `GET /v1/jobs/{job_id}` tells the tenant's people how far it is.
Needs the settings of the deployed functions (PARLEY_*) in the environment, and credentials that may write its table
and send to its events queue.
"""

import argparse
import sys

import app  # noqa: F401 - knows what kinds of jobs do
from chalicelib.conversations.reindexing import start_indexing
from chalicelib.core.errors import NotFoundError
from chalicelib.tenants import service as tenants


def main(arguments: list[str] | None = None) -> int:
    """Start the jobs and print their ids."""
    parser = argparse.ArgumentParser(prog="python -m infra.search_index", description=__doc__)
    parser.add_argument("tenant_ids", nargs="+", metavar="tn_…")
    missing = 0
    for tenant_id in parser.parse_args(arguments).tenant_ids:
        try:
            tenants.get_tenant(tenant_id)
        except NotFoundError:
            missing += 1
            print(f"{tenant_id}  there is no such tenant")
            continue
        print(f"{tenant_id}  {start_indexing(tenant_id).id}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
