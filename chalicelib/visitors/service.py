"""What visitors do that concerns only themselves: show up, tell their context, say who they are."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, TypeVar

from chalicelib.core import clock, ids, ratelimit
from chalicelib.core.config import settings
from chalicelib.core.errors import InvalidError
from chalicelib.core.http import Page, PageQuery
from chalicelib.core.items import Item
from chalicelib.core.listing import page_of_source
from chalicelib.core.table import (
    ConditionFailedError,
    Key,
    StaleError,
    Write,
    retrying,
    run,
    tenant_rows,
    transact,
)
from chalicelib.events import counters, outbox
from chalicelib.events.models import NewEvent
from chalicelib.visitors import store
from chalicelib.visitors.models import (
    MAX_CONTEXT_BYTES,
    Seen,
    Visitor,
    VisitorNotFoundError,
    VisitorOut,
    without_geolocation,
)

Actor = Mapping[str, str]
Result = TypeVar("Result")

_SEEN_NAMES = {"page_url": "page", "referrer_url": "ref", "user_agent": "ua", "ip": "ip", "locale": "loc"}


def create_visitor(tenant_id: str, widget_id: str, seen: Seen) -> Visitor:
    """Make a visitor on first sight. One transaction."""
    visitor = new_visitor(tenant_id, ids.new("vis"), widget_id, seen)
    transact(creating(visitor, {"type": "visitor", "id": visitor.id}))
    outbox.notify(tenant_rows(tenant_id), visitor.id)
    return visitor


def new_visitor(
    tenant_id: str, visitor_id: str, widget_id: str | None, seen: Seen, contact_id: str | None = None
) -> Visitor:
    """Return a visitor, not stored yet."""
    now = clock.now_ms()
    return Visitor(
        tenant_id=tenant_id,
        id=visitor_id,
        widget_id=widget_id,
        name=None,
        email=None,
        contact_id=contact_id,
        verified=False,
        context="{}",
        first_seen_at=now,
        last_seen_at=now,
        blocked=False,
        opening_bucket=None,
        pos=1,
        **asdict(seen),
    )


def creating(visitor: Visitor, actor: Actor) -> list[Write]:
    """Return the writes of a new visitor, with his event, and the entry on his contact's list."""
    event = _event("visitor.created", visitor, actor, counts={"visitors": 1})
    return [
        *store.creating(visitor, event),
        *store.moving(visitor.tenant_id, visitor.id, None, visitor.contact_id),
    ]


def resume_visitor(tenant_id: str, visitor_id: str, seen: Seen) -> Visitor | None:
    """Note that a known visitor is back; None if there is no such visitor. One read, one write."""
    visitor = find_visitor(tenant_id, visitor_id)
    if visitor is None:
        return None
    known = {name: value for name, value in asdict(seen).items() if value is not None}
    run(store.touching(visitor, {_SEEN_NAMES[name]: value for name, value in known.items()}))
    return replace(visitor, last_seen_at=clock.now_ms(), **known)


def find_visitor(tenant_id: str, visitor_id: str) -> Visitor | None:
    """Return a visitor or None."""
    return store.find(tenant_id, visitor_id) if ids.is_id("vis", visitor_id) else None


def get_visitor(tenant_id: str, visitor_id: str) -> Visitor:
    """Return a visitor; raises VisitorNotFoundError."""
    visitor = find_visitor(tenant_id, visitor_id)
    if visitor is None:
        raise VisitorNotFoundError
    return visitor


def visitor_key(tenant_id: str, visitor_id: str) -> Key:
    """Return where a visitor's row is, for a caller that reads it together with others."""
    return store.key(tenant_id, visitor_id)


def visitor_from_row(item: Item) -> Visitor:
    """Read a row found under `visitor_key`."""
    return store.from_item(item)


def list_visitors(tenant_id: str, query: PageQuery) -> Page[Visitor]:
    """List visitors, newest first. One query a shard and one BatchGet, which brings the counters too."""
    rows, source = tenant_rows(tenant_id), store.listed(tenant_id)
    found: dict[Key, Item] = {}

    def load(keys: Sequence[Key]) -> dict[Key, Visitor]:
        found.update(rows.batch_get([*keys, *counters.keys(rows)]))
        return {key: store.from_item(found[key]) for key in keys if key in found}

    def count() -> tuple[int, bool]:
        return (counters.total(found, rows, "visitors") if found else counters.read_total(rows, "visitors")), False

    return page_of_source(source, query, tenant_id, "visitors", load=load, count=count)


def set_context(tenant_id: str, visitor_id: str, context: Mapping[str, Any] | None, seen: Seen) -> Visitor:
    """Replace what the site tells about the visitor; keys that say where somebody is are dropped."""
    changed: dict[str, Any] = {name: value for name, value in asdict(seen).items() if value is not None}
    if context is not None:
        text = json.dumps(without_geolocation(context), ensure_ascii=False, separators=(",", ":"))
        if len(text.encode()) > MAX_CONTEXT_BYTES:
            raise InvalidError.field("context", f"The context may be {MAX_CONTEXT_BYTES} bytes long.", "too_long")
        changed["context"] = text
    actor = {"type": "visitor", "id": visitor_id}
    return _change(tenant_id, visitor_id, "visitor.updated", actor, lambda _: changed, lambda after: after)


def identify_visitor(
    tenant_id: str, visitor_id: str, name: str | None, email: str | None, result_of: Callable[[Visitor], Result]
) -> Result:
    """Note who the visitor says to be: a claim, which opens nobody's history and leaves alone what has been proven."""
    claimed = {name_: value for name_, value in (("name", name), ("email", email)) if value is not None}

    def changed(before: Visitor) -> Mapping[str, Any]:
        return {} if before.verified else claimed

    actor = {"type": "visitor", "id": visitor_id}
    return _change(tenant_id, visitor_id, "visitor.identified", actor, changed, result_of)


def opening_by_visitor(visitor: Visitor, company_id: str | None) -> Write:
    """Return the write that takes one conversation from the visitor's flood limit; raises RateLimitedError.

    It fails when he is not who he was when he was read, and notes the company that the conversation is of.
    """
    burst, rate = settings().visitor_burst, settings().visitor_rate
    bucket = ratelimit.Bucket.parse(visitor.opening_bucket, burst).take(burst, rate)
    changed = {"ob": str(bucket), "com": company_id}
    return store.touching(visitor, changed, {"ob": visitor.opening_bucket, **store.identity_of(visitor)})


def opening_by_agent(visitor: Visitor, company_id: str | None) -> Write:
    """As `opening_by_visitor`, but without a limit: a condition only, where the company is known already."""
    if company_id == visitor.company_id:
        return store.requiring_same(visitor)
    return store.noting_company(visitor, company_id)


def requiring_same(visitor: Visitor) -> Write:
    """Return the condition that a visitor is still who he was when he was read, and still blocked or not."""
    return store.requiring_same(visitor)


_STORED = {
    **_SEEN_NAMES,
    "context": "cx",
    "name": "nm",
    "email": "em",
    "contact_id": "con",
    "verified": "ver",
    "blocked": "bl",
    "last_seen_at": "ls",
}


def _change(
    tenant_id: str,
    visitor_id: str,
    type_: str,
    actor: Actor,
    changed: Callable[[Visitor], Mapping[str, Any]],
    result_of: Callable[[Visitor], Result],
) -> Result:
    """Change what `changed` says of the visitor as he is, with an event; nothing if he is so already."""

    def attempt() -> Result:
        before = get_visitor(tenant_id, visitor_id)
        after, writes = changing(before, type_, actor, changed(before))
        result = result_of(after)
        if writes:
            commit(after, writes, result=result)
        return result

    return retrying(attempt)


def changing(before: Visitor, type_: str, actor: Actor, changed: Mapping[str, Any]) -> tuple[Visitor, list[Write]]:
    """Return the visitor with what is `changed`, and the writes of that; none if he is so already."""
    changed = {name: value for name, value in changed.items() if getattr(before, name) != value}
    if not changed:
        return before, []
    if actor["type"] == "visitor":
        changed["last_seen_at"] = clock.now_ms()
    after = replace(before, pos=before.pos + 1, **changed)
    row = {_STORED[name]: value or None for name, value in changed.items()}
    return after, store.changing(before, row, [_event(type_, after, actor)])


def commit(visitor: Visitor, writes: list[Write], *, result: object = None) -> None:
    """Commit a change of a visitor and tell the dispatcher; raises StaleError when something was different.

    `result` is what the request will answer, unless that is the visitor.
    """
    try:
        transact(writes, result=visitor if result is None else result)
    except ConditionFailedError:
        raise StaleError from None
    outbox.notify(tenant_rows(visitor.tenant_id), visitor.id)


def _event(type_: str, visitor: Visitor, actor: Actor, counts: dict[str, int] | None = None) -> NewEvent:
    return NewEvent(type_, VisitorOut.of(visitor).model_dump(mode="json"), dict(actor), counts=counts or {})
