"""Let mail go to an address again that bounced or complained: `python -m infra.allow_mail --email …`.

Needs the settings of the deployed functions (PARLEY_*) in the environment, and credentials that may write its table.
"""

import argparse
import sys

from chalicelib.core import clock
from chalicelib.core.addresses import UnusableAddressError
from chalicelib.mail import feedback


def main(arguments: list[str] | None = None) -> int:
    """Say why an address gets no mail, and lift that unless only asked."""
    parser = argparse.ArgumentParser(prog="python -m infra.allow_mail", description=__doc__)
    parser.add_argument("--email", required=True)
    parser.add_argument("--look", action="store_true", help="only say whether mail is stopped")
    given = parser.parse_args(arguments)
    try:
        stop = feedback.find_stop(given.email.strip())
    except UnusableAddressError as exc:
        print(f"That is not an e-mail address: {exc}.", file=sys.stderr)
        return 2
    if stop is None:
        print("Mail to this address is not stopped.")
        return 0
    print(f"Mail to this address is stopped since {clock.rfc3339(stop.at)}, because of a {stop.reason}.")
    if not given.look:
        feedback.allow(given.email.strip())
        print("It is allowed again. If SES has it on its own suppression list, take it off there, too.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
