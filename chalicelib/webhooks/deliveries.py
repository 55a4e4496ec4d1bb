"""From events to deliveries: which endpoint gets what, recorded once, and replayed on demand."""

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ulid import ULID

from chalicelib.core import aws, clock, ids, log
from chalicelib.core.config import settings
from chalicelib.core.errors import InvalidError, UnavailableError
from chalicelib.core.http import Page, PageQuery
from chalicelib.core.listing import page_of_source, uncounted
from chalicelib.core.table import USERS, ConditionFailedError, Key, Rows, StaleError, retrying, run, transact
from chalicelib.events import log_store
from chalicelib.events.models import SYSTEM, Event, EventOut
from chalicelib.jobs import service as jobs
from chalicelib.jobs.models import Job, Step
from chalicelib.webhooks import store
from chalicelib.webhooks.models import (
    Delivery,
    DeliveryNotFoundError,
    Endpoint,
    Traced,
    WebhookDisabledError,
)
from chalicelib.webhooks.requests import ListDeliveries
from chalicelib.webhooks.service import get_endpoint

REPLAY_JOB = "webhook.replay"
REPLAY_STEP = 25  # events
# Of one batch of events: then the dispatcher moves on by those that are done. Ten batches share a function's 30 s.
MAX_SECONDS = 1.0
Actor = dict[str, str]


def on_events(rows: Rows, events: Sequence[Event]) -> int:
    """Record a delivery of each event for each endpoint that wants it, and send it on its way. Subscribed in app.py.

    One read for a batch of events; one write and one message for each delivery. Doing it again changes nothing.
    """
    if rows is USERS or not any(event.log_key for event in events):
        return len(events)
    endpoints = [each for each in store.list_endpoints(rows.scope) if each.status == "enabled"]
    deadline = time.monotonic() + MAX_SECONDS
    for done, event in enumerate(events, 1):
        wanting = [endpoint for endpoint in endpoints if event.log_key and endpoint.wants(event.type)]
        for delivery in _deliveries_of(event, wanting):
            _begin(delivery)
        if time.monotonic() > deadline:
            return done
    return len(events)


def list_deliveries(tenant_id: str, endpoint_id: str, query: ListDeliveries) -> Page[Delivery]:
    """List an endpoint's deliveries of the last 30 days, newest event first."""
    get_endpoint(tenant_id, endpoint_id)
    source = store.listed(tenant_id, endpoint_id)

    def load(keys: Sequence[Key]) -> dict[Key, Delivery]:
        return store.load_deliveries(tenant_id, keys)

    wanted = query.status
    return page_of_source(
        source,
        query,
        tenant_id,
        f"deliveries:{endpoint_id}",
        load=load,
        keep=(lambda delivery: delivery.status == wanted) if wanted else None,
        count=uncounted if wanted else source.count,
    )


def get_delivery(tenant_id: str, endpoint_id: str, delivery_id: str, before: int | None = None) -> Traced:
    """Return a delivery with its newest attempts, or the newest of those with a number below `before`.

    Raises WebhookNotFoundError and DeliveryNotFoundError.
    """
    get_endpoint(tenant_id, endpoint_id)
    found = _find(tenant_id, endpoint_id, delivery_id)
    return Traced(found, store.list_attempts(tenant_id, endpoint_id, found.ulid, before))


def replay_delivery(tenant_id: str, endpoint_id: str, delivery_id: str) -> Delivery:
    """Send one event again, on a schedule of its own from now. Raises WebhookDisabledError."""
    _enabled(get_endpoint(tenant_id, endpoint_id))

    def attempt() -> Delivery:
        return _again(_find(tenant_id, endpoint_id, delivery_id))

    return retrying(attempt)


def replay_range(tenant_id: str, actor: Actor, endpoint_id: str, since: int, until: int) -> Job:
    """Send all events of a time (milliseconds, ends included) again. Raises WebhookDisabledError."""
    _enabled(get_endpoint(tenant_id, endpoint_id))
    if until < since:
        raise InvalidError.field("until", "Give a time that is not before `since`.")
    # Right before the first event of that millisecond: the smallest id it may have.
    after = f"evt_{ULID.from_bytes(max(0, since - 1).to_bytes(6, 'big') + bytes(10))}"
    args = {"endpoint_id": endpoint_id, "after": after, "until": str(until)}
    job, writes = jobs.starting(tenant_id, REPLAY_JOB, args, actor)
    transact(writes, result=job)
    jobs.started(job)
    return job


def send_test(tenant_id: str, endpoint_id: str) -> Delivery:
    """Send an event of type `webhook.test` to an endpoint, whatever events it wants. Raises WebhookDisabledError."""
    endpoint = _enabled(get_endpoint(tenant_id, endpoint_id))
    event = Event(
        pk=f"{tenant_id}#{endpoint_id}",
        pos=0,
        type="webhook.test",
        at=clock.now_ms(),
        data={"id": endpoint_id, "url": endpoint.url},
        actor=SYSTEM,
        previous={},
        counts={},
        log_key=ids.new_ulid(),
    )
    (delivery,) = _deliveries_of(event, [endpoint])
    transact([store.putting_delivery(delivery)], result=delivery)
    send_message(store.delivery_key(delivery))
    return delivery


def deliver_again_stage(job: Job) -> Step:
    """Send a stretch of events again: the stage of the job that a replay of a range is."""
    endpoint = store.find_endpoint(job.tenant_id, job.args["endpoint_id"])
    if endpoint is None or endpoint.status != "enabled":
        return Step(finished=True)
    page = log_store.list_events(
        job.tenant_id, PageQuery(limit=REPLAY_STEP), job.cursor or job.args["after"], None, "asc"
    )
    wanted = [event for event in page.rows if event.at <= int(job.args["until"])]
    made = [each for event in wanted if endpoint.wants(event.type) for each in _deliveries_of(event, [endpoint])]
    found = store.load_deliveries(job.tenant_id, [store.delivery_key(each) for each in made], consistent=True)
    writes = []
    for delivery in made:
        before = found.get(store.delivery_key(delivery))
        if before is None:
            writes.append(store.putting_delivery(delivery))
        elif before.status != "pending":
            writes.append(store.changing_delivery(before, _begun_again(before)))
    finished = not page.has_more or len(wanted) < len(page.rows)
    return Step(writes, len(writes), finished, page.rows[-1].id if page.rows else job.cursor)


def send_message(key: Key, delay_s: int = 0, refusals: int = 0) -> None:
    """Nudge the sender; a failure here is only delay, because what is not done is due in the index.

    `refusals` says how often this nudge has found its endpoint busy.
    """
    try:
        aws.send(settings().webhooks_queue_url, store.as_message(key, refusals), delay_s=delay_s)
    except UnavailableError:
        log.warning("notify_failed", delivery=key.sk)


def _begin(delivery: Delivery) -> None:
    try:
        run(store.putting_delivery(delivery))
    except ConditionFailedError:
        return  # recorded before: the message has been sent, or the index will see to it
    send_message(store.delivery_key(delivery))


def _again(found: Delivery) -> Delivery:
    if found.status == "pending":
        return found
    after = _begun_again(found)
    try:
        transact([store.changing_delivery(found, after)], result=after)
    except ConditionFailedError:
        raise StaleError from None
    send_message(store.delivery_key(after))
    return after


def _begun_again(found: Delivery) -> Delivery:
    return replace(found, status="pending", tries=0, due_at=clock.now_ms(), lease=0)


def _deliveries_of(event: Event, endpoints: Sequence[Endpoint]) -> list[Delivery]:
    if not endpoints:
        return []
    shown: dict[str, Any] = EventOut.of(event).model_dump(mode="json")
    body, now = json.dumps(shown, separators=(",", ":"), ensure_ascii=False), clock.now_ms()
    return [
        Delivery(each.tenant_id, each.id, event.log_key, event.type, body, created_at=now, due_at=now)
        for each in endpoints
    ]


def _find(tenant_id: str, endpoint_id: str, delivery_id: str) -> Delivery:
    found = (
        store.find_delivery(tenant_id, endpoint_id, delivery_id.removeprefix("dlv_"))
        if ids.is_id("dlv", delivery_id)
        else None
    )
    if found is None:
        raise DeliveryNotFoundError
    return found


def _enabled(endpoint: Endpoint) -> Endpoint:
    if endpoint.status != "enabled":
        raise WebhookDisabledError
    return endpoint
