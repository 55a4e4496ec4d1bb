"""Beginning a conversation, usually with its first message, in one transaction."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from chalicelib.conversations import service as conversations
from chalicelib.conversations.changes import Actor
from chalicelib.conversations.models import Cold
from chalicelib.core import clock, ids
from chalicelib.core.errors import InvalidError
from chalicelib.core.table import ConditionFailedError, Rows, StaleError, Write, live, retrying, tenant_rows, transact
from chalicelib.events import outbox
from chalicelib.messages import service, store
from chalicelib.messages.models import NewMessage, Opened
from chalicelib.visitors import service as visitors
from chalicelib.visitors.models import Visitor

REMEMBER_S = 86_400  # how long a client_msg_id opens the same conversation


@dataclass(frozen=True)
class NewConversation:
    """A conversation about to begin."""

    visitor_id: str
    actor: Actor
    first: NewMessage | None = None
    subject: str | None = None
    tags: tuple[str, ...] = ()
    custom_attributes: str = "{}"  # JSON text
    hot: dict[str, Any] = field(default_factory=dict)  # priority, channel, widget_id

    @property
    def by_visitor(self) -> bool:
        """Whether the visitor's flood limit applies."""
        return self.actor["type"] == "visitor"


def open_conversation(tenant_id: str, new: NewConversation) -> Opened:
    """Begin a conversation. With a `client_msg_id` seen within a day, return the one it began.

    One read, one write for the number, one transaction, one queue send.
    """
    rows = tenant_rows(tenant_id)

    def attempt() -> Opened:
        guard = _guard_name(new)
        wanted = [visitors.visitor_key(tenant_id, new.visitor_id), *([rows.key(guard, "-")] if guard else [])]
        found = rows.batch_get(wanted, consistent=True)
        if guard and (seen := live(found.get(rows.key(guard, "-")), clock.now_s())):
            return _opened_before(tenant_id, seen["conv"])
        if wanted[0] not in found or not ids.is_id("vis", new.visitor_id):
            raise InvalidError.field("visitor_id", "There is no such visitor.", "not_found")
        return _open(rows, new, visitors.visitor_from_row(found[wanted[0]]), guard)

    return retrying(attempt)


def _open(rows: Rows, new: NewConversation, visitor: Visitor, guard: str | None) -> Opened:
    limit = [visitors.taking_from_opening_bucket(visitor)] if new.by_visitor else []
    begun = conversations.new_conversation(visitor.tenant_id, visitor.id, _cold(new, visitor), **_hot(new, visitor))
    opened, writes = _with_first_message(new, Opened(begun, None))
    writes += limit
    if guard:
        now, row = clock.now_s(), {"conv": begun.id, "exp": clock.now_s() + REMEMBER_S}
        writes.append(rows.putting(guard, "-", row, absent_or_expired_at=now))
    try:
        transact(writes, result=opened)
    except ConditionFailedError:
        raise StaleError from None
    outbox.notify(rows, begun.id)
    return opened


def _with_first_message(new: NewConversation, opened: Opened) -> tuple[Opened, list[Write]]:
    begun = opened.conversation
    if new.first is None:
        return opened, conversations.creating(begun, new.actor)
    message = service.message_of(new.first, begun, 1, 2)
    # Unlimited by the conversation's own bucket: the visitor's limit on opening has been taken already.
    after = service.said(begun, message)
    return Opened(after, message), [*conversations.creating(after, new.actor), store.creating(message)]


def _opened_before(tenant_id: str, conversation_id: str) -> Opened:
    conversation = conversations.get_conversation(tenant_id, conversation_id)
    found, _ = store.between(tenant_id, conversation_id, 1, 1, 1)
    return Opened(conversation, found[0] if found else None)


def _guard_name(new: NewConversation) -> str | None:
    if new.first is None or new.first.client_msg_id is None:
        return None
    text = f"{new.first.author.id}\x00{new.first.client_msg_id}"
    return f"u#cmid#{new.visitor_id}#{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def _cold(new: NewConversation, visitor: Visitor) -> Cold:
    return Cold(
        subject=new.subject,
        tags=new.tags,
        page_url=visitor.page_url,
        referrer_url=visitor.referrer_url,
        user_agent=visitor.user_agent,
        visitor_ip=visitor.ip,
        custom_attributes=new.custom_attributes,
    )


def _hot(new: NewConversation, visitor: Visitor) -> dict[str, Any]:
    return {"widget_id": visitor.widget_id, "contact_id": visitor.contact_id, **new.hot}
