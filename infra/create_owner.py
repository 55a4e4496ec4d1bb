"""Make the first user of a deployment whose sign-up is closed: `python -m infra.create_owner --email … [--tenant …]`.

Needs the settings of the deployed functions (PARLEY_*) in the environment, and credentials that may write its table.
"""

import argparse
import sys

from pydantic import TypeAdapter, ValidationError

from chalicelib.auth.service import create_owner
from chalicelib.core.http.schema import Email
from chalicelib.tenants.service import create_tenant


def main(arguments: list[str] | None = None) -> int:
    """Make a verified user without a password, perhaps with a tenant, and print the link that sets the password."""
    parser = argparse.ArgumentParser(prog="python -m infra.create_owner", description=__doc__)
    parser.add_argument("--email", required=True)
    parser.add_argument("--name")
    parser.add_argument("--tenant", help="also make a tenant of this name, owned by the user")
    given = parser.parse_args(arguments)
    try:
        email = TypeAdapter(Email).validate_python(given.email.strip())
    except ValidationError:
        print("That is not an e-mail address.", file=sys.stderr)
        return 2
    made = create_owner(email, given.name)
    if made is None:
        print(f"{email} has an account. Use “forgot password” for a new link.", file=sys.stderr)
        return 1
    user, link = made
    print(f"user    {user.id}")
    if given.tenant:
        _bind()
        print(f"tenant  {create_tenant(user.id, given.tenant).tenant.id}")
    print(f"Choose the password within 24 hours:\n{link}")
    return 0


def _bind() -> None:
    """Bind the slices as the functions do, so that the tenant starts with its widget."""
    import app  # noqa: F401, PLC0415 - imported for what it binds, and only then


if __name__ == "__main__":
    sys.exit(main())
