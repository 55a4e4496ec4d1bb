"""Rows of custom attributes: `attr`/`attr_…`. The id derives from the key, so two with one key cannot be."""

from dataclasses import fields
from typing import Any

from chalicelib.contacts.models import MAX_DEFINITIONS, Attribute
from chalicelib.core import ids
from chalicelib.core.items import Item
from chalicelib.core.table import Write, tenant_rows

PARTITION = "attr"
_STORED = tuple(each.name for each in fields(Attribute) if each.name not in {"tenant_id", "id"})


def id_of(tenant_id: str, key: str) -> str:
    """Return the id of the attribute with a key."""
    return ids.derived("attr", tenant_id, key)


def find(tenant_id: str, attribute_id: str) -> Attribute | None:
    """Read one definition."""
    item = tenant_rows(tenant_id).get(PARTITION, attribute_id, consistent=True)
    return _from_item(item) if item else None


def list_all(tenant_id: str) -> list[Attribute]:
    """Read all of a tenant's definitions. One query, and one more for each further megabyte of options."""
    rows = tenant_rows(tenant_id)
    found = rows.query(PARTITION, limit=MAX_DEFINITIONS + 1, consistent=True)
    items = found.items
    while found.more:
        behind = (f"{items[-1]['sk']} ", "~")
        found = rows.query(PARTITION, between=behind, limit=MAX_DEFINITIONS + 1, consistent=True)
        items += found.items
    return [_from_item(item) for item in items]


def creating(attribute: Attribute) -> Write:
    """Return the write of a new definition."""
    return tenant_rows(attribute.tenant_id).putting(PARTITION, attribute.id, _item(attribute), absent=True)


def taking_room(tenant_id: str) -> Write:
    """Return the write that counts one more, as long as there is room."""
    rows = tenant_rows(tenant_id)
    return rows.updating("quota", PARTITION, add={"n": 1}, at_most={"n": MAX_DEFINITIONS - 1})


def changing(before: Attribute, after: Attribute) -> Write:
    """Return the write of a change, conditioned on the definition as it was read."""
    rows, item = tenant_rows(before.tenant_id), _item(after)
    return rows.updating(PARTITION, before.id, set_=item, when={"version": before.version})


def deleting(attribute: Attribute) -> list[Write]:
    """Return the writes that remove a definition, and make room."""
    rows = tenant_rows(attribute.tenant_id)
    return [
        rows.deleting(PARTITION, attribute.id, when={"version": attribute.version}),
        rows.updating("quota", PARTITION, add={"n": -1}),
    ]


def _item(attribute: Attribute) -> Item:
    return {name: getattr(attribute, name) for name in _STORED} | {"options": list(attribute.options)}


def _from_item(item: Item) -> Attribute:
    known: dict[str, Any] = {name: item[name] for name in _STORED}
    known["options"] = tuple(known["options"])
    return Attribute(tenant_id=item["pk"].partition("#")[0], id=item["sk"], **known)
