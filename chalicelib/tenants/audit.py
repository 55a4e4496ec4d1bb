"""The audit log: every administrative change is an event on the tenant, and such events are kept for good."""

from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.core import table
from chalicelib.core.http import Page, PageQuery
from chalicelib.core.table import ConditionFailedError, StaleError, Write, tenant_rows
from chalicelib.events import outbox
from chalicelib.events.models import Event, NewEvent
from chalicelib.tenants import store


def recording(
    tenant_id: str, actor: dict[str, str], type_: str, data: dict[str, Any], previous: Mapping[str, Any] | None = None
) -> list[Write]:
    """Return the writes that record an administrative change, for the transaction that makes it. One consistent read.

    `data` is the object after the change as the API shows it, with its `id`; `previous` the old values of what
    changed. Commit them with `commit`, inside `core.table.retrying`. Raises NotFoundError for no such tenant.
    """
    return recording_at(tenant_id, store.find_pos(tenant_id), actor, type_, data, previous)


def recording_at(
    tenant_id: str,
    pos: int | None,
    actor: dict[str, str],
    type_: str,
    data: dict[str, Any],
    previous: Mapping[str, Any] | None = None,
) -> list[Write]:
    """Like `recording`, for a caller that has read the position with its own row: see `find_for_change`."""
    return store.recording(tenant_id, pos, NewEvent(type_, data, actor, dict(previous or {})))


def recording_all(
    tenant_id: str, pos: int | None, actor: dict[str, str], told: Sequence[tuple[str, dict[str, Any]]]
) -> list[Write]:
    """Like `recording_at`, for several changes at once: their types, each with the object after it."""
    return store.recording(tenant_id, pos, *(NewEvent(type_, data, actor) for type_, data in told))


def commit(tenant_id: str, writes: Sequence[Write], *, result: object = table.NOTHING) -> None:
    """Commit a recorded change and tell the dispatcher.

    Raises StaleError when the tenant was changed since it was read, and ConditionFailedError for other conditions.
    """
    try:
        table.transact(writes, result=result)
    except ConditionFailedError as exc:
        if store.tenant_key(tenant_id) in {write.key for write in exc.failed}:
            raise StaleError from exc
        raise
    notify_tenant(tenant_id)


def notify_tenant(tenant_id: str) -> None:
    """Tell the dispatcher, after a commit, that the tenant has news."""
    outbox.notify(tenant_rows(tenant_id), store.AGGREGATE)


def list_entries(tenant_id: str, query: PageQuery) -> Page[Event]:
    """List administrative changes, newest first. One read and one query at any depth: positions have no gaps."""
    position = query.position(tenant_id, "audit-log")
    last = store.find_pos(tenant_id) or 0
    top = int(position.after) - 1 if position else last - query.offset
    low = max(1, top - query.limit + 1)
    events = store.list_events(tenant_id, low, top) if top > 0 else []
    low = events[-1].pos if events else low  # a query ends at 1 MB, and so the page
    seen = position.seen if position else query.offset
    follow = query.next_cursor(tenant_id, "audit-log", str(low), seen + len(events)) if low > 1 and events else None
    return Page(events, last, query.limit, seen, follow is not None, follow)
