"""Mails to members: a conversation is theirs, a new one is nobody's, or a visitor waits for their answer."""

from collections.abc import Sequence

from chalicelib.conversations import service as conversations
from chalicelib.conversations.models import Conversation, ConversationNotFoundError
from chalicelib.core import ids
from chalicelib.core.errors import NotFoundError
from chalicelib.events.models import Event
from chalicelib.mail.languages import language_for
from chalicelib.mail.models import Mail, Quote
from chalicelib.mail.service import enqueue
from chalicelib.messages import service as messages
from chalicelib.notifications import links, store
from chalicelib.notifications.links import MemberChoice
from chalicelib.notifications.models import MAX_QUOTES, QUIET_MS, Kind, Reminder, quoted
from chalicelib.tenants.members import find_members

_TEMPLATES: dict[Kind, str] = {"assigned": "assigned", "new": "new_conversation", "message": "visitor_message"}


def tell_assignee(event: Event) -> None:
    """Mail the member whom a conversation was assigned to, unless they took it themselves. Two reads, or one."""
    user_id = event.data["assigned_to"]
    if user_id is None or event.actor["id"] == user_id or "assigned_to" not in event.previous:
        return  # it went to another team only
    if store.find_preferences(event.tenant_id, user_id).assigned:
        _mail(event.tenant_id, [user_id], "assigned", event.data["id"], event.data["number"], _window(event.at))


def tell_of_new(event: Event) -> None:
    """Mail who wants to hear of each conversation that a visitor begins. One query, and two reads if there is one."""
    if event.actor["type"] != "visitor" or event.data["assigned_to"] is not None:
        return
    if wanting := store.list_wanting_new(event.tenant_id):
        try:
            said = conversations.get_conversation(event.tenant_id, event.data["id"]).hot.last_message
        except ConversationNotFoundError:
            return  # deleted before anybody heard of it
        quotes = (quoted("", said),) if said else ()
        _mail(event.tenant_id, wanting, "new", event.data["id"], event.data["number"], "", quotes)


def remind(reminder: Reminder) -> None:
    """Mail the assignee if the visitor's message is still unread: they are away."""
    conversation = conversations.get_conversation(reminder.tenant_id, reminder.conversation_id)
    hot = conversation.hot
    if hot.assigned_to is None or not hot.unread_count or hot.status == "closed":
        return
    if store.find_preferences(reminder.tenant_id, hot.assigned_to).message:
        # Of the newest message, not of this one: reminders that come late and together are one mail.
        window, quotes = _window(hot.activity), _unread(conversation)
        _mail(reminder.tenant_id, [hot.assigned_to], "message", conversation.id, hot.number, window, quotes)


def _mail(
    tenant_id: str,
    user_ids: Sequence[str],
    kind: Kind,
    conversation_id: str,
    number: int,
    window: str,
    quotes: tuple[Quote, ...] = (),
) -> None:
    """Enqueue one mail a member; the same conversation, kind and window is the same mail."""
    try:
        tenant, found = find_members(tenant_id, user_ids)
    except NotFoundError:
        return  # the tenant was erased meanwhile
    if tenant.status != "active":
        return
    for member in found:
        enqueue(
            Mail(
                id=ids.derived("mail", conversation_id, member.user_id, kind, window),
                to=member.email,
                template=_TEMPLATES[kind],
                language=language_for(tenant.language),
                params={"tenant": tenant.name, "number": str(number), "link": links.to_conversation(conversation_id)},
                quotes=quotes,
                unsubscribe=links.to_unsubscribe(MemberChoice(tenant_id, member.user_id, kind)),
            )
        )


def _unread(conversation: Conversation) -> tuple[Quote, ...]:
    found = messages.list_unread(conversation, by_visitor=False, limit=MAX_QUOTES)
    return tuple(quoted("", message.content) for message in found)


def _window(at: int) -> str:
    return str(at // QUIET_MS)
