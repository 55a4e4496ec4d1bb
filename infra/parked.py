"""List the events that the sweeper has parked, or let them be dispatched again: `python -m infra.parked [--unpark]`.

Needs the settings of the deployed functions (PARLEY_*) in the environment, and credentials that may write its table
and send to its events queue. Look for the `event_parked` alarm's cause in the dispatcher's log first.
"""

import argparse
import sys

from chalicelib.events.parked import list_parked, unpark


def main(arguments: list[str] | None = None) -> int:
    """Print what is parked, oldest first: its key, and how many of its events wait."""
    parser = argparse.ArgumentParser(prog="python -m infra.parked", description=__doc__)
    parser.add_argument("--unpark", action="store_true", help="put all of it back into the events queue")
    given = parser.parse_args(arguments)
    found = list_parked()
    for each in found:
        done = ""
        if given.unpark:
            done = "  queued" if unpark(each) else "  has gone on by itself"
        print(f"{each.aggregate}  {each.pos - each.dpos} of {each.pos} events wait{done}")
    if not found:
        print("Nothing is parked.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
