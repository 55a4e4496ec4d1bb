"""Notes about a contact: agents write them for each other."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from chalicelib.contacts import note_store, store
from chalicelib.contacts.models import Note, NoteNotFoundError
from chalicelib.contacts.schemas import ContactNoteOut
from chalicelib.contacts.service import commit, get_contact, get_for_change
from chalicelib.core import clock, ids
from chalicelib.core.http import Page, PageQuery, Principal
from chalicelib.core.listing import page_of_source
from chalicelib.core.table import Key, retrying, tenant_rows
from chalicelib.events.models import NewEvent


def list_notes(tenant_id: str, contact_id: str, query: PageQuery) -> Page[Note]:
    """List the notes about a contact, newest first. One read, one query and one BatchGet."""
    contact = get_contact(tenant_id, contact_id)
    rows = tenant_rows(tenant_id)

    def load(keys: Sequence[Key]) -> dict[Key, Note]:
        return {key: note_store.from_item(item) for key, item in rows.batch_get(keys).items()}

    source = note_store.listed(tenant_id, contact.id)
    count = (contact.note_count, False)
    return page_of_source(source, query, tenant_id, f"notes:{contact.id}", load=load, count=lambda: count)


def add_note(tenant_id: str, contact_id: str, content: str, author: Principal) -> Note:
    """Note something about a contact."""
    note = Note(
        tenant_id=tenant_id,
        contact_id=contact_id,
        id=ids.new("note"),
        content=content,
        author_type=author.kind,
        author_id=author.id,
        author_name=author.name or None,
        created_at=clock.now_ms(),
    )

    def attempt() -> Note:
        before = get_for_change(tenant_id, contact_id)
        event = NewEvent("contact.note_created", _shown(note), author.actor)
        after = replace(before, pos=before.pos + 1)
        writes = [*store.changing(before, after, [event], notes=1), note_store.creating(note)]
        commit(before, writes, result=note)
        return note

    return retrying(attempt)


def delete_note(tenant_id: str, contact_id: str, note_id: str, author: Principal) -> None:
    """Delete a note about a contact. Raises ContactNotFoundError and NoteNotFoundError."""

    def attempt() -> None:
        before = get_for_change(tenant_id, contact_id)
        note = note_store.find(tenant_id, contact_id, note_id) if ids.is_id("note", note_id) else None
        if note is None:
            raise NoteNotFoundError
        event = NewEvent("contact.note_deleted", {"id": note.id, "contact_id": contact_id}, author.actor)
        after = replace(before, pos=before.pos + 1)
        commit(before, [*store.changing(before, after, [event], notes=-1), note_store.deleting(note)])

    retrying(attempt)


def _shown(note: Note) -> dict[str, Any]:
    return ContactNoteOut.of(note).model_dump(mode="json")
