"""Where canned responses are kept: rows, keys, and one function per access pattern."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from chalicelib.canned_responses.models import MAX_BYTES, MAX_RESPONSES, CannedResponse
from chalicelib.core.items import Item
from chalicelib.core.table import Write, tenant_rows
from chalicelib.tenants import service as tenants
from chalicelib.tenants.partitions import Traces

PK = "can"
QUOTA = "quota"

_STORED = tuple(each.name for each in fields(CannedResponse) if each.name not in {"tenant_id", "id"})


def find(tenant_id: str, response_id: str) -> CannedResponse | None:
    """Read one as it is now."""
    row = tenant_rows(tenant_id).get(PK, response_id, consistent=True)
    return from_item(row) if row else None


def find_for_change(tenant_id: str, response_id: str) -> tuple[CannedResponse | None, int | None]:
    """Read one as it is now, and the tenant's position that recording a change needs. One call."""
    row, pos = tenants.find_for_change(tenant_id, PK, response_id)
    return from_item(row) if row else None, pos


def list_all(tenant_id: str) -> list[CannedResponse]:
    """Read all of a tenant's: they fit into one query, see MAX_BYTES."""
    return [from_item(row) for row in tenant_rows(tenant_id).query(PK, limit=MAX_RESPONSES).items]


def putting(response: CannedResponse) -> Write:
    """Return the write of a new one."""
    return tenant_rows(response.tenant_id).putting(PK, response.id, to_item(response), absent=True)


def updating(response: CannedResponse, changed: Mapping[str, Any], *, read_version: int) -> Write:
    """Return the write of what changed, for as long as it is at the version that was read."""
    set_ = {**changed, "version": response.version, "updated_at": response.updated_at}
    return tenant_rows(response.tenant_id).updating(PK, response.id, set_=set_, when={"version": read_version})


def deleting(response: CannedResponse) -> Write:
    """Return the deletion, at the version that was read."""
    return tenant_rows(response.tenant_id).deleting(PK, response.id, when={"version": response.version})


def counting_use(response: CannedResponse) -> Write:
    """Return the write that counts one more use, as long as it exists."""
    return tenant_rows(response.tenant_id).updating(PK, response.id, add={"usage_count": 1}, exists=True)


def claiming_shortcut(response: CannedResponse) -> Write:
    """Return the guard that makes a shortcut unique in its tenant."""
    rows = tenant_rows(response.tenant_id)
    return rows.putting(_guard_pk(response.shortcut), "-", {"id": response.id}, absent=True)


def freeing_shortcut(response: CannedResponse) -> Write:
    """Return the deletion of the guard."""
    rows = tenant_rows(response.tenant_id)
    return rows.deleting(_guard_pk(response.shortcut), "-", when={"id": response.id})


def taking_room(tenant_id: str, *, count: int, size: int) -> Write:
    """Return the write that counts responses and bytes, as long as there is room for what is more."""
    room = {"n": MAX_RESPONSES - count} if count > 0 else {}
    room |= {"bytes": MAX_BYTES - size} if size > 0 else {}
    return tenant_rows(tenant_id).updating(QUOTA, PK, add={"n": count, "bytes": size}, at_most=room)


def to_item(response: CannedResponse) -> Item:
    """Return the row."""
    return {name: getattr(response, name) for name in _STORED}


def from_item(row: Item) -> CannedResponse:
    """Read a row."""
    stored = {name: row[name] for name in _STORED if name in row}
    return CannedResponse(tenant_id=row["pk"].partition("#")[0], id=row["sk"], **stored)


def traces(_tenant_space: str, found: Sequence[Item]) -> Traces:
    """Return the guards of canned responses."""
    return Traces([(_guard_pk(row["shortcut"]), "-") for row in found])


def _guard_pk(shortcut: str) -> str:
    return f"u#shortcut#{shortcut}"
