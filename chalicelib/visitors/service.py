"""What visitors do that concerns only themselves: show up, tell their context, say who they are."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

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

_SEEN_NAMES = {"page_url": "page", "referrer_url": "ref", "user_agent": "ua", "ip": "ip", "locale": "loc"}


def create_visitor(tenant_id: str, widget_id: str, seen: Seen) -> Visitor:
    """Make a visitor on first sight. One transaction."""
    now = clock.now_ms()
    visitor = Visitor(
        tenant_id=tenant_id,
        id=ids.new("vis"),
        widget_id=widget_id,
        name=None,
        email=None,
        contact_id=None,
        context="{}",
        first_seen_at=now,
        last_seen_at=now,
        blocked=False,
        opening_bucket=None,
        pos=1,
        **asdict(seen),
    )
    transact(store.creating(visitor, _event("visitor.created", visitor, counts={"visitors": 1})))
    outbox.notify(tenant_rows(tenant_id), visitor.id)
    return visitor


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
    return _change(tenant_id, visitor_id, "visitor.updated", changed)


def identify_visitor(tenant_id: str, visitor_id: str, name: str | None, email: str | None) -> Visitor:
    """Note who the visitor says to be. A claim only: it opens nobody's history."""
    changed = {name_: value for name_, value in (("name", name), ("email", email)) if value is not None}
    return _change(tenant_id, visitor_id, "visitor.identified", changed)


def taking_from_opening_bucket(visitor: Visitor) -> Write:
    """Return the write that takes one conversation from the visitor's flood limit; raises RateLimitedError."""
    burst, rate = settings().visitor_burst, settings().visitor_rate
    bucket = ratelimit.Bucket.parse(visitor.opening_bucket, burst).take(burst, rate)
    return store.touching(visitor, {"ob": str(bucket)}, when={"ob": visitor.opening_bucket})


_STORED = {**_SEEN_NAMES, "context": "cx", "name": "nm", "email": "em"}


def _change(tenant_id: str, visitor_id: str, type_: str, changed: Mapping[str, Any]) -> Visitor:
    def attempt() -> Visitor:
        before = get_visitor(tenant_id, visitor_id)
        if all(getattr(before, name) == value for name, value in changed.items()):
            return before
        after = replace(before, pos=before.pos + 1, last_seen_at=clock.now_ms(), **changed)
        row = {"ls": after.last_seen_at} | {_STORED[name]: value for name, value in changed.items()}
        try:
            transact(store.changing(before, row, [_event(type_, after)]), result=after)
        except ConditionFailedError:
            raise StaleError from None
        outbox.notify(tenant_rows(tenant_id), visitor_id)
        return after

    return retrying(attempt)


def _event(type_: str, visitor: Visitor, counts: dict[str, int] | None = None) -> NewEvent:
    shown = VisitorOut.of(visitor).model_dump(mode="json")
    return NewEvent(type_, shown, {"type": "visitor", "id": visitor.id}, counts=counts or {})
