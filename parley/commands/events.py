"""`events parked`: what the sweeper has given up on, and its way back."""

from typing import Annotated

import typer

from parley.errors import CommandError
from parley.output import Column
from parley.session import Session, command

group = typer.Typer(no_args_is_help=True, help="Events that could not be dispatched.")
parked = typer.Typer(no_args_is_help=True, help="What the sweeper has given up on after five rounds.")
group.add_typer(parked, name="parked")

COLUMNS = [
    Column("aggregate", lambda row: row["aggregate"]),
    Column("events waiting", lambda row: f"{row['waiting']} of {row['events']}", right=True),
]


@command(parked, "list")
def list_parked(here: Session) -> None:
    """List what is parked, oldest first. The dispatcher's log has the cause."""
    here.enter()
    from chalicelib.events import parked as events

    rows = [
        {"aggregate": each.aggregate, "waiting": each.pos - each.dpos, "events": each.pos}
        for each in events.list_parked()
    ]
    here.out.rows(rows, COLUMNS, none="Nothing is parked.")


@command(parked, "retry", asks=True)
def retry(
    here: Session,
    aggregate: Annotated[list[str] | None, typer.Argument(metavar="[AGGREGATE]…", help="All unless given.")] = None,
) -> None:
    """Put parked events back into the events queue, once their cause is gone. None is lost or told twice."""
    here.enter()
    from chalicelib.events import parked as events

    found = events.list_parked()
    if aggregate and (unknown := set(aggregate) - {each.aggregate for each in found}):
        raise CommandError(f"Not parked: {', '.join(sorted(unknown))}.")
    wanted = [each for each in found if not aggregate or each.aggregate in aggregate]
    if wanted:
        here.ask(f"Have {len(wanted)} parked aggregates dispatched again?")
    queued = [each.aggregate for each in wanted if events.unpark(each)]
    gone = [each.aggregate for each in wanted if each.aggregate not in queued]
    lines = [*(f"{each}  queued" for each in queued), *(f"{each}  has gone on by itself" for each in gone)]
    here.out.done("\n".join(lines) or "Nothing is parked.", queued=queued, gone_on=gone)
