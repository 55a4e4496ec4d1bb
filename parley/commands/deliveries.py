"""`deliveries`: what was sent to a tenant's webhook endpoints and what came of it, through the HTTP API."""

import time
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.text import Text

from parley import moments
from parley.api import Api, Json
from parley.errors import CommandError, Exit
from parley.output import Column
from parley.session import Session, command

group = typer.Typer(no_args_is_help=True, help="Webhook deliveries of a tenant, by its API key.")
Endpoint = Annotated[str | None, typer.Option(metavar="whk_…", help="Only this endpoint's.")]
Delivery = Annotated[str, typer.Argument(metavar="dlv_…")]
Moment = Annotated[datetime | None, typer.Option(help="UTC.", formats=["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S"])]

_POLL_SECONDS = 2.0
_UNDELIVERED = ("pending", "exhausted", "canceled")
_NEWEST = 100  # of each endpoint, that following looks at
_STYLES = {"delivered": "green", "exhausted": "bold red", "pending": "yellow", "canceled": "dim"}


def _status(row: Json) -> Text:
    return Text(row["status"], _STYLES.get(row["status"], ""))


def _answer(row: Json) -> Any:  # noqa: ANN401 - a status or words
    return row["last_status"] or row["last_error"]


COLUMNS = [
    Column("at (UTC)", lambda row: moments.minute(row["created_at"]), width=11),
    Column("status", lambda row: Text.assemble(_status(row), f" {row['attempts']}×"), width=12),
    Column("answer", _answer),
    Column("delivery", lambda row: row["id"], width=30),
    Column("type", lambda row: row["type"], room=100),
    Column("endpoint", lambda row: row["webhook_id"], width=30, room=140),
]
ATTEMPTS = [
    Column("try", lambda row: row["number"], right=True),
    Column("at", lambda row: moments.short(row["at"]), width=14),
    Column("took", lambda row: f"{row['duration_ms']} ms", right=True),
    Column("answer", lambda row: row["status"] or row["error"]),
    Column("body", lambda row: row["body"][:200]),
]


@command(group, "tail", by_key=True)
def tail(
    here: Session,
    endpoint: Endpoint = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only those whose newest try did not arrive.")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what changes, until Ctrl-C.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
) -> None:
    """Show the newest deliveries, the newest last.

    With --json a line each. Following looks at each endpoint's newest hundred every two seconds.
    """
    api = here.api()
    newest = _newest(api, endpoint, _NEWEST if follow else limit)
    rows = _failed(api, endpoint, limit) if failed else newest
    _print(here, rows[-limit:], none="Nothing has failed." if failed else "Nothing was sent in the last 30 days.")
    seen = {row["id"]: _state(row) for row in newest}
    while follow:
        time.sleep(_POLL_SECONDS)
        newest = _newest(api, endpoint, _NEWEST)
        changed = [row for row in newest if seen.get(row["id"]) != _state(row)]
        seen |= {row["id"]: _state(row) for row in changed}
        _print(here, [row for row in changed if not failed or _failing(row)], header=False)


@command(group, "show", by_key=True)
def show(here: Session, delivery: Delivery, endpoint: Endpoint = None) -> None:
    """Show a delivery with what was sent and every try."""
    api = here.api()
    found = api.get(_path(api, delivery, endpoint))
    if here.out.as_json:
        here.out.document(found)
        return
    names = {"id": "delivery", "event_id": "event", "type": "type", "status": "status", "attempts": "tries"}
    here.out.record(
        found | {"status": _status(found)}, names | {"next_attempt_at": "next try", "created_at": "event at"}
    )
    here.out.say("")
    here.out.rows(found["log"], ATTEMPTS, none="It was not tried yet.")
    here.out.say("\nWhat is sent:")
    here.out.indented(found["payload"])


@command(group, "replay", by_key=True, asks=True)
def replay(
    here: Session,
    delivery: Annotated[list[str] | None, typer.Argument(metavar="[dlv_…]…")] = None,
    endpoint: Endpoint = None,
    since: Moment = None,
    until: Moment = None,
) -> None:
    """Send again: some deliveries, or with --since and --until all events of a time that an endpoint takes.

    The receiver gets each event with the same id as before. A range is a job, which goes on when this command ends.
    """
    if delivery and not (since or until):
        _replay_some(here, delivery, endpoint)
        return
    if delivery or not (endpoint and since and until):
        raise CommandError("Give deliveries; or --endpoint, --since and --until.", Exit.USAGE)
    api = here.api()
    times = {"since": _rfc3339(since), "until": _rfc3339(until)}
    url = api.get(f"/v1/webhooks/{endpoint}")["url"]
    here.ask(f"Send every event from {times['since']} to {times['until']} to {url} again?")
    job = _await(here, api, api.post(f"/v1/webhooks/{endpoint}/replay", times))
    here.out.done(f"{job['id']} {job['status']}: {job['progress']['done']} events.", **job)


def _replay_some(here: Session, deliveries: list[str], endpoint: str | None) -> None:
    api = here.api()
    paths = [_path(api, each, endpoint) for each in deliveries]
    here.ask(f"Send {', '.join(deliveries)} again?")
    _print(here, [api.post(f"{path}/replay") | {"webhook_id": path.split("/")[3]} for path in paths])


def _await(here: Session, api: Api, job: Json) -> Json:
    """Follow a job to its end."""
    with here.out.progress("Sending again") as bar:
        while job["status"] not in {"completed", "failed"}:
            bar.update(bar.task_ids[0], completed=job["progress"]["done"])
            time.sleep(_POLL_SECONDS)
            job = api.get(f"/v1/jobs/{job['id']}")
    return job


def _newest(api: Api, endpoint: str | None, each: int, **query: str) -> list[Json]:
    """Return the newest deliveries, so many of each endpoint, of one endpoint or of all; oldest first."""
    found: list[Json] = []
    for webhook_id in [endpoint] if endpoint else [row["id"] for row in api.rows("/v1/webhooks")]:
        rows = api.rows(f"/v1/webhooks/{webhook_id}/deliveries", limit=each, **query)
        found += [row | {"webhook_id": webhook_id} for row in rows]
    return sorted(found, key=lambda row: (row["created_at"], row["id"]))


def _failed(api: Api, endpoint: str | None, each: int) -> list[Json]:
    """Return the newest of each status that a failed delivery can have, oldest first."""
    found = [row for status in _UNDELIVERED for row in _newest(api, endpoint, each, status=status) if _failing(row)]
    return sorted(found, key=lambda row: (row["created_at"], row["id"]))


def _path(api: Api, delivery: str, endpoint: str | None) -> str:
    """Return a delivery's address. Without its endpoint all are asked: each has its own delivery of an event."""
    if endpoint:
        return f"/v1/webhooks/{endpoint}/deliveries/{delivery}"
    found = [row for row in api.rows("/v1/webhooks") if api.has(f"/v1/webhooks/{row['id']}/deliveries/{delivery}")]
    if not found:
        raise CommandError(f"No endpoint of this tenant has a delivery {delivery} of the last 30 days.")
    if len(found) > 1:
        several = ", ".join(f"{row['id']} ({row['url']})" for row in found)
        raise CommandError(f"Several endpoints have {delivery}. Choose with --endpoint: {several}.", Exit.USAGE)
    return f"/v1/webhooks/{found[0]['id']}/deliveries/{delivery}"


def _print(here: Session, rows: list[Json], none: str = "", *, header: bool = True) -> None:
    if here.out.as_json:
        for row in rows:
            here.out.document(row)
    elif rows or none:
        here.out.rows(rows, COLUMNS, none=none, header=header)


def _state(row: Json) -> tuple[object, ...]:
    return row["status"], row["attempts"], row["next_attempt_at"]


def _failing(row: Json) -> bool:
    return bool(row["status"] != "delivered" and row["attempts"])


def _rfc3339(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else ""
