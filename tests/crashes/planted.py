"""Designs that lose or double something, each put into the product for a while: the enumeration must find every one."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import app
from chalicelib.core import clock, idempotency, ids, writes
from chalicelib.core.table import Write, run
from chalicelib.events import dispatcher, outbox
from chalicelib.messages import service as messages
from chalicelib.webhooks import deliveries, signing, workers
from chalicelib.webhooks.sending import Outcome


def _one_by_one(wanted: Sequence[Write], *, result: object = None) -> None:
    for write in wanted:
        if write.kind != "ConditionCheck":
            run(write)


@contextmanager
def no_outbox() -> Iterator[None]:
    """Only the queue message tells of a change; nothing in the table does, so nobody finds what it was lost with."""
    with patch.object(app, "sweep", lambda: None):
        yield


@contextmanager
def apply_then_record() -> Iterator[None]:
    """The answer for an Idempotency-Key is kept after the effect, in a write of its own."""

    def run_then_record(self: idempotency.Guard, act: Any, render: Any) -> tuple[object, None]:
        result = act()
        answer, now = render(result), clock.now_s()
        row = {"f": self.fingerprint, "st": answer.status, "b": answer.body, "et": answer.etag, "exp": now + 60}
        run(self.rows.putting(self.name, "-", row))
        return result, None

    with patch.object(idempotency.Guard, "run", run_then_record):
        yield


@contextmanager
def random_ids_for_effects() -> Iterator[None]:
    """A mail's id is made anew each time its event is dispatched, rather than derived from the event."""
    fresh = SimpleNamespace(derived=lambda prefix, *_source: ids.new(prefix))
    with patch("chalicelib.tenants.mails.ids", fresh):
        yield


@contextmanager
def nudge_before_commit() -> Iterator[None]:
    """The dispatcher is told before the change commits, and not again; it may be the faster one."""

    def told_first(wanted: Sequence[Write], *, result: object = writes.NOTHING) -> None:
        for write in wanted:
            if write.key.sk == "meta":
                dispatcher.dispatch(write.key.pk)
        writes.transact(wanted, result=result)

    with no_outbox(), patch.object(messages, "transact", told_first), patch.object(outbox, "notify", lambda *_: None):
        yield


@contextmanager
def counters_outside_the_transaction() -> Iterator[None]:
    """The dispatcher moves on first and counts then."""
    with patch.object(dispatcher, "transact", _one_by_one):
        yield


@contextmanager
def counters_before_moving_on() -> Iterator[None]:
    """The dispatcher counts first and moves on then."""
    with patch.object(dispatcher, "transact", lambda wanted: _one_by_one(wanted[::-1])):
        yield


@contextmanager
def rows_one_by_one() -> Iterator[None]:
    """A message, what it changes, and its event are written one after the other."""
    with patch.object(messages, "transact", _one_by_one):
        yield


@contextmanager
def forgotten_client_msg_ids() -> Iterator[None]:
    """Nobody looks whether a client_msg_id was there before."""
    with patch.object(messages, "remembers", lambda *_: False):
        yield


@contextmanager
def webhooks_after_moving_on() -> Iterator[None]:
    """The dispatcher moves on first and records the deliveries then."""
    advance = dispatcher._advance

    def advance_first(rows: Any, pk: str, meta: Any, events: Any) -> bool:
        done = advance(rows, pk, meta, events)
        deliveries.on_events(rows, events)
        return done

    with patch.object(dispatcher, "_batch_consumers", []), patch.object(dispatcher, "_advance", advance_first):
        yield


@contextmanager
def webhooks_with_ids_of_their_own() -> Iterator[None]:
    """The id that a receiver knows a webhook by is made anew for each attempt, rather than the event's."""
    headers = signing.headers

    def anew(_webhook_id: str, *more: Any) -> dict[str, str]:
        return headers(ids.new("evt"), *more)

    with patch.object(signing, "headers", anew):
        yield


@contextmanager
def webhooks_done_before_they_are_sent() -> Iterator[None]:
    """An attempt is recorded as a success before it is made."""
    post, record = workers._post, workers._record

    def send_later(*_: Any) -> Outcome:
        return Outcome(200, 1)

    def record_first(claim: Any, outcome: Outcome) -> None:
        record(claim, outcome)
        post(claim.endpoint, claim.delivery, clock.now_ms())

    with patch.object(workers, "_post", send_later), patch.object(workers, "_record", record_first):
        yield
