"""Writing events: the parts that a slice adds to its own transaction, and the nudge after the commit.

An aggregate is the row `meta` of a partition. Its `pos` numbers its events without gaps, `dpos` says up to where they
have been dispatched, and `p_pk`/`p_sk` list it in the pending index for as long as the two differ.
"""

import json
import zlib
from collections.abc import Sequence
from typing import Any

from chalicelib.core import aws, clock, ids, log, shards
from chalicelib.core.config import settings
from chalicelib.core.errors import UnavailableError
from chalicelib.core.table import Rows, Write
from chalicelib.events.models import Data, NewEvent

KEEP_S = 30 * 86_400
PENDING_SHARDS = 64


def pending_partition(pk: str) -> str:
    """Return the pending index's partition of an aggregate."""
    return f"P#{zlib.crc32(pk.encode()) % PENDING_SHARDS}"


def pending(rows: Rows, pk: str) -> dict[str, str]:
    """Return the attributes that list an aggregate as pending.

    They belong in `default`, never in `set_`: whether they are there is decided when the write commits, because the
    dispatcher may have cleared them since the aggregate was read.
    """
    full = rows.key(pk, "meta").pk
    return {"p_pk": pending_partition(full), "p_sk": f"{clock.now_ms():013d}"}


def log_entry(rows: Rows, pk: str) -> dict[str, str]:
    """Return the attributes that put a row into its tenant's log. Made anew on each attempt, to follow commits."""
    return {"l_pk": f"{rows.scope}#log#{shards.of(rows.scope, pk)}", "l_sk": ids.new_ulid()}


def event_key(pos: int) -> str:
    """Return the sort key of the event at `pos`."""
    return f"e#{pos:010d}"


def event_writes(
    rows: Rows, pk: str, pos: int, events: Sequence[NewEvent], *, logged: bool = True, keep: bool = False
) -> list[Write]:
    """Return the writes of `events` that follow position `pos` of the aggregate.

    They expire after 30 days unless `keep`; with `logged` they are listed by `GET /v1/events`.
    """
    writes = []
    for number, event in enumerate(events, pos + 1):
        row: dict[str, Any] = {
            "pos": number,
            "ty": event.type,
            "at": clock.now_ms(),
            "by": event.actor,
            "d": _text(event.data),
            "pv": _text(event.previous) if event.previous else None,
            "n": event.counts or None,
            "exp": None if keep else clock.now_s() + KEEP_S,
        }
        if logged:
            row |= log_entry(rows, pk)
        writes.append(rows.putting(pk, event_key(number), row, absent=True))
    return writes


def rewriting(rows: Rows, pk: str, pos: int, data: Data) -> Write:
    """Return the write that replaces the data of an event less than 30 days old, which must not keep what it told."""
    return rows.updating(pk, event_key(pos), set_={"d": _text(data)}, exists=True)


def new_aggregate(rows: Rows, pk: str, pos: int) -> dict[str, Any]:
    """Return the outbox attributes of an aggregate that is created with `pos` events."""
    return {"pos": pos, "dpos": 0, **pending(rows, pk)}


def notify(rows: Rows, pk: str, *, delay_s: int = 0) -> None:
    """Tell the dispatcher, after the commit, that the aggregate has news; it hears of it after up to 900 s.

    A failure here is only delay: the aggregate is in the pending index and the sweeper will find it.
    """
    try:
        aws.send(settings().events_queue_url, rows.key(pk, "meta").pk, delay_s=delay_s)
    except UnavailableError:
        log.warning("notify_failed", aggregate=rows.key(pk, "meta").pk)


def _text(data: Data) -> str:
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False)
