"""Sending deliveries: the queue function's part, and the minute's look for what a lost message left behind."""

import random
import time
from dataclasses import replace

from chalicelib.core import clock, log
from chalicelib.core.errors import InvalidError, UnavailableError
from chalicelib.core.frozen import frozen
from chalicelib.core.items import Item
from chalicelib.core.table import ConditionFailedError, Key, run, transact
from chalicelib.webhooks import deliveries, service, signing, store
from chalicelib.webhooks.models import Attempt, Delivery, Endpoint
from chalicelib.webhooks.schedule import wait_ms
from chalicelib.webhooks.sending import Outcome, post
from chalicelib.webhooks.targets import read_target

LEASE_MS = 30_000  # longer than an attempt with its calls of the table can take
SLOTS = 10  # attempts at one endpoint at a time; one, where they have failed too often
LONGEST_REFUSAL_S = 15  # before somebody asks again whether a slot is free
BREAKS_AFTER = 10  # failures in a row
LONGEST_BREAK_MS = 600_000
DAY_MS = 86_400_000
TELLS_ON_DAYS = (4, 1)  # of failure, the later first
GIVES_UP_AFTER_MS = 5 * DAY_MS
MAX_DELAY_S = 900  # SQS's own
TOLERANCE_MS = 1_500  # SQS delays in whole seconds, and clocks differ
CLAIMED_MS = 300_000  # how long a swept delivery is left to the queue
SUSPENDED_MS = 3_600_000  # between two looks whether a tenant is active again
SWEEP_SECONDS = 45.0  # of the minute until the next one
MAX_TEXT = 65_536  # bytes of an answer that are kept


@frozen
class _Claim:
    """A delivery that nobody else is sending now, and what is known of its endpoint."""

    endpoint: Endpoint
    state: Item
    delivery: Delivery
    slot: str | None


def send(message: str) -> None:
    """Make the attempt that is due of the delivery a message names; nothing, if it is not due or not open any more.

    A crash between the receiver's answer and our record sends it again, with the same `webhook-id`.
    """
    key, refusals = store.from_message(message)
    endpoint, state, delivery, active = store.read_for_attempt(key)
    now = clock.now_ms()
    if delivery is None or delivery.status != "pending" or delivery.due_at is None:
        return
    if delivery.due_at > now + TOLERANCE_MS or delivery.lease > now:
        return
    if not active:  # kept for when the tenant is active again
        _change(delivery, replace(delivery, due_at=now + SUSPENDED_MS, lease=0))
        return
    if endpoint is None or endpoint.status != "enabled":
        _change(delivery, replace(delivery, status="canceled", due_at=None, lease=0))
        return
    if state.get("open", 0) > now:
        untried = Outcome(None, 0, error="not tried: it failed too often before")
        _record(_Claim(endpoint, state, delivery, None), untried)
        return
    slot = _take_slot(endpoint, state, now)
    if slot is None:
        wait = random.randint(1, min(LONGEST_REFUSAL_S, 2 << min(refusals, 10)))  # noqa: S311 - jitter
        deliveries.send_message(key, delay_s=wait, refusals=refusals + 1)
        return
    claimed = replace(delivery, lease=now + LEASE_MS)
    if _change(delivery, claimed):
        _record(_Claim(endpoint, state, claimed, slot), _post(endpoint, claimed, now))
    else:
        run(store.freeing_slot(endpoint.tenant_id, endpoint.id, slot))


def sweep_due() -> None:
    """Send on what should have been looked at by now. Runs each minute."""
    now, deadline = clock.now_ms(), time.monotonic() + SWEEP_SECONDS
    shards = list(range(store.DUE_SHARDS))
    random.shuffle(shards)  # so that none is always the one that is not come to
    for shard in shards:
        for key in store.due_before(shard, now, 1000):
            if time.monotonic() > deadline:
                log.warning("sweep_cut_short", shard=shard)
                return
            _send_on(key, now)


def _send_on(key: Key, now: int) -> None:
    try:
        run(store.claiming_due(key, now, now + CLAIMED_MS))
    except ConditionFailedError:
        return  # somebody else has
    except UnavailableError:
        log.warning("delivery_not_claimed", delivery=key.sk)  # it stays due: again in a minute
        return
    deliveries.send_message(key)


def _post(endpoint: Endpoint, delivery: Delivery, now: int) -> Outcome:
    body = delivery.body.encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Parley-Webhooks/1",
        "X-Parley-Api-Version": endpoint.api_version,
        **signing.headers(delivery.event_id, now // 1000, body, endpoint.secrets_at(now)),
    }
    try:
        target = read_target(endpoint.url)
    except InvalidError as exc:  # what may be a target has been narrowed since the endpoint was made
        return Outcome(None, 0, error=exc.message)
    return post(target, headers, body)


def _record(claim: _Claim, outcome: Outcome) -> None:
    """Record an attempt: the delivery and its log in one transaction, then what it says about the endpoint."""
    before, now = claim.delivery, clock.now_ms()
    if outcome.status == 410:
        service.disable_endpoint(before.tenant_id, before.endpoint_id, "gone")
    after = _after(before, outcome, now)
    attempt = Attempt(after.attempts, now, outcome.status, outcome.duration_ms, outcome.error, _readable(outcome.body))
    try:
        transact([store.changing_delivery(before, after), store.putting_attempt(before, attempt)])
    except ConditionFailedError:
        return  # its lease had ended, and somebody else has made the attempt
    if after.due_at is not None and (delay_s := -(-(after.due_at - now) // 1000)) <= MAX_DELAY_S:
        deliveries.send_message(store.delivery_key(after), delay_s=delay_s)
    _note(claim, outcome, now)
    metrics = {"WebhooksExhausted": int(after.status == "exhausted")}
    if claim.slot is not None:  # one that was made: what is not even tried says nothing about us
        metrics |= {"WebhookAttempts": 1, "WebhookFailures": int(not outcome.taken)}
    told = {"delivery": before.id, "attempt": after.attempts, "status": outcome.status, "error": outcome.error}
    log.info("webhook_attempt", metrics=metrics, **told)


def _after(before: Delivery, outcome: Outcome, now: int) -> Delivery:
    tries = before.tries + 1
    after = replace(
        before,
        attempts=before.attempts + 1,
        tries=tries,
        lease=0,
        due_at=None,
        last_status=outcome.status,
        last_error=outcome.error,
    )
    if outcome.taken:
        return replace(after, status="delivered")
    if outcome.status == 410:
        return replace(after, status="canceled")
    wait = wait_ms(tries, outcome.retry_after)
    return replace(after, status="exhausted") if wait is None else replace(after, due_at=now + wait)


def _note(claim: _Claim, outcome: Outcome, now: int) -> None:
    tenant_id, endpoint_id = claim.delivery.tenant_id, claim.delivery.endpoint_id
    if outcome.taken:
        run(store.noting_success(tenant_id, endpoint_id, claim.slot))
        return
    tried = claim.slot is not None
    failures = claim.state.get("fails", 0) + 1
    open_until = None
    if tried and failures >= BREAKS_AFTER:
        open_until = now + min(LONGEST_BREAK_MS, 10_000 * 2 ** min(10, failures - BREAKS_AFTER))
    if tried:
        row = run(store.noting_failure(tenant_id, endpoint_id, claim.slot, now, open_until), returning=True)
        _tell(tenant_id, endpoint_id, row, now)


def _tell(tenant_id: str, endpoint_id: str, state: Item, now: int) -> None:
    """Let the tenant know that an endpoint keeps failing, and give it up in the end."""
    since, told = state["since"], state.get("told")
    if now - since >= GIVES_UP_AFTER_MS:
        service.disable_endpoint(tenant_id, endpoint_id, "failing")
        return
    day = next((day for day in TELLS_ON_DAYS if now - since >= day * DAY_MS), 0)
    if day > (told or 0):
        service.tell_of_failing(tenant_id, endpoint_id, since, day, told)


def _readable(answer: bytes) -> str:
    """Return an answer as text of at most 64 kB, without control characters: each would be six in JSON."""
    text = answer.decode("utf-8", "replace")
    shown = "".join(char if char >= " " or char in "\t\n\r" else "\ufffd" for char in text)
    return shown.encode()[:MAX_TEXT].decode("utf-8", "ignore")


def _take_slot(endpoint: Endpoint, state: Item, now: int) -> str | None:
    """Take one of the endpoint's slots, or return None while all are taken. A slot of a crashed sender frees itself."""
    there_are = 1 if state.get("fails", 0) >= BREAKS_AFTER else SLOTS
    free = [slot for slot in (f"k{number}" for number in range(there_are)) if state.get(slot, 0) <= now]
    random.shuffle(free)
    for slot in free[:3]:
        try:
            run(store.taking_slot(endpoint.tenant_id, endpoint.id, slot, state.get(slot), now + LEASE_MS))
        except ConditionFailedError:
            continue
        return slot
    return None


def _change(before: Delivery, after: Delivery) -> bool:
    try:
        run(store.changing_delivery(before, after))
    except ConditionFailedError:
        return False  # somebody else is at it
    return True
