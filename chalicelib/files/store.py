"""Rows of files: `fil_…`/`meta`, an aggregate; `due`, when an unattached one is swept; a conversation's list."""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

from chalicelib.core import clock, shards
from chalicelib.core.items import Item
from chalicelib.core.listing import Source
from chalicelib.core.table import Key, Write, tenant_rows
from chalicelib.events import outbox
from chalicelib.events.models import NewEvent
from chalicelib.files.models import File

DUE_SHARDS = 16
ORPHAN_MS = 86_400_000  # what no message has taken up by then is deleted
KEEP_DELETED_S = 30 * 86_400  # a deleted file's row has nothing in it but its position among its events

_STORED = tuple(each.name for each in fields(File) if each.name not in {"tenant_id", "id"})


def key(tenant_id: str, file_id: str) -> Key:
    """Return a file's key."""
    return tenant_rows(tenant_id).key(file_id, "meta")


def find(tenant_id: str, file_id: str) -> File | None:
    """Read a file as it is now."""
    return from_item(tenant_rows(tenant_id).get(file_id, "meta", consistent=True))


def find_all(tenant_id: str, file_ids: Iterable[str]) -> dict[str, File]:
    """Read files by id as they are now. One call per hundred."""
    found = tenant_rows(tenant_id).batch_get([key(tenant_id, each) for each in file_ids], consistent=True)
    files = [from_item(item) for item in found.values()]
    return {file.id: file for file in files if file}


def creating(file: File) -> list[Write]:
    """Return the writes of a new file that is not ready, and so in no event and no list but of what waits."""
    rows = tenant_rows(file.tenant_id)
    full = rows.key(file.id, "due").pk
    due = {"p_pk": due_partition(full), "p_sk": f"{file.created_at + ORPHAN_MS:013d}"}
    item = {name: value for name, value in _item(file).items() if value is not None}
    waits = {"a_pk": f"{rows.scope}#wait#{shards.of(rows.scope, file.id)}", "a_sk": file.id}
    return [
        rows.putting(file.id, "meta", item | waits | {"dpos": 0}, absent=True),
        rows.putting(file.id, "due", due, absent=True),
    ]


def checked(before: File, after: File, events: Sequence[NewEvent]) -> list[Write]:
    """Return the writes that make a pending file ready or refused."""
    rows, old, new = tenant_rows(before.tenant_id), _item(before), _item(after)
    changed: dict[str, Any] = {name: value for name, value in new.items() if value != old[name]}
    if after.status == "ready":
        changed |= {"a_pk": f"{rows.scope}#{partition(shards.of(rows.scope, after.id))}", "a_sk": after.id}
    news = outbox.pending(rows, after.id) if events else None
    when = {"status": "pending", "pos": before.pos}
    return [
        rows.updating(after.id, "meta", set_=changed, default=news, when=when),
        *outbox.event_writes(rows, after.id, before.pos, events),
    ]


def attaching(before: File, after: File) -> list[Write]:
    """Return the writes that tie a ready file to a conversation, so that it stays as long as that."""
    rows = tenant_rows(before.tenant_id)
    when = {"status": "ready", "conversation_id": before.conversation_id, "visitor_id": before.visitor_id}
    set_ = {"conversation_id": after.conversation_id, "visitor_id": after.visitor_id}
    tie = rows.updating(before.id, "meta", set_=set_, when=when)
    if before.conversation_id is not None:
        return [tie]
    return [
        tie,
        rows.deleting(before.id, "due"),
        rows.putting(of_conversation(str(after.conversation_id)), before.id, {}),
    ]


def burying(before: File, event: NewEvent, *, logged: bool) -> list[Write]:
    """Return the writes that leave nothing of a file but its place among its events, for as long as it is as read."""
    rows = tenant_rows(before.tenant_id)
    # What no event tells of stays in the list of what waits, for as long as its row is there.
    changed: dict[str, Any] = dict.fromkeys([*_STORED, *(("a_pk", "a_sk") if logged else ())])
    changed |= {"pos": before.pos + 1, "gone": True, "exp": clock.now_s() + KEEP_DELETED_S}
    when = {"status": before.status, "conversation_id": before.conversation_id, "pos": before.pos}
    writes = [
        rows.updating(before.id, "meta", set_=changed, default=outbox.pending(rows, before.id), when=when),
        *outbox.event_writes(rows, before.id, before.pos, [event], logged=logged),
        rows.deleting(before.id, "due"),
    ]
    if before.conversation_id:
        writes.append(rows.deleting(of_conversation(before.conversation_id), before.id))
    return writes


def first_of_conversation(tenant_id: str, conversation_id: str, limit: int) -> tuple[list[str], bool]:
    """Return the ids of a conversation's first files, and whether there are more. One query."""
    found = tenant_rows(tenant_id).query(of_conversation(conversation_id), limit=limit, consistent=True)
    return [item["sk"] for item in found.items], found.more


def moving(file: File, conversation_id: str) -> list[Write]:
    """Return the writes that tie a file, as it was read, to the conversation that its own was merged into."""
    rows = tenant_rows(file.tenant_id)
    when = {"status": file.status, "conversation_id": file.conversation_id}
    return [
        rows.updating(file.id, "meta", set_={"conversation_id": conversation_id}, when=when),
        rows.deleting(of_conversation(str(file.conversation_id)), file.id),
        rows.putting(of_conversation(conversation_id), file.id, {}),
    ]


def forgetting(tenant_id: str, conversation_id: str, file_id: str) -> Write:
    """Return the write that takes a file off a conversation's list."""
    return tenant_rows(tenant_id).deleting(of_conversation(conversation_id), file_id)


def everything(tenant_id: str) -> Source:
    """Return all ready files of a tenant, newest first."""
    partitions = [partition(shard) for shard in shards.read(tenant_id)]
    return Source(tenant_rows(tenant_id), partitions, "activity")


def of_conversation(conversation_id: str) -> str:
    """Return the partition of a conversation's files."""
    return f"f#fil#{conversation_id}"


def partition(shard: int) -> str:
    """Return the index partition of a shard, without the tenant."""
    return f"fil#{shard}"


def due_partition(full_pk: str) -> str:
    """Return the pending index's partition of the time when a file is swept."""
    return f"F#{zlib.crc32(full_pk.encode()) % DUE_SHARDS}"


def from_item(item: Item | None) -> File | None:
    """Read a file's row."""
    if item is None or "gone" in item:
        return None
    tenant_id, _, file_id = item["pk"].partition("#")
    known: dict[str, Any] = {name: item[name] for name in _STORED if name in item}
    return File(tenant_id=tenant_id, id=file_id, **known)


def _item(file: File) -> Item:
    return {name: getattr(file, name) for name in _STORED}
