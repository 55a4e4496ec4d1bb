"""`queues`: how full they are, what waits, and dead letters put back. Purging is not offered: no work is lost here."""

from typing import Annotated, Any

import typer
from rich.text import Text

from parley import moments
from parley.errors import CommandError, Exit
from parley.output import Column
from parley.session import Session, command
from parley.sqs import Level, Message, Queue, Queues

group = typer.Typer(no_args_is_help=True, help="Queues and their dead letters.")
Name = Annotated[str, typer.Argument(metavar="QUEUE", help="events, mail, webhooks, … as `queues list` shows them.")]
_SHOWN_DRY = 10

LEVELS = [
    Column("queue", lambda row: row["queue"], width=13),
    Column("waiting", lambda row: row["waiting"], right=True),
    Column("in flight", lambda row: row["in_flight"], right=True),
    Column("delayed", lambda row: row["delayed"], right=True),
    Column("oldest", lambda row: moments.age(row["oldest_seconds"]), right=True),
    Column("dead", lambda row: Text(str(row["dead"]), "bold red" if row["dead"] else ""), right=True),
]
MESSAGES = [
    Column("sent (UTC)", lambda row: moments.short(row["sent_at"]), width=14),
    Column("received", lambda row: f"{row['receives']}×", right=True),
    Column("body", lambda row: row["body"]),
]


@command(group, "list")
def list_queues(here: Session) -> None:
    """Show every queue: messages waiting, at work and delayed, the oldest one's age, and how many are dead.

    The age is CloudWatch's, and up to some minutes late; the local stack has none.
    """
    rows = [_level(level) for level in Queues(here.place).levels()]
    here.out.rows(rows, LEVELS, none="There are no queues.")
    if dead := [row["queue"] for row in rows if row["dead"]]:
        here.out.note(f"Dead letters: look with `queues peek {dead[0]} --dead`, put back with `queues redrive`.")


@command(group, "peek")
def peek(
    here: Session,
    queue: Name,
    dead: Annotated[bool, typer.Option("--dead", help="Its dead letters.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 10,
) -> None:
    """Show messages and leave them where they are.

    While it looks, for a second or two, nobody else gets them. Each look counts as a receive: a message that is not
    dead yet is after five. Dead letters can be looked at as often as you like.
    """
    found = Queues(here.place).find(queue, dead=dead)
    waiting = found.waiting()
    rows = [_message(message) for message in found.peek(limit)]
    here.out.rows(rows, MESSAGES, none=f"Nothing waits in {found.name}.", queue=found.name, waiting=waiting)
    if len(rows) < waiting:
        here.out.note(f"{len(rows)} of about {waiting} in {found.name}; --limit shows more.")


@command(group, "redrive", asks=True)
def redrive(
    here: Session,
    queue: Name,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many; all that are there now unless given.")] = (
        None
    ),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be moved.")] = False,
) -> None:
    """Put a queue's dead letters back into it, once their cause is gone.

    No message is lost: it is deleted only after the queue has taken it. Stopped in the middle, run it again.
    """
    queues = Queues(here.place)
    target, dead = queues.find(queue.removesuffix("-dlq")), queues.find(queue, dead=True)
    waiting = dead.waiting()
    number = min(waiting, limit or waiting)
    if dry_run:
        _show(here, dead, target, number)
        return
    if not number:
        here.out.done(f"Nothing waits in {dead.name}.", queue=target.name, moved=0, refused=0, left=0)
        return
    here.ask(f"Move {number} of {waiting} messages from {dead.name} to {target.name}, where they are worked on again?")
    _move(here, dead, target, number)


def _show(here: Session, dead: Queue, target: Queue, number: int) -> None:
    rows = [_message(message) for message in dead.peek(min(number, _SHOWN_DRY))] if number else []
    here.out.rows(rows, MESSAGES, none=f"Nothing waits in {dead.name}.", queue=target.name, would_move=number)
    if number:
        here.out.note(f"Would move {number} messages from {dead.name} to {target.name}; nothing was moved.")


def _move(here: Session, dead: Queue, target: Queue, number: int) -> None:
    moved = 0
    with here.out.progress(f"Moving to {target.name}", number) as bar:

        def tell(count: int) -> None:
            nonlocal moved
            moved += count
            bar.advance(bar.task_ids[0], count)

        try:
            refused = dead.move_to(target, number, tell)
        except BaseException:
            here.out.note(f"{moved} of {number} messages were moved; run it again for the others.")
            raise
    left = dead.waiting()
    here.out.done(
        f"Moved {moved} messages to {target.name}. In {dead.name}: {left}.",
        queue=target.name, moved=moved, refused=refused, left=left,
    )  # fmt: skip
    if refused:
        raise CommandError(f"SQS did not take {refused} messages; they are still in {dead.name}.", Exit.FAILED)


def _level(level: Level) -> dict[str, Any]:
    return {
        "queue": level.name,
        "waiting": level.waiting,
        "in_flight": level.in_flight,
        "delayed": level.delayed,
        "oldest_seconds": level.oldest_seconds,
        "dead": level.dead,
    }


def _message(message: Message) -> dict[str, Any]:
    attributes = message.get("Attributes", {})
    return {
        "id": message["MessageId"],
        "sent_at": moments.of_ms(int(attributes.get("SentTimestamp", 0))),
        "receives": int(attributes.get("ApproximateReceiveCount", 1)),
        "body": message["Body"],
    }
