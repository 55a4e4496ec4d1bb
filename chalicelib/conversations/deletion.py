"""Deleting a conversation: gone at once for everybody; what it consists of is removed by a job."""

from collections.abc import Sequence

from chalicelib.conversations import store
from chalicelib.conversations.changes import Actor
from chalicelib.conversations.models import Conversation
from chalicelib.conversations.service import get_for_change
from chalicelib.core import clock
from chalicelib.core.errors import PreconditionFailedError
from chalicelib.core.table import ConditionFailedError, StaleError, Write, retrying, tenant_rows, transact
from chalicelib.events import dispatcher, outbox
from chalicelib.events.models import NewEvent
from chalicelib.jobs import service as jobs
from chalicelib.jobs.models import Job, Step

DELETE_JOB = "conversation.delete"
KEEP_DELETED_S = 30 * 86_400  # its row has nothing in it then but its position among its events
ROWS_A_STEP = 90


def delete_conversation(
    tenant_id: str, conversation_id: str, actor: Actor, expected_version: int | None = None
) -> None:
    """Delete a conversation with all that was said in it.

    Raises ConversationNotFoundError, ConversationMergedError and PreconditionFailedError. One read, one transaction,
    two queue sends.
    """

    def attempt() -> None:
        before = get_for_change(tenant_id, conversation_id)
        if expected_version not in {None, before.version}:
            raise PreconditionFailedError
        delete_as_read(before, actor)

    retrying(attempt)


def delete_as_read(before: Conversation, actor: Actor, also: Sequence[Write] = ()) -> None:
    """Delete a conversation that nobody has changed since it was read, for as long as the conditions in `also` hold.

    Raises StaleError. One transaction, two queue sends.
    """
    data = {"id": before.id, "number": before.hot.number}
    event = NewEvent("conversation.deleted", data, actor, counts={f"conv_{before.hot.status}": -1})
    job, starting = jobs.starting(before.tenant_id, DELETE_JOB, {"conversation_id": before.id}, actor)
    left = {"gone": True, "exp": clock.now_s() + KEEP_DELETED_S}
    try:
        transact([*store.burying(before, left, event), store.freeing_number(before), *starting, *also])
    except ConditionFailedError:
        raise StaleError from None
    outbox.notify(tenant_rows(before.tenant_id), before.id)
    jobs.started(job)


def remove_rows(job: Job) -> Step:
    """Remove all that is left of a deleted conversation, but for the event that tells of the deletion."""
    rows, conversation_id = tenant_rows(job.tenant_id), job.args["conversation_id"]
    if job.cursor is None:
        dispatcher.require_dispatched(rows, conversation_id)
    last = store.position(job.tenant_id, conversation_id)
    found, more = store.remains(job.tenant_id, conversation_id, ROWS_A_STEP)
    gone = [key for key in found if key.sk != outbox.event_key(last)]
    writes = [rows.deleting(conversation_id, key.sk) for key in gone]
    return Step(writes, done=len(gone), finished=not more, cursor="dispatched")
