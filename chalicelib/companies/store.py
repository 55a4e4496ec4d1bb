"""Rows of companies: `com_…`/`meta`, an aggregate, listed in the activity index in the order of their creation."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from chalicelib.companies.models import Company
from chalicelib.core import clock, shards
from chalicelib.core.items import Item
from chalicelib.core.listing import Source
from chalicelib.core.table import Write, tenant_rows
from chalicelib.events import outbox
from chalicelib.events.models import NewEvent

KEEP_DELETED_S = 30 * 86_400

_STORED = tuple(each.name for each in fields(Company) if each.name not in {"tenant_id", "id"})


def find(tenant_id: str, company_id: str) -> Company | None:
    """Read a company as it is now."""
    return from_item(tenant_rows(tenant_id).get(company_id, "meta", consistent=True))


def creating(company: Company, event: NewEvent) -> list[Write]:
    """Return the writes of a new company."""
    rows = tenant_rows(company.tenant_id)
    places = {"a_pk": f"{rows.scope}#{_partition(shards.of(rows.scope, company.id))}", "a_sk": company.id}
    item = _item(company) | places | outbox.new_aggregate(rows, company.id, 1)
    return [
        rows.putting(company.id, "meta", item, absent=True),
        *outbox.event_writes(rows, company.id, 0, [event]),
    ]


def changing(before: Company, after: Company, event: NewEvent) -> list[Write]:
    """Return the writes of a change, conditioned on the company as it was read."""
    old, new = _item(before), _item(after)
    return _changing(before, {name: new.get(name) for name in {*old, *new} if old.get(name) != new.get(name)}, event)


def burying(before: Company, event: NewEvent) -> list[Write]:
    """Return the writes that leave nothing of a company but its position among its events, for 30 days."""
    changed: dict[str, Any] = dict.fromkeys([*_item(before), "a_pk", "a_sk"])
    expiry = clock.now_s() + KEEP_DELETED_S
    return _changing(before, {**changed, "pos": before.pos + 1, "gone": True, "exp": expiry}, event)


def requiring(company: Company) -> Write:
    """Return the condition that a company is there under the name that was read."""
    rows = tenant_rows(company.tenant_id)
    return rows.checking(company.id, "meta", when={"name": company.name}, exists=True)


def listed(tenant_id: str) -> Source:
    """Return all of a tenant's companies, newest first."""
    partitions = [_partition(shard) for shard in shards.read(tenant_id)]
    return Source(tenant_rows(tenant_id), partitions, "activity")


def from_item(item: Item | None) -> Company | None:
    """Read a company's row."""
    if item is None or "gone" in item:
        return None
    tenant_id, _, company_id = item["pk"].partition("#")
    known: dict[str, Any] = {name: item[name] for name in _STORED if name in item}
    return Company(tenant_id=tenant_id, id=company_id, **known)


def _changing(before: Company, changed: dict[str, Any], event: NewEvent) -> list[Write]:
    rows: Any = tenant_rows(before.tenant_id)
    news, when = outbox.pending(rows, before.id), {"pos": before.pos}
    events: Sequence[Write] = outbox.event_writes(rows, before.id, before.pos, [event])
    return [rows.updating(before.id, "meta", set_=changed, default=news, when=when), *events]


def _item(company: Company) -> Item:
    item = {name: getattr(company, name) for name in _STORED}
    return {name: value for name, value in item.items() if value not in (None, False)}


def _partition(shard: int) -> str:
    return f"com#{shard}"
