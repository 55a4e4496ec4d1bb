"""What people do with a conversation besides talking in it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from chalicelib.conversations import store
from chalicelib.conversations.changes import Actor, created_event, events_of, status_events, with_status
from chalicelib.conversations.models import (
    MAX_TAGS,
    Cold,
    Conversation,
    ConversationMergedError,
    ConversationNotFoundError,
    Hot,
    Merged,
    NotAMemberError,
    ViewerAssignedError,
    attributes_text,
    rating_text,
)
from chalicelib.core import clock, ids, log, table
from chalicelib.core.due import keys_due
from chalicelib.core.errors import InvalidError, PreconditionFailedError, UnavailableError
from chalicelib.core.items import Item
from chalicelib.core.table import ConditionFailedError, StaleError, Write, retrying, rows_of, tenant_rows, transact
from chalicelib.events import outbox
from chalicelib.events.models import SYSTEM, NewEvent
from chalicelib.tags.naming import Naming
from chalicelib.teams import service as teams
from chalicelib.tenants import service as tenants

MAX_WRITES = 100  # of a transaction
MAX_HOPS = 100  # how often what a conversation was merged into may have been merged itself; each is a read

Change = Callable[[Conversation], Conversation]
Find = Callable[[str, str], Conversation]


def find_conversation(tenant_id: str, conversation_id: str) -> Conversation | None:
    """Return a conversation, or the one it was merged into, or None. One read for each merge on the way."""
    for _ in range(MAX_HOPS):
        found = store.find(tenant_id, conversation_id) if ids.is_id("conv", conversation_id) else None
        if not isinstance(found, Merged):
            return found
        conversation_id = found.into
    return None


def find_all(tenant_id: str, conversation_ids: Sequence[str]) -> dict[str, Conversation | Merged]:
    """Return a few conversations by id, merged ones as what is left of them. One call per fifty."""
    return store.find_all(tenant_id, [each for each in conversation_ids if ids.is_id("conv", each)])


def get_conversation(tenant_id: str, conversation_id: str) -> Conversation:
    """As `find_conversation`; raises ConversationNotFoundError."""
    found = find_conversation(tenant_id, conversation_id)
    if found is None:
        raise ConversationNotFoundError
    return found


def get_for_change(tenant_id: str, conversation_id: str) -> Conversation:
    """Return what is to be changed; raises ConversationNotFoundError, and ConversationMergedError naming the other."""
    found = store.find(tenant_id, conversation_id) if ids.is_id("conv", conversation_id) else None
    if found is None:
        raise ConversationNotFoundError
    if isinstance(found, Merged):
        raise merged_error(found)
    return found


def merged_error(merged: Merged) -> ConversationMergedError:
    """Return the error that names what a conversation was merged into."""
    return ConversationMergedError(f"This conversation was merged into {merged.into}. Use that one.")


def close_conversation(
    tenant_id: str, conversation_id: str, actor: Actor, expected_version: int | None = None
) -> Conversation:
    """Close it; closing a closed one changes nothing."""
    return _change(tenant_id, conversation_id, actor, lambda found: with_status(found, "closed"), expected_version)


def reopen_conversation(
    tenant_id: str, conversation_id: str, actor: Actor, expected_version: int | None = None
) -> Conversation:
    """Open it again, from any status."""
    return _change(tenant_id, conversation_id, actor, lambda found: with_status(found, "open"), expected_version)


def snooze_conversation(
    tenant_id: str, conversation_id: str, until: int, actor: Actor, expected_version: int | None = None
) -> Conversation:
    """Put it aside until a time (milliseconds), or until the visitor writes."""
    if not clock.now_ms() < until <= clock.LAST_MS:
        raise InvalidError.field("until", "Give a time in the future, before the year 2286.")
    return _change(
        tenant_id, conversation_id, actor, lambda found: with_status(found, "snoozed", until), expected_version
    )


def mark_read(tenant_id: str, conversation_id: str, actor: Actor, expected_version: int | None = None) -> Conversation:
    """Note that an agent has read all there is."""
    return _change(tenant_id, conversation_id, actor, lambda found: _hot(found, unread_count=0), expected_version)


def mark_read_by_visitor(
    tenant_id: str, conversation_id: str, visitor_id: str, proven_contact_id: str | None = None
) -> Conversation:
    """Note that the visitor has read all there is."""
    own = visitor_id, proven_contact_id
    return _change_own(tenant_id, conversation_id, own, lambda found: _hot(found, visitor_unread_count=0))


def rate_own_conversation(
    tenant_id: str,
    conversation_id: str,
    visitor_id: str,
    score: int,
    comment: str | None,
    proven_contact_id: str | None = None,
) -> Conversation:
    """Record what the visitor says he thought, 1 to 5; a second rating replaces the first."""
    own = visitor_id, proven_contact_id
    return _change_own(tenant_id, conversation_id, own, lambda found: _cold(found, rating=rating_text(score, comment)))


def rate_conversation(
    tenant_id: str,
    conversation_id: str,
    score: int,
    comment: str | None,
    actor: Actor,
    expected_version: int | None = None,
) -> Conversation:
    """Record what the visitor told somebody else, 1 to 5; a second rating replaces the first."""
    rating = rating_text(score, comment)
    return _change(tenant_id, conversation_id, actor, lambda found: _cold(found, rating=rating), expected_version)


def update_conversation(
    tenant_id: str, conversation_id: str, wanted: Mapping[str, Any], actor: Actor, expected_version: int | None
) -> Conversation:
    """Change the given fields at once. `wanted` has the names of the PATCH body."""
    return _change(tenant_id, conversation_id, actor, lambda found: with_wanted(found, wanted), expected_version)


def with_wanted(found: Conversation, wanted: Mapping[str, Any]) -> Conversation:
    """Return the conversation with the given fields; raises InvalidError for too many tags or attributes."""
    after = _cold(found, **{name: wanted[name] for name in ("subject", "summary", "team_id") if name in wanted})
    if "custom_attributes" in wanted:
        after = _cold(after, custom_attributes=attributes_text(wanted["custom_attributes"]))
    if {"tags", "add_tags", "remove_tags"} & wanted.keys():
        after = _cold(after, tags=_tags(after.cold.tags, wanted))
    if "priority" in wanted:
        after = _hot(after, priority=wanted["priority"])
    if "status" in wanted and wanted["status"] != found.hot.status:
        after = with_status(after, wanted["status"])
    if "assigned_to" in wanted:
        after = _hot(after, assigned_to=wanted["assigned_to"])
    return after


def wake_snoozed() -> None:
    """Reopen what was snoozed until now. Runs each minute."""
    now = f"{clock.now_ms():013d}~"
    for key in keys_due("D", store.DUE_SHARDS, now, 100):
        try:
            _wake(key.pk)
        except UnavailableError:
            log.warning("wake_failed", aggregate=key.pk)  # it stays due: again in a minute, and the others go on


def _wake(full_pk: str) -> None:
    tenant_id, _, conversation_id = full_pk.partition("#")

    def change(found: Conversation) -> Conversation:
        until = found.hot.snoozed_until
        return with_status(found, "open") if until is not None and until <= clock.now_ms() else found

    try:
        _change(tenant_id, conversation_id, SYSTEM, change)
    except (ConversationNotFoundError, ConversationMergedError):
        table.run(rows_of(full_pk).deleting(conversation_id, "due"))


def is_contacts(tenant_id: str, conversation_id: str, contact_id: str) -> bool:
    """Tell whether a conversation is a contact's. One read."""
    found = find_conversation(tenant_id, conversation_id)
    return found is not None and found.hot.contact_id == contact_id


def own_conversation(
    conversation: Conversation | None, visitor_id: str, proven_contact_id: str | None = None
) -> Conversation:
    """Return the conversation if it is this visitor's or the contact's he has proven to be; no other is found."""
    if conversation is None:
        raise ConversationNotFoundError
    hot = conversation.hot
    if hot.visitor_id != visitor_id and not (proven_contact_id and hot.contact_id == proven_contact_id):
        raise ConversationNotFoundError
    return conversation


def take_number(tenant_id: str) -> tuple[int, int]:
    """Take the next number, of all conversations and of those of this month (UTC). One write."""
    return store.next_number(tenant_id, clock.rfc3339(clock.now_ms())[:7])


def new_conversation(
    tenant_id: str,
    visitor_id: str,
    cold: Cold,
    *,
    number: int = 0,
    held: bool = False,
    **given: Any,  # noqa: ANN401 - as Hot has them
) -> Conversation:
    """Return an open conversation, not stored yet; `given` are fields of Hot. Before it is, it gets a number."""
    now = clock.now_ms()
    known: dict[str, Any] = {
        "number": number,
        "held": held,
        "status": "open",
        "visitor_id": visitor_id,
        "channel": "widget",
        "created_at": now,
        "updated_at": now,
        "indexed_at": now,
        **dict.fromkeys(("seq", "public_count", "unread_count", "visitor_unread_count"), 0),
        "pos": 1,
        "recent": b"",
    }
    missing = {each.name for each in fields(Hot)} - known.keys() - {"blocked"}
    return Conversation(tenant_id, ids.new("conv"), Hot(**{**dict.fromkeys(missing), **known, **given}), cold)


def creating(conversation: Conversation, actor: Actor) -> list[Write]:
    """Return the writes of a new conversation: rows, lists, and its first event at position 1."""
    rows = tenant_rows(conversation.tenant_id)
    event = created_event(conversation, actor)
    return [*store.creating(conversation), *outbox.event_writes(rows, conversation.id, 0, [event])]


def requiring(tenant_id: str, conversation_id: str) -> Write:
    """Return the condition that a conversation is neither deleted nor merged, for what is being tied to it."""
    return store.requiring(tenant_id, conversation_id)


def changing_for_message(before: Conversation, after: Conversation, actor: Actor) -> list[Write]:
    """Return the writes that a message brings besides its own row."""
    events = status_events(before, after, actor)
    final = _hot(after, pos=after.hot.pos + len(events))
    rows = tenant_rows(before.tenant_id)
    return [*store.changing(before, final), *outbox.event_writes(rows, before.id, after.hot.pos, events)]


def changing(before: Conversation, after: Conversation, events: Sequence[NewEvent]) -> list[Write]:
    """Return the writes of a change with the events that tell of it, conditioned on the conversation as it was read."""
    final = _hot(after, pos=before.hot.pos + len(events), updated_at=clock.now_ms())
    rows = tenant_rows(before.tenant_id)
    return [*store.changing(before, final), *outbox.event_writes(rows, before.id, before.hot.pos, events)]


def burying(before: Conversation, left: Mapping[str, Any], event: NewEvent) -> list[Write]:
    """Return the writes that take a conversation from all lists and leave only `left` of it; its messages stay."""
    return store.burying(before, left, event)


def from_rows(rows: Mapping[str, Item]) -> Conversation | Merged:
    """Read a conversation from its rows by sort key; raises ConversationNotFoundError."""
    found = store.from_rows(rows)
    if found is None:
        raise ConversationNotFoundError
    return found


def _change_own(tenant_id: str, conversation_id: str, own: tuple[str, str | None], change: Change) -> Conversation:
    return _change(
        tenant_id,
        conversation_id,
        {"type": "visitor", "id": own[0]},
        lambda found: change(own_conversation(found, *own)),
        find=get_conversation,  # visitors need not know what was merged
    )


def _change(
    tenant_id: str,
    conversation_id: str,
    actor: Actor,
    change: Change,
    expected_version: int | None = None,
    find: Find = get_for_change,
) -> Conversation:
    """Read, change, and commit with the events that tell of it: one read, one transaction, one queue send.

    Where it gets tags that are not known yet, a second time, with a read more that makes them.
    """
    naming = Naming(tenant_id, actor)

    def attempt() -> Conversation:
        before = find(tenant_id, conversation_id)
        if expected_version not in (None, before.version):
            raise PreconditionFailedError
        after = change(before)
        if after == before:
            return before
        after = _hot(after, updated_at=clock.now_ms())
        events = events_of(before, after, actor)
        return _commit(before, _hot(after, pos=before.hot.pos + len(events)), events, naming)

    return retrying(attempt)


def _commit(before: Conversation, after: Conversation, events: Sequence[NewEvent], naming: Naming) -> Conversation:
    rows = tenant_rows(after.tenant_id)
    member: Write | None = None
    team = new_team(before, after)
    if after.hot.assigned_to not in (None, before.hot.assigned_to):
        if not ids.is_id("usr", str(after.hot.assigned_to)):
            raise NotAMemberError(param="assigned_to")  # an empty one is no key that the table would look up
        member = tenants.requiring_agent(after.tenant_id, str(after.hot.assigned_to))
    writes = [
        *store.changing(before, after),
        *outbox.event_writes(rows, after.id, before.hot.pos, events),
        *(check for check in (member, team) if check),
    ]
    writes += naming.writes(new_tags(before, after), room=MAX_WRITES - len(writes))
    try:
        transact(writes, result=after)
    except ConditionFailedError as exc:
        if member and member in exc.failed:
            refused = ViewerAssignedError if tenants.is_member(after.tenant_id, member.key.sk) else NotAMemberError
            raise refused(param="assigned_to") from None
        if team and team in exc.failed:
            raise teams.no_such_team() from None
        raise StaleError from None
    outbox.notify(rows, after.id)
    naming.committed()
    return after


def new_team(before: Conversation, after: Conversation) -> Write | None:
    """Return the condition that the team is there that a change gives a conversation to; raises InvalidError."""
    team_id = after.cold.team_id
    return None if team_id in (None, before.cold.team_id) else teams.requiring_team(after.tenant_id, str(team_id))


def new_tags(before: Conversation, after: Conversation) -> set[str]:
    """Return the tags that a change gives to a conversation."""
    return set(after.cold.tags) - set(before.cold.tags)


def _hot(conversation: Conversation, **changed: Any) -> Conversation:  # noqa: ANN401 - fields of Hot
    return replace(conversation, hot=replace(conversation.hot, **changed))


def _cold(conversation: Conversation, **changed: Any) -> Conversation:  # noqa: ANN401 - fields of Cold
    return replace(conversation, cold=replace(conversation.cold, **changed))


def _tags(current: Sequence[str], wanted: Mapping[str, Any]) -> tuple[str, ...]:
    tags = list(wanted.get("tags", current))
    tags += wanted.get("add_tags", ())
    removed = set(wanted.get("remove_tags", ()))
    kept = tuple(dict.fromkeys(tag for tag in tags if tag not in removed))
    if len(kept) > MAX_TAGS:
        raise InvalidError.field("tags", f"A conversation has at most {MAX_TAGS} tags.", "too_many")
    return kept
