"""Rows of tags: `tag`/`tag_…`, and the guard of a name, which a job that takes it from conversations holds on to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from chalicelib.core.items import Item
from chalicelib.core.listing import Source
from chalicelib.core.table import Key, Write, rows_of, tenant_rows
from chalicelib.tags.models import Tag
from chalicelib.tenants import service as tenants
from chalicelib.tenants.partitions import Traces

PK = "tag"

_STORED = tuple(each.name for each in fields(Tag) if each.name not in {"tenant_id", "id"})


def find(tenant_id: str, tag_id: str) -> Tag | None:
    """Read one as it is now."""
    return from_item(tenant_rows(tenant_id).get(PK, tag_id, consistent=True))


def find_for_change(tenant_id: str, tag_id: str) -> tuple[Tag | None, int | None]:
    """Read one as it is now, and the tenant's position that recording a change needs. One call."""
    row, pos = tenants.find_for_change(tenant_id, PK, tag_id)
    return from_item(row), pos


def find_owner(tenant_id: str, name: str) -> str | None:
    """Return the id of the tag that has a name, or that had it until a moment ago."""
    guard = tenant_rows(tenant_id).get(_guard(name), "-")
    return guard["id"] if guard else None


def find_guards(tenant_id: str, names: Iterable[str]) -> tuple[dict[str, Item], int | None]:
    """Read the guards of those names that are taken, and what `tenants.find_for_change` gives besides. One call."""
    rows, tenant = tenant_rows(tenant_id), tenants.tenant_key(tenant_id)
    wanted = {rows.key(_guard(name), "-"): name for name in names}
    found = rows.batch_get([*wanted, tenant], consistent=True)
    pos = found[tenant]["pos"] if tenant in found else None
    return {name: found[key] for key, name in wanted.items() if key in found}, pos


def listed(tenant_id: str) -> Source:
    """Return all of a tenant's tags, newest first."""
    return Source(tenant_rows(tenant_id), [PK])


def load(tenant_id: str, keys: Iterable[Key]) -> dict[Key, Tag]:
    """Read tags by their keys. One call a hundred."""
    found = tenant_rows(tenant_id).batch_get(keys)
    return {key: tag for key, row in found.items() if (tag := from_item(row))}


def creating(tag: Tag) -> list[Write]:
    """Return the writes of a new tag; the second claims its name."""
    rows = tenant_rows(tag.tenant_id)
    return [rows.putting(PK, tag.id, _item(tag), absent=True), claiming(tag)]


def claiming(tag: Tag) -> Write:
    """Return the guard that makes a name unique in its tenant."""
    return tenant_rows(tag.tenant_id).putting(_guard(tag.name), "-", {"id": tag.id}, absent=True)


def changing(before: Tag, after: Tag) -> Write:
    """Return the write of what changed, for as long as it is as it was read."""
    old, new = _item(before), _item(after)
    changed: dict[str, Any] = {name: new.get(name) for name in {*old, *new} if old.get(name) != new.get(name)}
    return tenant_rows(after.tenant_id).updating(PK, after.id, set_=changed, when=_as_read(before))


def deleting(tag: Tag) -> Write:
    """Return the deletion, for as long as it is as it was read."""
    return tenant_rows(tag.tenant_id).deleting(PK, tag.id, when=_as_read(tag))


def holding(tag: Tag, job_id: str) -> Write:
    """Return the write after which no conversation gets a tag's name any more, until the job is done."""
    return tenant_rows(tag.tenant_id).updating(_guard(tag.name), "-", set_={"job": job_id}, when={"id": tag.id})


def releasing(tenant_id: str, name: str, job_id: str) -> Write:
    """Return the write that sets a name free that a job has held."""
    return tenant_rows(tenant_id).deleting(_guard(name), "-", when={"job": job_id})


def settling(tag: Tag) -> Write:
    """Return the write that notes that a tag's new name is that of all conversations."""
    return tenant_rows(tag.tenant_id).updating(PK, tag.id, set_={"job_id": None}, when={"job_id": tag.job_id})


def requiring_name(tag: Tag) -> Write:
    """Return the condition that a tag has the name that was read."""
    return tenant_rows(tag.tenant_id).checking(PK, tag.id, when={"name": tag.name}, exists=True)


def holder(claim: Write) -> str | None:
    """Return the job that holds the name of a claim that has failed."""
    guard = rows_of(claim.key.pk).get(claim.key.pk.partition("#")[2], "-")
    return guard.get("job") if guard else None


def requiring(tenant_id: str, name: str) -> Write:
    """Return the condition that a name is a tag's, and that of no job."""
    return tenant_rows(tenant_id).checking(_guard(name), "-", when={"job": None}, exists=True)


def traces(_tenant_space: str, found: Sequence[Item]) -> Traces:
    """Return the guards of tags' names."""
    return Traces([name_place(row["name"]) for row in found])


def name_place(name: str) -> tuple[str, str]:
    """Return where the guard of a name is."""
    return _guard(name), "-"


def from_item(row: Item | None) -> Tag | None:
    """Read a row."""
    if row is None:
        return None
    stored = {name: row[name] for name in _STORED if name in row}
    return Tag(tenant_id=row["pk"].partition("#")[0], id=row["sk"], **stored)


def _item(tag: Tag) -> Item:
    return {name: getattr(tag, name) for name in _STORED} | {"translations": dict(tag.translations) or None}


def _as_read(tag: Tag) -> Mapping[str, Any]:
    return {"version": tag.version, "job_id": tag.job_id}


def _guard(name: str) -> str:
    return f"u#tag#{name}"
