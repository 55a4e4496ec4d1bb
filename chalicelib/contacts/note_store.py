"""Rows of notes: in their contact's partition, `con_…`/`note_…`."""

from typing import Any

from chalicelib.contacts.models import Note
from chalicelib.core.items import Item
from chalicelib.core.listing import Source
from chalicelib.core.table import Write, tenant_rows

PREFIX = "note_"
_NAMES = {"content": "c", "author_type": "at", "author_id": "ai", "author_name": "an", "created_at": "ct"}


def find(tenant_id: str, contact_id: str, note_id: str) -> Note | None:
    """Read one note."""
    item = tenant_rows(tenant_id).get(contact_id, note_id, consistent=True)
    return from_item(item) if item else None


def listed(tenant_id: str, contact_id: str) -> Source:
    """Return a contact's notes, newest first."""
    return Source(tenant_rows(tenant_id), [contact_id], low=PREFIX, high=f"{PREFIX}~")


def first(tenant_id: str, contact_id: str, limit: int) -> tuple[list[Note], bool]:
    """Read some of a contact's notes, and whether there are more."""
    found = tenant_rows(tenant_id).query(contact_id, prefix=PREFIX, limit=limit, consistent=True)
    return [from_item(item) for item in found.items], found.more


def creating(note: Note) -> Write:
    """Return the write of a note."""
    item = {short: getattr(note, name) for name, short in _NAMES.items()}
    return tenant_rows(note.tenant_id).putting(note.contact_id, note.id, item, absent=True)


def deleting(note: Note) -> Write:
    """Return the deletion of a note that is there."""
    return tenant_rows(note.tenant_id).deleting(note.contact_id, note.id, exists=True)


def from_item(item: Item) -> Note:
    """Read a note's row."""
    tenant_id, _, contact_id = item["pk"].partition("#")
    known: dict[str, Any] = {name: item.get(short) for name, short in _NAMES.items()}
    return Note(tenant_id=tenant_id, contact_id=contact_id, id=item["sk"], **known)
