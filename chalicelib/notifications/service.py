"""What follows by mail from what happens in conversations, and how people choose what they get."""

from contextlib import suppress

from chalicelib.conversations import service as conversations
from chalicelib.conversations.models import ConversationNotFoundError, Merged
from chalicelib.core import clock
from chalicelib.core.errors import NotFoundError
from chalicelib.core.table import TEST_SUFFIX
from chalicelib.events.models import Event
from chalicelib.messages import mailing
from chalicelib.notifications import links, members, reminders, store, transcripts
from chalicelib.notifications.links import MemberChoice
from chalicelib.notifications.models import AWAY_S, NEWS_MS, OFFLINE_S, Preferences


def on_event(event: Event) -> None:
    """Consume an event. Test data causes no mail, and neither does what is old news when it is dispatched at last."""
    if event.type == "member.removed":
        store.forget_preferences(event.tenant_id, event.data["user_id"])
    if event.tenant_id.endswith(TEST_SUFFIX) or event.at < clock.now_ms() - NEWS_MS:
        return
    if event.type == "message.created":
        _on_message(event)
    elif event.type == "conversation.assigned":
        members.tell_assignee(event)
    elif event.type == mailing.EVENT:
        transcripts.send(event)
    elif event.type == "conversation.created":
        members.tell_of_new(event)


def get_preferences(tenant_id: str, user_id: str) -> Preferences:
    """Return of what a member hears by mail."""
    return store.find_preferences(tenant_id, user_id)


def set_preferences(tenant_id: str, user_id: str, chosen: Preferences) -> Preferences:
    """Choose of what a member hears by mail; raises NotFoundError for who has just left."""
    store.put_preferences(tenant_id, user_id, chosen)
    return chosen


def unsubscribe(token: str) -> bool:
    """Turn off the mails that a mail's link names; False if it is no such link. Doing so twice is fine."""
    choice = links.read_unsubscribe(token)
    if choice is None:
        return False
    with suppress(NotFoundError):  # who has left gets no mails anyway
        if isinstance(choice, MemberChoice):
            store.turn_off(choice.tenant_id, choice.user_id, choice.kind)
        else:
            store.unsubscribe(choice.tenant_id, choice.address_hash)
    return True


def _on_message(event: Event) -> None:
    """Look later whether the other side has read it. No read: the dispatcher has just read the conversation."""
    if event.data["private"]:
        return
    try:
        found = conversations.from_rows({"meta": event.aggregate})
    except ConversationNotFoundError:
        return  # deleted before anybody heard of it
    if isinstance(found, Merged):
        return  # said in the one that it was merged into
    hot = found.hot
    if event.data["author"]["type"] == "visitor":
        if hot.assigned_to and hot.unread_count:
            reminders.later(event, "member", AWAY_S)
    elif hot.visitor_unread_count:
        reminders.later(event, "visitor", OFFLINE_S)
