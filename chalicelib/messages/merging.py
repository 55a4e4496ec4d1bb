"""Merging two conversations with one person: at once for what they are, by a job for what was said in them.

From the moment of the merge the one that goes is in no list, reading it answers the one that stays, and what is said in
it is said there; so what the job has still to move can only become less. A message keeps its id, author and time, and
gets the next `seq` of the conversation that stays.
"""

import json
from dataclasses import replace
from typing import Any

from chalicelib.conversations import service as conversations
from chalicelib.conversations.changes import Actor, merged_event, updated_events, with_status
from chalicelib.conversations.models import (
    MAX_ATTRIBUTES_BYTES,
    MAX_TAGS,
    Cold,
    Conversation,
    ConversationNotFoundError,
    DifferentVisitorsError,
    Hot,
    Merged,
    MergeInProgressError,
)
from chalicelib.core import clock
from chalicelib.core.errors import InvalidError, PreconditionFailedError
from chalicelib.core.table import ConditionFailedError, StaleError, retrying, tenant_rows, transact
from chalicelib.events import dispatcher, outbox
from chalicelib.events.models import SYSTEM
from chalicelib.files import cascades
from chalicelib.jobs import service as jobs
from chalicelib.jobs.models import Job, Step
from chalicelib.messages import store
from chalicelib.messages.editing import forgetting
from chalicelib.messages.models import Message, Moved, both_remember

MERGE_JOB = "conversation.merge"
MESSAGES_A_STEP = 15  # five writes each at most, of the hundred that a transaction holds


def merge_conversation(
    tenant_id: str, conversation_id: str, into: str, actor: Actor, expected_version: int | None = None
) -> Job:
    """Merge a conversation into another one; doing it again answers the first job.

    Raises ConversationNotFoundError, InvalidError for `into`, ConversationMergedError and MergeInProgressError. One
    read, one transaction, three queue sends.
    """

    def attempt() -> Job:
        found = conversations.find_all(tenant_id, [conversation_id, into])
        source, target = found.get(conversation_id), found.get(into)
        if source is None:
            raise ConversationNotFoundError
        if into == conversation_id:
            raise InvalidError.field("into", "A conversation can't be merged into itself.")
        if isinstance(source, Merged):
            if source.into != into:
                raise conversations.merged_error(source)
            return jobs.get_job(tenant_id, source.job_id)
        if expected_version not in {None, source.version}:
            raise PreconditionFailedError
        if target is None:
            raise InvalidError.field("into", "There is no such conversation.", "not_found")
        if isinstance(target, Merged):
            raise conversations.merged_error(target)
        return _merge(source, target, actor)

    return retrying(attempt)


def move_messages(job: Job) -> Step:
    """Move the next messages of a merged conversation; delete them if the one that stays is deleted meanwhile."""
    tenant_id, source_id = job.tenant_id, job.args["conversation_id"]
    if job.cursor is None:
        dispatcher.require_dispatched(tenant_rows(tenant_id), source_id)
    messages, more = store.between(tenant_id, source_id, 1, None, MESSAGES_A_STEP)
    target = conversations.find_conversation(tenant_id, job.args["into"])
    # What an edit told stands in an event of the conversation that goes: a later edit could not reach it there.
    writes = [write for message in messages for write in forgetting(message)]
    if target is None:
        writes += [write for message in messages for write in store.removing(message)]
        return Step(writes, done=len(messages), finished=not more, cursor="dispatched")
    moved = [_moved(message, target, place) for place, message in enumerate(messages, 1)]
    public = sum(not message.private for message in messages)
    hot = replace(
        target.hot,
        seq=target.hot.seq + len(moved),
        pos=target.hot.pos + len(moved),
        public_count=target.hot.public_count + public,
        merging_from=target.hot.merging_from if more else None,
    )
    writes += [write for pair in zip(messages, moved, strict=True) for write in store.moving(*pair)]
    writes += conversations.changing_for_message(target, replace(target, hot=hot), SYSTEM)
    return Step(writes, done=len(moved), finished=not more, cursor="dispatched", changed=(target.id,))


def move_files(job: Job) -> Step:
    """Let the next files follow their messages; delete them if the one that stays is deleted meanwhile.

    Once all messages are there, that one may itself be merged: the files then go on to where it leads.
    """
    target = conversations.find_conversation(job.tenant_id, job.args["into"])
    if target is None:
        return cascades.delete_files(job)
    step = cascades.move_files(job, target.id)
    return replace(step, writes=[*step.writes, conversations.requiring(job.tenant_id, target.id)])


def _merge(source: Conversation, target: Conversation, actor: Actor) -> Job:
    tenant_id = source.tenant_id
    if source.hot.visitor_id != target.hot.visitor_id and (
        source.hot.contact_id is None or source.hot.contact_id != target.hot.contact_id
    ):
        raise DifferentVisitorsError(param="into")
    if source.hot.merging_from or target.hot.merging_from:
        raise MergeInProgressError
    args = {"conversation_id": source.id, "into": target.id}
    job, starting = jobs.starting(tenant_id, MERGE_JOB, args, actor)
    left = {"into": target.id, "job": job.id}
    after = _joined(target, source)
    writes = [
        *conversations.burying(source, left, merged_event(source, target.id, actor)),
        *conversations.changing(target, after, updated_events(target, after, actor)),
        *starting,
    ]
    try:
        transact(writes, result=job)
    except ConditionFailedError:
        raise StaleError from None
    for each in (source, target):
        outbox.notify(tenant_rows(tenant_id), each.id)
    jobs.started(job)
    return job


def _joined(target: Conversation, source: Conversation) -> Conversation:
    """Return the conversation that stays: its own values, what it lacked, and open if either is."""
    hot, other = target.hot, source.hot
    newer: Hot = max(hot, other, key=lambda each: each.last_message_at or 0)
    hot = replace(
        hot,
        assigned_to=hot.assigned_to or other.assigned_to,
        priority=hot.priority or other.priority,
        unread_count=hot.unread_count + other.unread_count,
        visitor_unread_count=hot.visitor_unread_count + other.visitor_unread_count,
        last_message=newer.last_message,
        last_message_at=newer.last_message_at,
        indexed_at=max(hot.indexed_at, newer.activity) if newer is other else hot.indexed_at,
        recent=both_remember(other.recent, hot.recent),
        merging_from=source.id,
    )
    joined = replace(target, hot=hot, cold=_joined_cold(target.cold, source.cold))
    return with_status(joined, "open") if other.status == "open" else joined


def _joined_cold(cold: Cold, other: Cold) -> Cold:
    filled: dict[str, Any] = {
        name: getattr(cold, name) or getattr(other, name) for name in ("subject", "summary", "rating", "team_id")
    }
    attributes = {**json.loads(other.custom_attributes), **json.loads(cold.custom_attributes)}
    text = json.dumps(attributes, ensure_ascii=False, separators=(",", ":"))
    if len(text.encode()) <= MAX_ATTRIBUTES_BYTES:
        filled["custom_attributes"] = text
    tags = tuple(dict.fromkeys([*cold.tags, *other.tags]))[:MAX_TAGS]
    return replace(cold, tags=tags, **filled)


def _moved(message: Message, target: Conversation, place: int) -> Message:
    return replace(
        message,
        conversation_id=target.id,
        seq=target.hot.seq + place,
        pos=target.hot.pos + place,
        edit_pos=None,
        moved=Moved(message.conversation_id, message.seq, clock.now_ms()),
    )
