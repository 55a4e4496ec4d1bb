"""Reading events: in order, nothing skipped, and exactly once where the effect is in the table.

Consumers emit effects whose ids derive from the event, so making one twice is harmless; the counters and the advance
of `dpos` are one transaction, so counting twice is impossible.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence

from chalicelib.core.items import Item
from chalicelib.core.table import ConditionFailedError, Rows, StaleError, rows_of, run, transact
from chalicelib.events import counters, outbox
from chalicelib.events.models import Event, event_from_item
from chalicelib.events.outbox import event_key

BATCH = 100  # events read at a time
MAX_SECONDS = 2.0  # an aggregate that still gets news is then continued from the queue: ten share a function's 30 s

Consumer = Callable[[Event], None]
BatchConsumer = Callable[[Rows, Sequence[Event]], int]
FrequentReader = Callable[[Rows, str, Item, int], list[Event]]

_consumers: list[Consumer] = []
_batch_consumers: list[BatchConsumer] = []
_frequent_readers: list[FrequentReader] = []


class MissingEventError(Exception):
    """An aggregate says it has an event that is not there. Never expected: the sweeper parks it with an alarm."""


def subscribe(consumer: Consumer) -> None:
    """Let `consumer` see every event. It may see one more than once, and must not mind. Called from app.py."""
    _consumers.append(consumer)


def subscribe_to_batches(consumer: BatchConsumer) -> None:
    """Like `subscribe`, for one that reads something for all events of a batch, which are of one aggregate.

    It returns with how many of them, from the first, it is done: the dispatcher comes back with the others. At least
    one, unless there is none.
    """
    _batch_consumers.append(consumer)


def read_frequent_with(reader: FrequentReader) -> None:
    """Add the reader of rows that are their own events (messages): (rows, pk, meta, limit) → those not dispatched."""
    _frequent_readers.append(reader)


def dispatch(full_pk: str) -> None:
    """Dispatch all that is pending on one aggregate, given its full partition key."""
    rows, pk = rows_of(full_pk), full_pk.partition("#")[2]
    deadline = time.monotonic() + MAX_SECONDS
    while time.monotonic() < deadline:
        meta = rows.get(pk, "meta", consistent=True)
        if meta is None or "p_pk" not in meta:
            return
        events = _undispatched(rows, pk, meta)
        if not events and meta["dpos"] != meta["pos"]:
            raise MissingEventError(f"{full_pk} after {meta['dpos']}")
        for together in _batch_consumers:
            events = events[: together(rows, events)]
        for event in events:
            for consumer in _consumers:
                consumer(event)
        if _advance(rows, pk, meta, events):
            return
    outbox.notify(rows, pk)


def require_dispatched(rows: Rows, pk: str) -> None:
    """See to it that all events of an aggregate are dispatched, because some of them are about to be deleted.

    Raises StaleError while there are more than one look gets through.
    """
    if not is_dispatched(rows, pk):
        dispatch(rows.key(pk, "meta").pk)
        if not is_dispatched(rows, pk):
            raise StaleError


def is_dispatched(rows: Rows, pk: str) -> bool:
    """Tell whether all events of an aggregate are dispatched. One read."""
    meta = rows.get(pk, "meta", consistent=True)
    return meta is None or meta["dpos"] == meta["pos"]


def _undispatched(rows: Rows, pk: str, meta: Item) -> list[Event]:
    """Return the next events in order of `pos`, up to the first that was not read."""
    after, frequent = meta["dpos"], meta.get("seq", 0) - meta.get("dseq", 0)
    found: list[Event] = []
    if frequent:
        for reader in _frequent_readers:
            found += reader(rows, pk, meta, BATCH)
    if meta["pos"] - after > frequent:
        stored = rows.query(pk, between=(event_key(after + 1), event_key(meta["pos"])), limit=BATCH, consistent=True)
        found += [event_from_item(row) for row in stored.items]
    found.sort(key=lambda event: event.pos)
    return [event for place, event in enumerate(found, after + 1) if event.pos == place]


def _advance(rows: Rows, pk: str, meta: Item, events: list[Event]) -> bool:
    """Move `dpos` past `events`, count them, and leave the pending index if those were all. True when done."""
    last = events[-1].pos if events else meta["dpos"]
    done: bool = last == meta["pos"]
    # Whoever moves on is not stuck, however long it stays pending: the sweeper counts from the start again.
    changed: dict[str, object] = {"dpos": last, "pr": None}
    if frequent := sum(event.frequent for event in events):
        changed["dseq"] = meta.get("dseq", 0) + frequent
    when = {"dpos": meta["dpos"]}
    if done:
        changed |= {"p_pk": None, "p_sk": None}
        when["pos"] = meta["pos"]
    counts: Counter[str] = Counter()
    for event in events:
        counts.update(event.counts)
    advance = rows.updating(pk, "meta", set_=changed, when=when)
    try:
        if any(counts.values()):
            transact([advance, counters.adding(rows, pk, counts)])
        else:
            run(advance)
    except ConditionFailedError:
        return False  # news came, or another dispatcher was faster: look again
    return done
