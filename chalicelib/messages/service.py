"""Saying something: exactly once, in order, in one transaction with what it does to the conversation."""

from dataclasses import replace

from chalicelib.conversations import service as conversations
from chalicelib.conversations.changes import with_public_message
from chalicelib.conversations.models import Conversation, ConversationNotFoundError, Merged
from chalicelib.core import clock, ids, ratelimit
from chalicelib.core import cursor as cursors
from chalicelib.core.config import settings
from chalicelib.core.errors import InvalidError
from chalicelib.core.http import Page
from chalicelib.core.table import ConditionFailedError, StaleError, Write, retrying, tenant_rows, transact
from chalicelib.events import outbox
from chalicelib.files.attaching import attaching
from chalicelib.files.models import Attachment
from chalicelib.messages import store
from chalicelib.messages.models import (
    RECENT_CLIENT_IDS,
    ListMessages,
    Message,
    NewMessage,
    Thread,
    client_id_hash,
    remember,
    remembers,
)
from chalicelib.tenants import service as tenants
from chalicelib.tenants.models import LARGER, PlanLimitError
from chalicelib.visitors.models import BlockedError

KEY_REACH = 1000  # newest messages among which a client_msg_id is looked for
SEARCH_BACK = 100  # messages read at a time when looking for one that a client_msg_id names, or is no note
READ_ON = 4  # how often a visitor's page reads on when notes left it short


def send_message(tenant_id: str, conversation_id: str, new: NewMessage) -> Message:
    """Say something in a conversation.

    A `client_msg_id` that this author has used among the last 32 in this conversation, and among its newest 1,000
    messages, returns the first message.
    One consistent read, one transaction conditioned on it, one queue send; a conflict reads again, up to 20 times
    within 5 s. Raises ConversationNotFoundError, also for a visitor's message to somebody else's conversation, and
    BlockedError for a blocked one's; PlanLimitError for an answer that the plan does not allow.
    """

    def attempt() -> Message:
        found = conversations.get_conversation(tenant_id, conversation_id)
        if new.author.type == "visitor":
            conversations.own_conversation(found, new.author.id, new.proven_contact_id)
        if said_before := _already_said(found, new):
            return said_before
        if found.hot.blocked and new.author.type == "visitor":
            raise BlockedError
        if found.hot.held and new.author.type != "visitor" and not new.private:
            _require_answerable(found)
        return _say(found, new)

    return retrying(attempt)


def _require_answerable(held: Conversation) -> None:
    """Refuse to answer what a plan does not allow this month. One read. Raises PlanLimitError."""
    this_month = clock.rfc3339(clock.now_ms())[:7] == clock.rfc3339(held.hot.created_at)[:7]
    if this_month and (allowed := tenants.find_limits(held.tenant_id)[0].conversations) is not None:
        message = f"This conversation is beyond the {allowed} that your plan allows this month. {LARGER}"
        raise PlanLimitError(f"{message} Otherwise you can answer it when the month (UTC) is over.")


def get_thread(tenant_id: str, conversation_id: str, limit: int) -> Thread:
    """Return a conversation with its newest messages, notes included. One query."""
    if not ids.is_id("conv", conversation_id):
        raise ConversationNotFoundError
    rows, messages, more = store.newest_with_conversation(tenant_id, conversation_id, limit)
    found = conversations.from_rows(rows)
    if isinstance(found, Merged):
        return get_thread(tenant_id, conversations.get_conversation(tenant_id, found.into).id, limit)
    return Thread(found, messages[::-1], more)


def list_messages(tenant_id: str, conversation_id: str, query: ListMessages) -> Page[Message]:
    """List a conversation's messages, notes included. One read and one query; `seq` makes offsets free.

    One read more, or two, for each message that bounds it by its id; raises InvalidError where that is not here.

    If it was merged into another one, that one's are listed, all of them: a `seq` of this one means nothing there.
    """
    conversation = conversations.get_conversation(tenant_id, conversation_id)
    newest_first, name = query.order == "desc", f"messages:{conversation.id}"
    position = query.position(tenant_id, name)
    seen = position.seen if position else query.offset
    first, last = 1, conversation.hot.seq
    if conversation.id == conversation_id:
        first, last = query.after_seq + 1, min(last, (query.before_seq or last + 1) - 1)
    first = max(first, _seq_of(conversation, "after", query.after, 0) + 1)
    last = min(last, _seq_of(conversation, "before", query.before, last + 1) - 1)
    total = max(0, last - first + 1)
    if newest_first:
        last = int(position.after) - 1 if position else last - seen
    else:
        first = int(position.after) + 1 if position else first + seen
    shown: list[Message] = []
    if first <= last:
        shown, _ = store.between(tenant_id, conversation.id, first, last, query.limit, newest_first=newest_first)
    more = bool(shown) and (shown[-1].seq > first if newest_first else shown[-1].seq < last)
    follow = query.next_cursor(tenant_id, name, str(shown[-1].seq), seen + len(shown)) if more else None
    return Page(shown, total, query.limit, seen, more, follow)


def _seq_of(conversation: Conversation, param: str, message_id: str | None, otherwise: int) -> int:
    if message_id is None:
        return otherwise
    known = ids.is_id("msg", message_id)
    found = store.find(conversation.tenant_id, conversation.id, message_id) if known else None
    if found is None:
        raise InvalidError.field(param, "There is no such message in this conversation.", "not_found")
    return found.seq


def list_for_visitor(conversation: Conversation, after_seq: int, limit: int, cursor: str | None) -> Page[Message]:
    """List what the visitor may see after a `seq`, oldest first, without notes; `total` is of all he may see.

    One query, up to four where there are notes; none if there is nothing new. Four full of notes end the page early.
    """
    tenant_id, name, seen = conversation.tenant_id, f"own-messages:{conversation.id}", 0
    if cursor:
        position = cursors.decode(tenant_id, name, cursor)
        after_seq, seen = int(position.after), position.seen
    last, reached = conversation.hot.seq, after_seq
    shown: list[Message] = []
    for number in range(READ_ON):
        if reached >= last or len(shown) > limit:
            break
        # One more than asked for, so that what follows the page is known to be no note.
        found, _ = store.between(
            tenant_id, conversation.id, reached + 1, last, max(limit + 1, SEARCH_BACK if number else 0)
        )
        if not found:  # deleted, or merged away, since the conversation was read
            break
        shown += [message for message in found if not message.private]
        reached = found[-1].seq
    more = len(shown) > limit or reached < last
    if len(shown) > limit:
        shown = shown[:limit]
        reached = shown[-1].seq
    follow = cursors.encode(tenant_id, name, cursors.Position(str(reached), seen + len(shown))) if more else None
    return Page(shown, conversation.hot.public_count, limit, seen, more, follow)


def list_unread(conversation: Conversation, *, by_visitor: bool, limit: int) -> list[Message]:
    """Return the newest messages that the visitor, or else the agents, have not read, oldest first. One query."""
    hot = conversation.hot
    unread = hot.visitor_unread_count if by_visitor else hot.unread_count
    if not unread:
        return []
    found, _ = store.between(conversation.tenant_id, conversation.id, 1, hot.seq, SEARCH_BACK, newest_first=True)
    theirs = [each for each in found if not each.private and (each.author.type == "visitor") != by_visitor]
    return theirs[: min(unread, limit)][::-1]


def bringing_files(new: NewMessage, conversation: Conversation) -> tuple[tuple[Attachment, ...], list[Write]]:
    """Return what a message keeps of its files, and the writes that tie them to the conversation."""
    author = {"type": new.author.type, "id": new.author.id}
    seen_by = None if new.private else conversation.hot.visitor_id
    return attaching(conversation.tenant_id, new.file_ids, conversation.id, author, seen_by)


def message_of(
    new: NewMessage, conversation: Conversation, seq: int, pos: int, attachments: tuple[Attachment, ...] = ()
) -> Message:
    """Return the message as it will stand in the conversation."""
    return Message(
        tenant_id=conversation.tenant_id,
        conversation_id=conversation.id,
        id=ids.new_numbered("msg", seq),
        seq=seq,
        pos=pos,
        author=new.author,
        content=new.content,
        private=new.private,
        client_msg_id=new.client_msg_id,
        created_at=clock.now_ms(),
        attachments=attachments,
    )


def _say(before: Conversation, new: NewMessage) -> Message:
    attachments, ties = bringing_files(new, before)
    message = message_of(new, before, before.hot.seq + 1, before.hot.pos + 1, attachments)
    actor = {"type": message.author.type, "id": message.author.id}
    after = said(before, message)
    # The message before what it brings about: its place in the log is taken first.
    writes = [store.creating(message), *conversations.changing_for_message(before, after, actor), *ties]
    try:
        transact(writes, result=message)
    except ConditionFailedError:
        raise StaleError from None
    outbox.notify(tenant_rows(before.tenant_id), before.id)
    return message


def said(before: Conversation, message: Message) -> Conversation:
    """Return the conversation after the message: preview, counts, place in lists; open if the visitor wrote."""
    hot, by_visitor = before.hot, message.author.type == "visitor"
    recent = hot.recent
    if message.client_msg_id:
        recent = remember(recent, client_id_hash(message.author.id, message.client_msg_id))
    hot = replace(hot, seq=message.seq, pos=message.pos, recent=recent, updated_at=message.created_at)
    if by_visitor:
        hot = replace(hot, bucket=taken(hot.bucket), unread_count=hot.unread_count + 1, visitor_unread_count=0)
    elif not message.private:
        hot = replace(hot, unread_count=0, visitor_unread_count=hot.visitor_unread_count + 1)
    if message.private:
        return replace(before, hot=hot)
    after = replace(before, hot=replace(hot, public_count=hot.public_count + 1))
    return with_public_message(after, message.shown_in_lists, message.created_at, reopen=by_visitor)


def taken(bucket: str | None) -> str:
    """Return a visitor's flood limit with one token less; raises RateLimitedError."""
    burst, rate = settings().visitor_burst, settings().visitor_rate
    return str(ratelimit.Bucket.parse(bucket, burst).take(burst, rate))


def _already_said(conversation: Conversation, new: NewMessage) -> Message | None:
    """Return the message that this client_msg_id has sent before, or None.

    A hash that is remembered is of one of the last 32 messages with an id, so the search ends behind the 32nd. Others
    without an id may lie between, any number of them; that is why it also ends behind the newest 1,000.
    """
    if new.client_msg_id is None:
        return None
    if not remembers(conversation.hot.recent, client_id_hash(new.author.id, new.client_msg_id)):
        return None
    return find_said(conversation, new)


def find_said(conversation: Conversation, new: NewMessage) -> Message | None:
    """Return the message with the same author and client_msg_id, or None.

    It may still be on its way from a conversation that is being merged into this one. That one is looked at first, as
    messages go: so none is missed that moves meanwhile.
    """
    tenant_id, hot = conversation.tenant_id, conversation.hot
    moving = _search(tenant_id, hot.merging_from, None, new) if hot.merging_from else None
    return moving or _search(tenant_id, conversation.id, hot.seq, new)


def _search(tenant_id: str, conversation_id: str, last: int | None, new: NewMessage) -> Message | None:
    """Look back from `last`, or from the newest message; those that a merge has put in between don't count as ids."""
    first, with_id = max(1, (last or 1) - KEY_REACH + 1), 0
    while (last is None or first <= last) and with_id < RECENT_CLIENT_IDS:
        found, _ = store.between(tenant_id, conversation_id, first, last, SEARCH_BACK, newest_first=True)
        for message in found:
            if message.client_msg_id == new.client_msg_id and message.author.id == new.author.id:
                return message
            with_id += message.client_msg_id is not None and message.moved is None
        if last is None and found:
            first = max(1, found[0].seq - KEY_REACH + 1)
        last = found[-1].seq - 1 if found else 0
    return None  # another id with the same short hash, or one out of reach
