"""Changing and deleting what was said. The log keeps no text that a message has no longer.

A message's row is its own `message.created` event, so that one shows the text as it is now. Of the `message.updated`
events only the newest holds the text.
"""

from collections.abc import Callable
from dataclasses import replace

from chalicelib.conversations import service as conversations
from chalicelib.conversations.models import Conversation, Hot, MergeInProgressError, preview
from chalicelib.core import clock, ids
from chalicelib.core.frozen import frozen
from chalicelib.core.table import ConditionFailedError, StaleError, Write, retrying, tenant_rows, transact
from chalicelib.events import outbox
from chalicelib.events.models import Data, NewEvent
from chalicelib.messages import store
from chalicelib.messages.models import (
    AuthorType,
    Message,
    MessageDeletedError,
    MessageNotFoundError,
    MessageOut,
    NotTheAuthorError,
)
from chalicelib.messages.service import SEARCH_BACK, taken
from chalicelib.visitors.models import BlockedError


@frozen
class Editor:
    """Who wants to change a message."""

    type: AuthorType
    id: str
    actor: dict[str, str]
    deletes_any: bool = False
    proven_contact_id: str = ""  # of a visitor


def edit_message(tenant_id: str, conversation_id: str, message_id: str, content: str, by: Editor) -> Message:
    """Change what one's own message says; the same text changes nothing.

    Two reads, one more for the newest message's preview, one transaction, one queue send. Raises
    ConversationNotFoundError, MessageNotFoundError, NotTheAuthorError, MessageDeletedError, and BlockedError for a
    visitor who may not write.
    """

    def change(before: Message) -> Message:
        if not _is_author(before, by):
            raise NotTheAuthorError
        if before.deleted_at is not None:
            raise MessageDeletedError
        return before if before.content == content else replace(before, content=content, edited_at=clock.now_ms())

    return _change(tenant_id, conversation_id, message_id, by, change)


def delete_message(tenant_id: str, conversation_id: str, message_id: str, by: Editor) -> None:
    """Delete one's own message, or any as an admin: it keeps its `seq`. Raises and costs as `edit_message`."""

    def change(before: Message) -> Message:
        if not by.deletes_any and not _is_author(before, by):
            raise NotTheAuthorError
        return before if before.deleted_at else replace(before, content="", attachments=(), deleted_at=clock.now_ms())

    _change(tenant_id, conversation_id, message_id, by, change)


def _change(
    tenant_id: str, conversation_id: str, message_id: str, by: Editor, change: Callable[[Message], Message]
) -> Message:
    def attempt() -> Message:
        conversation = conversations.get_conversation(tenant_id, conversation_id)
        if by.type == "visitor":
            conversations.own_conversation(conversation, by.id, by.proven_contact_id)
            if conversation.hot.blocked:
                raise BlockedError
        before = _find(conversation, message_id)
        if before is None or (by.type == "visitor" and before.private):
            raise MessageNotFoundError
        after = change(before)
        return before if after == before else _commit(conversation, before, after, by)

    return retrying(attempt)


def _find(conversation: Conversation, message_id: str) -> Message | None:
    if not ids.is_id("msg", message_id):
        return None
    merging_from = conversation.hot.merging_from
    # Where it comes from is looked at first, so that it is not missed while it moves.
    if merging_from and store.find(conversation.tenant_id, merging_from, message_id):
        raise MergeInProgressError
    return store.find(conversation.tenant_id, conversation.id, message_id)


def _is_author(message: Message, by: Editor) -> bool:
    return (message.author.type, message.author.id) == (by.type, by.id)


def _commit(conversation: Conversation, before: Message, after: Message, by: Editor) -> Message:
    rows, deleted = tenant_rows(before.tenant_id), after.deleted_at is not None
    after = replace(after, edit_pos=None if deleted else conversation.hot.pos + 1)
    hot = replace(conversation.hot, last_message=_last_message(conversation, before, after))
    if by.type == "visitor":
        hot = replace(hot, bucket=taken(hot.bucket))
    event = NewEvent("message.deleted" if deleted else "message.updated", _shown(after), by.actor)
    writes = [
        *conversations.changing(conversation, replace(conversation, hot=hot), [event]),
        store.changing(after),
        *forgetting(before),
    ]
    try:
        transact(writes, result=after)
    except ConditionFailedError:
        raise StaleError from None
    outbox.notify(rows, conversation.id)
    return after


def forgetting(before: Message) -> list[Write]:
    """Return the write that takes the text out of the event of the edit before, if that event is still there."""
    if before.edit_pos is None or before.edited_at is None or before.edited_at // 1000 + outbox.KEEP_S <= clock.now_s():
        return []
    data = {name: value for name, value in _shown(before).items() if name != "content"}
    return [outbox.rewriting(tenant_rows(before.tenant_id), before.conversation_id, before.edit_pos, data)]


def _last_message(conversation: Conversation, before: Message, after: Message) -> str | None:
    """Return the conversation's preview after the change, looking back a hundred messages if it may be another one."""
    hot: Hot = conversation.hot
    if before.private or hot.last_message != preview(before.shown_in_lists):
        return hot.last_message
    found, _ = store.between(before.tenant_id, conversation.id, 1, hot.seq, SEARCH_BACK, newest_first=True)
    said = [each for each in found if each.id != before.id] + [after]
    shown = [each for each in said if not each.private and each.deleted_at is None]
    return preview(max(shown, key=lambda each: (each.created_at, each.seq)).shown_in_lists) if shown else None


def _shown(message: Message) -> Data:
    return MessageOut.of(message).model_dump(mode="json")
