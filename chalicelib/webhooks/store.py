"""Rows of webhooks: `whk`/`whk_…` is an endpoint, and what is sent there is in a partition of its own, `whk_…`.

| what | sk in `whk_…` |
|---|---|
| the state of sending: failures in a row, and who is sending just now | `state` |
| a delivery, by its event's ULID; 30 days | `d#<ulid>` |
| an attempt; 30 days | `t#<ulid>#<number>` |

A delivery that is not done is in the `pending` index, `W#<shard>`, by the time at which somebody should look at it.
"""

import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

from chalicelib.core import clock, table
from chalicelib.core.items import Item
from chalicelib.core.listing import Source
from chalicelib.core.table import TEST_SUFFIX, Key, Write, live, tenant_rows
from chalicelib.tenants import service as tenants
from chalicelib.tenants.partitions import Traces
from chalicelib.webhooks.models import MAX_ENDPOINTS, Attempt, Delivery, Endpoint

ENDPOINTS = "whk"
STATE = "state"
KEEP_S = 30 * 86_400
# A queue's message is only a nudge: this long after its time, what has come to nothing is found in the index.
GRACE_MS = 60_000
DUE_SHARDS = 16
MAX_ATTEMPTS_SHOWN = 20  # of a delivery: with bodies of 64 kB they still fit into Lambda's 6 MB

_ENDPOINT = tuple(each.name for each in fields(Endpoint) if each.name not in {"tenant_id", "id", "events"})
# Written with each event, so named shortly.
_DELIVERY = {
    "type": "ty",
    "body": "b",
    "created_at": "ct",
    "status": "st",
    "attempts": "n",
    "tries": "tr",
    "due_at": "due",
    "lease": "ls",
    "last_status": "hs",
    "last_error": "er",
}


def find_endpoint(tenant_id: str, endpoint_id: str) -> Endpoint | None:
    """Read an endpoint as it is now."""
    row = tenant_rows(tenant_id).get(ENDPOINTS, endpoint_id, consistent=True)
    return endpoint_from_item(row) if row else None


def find_endpoint_for_change(tenant_id: str, endpoint_id: str) -> tuple[Endpoint | None, int | None]:
    """Read an endpoint as it is now, and the tenant's position that recording a change needs. One call."""
    row, pos = tenants.find_for_change(tenant_id, ENDPOINTS, endpoint_id)
    return endpoint_from_item(row) if row else None, pos


def list_endpoints(tenant_id: str) -> list[Endpoint]:
    """Read all of a tenant's endpoints as they are now."""
    found = tenant_rows(tenant_id).query(ENDPOINTS, limit=MAX_ENDPOINTS, consistent=True)
    return [endpoint_from_item(row) for row in found.items]


def putting_endpoint(endpoint: Endpoint) -> Write:
    """Return the write of a new endpoint."""
    return tenant_rows(endpoint.tenant_id).putting(ENDPOINTS, endpoint.id, _endpoint_item(endpoint), absent=True)


def changing_endpoint(before: Endpoint, after: Endpoint) -> Write:
    """Return the write that turns `before`, as it was read, into `after`."""
    old, new = _endpoint_item(before), _endpoint_item(after)
    changed = {name: new[name] for name in new if new[name] != old[name]}
    when = {"version": before.version}
    return tenant_rows(after.tenant_id).updating(ENDPOINTS, after.id, set_=changed, when=when)


def deleting_endpoint(endpoint: Endpoint) -> list[Write]:
    """Return the deletion of an endpoint, as it was read, and of its state; its log stays until it expires."""
    rows = tenant_rows(endpoint.tenant_id)
    return [
        rows.deleting(ENDPOINTS, endpoint.id, when={"version": endpoint.version}),
        rows.deleting(endpoint.id, STATE),
    ]


def forgetting_failures(endpoint: Endpoint) -> Write:
    """Return the write that lets an endpoint begin afresh."""
    return tenant_rows(endpoint.tenant_id).deleting(endpoint.id, STATE)


def count_endpoints(tenant_id: str) -> int:
    """Read how many endpoints there are."""
    return int((tenant_rows(tenant_id).get("quota", ENDPOINTS) or {"n": 0})["n"])


def traces(_tenant_space: str, found: Sequence[Item]) -> Traces:
    """Return the endpoints whose deliveries stand beside them."""
    return Traces(ids=[row["sk"] for row in found])


def taking_quota(tenant_id: str, allowed: int) -> Write:
    """Return the write that counts one more endpoint, as long as there is room."""
    return tenant_rows(tenant_id).updating("quota", ENDPOINTS, add={"n": 1}, at_most={"n": allowed - 1})


def returning_quota(tenant_id: str) -> Write:
    """Return the write that counts one less."""
    return tenant_rows(tenant_id).updating("quota", ENDPOINTS, add={"n": -1})


def _endpoint_item(endpoint: Endpoint) -> Item:
    return {name: getattr(endpoint, name) for name in _ENDPOINT} | {"events": list(endpoint.events)}


def endpoint_from_item(row: Item) -> Endpoint:
    """Read an endpoint's row."""
    stored: dict[str, Any] = {name: row[name] for name in _ENDPOINT if name in row}
    stored.setdefault("description", None)
    return Endpoint(tenant_id=_space(row), id=row["sk"], events=tuple(row["events"]), **stored)


# Deliveries


def delivery_key(delivery: Delivery) -> Key:
    """Return the key of a delivery's row."""
    return tenant_rows(delivery.tenant_id).key(delivery.endpoint_id, _delivery_sk(delivery.ulid))


def find_delivery(tenant_id: str, endpoint_id: str, ulid: str) -> Delivery | None:
    """Read a delivery as it is now."""
    row = tenant_rows(tenant_id).get(endpoint_id, _delivery_sk(ulid), consistent=True)
    return delivery_from_item(row) if live(row, clock.now_s()) and row else None


def read_for_attempt(key: Key) -> tuple[Endpoint | None, Item, Delivery | None, bool]:
    """Read a delivery, its endpoint, the state of sending there, and whether the tenant is active, now. One call."""
    rows, endpoint_id = table.rows_of(key.pk), key.pk.partition("#")[2]
    tenant = tenants.tenant_key(rows.scope.removesuffix(TEST_SUFFIX))
    keys = [rows.key(ENDPOINTS, endpoint_id), rows.key(endpoint_id, STATE), key]
    found = table.batch_get([*keys, tenant])
    endpoint, state, delivery = (found.get(key) for key in keys)
    return (
        endpoint_from_item(endpoint) if endpoint else None,
        state or {},
        delivery_from_item(delivery) if delivery else None,
        tenants.is_active(found.get(tenant)),
    )


def listed(tenant_id: str, endpoint_id: str) -> Source:
    """Return an endpoint's deliveries, newest event first."""
    return Source(tenant_rows(tenant_id), [endpoint_id], None, "d#", "d#~")


def load_deliveries(tenant_id: str, keys: Iterable[Key], *, consistent: bool = False) -> dict[Key, Delivery]:
    """Read deliveries; those that have expired are left out."""
    now = clock.now_s()
    found = tenant_rows(tenant_id).batch_get(keys, consistent=consistent)
    return {key: delivery_from_item(row) for key, row in found.items() if live(row, now)}


def list_attempts(tenant_id: str, endpoint_id: str, ulid: str, before: int | None = None) -> list[Attempt]:
    """Read a delivery's newest attempts, oldest first, or the newest with a number below `before`.

    One query, two where the answers were large.
    """
    rows, first = tenant_rows(tenant_id), f"t#{ulid}#"
    last = f"{first}{before - 1:04d}" if before else f"{first}~"
    found = rows.query(endpoint_id, between=(first, last), limit=MAX_ATTEMPTS_SHOWN, newest_first=True)
    items = found.items
    if found.more and (lacking := MAX_ATTEMPTS_SHOWN - len(items)):  # a query ends at 1 MB
        last = f"{first}{int(items[-1]['sk'].rpartition('#')[2]) - 1:04d}"
        items += rows.query(endpoint_id, between=(first, last), limit=lacking, newest_first=True).items
    return [
        Attempt(
            number=int(row["sk"].rpartition("#")[2]),
            at=row["at"],
            status=row.get("hs"),
            duration_ms=row["ms"],
            error=row.get("er"),
            body=row.get("b", ""),
        )
        for row in reversed(items)
    ]


def putting_delivery(delivery: Delivery) -> Write:
    """Return the write of a new delivery, unless there is one."""
    rows, now = tenant_rows(delivery.tenant_id), clock.now_s()
    row = _delivery_item(delivery) | {"exp": now + KEEP_S}
    return rows.putting(delivery.endpoint_id, _delivery_sk(delivery.ulid), row, absent_or_expired_at=now)


def changing_delivery(before: Delivery, after: Delivery) -> Write:
    """Return the write that turns `before`, as it was read, into `after`."""
    old, new = _delivery_item(before), _delivery_item(after)
    changed = {name: new.get(name) for name in {*old, *new} if old.get(name) != new.get(name)}
    if before.status != after.status == "pending":
        changed["exp"] = clock.now_s() + KEEP_S  # it begins anew
    when = {"n": before.attempts, "st": before.status, "ls": before.lease}
    return tenant_rows(after.tenant_id).updating(
        after.endpoint_id, _delivery_sk(after.ulid), set_=changed, when=when, exists=True
    )


def putting_attempt(delivery: Delivery, attempt: Attempt) -> Write:
    """Return the write of an attempt."""
    row = {
        "at": attempt.at,
        "hs": attempt.status,
        "ms": attempt.duration_ms,
        "er": attempt.error,
        "b": attempt.body or None,
        "exp": clock.now_s() + KEEP_S,
    }
    sk = f"t#{delivery.ulid}#{attempt.number:04d}"
    return tenant_rows(delivery.tenant_id).putting(delivery.endpoint_id, sk, row)


def taking_slot(tenant_id: str, endpoint_id: str, slot: str, seen: int | None, until: int) -> Write:
    """Return the write that takes one of an endpoint's slots until a time, if it is still as it was seen."""
    set_ = {slot: until, "exp": clock.now_s() + KEEP_S}
    return tenant_rows(tenant_id).updating(endpoint_id, STATE, set_=set_, when={slot: seen})


def freeing_slot(tenant_id: str, endpoint_id: str, slot: str) -> Write:
    """Return the write that gives a slot back."""
    return tenant_rows(tenant_id).updating(endpoint_id, STATE, set_={slot: None}, exists=True)


def noting_success(tenant_id: str, endpoint_id: str, slot: str | None) -> Write:
    """Return the write that frees a slot and forgets failures."""
    forgotten = dict.fromkeys(("since", "fails", "open", "told"))
    set_ = {**forgotten, **({slot: None} if slot else {}), **_expiring()}
    return tenant_rows(tenant_id).updating(endpoint_id, STATE, set_=set_)


def noting_failure(tenant_id: str, endpoint_id: str, slot: str | None, now: int, open_until: int | None) -> Write:
    """Return the write that frees a slot and counts one more failure in a row."""
    set_: dict[str, Any] = {**({slot: None} if slot else {}), **_expiring()}
    if open_until is not None:
        set_["open"] = open_until
    return tenant_rows(tenant_id).updating(endpoint_id, STATE, set_=set_, add={"fails": 1}, default={"since": now})


def _expiring() -> dict[str, int]:
    """Return what lets a row go 30 days from now: the endpoint may have been deleted during the attempt."""
    return {"exp": clock.now_s() + KEEP_S}


def telling(endpoint: Endpoint, since: int, day: int, told: int | None) -> Write:
    """Return the write that remembers up to which day of failing its tenant has been told."""
    when = {"since": since, "told": told}
    return tenant_rows(endpoint.tenant_id).updating(endpoint.id, STATE, set_={"told": day}, when=when)


def claiming_due(key: Key, now: int, until: int) -> Write:
    """Return the write that puts a due delivery off until a time, unless somebody else has."""
    rows, pk = table.rows_of(key.pk), key.pk.partition("#")[2]
    return rows.updating(pk, key.sk, set_={"p_sk": f"{until:013d}"}, at_most={"p_sk": f"{now:013d}~"}, exists=True)


def due_before(shard: int, moment: int, limit: int) -> list[Key]:
    """Return the keys of deliveries that somebody should have looked at before `moment`, oldest first."""
    return table.pending_keys(f"W#{shard}", f"{moment:013d}~", limit)


def as_message(key: Key, refusals: int = 0) -> str:
    """Return the queue's message that names a delivery."""
    return json.dumps([key.pk, key.sk, refusals])


def from_message(body: str) -> tuple[Key, int]:
    """Return the key of the delivery that a message names, and how often the message found its endpoint busy."""
    pk, sk, refusals = json.loads(body)
    return Key(pk, sk), refusals


def delivery_from_item(row: Item) -> Delivery:
    """Read a delivery's row."""
    known: dict[str, Any] = {name: row[short] for name, short in _DELIVERY.items() if short in row}
    return Delivery(_space(row), row["pk"].partition("#")[2], row["sk"].partition("#")[2], **known)


def _delivery_item(delivery: Delivery) -> Item:
    item: Item = {short: getattr(delivery, name) for name, short in _DELIVERY.items()}
    if delivery.due_at is not None:
        full = delivery_key(delivery)
        shard = zlib.crc32(f"{full.pk}{full.sk}".encode()) % DUE_SHARDS
        item |= {"p_pk": f"W#{shard}", "p_sk": f"{max(delivery.due_at, delivery.lease) + GRACE_MS:013d}"}
    return item


def _delivery_sk(ulid: str) -> str:
    return f"d#{ulid}"


def _space(row: Item) -> str:
    space: str = row["pk"].partition("#")[0]
    return space
