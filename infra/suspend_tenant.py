"""Suspend a tenant, or let it go on: `python -m infra.suspend_tenant tn_… [--resume]`.

While it is suspended every credential of the tenant answers 403 `tenant_suspended`, its widget opens no session, and no
webhook or mail goes out in its name; its data is kept, and its subscription goes on. Needs the settings of the deployed
functions (PARLEY_*) in the environment, and credentials that may write its table and send to its events queue.
"""

import argparse
import sys

from chalicelib.core.errors import ApiError
from chalicelib.tenants.standing import resume_tenant, suspend_tenant


def main(arguments: list[str] | None = None) -> int:
    """Change the tenant and say what it is now."""
    parser = argparse.ArgumentParser(prog="python -m infra.suspend_tenant", description=__doc__)
    parser.add_argument("tenant_id", metavar="tn_…")
    parser.add_argument("--resume", action="store_true", help="let it go on")
    given = parser.parse_args(arguments)
    try:
        tenant = (resume_tenant if given.resume else suspend_tenant)(given.tenant_id)
    except ApiError as exc:
        print(f"{given.tenant_id}: {exc.message}", file=sys.stderr)
        return 1
    print(f"{tenant.id} ({tenant.name}) is {tenant.status}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
