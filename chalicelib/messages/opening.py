"""Beginning a conversation, usually with its first message, in one transaction."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from chalicelib.billing import service as billing
from chalicelib.contacts import service as contacts
from chalicelib.contacts.models import Contact
from chalicelib.conversations import service as conversations
from chalicelib.conversations.changes import Actor
from chalicelib.conversations.models import Cold, Conversation
from chalicelib.core import clock, ids
from chalicelib.core.config import settings
from chalicelib.core.errors import InvalidError
from chalicelib.core.frozen import frozen
from chalicelib.core.items import Item
from chalicelib.core.table import ConditionFailedError, Rows, StaleError, Write, live, retrying, tenant_rows, transact
from chalicelib.events import outbox
from chalicelib.files.models import Attachment
from chalicelib.messages import service, store
from chalicelib.messages.models import NewMessage, Opened
from chalicelib.tags.naming import Naming
from chalicelib.tenants import service as tenants
from chalicelib.tenants.models import LARGER, PlanLimitError
from chalicelib.visitors import reaching
from chalicelib.visitors import service as visitors
from chalicelib.visitors.models import BlockedError, IdentityRequiredError, Visitor
from chalicelib.widgets import service as widgets

Guarding = Callable[[str], list[Write]]

REMEMBER_S = 86_400  # how long a client_msg_id opens the same conversation


@frozen
class NewConversation:
    """A conversation about to begin."""

    visitor_id: str | None  # None: with a contact
    actor: Actor
    first: NewMessage | None = None
    subject: str | None = None
    tags: tuple[str, ...] = ()
    custom_attributes: str = "{}"  # JSON text
    hot: dict[str, Any] = field(default_factory=dict)  # priority, channel, widget_id
    proven_contact_id: str | None = None  # whom the visitor has proven to be
    contact_id: str | None = None

    @property
    def at_widget(self) -> str | None:
        """The widget whose rules apply to the visitor who opens it."""
        return self.hot.get("widget_id") if self.by_visitor else None

    @property
    def by_visitor(self) -> bool:
        """Whether the visitor's flood limit applies."""
        return self.actor["type"] == "visitor"


@frozen
class _Whom:
    """With whom a conversation begins."""

    visitor: Visitor
    contact: Contact | None = None  # where one was named, as it was read
    making: tuple[Write, ...] = ()  # of a visitor who is not stored yet


def open_conversation(tenant_id: str, new: NewConversation) -> Opened:
    """Begin a conversation. With a `client_msg_id` seen within a day, return the one it began.

    One read, one write for the number, one transaction, one queue send; a second attempt, with one more read, where the
    visitor's contact is blocked or has just been merged, deleted or given another company, or a tag is new. With a
    contact, a read and a query more, and where it has no visitor yet, a queue send. Raises InvalidError, BlockedError,
    IdentityRequiredError and, unless a visitor opens it, PlanLimitError.
    """
    rows, known = tenant_rows(tenant_id), (_Contacts(tenant_id), Naming(tenant_id, new.actor))

    def attempt() -> Opened:
        contact = contacts.find_contact(tenant_id, new.contact_id) if new.contact_id is not None else None
        visitor_ids = reaching.candidates(contact) if contact else [new.visitor_id or ""]
        visitor_keys = [visitors.visitor_key(tenant_id, each) for each in visitor_ids if ids.is_id("vis", each)]
        guard = _guard_place(new)
        guard_key = rows.key(*(guard or ("-", "-")))
        widget_key = widgets.widget_key(tenant_id, new.at_widget or "-")
        plan_key = tenants.tenant_key(tenant_id)
        wanted = [*visitor_keys, *([guard_key] if guard else []), *([widget_key] if new.at_widget else [])]
        wanted += [plan_key] if settings().billing else []
        found = rows.batch_get(wanted, consistent=True)
        seen = live(found.get(guard_key), clock.now_s()) if guard else None
        if seen and (before := _opened_before(tenant_id, seen["conv"], new)):
            return before
        whom = _whom(new, contact, [visitors.visitor_from_row(found[key]) for key in visitor_keys if key in found])
        if new.at_widget and widgets.requires_identity(found.get(widget_key)) and not _is_proven(new, whom.visitor):
            raise IdentityRequiredError
        allowed = tenants.limits_of(found.get(plan_key)).conversations
        return _open(rows, new, whom, known, allowed, _guarding(rows, guard, seen))

    return retrying(attempt)


def _whom(new: NewConversation, contact: Contact | None, found: list[Visitor]) -> _Whom:
    if contact:
        visitor, making = reaching.visitor_of(contact, found, new.actor)
        return _Whom(visitor, contact, tuple(making))
    if new.visitor_id is None:
        raise InvalidError.field("contact_id", "There is no such contact.", "not_found")
    if not found:
        raise InvalidError.field("visitor_id", "There is no such visitor.", "not_found")
    return _Whom(found[0])


@dataclass
class _Contacts:
    """What is known of the contact that a conversation will belong to.

    Until a transaction fails, that it is there, not blocked, and of the company that it was of last: the transaction
    requires it, so it need not be read.
    """

    tenant_id: str
    doubted: bool = False

    def now(self, contact_id: str | None, company_id: str | None) -> tuple[str | None, bool, str | None]:
        """Return the contact's id, or that of the one it was merged into, whether it is blocked, and its company.

        `company_id` is what that was last.
        """
        if contact_id is None or not self.doubted:
            return contact_id, False, company_id if contact_id else None
        found = contacts.find_contact(self.tenant_id, contact_id)
        return (found.id, *found.state) if found else (None, False, None)


def _is_proven(new: NewConversation, visitor: Visitor) -> bool:
    return new.proven_contact_id is not None and new.proven_contact_id == visitor.contact_id


def _open(
    rows: Rows,
    new: NewConversation,
    whom: _Whom,
    known: tuple["_Contacts", Naming],
    allowed: int | None,
    guarding: Guarding,
) -> Opened:
    (contact, naming), visitor = known, whom.visitor
    contact_id, contact_blocked, company_id = (
        (whom.contact.id, *whom.contact.state)
        if whom.contact
        else contact.now(new.hot.get("contact_id", visitor.contact_id), visitor.company_id)
    )
    blocked = visitor.blocked or contact_blocked
    if blocked and new.by_visitor:
        raise BlockedError
    state = {"widget_id": visitor.widget_id, **new.hot, "contact_id": contact_id, "blocked": blocked}
    opening = visitors.opening_by_visitor if new.by_visitor else visitors.opening_by_agent
    cold = replace(_cold(new, visitor), company_id=company_id)
    begun = conversations.new_conversation(visitor.tenant_id, visitor.id, cold, **state)
    attachments, writes = service.bringing_files(new.first, begun) if new.first else ((), [])
    writes += whom.making or [opening(visitor, company_id)]
    # Only now: what is refused must not use up what the plan allows in a month.
    number, in_month = conversations.take_number(visitor.tenant_id)
    held = allowed is not None and in_month > allowed
    if held and not new.by_visitor:
        raise PlanLimitError(f"Your plan allows {allowed} conversations a month. {LARGER}")
    begun = replace(begun, hot=replace(begun.hot, number=number, held=held))
    opened, beginning = _with_first_message(new, begun, attachments)
    writes += beginning
    if contact_id:
        writes.append(contacts.requiring_contact(visitor.tenant_id, contact_id, (contact_blocked, company_id)))
    writes += guarding(begun.id)
    writes += naming.writes(set(new.tags), room=conversations.MAX_WRITES - 1 - len(writes))
    try:
        transact(writes, result=opened)
    except ConditionFailedError:
        contact.doubted = True
        raise StaleError from None
    outbox.notify(rows, begun.id)
    if whom.making:
        outbox.notify(rows, visitor.id)
    naming.committed()
    if allowed is not None:
        billing.warn_when_near(visitor.tenant_id, in_month, allowed)
    return opened


def _with_first_message(
    new: NewConversation, begun: Conversation, attachments: tuple[Attachment, ...]
) -> tuple[Opened, list[Write]]:
    if new.first is None:
        return Opened(begun, None), conversations.creating(begun, new.actor)
    message = service.message_of(new.first, begun, 1, 2, attachments)
    # Unlimited by the conversation's own bucket: the visitor's limit on opening has been taken already.
    after = service.said(begun, message)
    return Opened(after, message), [*conversations.creating(after, new.actor), store.creating(message)]


def _guarding(rows: Rows, guard: tuple[str, str] | None, seen: Item | None) -> Guarding:
    """Return what writes the guard of a new conversation: over one whose conversation is deleted, or where none is."""

    def write(conversation_id: str) -> list[Write]:
        if guard is None:
            return []
        now = clock.now_s()
        row = {"conv": conversation_id, "exp": now + REMEMBER_S}
        if seen:
            return [rows.updating(*guard, set_=row, when={"conv": seen["conv"]})]
        return [rows.putting(*guard, row, absent_or_expired_at=now)]

    return write


def _opened_before(tenant_id: str, conversation_id: str, new: NewConversation) -> Opened | None:
    """Return what a client_msg_id has begun, unless that is deleted or merged into what another visitor began."""
    conversation = conversations.find_conversation(tenant_id, conversation_id)
    if conversation is None or new.first is None or new.visitor_id not in {None, conversation.hot.visitor_id}:
        return None
    found, _ = store.between(tenant_id, conversation_id, 1, 1, 1)
    # Where the conversation was merged into another one, its messages are there, or on their way.
    message = found[0] if found else service.find_said(conversation, new.first)
    return Opened(conversation, message) if message else None


def _guard_place(new: NewConversation) -> tuple[str, str] | None:
    if new.first is None or new.first.client_msg_id is None:
        return None
    text = f"{new.first.author.id}\x00{new.first.client_msg_id}"
    # Of a contact as it was named: which visitor that means may be different the next time.
    whose = new.contact_id if new.visitor_id is None else new.visitor_id
    return f"u#cmid#{whose}", hashlib.sha256(text.encode()).hexdigest()[:32]


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
