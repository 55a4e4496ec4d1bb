"""Turning a conversation into what somebody wants it to be: the new state and the events that tell of it."""

from dataclasses import replace
from typing import Any

from chalicelib.conversations.models import INDEX_LAG_MS, Conversation, ConversationOut, Status, preview
from chalicelib.core import clock
from chalicelib.events.models import NewEvent, opened_in

Actor = dict[str, str]

_STATUS_EVENTS = {
    "open": "conversation.reopened",
    "pending": "conversation.pending",
    "snoozed": "conversation.snoozed",
    "closed": "conversation.closed",
}


def with_status(conversation: Conversation, status: Status, snoozed_until: int | None = None) -> Conversation:
    """Return the conversation in another status; its place in that status's list is that of its newest message."""
    now = clock.now_ms()
    closed_at = (conversation.hot.closed_at or now) if status == "closed" else None
    hot = replace(conversation.hot, status=status, closed_at=closed_at, snoozed_until=snoozed_until)
    if status != conversation.hot.status:
        hot = replace(hot, indexed_at=max(hot.activity, hot.indexed_at))
    return replace(conversation, hot=hot)


def with_public_message(conversation: Conversation, content: str, at: int, *, reopen: bool) -> Conversation:
    """Return the conversation with a newer last message, open again if the visitor wrote.

    The list entry moves only when it is more than a minute behind: a move costs two write units.
    """
    hot = replace(conversation.hot, last_message=preview(content), last_message_at=at)
    if reopen and hot.status != "open":
        hot = replace(hot, status="open", closed_at=None, snoozed_until=None, indexed_at=at)
    elif at - hot.indexed_at > INDEX_LAG_MS:
        hot = replace(hot, indexed_at=at)
    return replace(conversation, hot=hot)


def status_events(before: Conversation, after: Conversation, actor: Actor) -> list[NewEvent]:
    """Return the event of a change of status, or nothing: for changes whose other effects have their own event."""
    if before.hot.status == after.hot.status:
        return []
    counts = {f"conv_{before.hot.status}": -1, f"conv_{after.hot.status}": 1}
    previous = {"status": before.hot.status}
    return [NewEvent(_STATUS_EVENTS[after.hot.status], _shown(after), actor, previous, counts)]


def merged_event(conversation: Conversation, into: str, actor: Actor) -> NewEvent:
    """Return the event of a conversation that was merged into another one."""
    data = {**_shown(conversation), "merged_into": into}
    return NewEvent("conversation.merged", data, actor, counts={f"conv_{conversation.hot.status}": -1})


def updated_events(before: Conversation, after: Conversation, actor: Actor) -> list[NewEvent]:
    """As `events_of`, but at least one."""
    return events_of(before, after, actor) or [NewEvent("conversation.updated", _shown(after), actor)]


def created_event(conversation: Conversation, actor: Actor) -> NewEvent:
    """Return the event of a new conversation."""
    opened = opened_in(clock.rfc3339(conversation.hot.created_at)[:7])
    counts = {f"conv_{conversation.hot.status}": 1, opened: 1}
    return NewEvent("conversation.created", _shown(conversation), actor, counts=counts)


def events_of(before: Conversation, after: Conversation, actor: Actor) -> list[NewEvent]:
    """Return the events that lead from one state to the other, most telling first; none if nothing changed."""
    old, new = _shown(before), _shown(after)
    changed = {name for name in new if new[name] != old[name]}
    found: list[tuple[str, set[str], dict[str, int]]] = []
    if before.hot.status != after.hot.status:
        counts = {f"conv_{before.hot.status}": -1, f"conv_{after.hot.status}": 1}
        found.append((_STATUS_EVENTS[after.hot.status], {"status", "closed_at", "snoozed_until"}, counts))
    elif "snoozed_until" in changed:
        found.append(("conversation.snoozed", {"snoozed_until"}, {}))
    if assigned := changed & {"assigned_to", "team_id"}:
        found.append(("conversation.assigned", assigned, {}))
    if "rating" in changed:
        found.append(("conversation.rated", {"rating"}, {}))
    if "unread_count" in changed and after.hot.unread_count == 0:
        found.append(("conversation.read", {"unread_count", "is_read"}, {}))
    if before.hot.visitor_unread_count != after.hot.visitor_unread_count == 0:
        found.append(("conversation.read", set(), {}))
    rest = changed - {"updated_at"} - {name for _, names, _ in found for name in names}
    if rest:
        found.append(("conversation.updated", rest, {}))
    return [
        NewEvent(type_, new, actor, {name: old[name] for name in sorted(names) if name in changed}, counts)
        for type_, names, counts in found
    ]


def _shown(conversation: Conversation) -> dict[str, Any]:
    """Return what events show: without what somebody said, which may be deleted while the event is kept."""
    return ConversationOut.of(conversation).model_dump(mode="json", exclude={"last_message"})
