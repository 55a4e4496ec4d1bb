"""Rows of messages: `conv_…`/`m#<seq>`, each of them its own `message.created` or `message.moved` event.

A message's id carries the `seq` it was said with. One that a merge has moved has a row `id#<message>` besides, with the
`seq` it has now.
"""

from dataclasses import astuple, replace
from typing import Any

from chalicelib.core import ids
from chalicelib.core.items import Item
from chalicelib.core.table import Rows, Write, tenant_rows
from chalicelib.events import outbox
from chalicelib.events.models import Event
from chalicelib.files.models import Attachment
from chalicelib.messages.models import Author, Message, MessageOut, Moved

_LAST = 10**10 - 1


def creating(message: Message) -> Write:
    """Return the write of a message, which lists it in the tenant's log."""
    rows, author = tenant_rows(message.tenant_id), message.author
    item: dict[str, Any] = {
        "id": message.id,
        "seq": message.seq,
        "pos": message.pos,
        "at": author.type,
        "ai": author.id,
        "an": author.name,
        "c": message.content,
        "pr": message.private or None,
        "cm": message.client_msg_id,
        "ct": message.created_at,
        "fi": [_compact(each) for each in message.attachments] or None,
        "ed": message.edited_at,
        "del": message.deleted_at,
        **_moved_item(message.moved),
        **outbox.log_entry(rows, message.conversation_id),
    }
    return rows.putting(message.conversation_id, _key(message.seq), item, absent=True)


def changing(message: Message) -> Write:
    """Return the write of a message's new text, or of its deletion. The caller's is a condition on the conversation."""
    changed = {
        "c": message.content,
        "ed": message.edited_at,
        "del": message.deleted_at,
        "ep": message.edit_pos,
        "fi": [_compact(each) for each in message.attachments] or None,
    }
    return tenant_rows(message.tenant_id).updating(
        message.conversation_id, _key(message.seq), set_=changed, exists=True
    )


def removing(message: Message) -> list[Write]:
    """Return the writes that take a message away."""
    rows = tenant_rows(message.tenant_id)
    pointer = [rows.deleting(message.conversation_id, _pointer(message.id))] if _has_pointer(message) else []
    return [rows.deleting(message.conversation_id, _key(message.seq), exists=True), *pointer]


def moving(before: Message, after: Message) -> list[Write]:
    """Return the writes that move a message into another conversation."""
    rows = tenant_rows(after.tenant_id)
    pointer = (
        [rows.putting(after.conversation_id, _pointer(after.id), {"seq": after.seq})] if _has_pointer(after) else []
    )
    return [*removing(before), creating(after), *pointer]


def find(tenant_id: str, conversation_id: str, message_id: str) -> Message | None:
    """Read a message by its id, which tells its `seq`; one more read if it was moved here."""
    rows = tenant_rows(tenant_id)
    place, pointer = (
        rows.key(conversation_id, _key(ids.number_in(message_id))),
        rows.key(conversation_id, _pointer(message_id)),
    )
    found = rows.batch_get([place, pointer], consistent=True)
    item = found.get(place)
    if pointer in found:
        item = rows.get(conversation_id, _key(found[pointer]["seq"]), consistent=True)
    return from_item(item) if item and item["id"] == message_id else None


def between(
    tenant_id: str, conversation_id: str, first: int, last: int | None, limit: int, *, newest_first: bool = False
) -> tuple[list[Message], bool]:
    """Read messages with `first <= seq <= last` and whether there are more. One query."""
    found = tenant_rows(tenant_id).query(
        conversation_id,
        between=(_key(first), _key(_LAST if last is None else last)),
        limit=limit,
        newest_first=newest_first,
        consistent=True,
    )
    return [from_item(item) for item in found.items], found.more


def newest_with_conversation(
    tenant_id: str, conversation_id: str, limit: int
) -> tuple[dict[str, Item], list[Message], bool]:
    """Read a conversation's two rows by sort key and its newest messages, newest first. One query."""
    found = tenant_rows(tenant_id).query(
        conversation_id, between=(_key(0), "meta~info"), limit=limit + 2, newest_first=True, consistent=True
    )
    rows = {item["sk"]: item for item in found.items if item["sk"].startswith("meta")}
    messages = [from_item(item) for item in found.items if item["sk"].startswith("m#")]
    return rows, messages, found.more and bool(messages) and messages[-1].seq > 1


def undispatched(rows: Rows, pk: str, meta: Item, limit: int) -> list[Event]:
    """Return the `message.created` events the dispatcher has not seen, for `dispatcher.read_frequent_with`."""
    first = meta.get("dseq", 0) + 1
    found = rows.query(pk, between=(_key(first), _key(meta["seq"])), limit=limit, consistent=True)
    return [replace(event_from_item(item), aggregate=meta) for item in found.items]


def event_from_item(item: Item) -> Event:
    """Read a message's row as the event that it is."""
    message = from_item(item)
    moved = message.moved
    return Event(
        pk=item["pk"],
        pos=message.pos,
        type="message.moved" if moved else "message.created",
        at=moved.at if moved else message.created_at,
        data=MessageOut.of(message).model_dump(mode="json"),
        actor={"type": message.author.type, "id": message.author.id},
        previous={"conversation_id": moved.conversation_id, "seq": moved.seq} if moved else {},
        counts={},
        log_key=item["l_sk"],
        frequent=True,
    )


def from_item(item: Item) -> Message:
    """Read a message's row."""
    tenant_id, _, conversation_id = item["pk"].partition("#")
    return Message(
        tenant_id=tenant_id,
        conversation_id=conversation_id,
        id=item["id"],
        seq=item["seq"],
        pos=item["pos"],
        author=Author(item["at"], item["ai"], item.get("an")),
        content=item["c"],
        private=item.get("pr", False),
        client_msg_id=item.get("cm"),
        created_at=item["ct"],
        attachments=tuple(Attachment(*each) for each in item.get("fi", ())),
        edited_at=item.get("ed"),
        deleted_at=item.get("del"),
        edit_pos=item.get("ep"),
        moved=Moved(item["mv"], item["ms"], item["mt"]) if "mv" in item else None,
    )


def _compact(attachment: Attachment) -> list[str | int]:
    """Return the values without names; those of no image are fewer."""
    return [value for value in astuple(attachment) if value is not None]


def _moved_item(moved: Moved | None) -> Item:
    return {"mv": moved.conversation_id, "ms": moved.seq, "mt": moved.at} if moved else {}


def _has_pointer(message: Message) -> bool:
    return ids.number_in(message.id) != message.seq


def _pointer(message_id: str) -> str:
    return f"id#{message_id}"


def _key(seq: int) -> str:
    return f"m#{seq:010d}"
