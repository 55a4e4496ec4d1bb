"""Switch off a person's second factor, for one who has lost device and recovery codes: `python -m infra.remove_totp`.

Make sure first, outside of mail, that it is them: whoever reads their mail can set a new password already. Needs the
settings of the deployed functions (PARLEY_*) in the environment, and credentials that may write its table.
"""

import argparse
import sys

from chalicelib.auth.two_factor import remove


def main(arguments: list[str] | None = None) -> int:
    """Switch it off; a mail tells the person."""
    parser = argparse.ArgumentParser(prog="python -m infra.remove_totp", description=__doc__)
    parser.add_argument("--email", required=True)
    email = parser.parse_args(arguments).email.strip().lower()
    user = remove(email)
    if user is None or user.totp is None:
        print(f"{email} has {'no second factor' if user else 'no account'}.", file=sys.stderr)
        return 1
    print(f"{user.id} logs in with the password alone now.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
