"""Mails to visitors who left before the answer came: what was said since, and the way back to the chat.

The address is what the visitor says it is, or else that of the contact he is. So such a mail holds nothing that the
visitor typed, it can be turned off by whoever gets it, and its link opens this visitor's own chat and no other.
"""

from dataclasses import replace

from chalicelib.auth.visitor_tokens import Admission, VisitorClaims
from chalicelib.contacts import service as contacts
from chalicelib.conversations import service as conversations
from chalicelib.conversations.models import Conversation, ConversationNotFoundError
from chalicelib.core import clock, ids, keyring, log, ratelimit
from chalicelib.core.errors import RateLimitedError
from chalicelib.core.table import retrying
from chalicelib.mail.languages import language_for
from chalicelib.mail.models import Mail
from chalicelib.mail.service import enqueue
from chalicelib.messages import service as messages
from chalicelib.messages.models import Message
from chalicelib.notifications import links, reminders, store
from chalicelib.notifications.links import AddressChoice, ChatLink
from chalicelib.notifications.models import MAX_QUOTES, QUIET_MS, Reminder, Told, quoted
from chalicelib.tenants import service as tenants
from chalicelib.tenants.models import Tenant
from chalicelib.visitors import service as visitors
from chalicelib.visitors.models import Visitor
from chalicelib.widgets import service as widgets

MAILS_PER_ADDRESS = 10  # in an hour, however many chats name it
MERGING_MS = 60_000  # until a merge is looked at again that is under way


def remind(reminder: Reminder) -> None:
    """Mail the visitor what the agents have said, if he has not read it; in one mail for all that is unread.

    A repeat sends the same mail, which goes out once: the range of messages is written down before it is enqueued.
    """
    conversation = conversations.get_conversation(reminder.tenant_id, reminder.conversation_id)
    if conversation.id != reminder.conversation_id:
        if conversation.hot.merging_from:
            reminders.again(reminder, MERGING_MS)
            return
        # A `seq` of the one that was merged means nothing in this one: what counts is all that is unread by now.
        reminder = replace(reminder, conversation_id=conversation.id, seq=conversation.hot.seq)
    absent = _absent(conversation)
    if absent is None:
        return
    visitor, email = absent
    told = retrying(lambda: _claim(reminder, conversation, email))
    if told is None or told.by != reminder.seq:
        return
    unread = messages.list_unread(conversation, by_visitor=True, limit=MAX_QUOTES)
    if said := [each for each in unread if told.after < each.seq <= told.to]:
        enqueue(_mail(tenants.get_tenant(reminder.tenant_id), conversation, visitor, email, told, said))


def page_of(conversation: Conversation, visitor: Visitor) -> str | None:
    """Return the page of the tenant's site that the visitor wrote from, if the tenant still has it."""
    widget_id = conversation.hot.widget_id or visitor.widget_id
    for url in dict.fromkeys([conversation.cold.page_url, visitor.page_url]):
        found = links.page_and_origin(url)
        if found is None or widget_id is None:
            continue
        claims = VisitorClaims(conversation.tenant_id, visitor.id, widget_id, found[1])
        if widgets.admits(claims) is Admission.ADMITTED:
            return found[0]
    return None


def find_page(token: str) -> str | None:
    """Return the page that a mail's link leads to, or None if it leads nowhere any more."""
    link = links.read_chat(token)
    visitor = find_visitor(link) if link else None
    if link is None or visitor is None:
        return None
    try:
        conversation = conversations.get_conversation(link.tenant_id, link.conversation_id)
        return page_of(conversations.own_conversation(conversation, visitor.id), visitor)
    except ConversationNotFoundError:
        return None


def find_visitor(link: ChatLink) -> Visitor | None:
    """Return the visitor whose chat a link opens, unless his address is another one by now.

    One read, and one more where it is his contact's.
    """
    visitor = visitors.find_visitor(link.tenant_id, link.visitor_id)
    email = _address_of(visitor) if visitor else None
    if email is None:
        return None
    return visitor if store.address_hash(link.tenant_id, email) == link.address_hash else None


def _address_of(visitor: Visitor) -> str | None:
    if visitor.email or visitor.contact_id is None:
        return visitor.email
    contact = contacts.find_contact(visitor.tenant_id, visitor.contact_id)
    return contact.email if contact else None


def _absent(conversation: Conversation) -> tuple[Visitor, str] | None:
    """Return the visitor and his address if there is something he has not read and a way to tell him."""
    if not conversation.hot.visitor_unread_count:
        return None
    visitor = visitors.find_visitor(conversation.tenant_id, conversation.hot.visitor_id)
    if visitor is None or visitor.blocked or (email := _address_of(visitor)) is None:
        return None
    if page_of(conversation, visitor) is None:
        log.info("offline_mail_without_page", conversation=conversation.id)
        return None
    return visitor, email


def _claim(reminder: Reminder, conversation: Conversation, email: str) -> Told | None:
    """Return which messages the mail of this reminder tells, written down; None if it has none to tell, or not yet."""
    told, unsubscribed = store.find_told(reminder.tenant_id, conversation.id, email)
    if unsubscribed or reminder.seq <= told.after:
        return None
    if reminder.seq <= told.to:
        return told
    if wait_ms := max(0, told.at + QUIET_MS - clock.now_ms()):
        reminders.again(reminder, wait_ms)
        return None
    if not _within_limit(email):
        log.warning("offline_mails_limited", conversation=conversation.id)
        return None
    after = Told(after=told.to, to=conversation.hot.seq, by=reminder.seq, at=clock.now_ms())
    store.put_told(reminder.tenant_id, conversation.id, told, after)
    return after


def _within_limit(email: str) -> bool:
    try:
        ratelimit.count_in_window(f"mail#{keyring.keyed_hash('offline', email).hex()}", MAILS_PER_ADDRESS, 3600)
    except RateLimitedError:
        return False
    return True


def _mail(
    tenant: Tenant, conversation: Conversation, visitor: Visitor, email: str, told: Told, said: list[Message]
) -> Mail:
    hashed = store.address_hash(tenant.id, email)
    link = ChatLink(tenant.id, visitor.id, conversation.id, hashed)
    return Mail(
        id=ids.derived("mail", conversation.id, "offline", str(told.to)),
        to=email,
        template="offline_messages",
        language=language_for(visitor.locale, tenant.language),
        params={"tenant": tenant.name, "link": links.to_chat(link)},
        quotes=tuple(quoted(each.author.name or tenant.name, each.content) for each in said),
        sender=tenant.name,
        unsubscribe=links.to_unsubscribe(AddressChoice(tenant.id, hashed)),
    )
