"""Conversations of who may not answer any more, because they left or became a viewer, are nobody's again: by a job."""

from dataclasses import replace

from chalicelib.conversations import store
from chalicelib.conversations.changes import events_of
from chalicelib.conversations.models import STATUSES, Conversation
from chalicelib.conversations.service import changing
from chalicelib.core import ids
from chalicelib.core.http import Role
from chalicelib.core.table import TEST_SUFFIX, ConditionFailedError, transact
from chalicelib.events.models import SYSTEM, Event
from chalicelib.jobs import service as jobs
from chalicelib.jobs.models import Job, Step
from chalicelib.tenants import members

UNASSIGN_JOB = "member.unassign"
SETTLE_S = 20  # an index lags, and may not yet show what was assigned a moment before
ROUNDS = 2  # through the statuses: meanwhile a conversation may come to have one that is behind the walk


def on_event(event: Event) -> None:
    """Start the job when somebody leaves or becomes a viewer. The job's id derives from the event: it starts once."""
    left = event.type == "member.removed"
    if not left and not (event.type == "member.role_changed" and event.data["role"] == Role.VIEWER.label):
        return
    for space in (event.tenant_id, event.tenant_id + TEST_SUFFIX):
        job_id = ids.derived("job", event.id, space)
        job, writes = jobs.starting(space, UNASSIGN_JOB, {"user_id": event.data["user_id"]}, SYSTEM, job_id=job_id)
        try:
            transact(writes)
        except ConditionFailedError:
            continue
        jobs.started(job, delay_s=SETTLE_S)


def unassign_next(job: Job) -> Step:
    """Give the next conversation of somebody who may not have it to nobody."""
    user_id = job.args["user_id"]
    if job.cursor is None and _may_answer(job.tenant_id, user_id):
        return Step(finished=True)  # an agent again meanwhile
    place, _, after = (job.cursor or "0.0 ").partition(" ")
    turn, status = map(int, place.split("."))
    while (found := store.next_of_owner(job.tenant_id, STATUSES[status], user_id, after)) is None:
        status, after = status + 1, ""
        if status == len(STATUSES):
            return Step(cursor=f"{turn + 1}.0 ", finished=turn + 1 == ROUNDS)
    place = f"{turn}.{status}"
    before = store.find(job.tenant_id, found)
    if not isinstance(before, Conversation) or before.hot.assigned_to != user_id:
        return Step(cursor=f"{place} {found}")
    nobodys = replace(before, hot=replace(before.hot, assigned_to=None))
    writes = changing(before, nobodys, events_of(before, nobodys, SYSTEM))
    return Step(writes, done=1, cursor=f"{place} {found}", changed=(found,))


def _may_answer(tenant_id: str, user_id: str) -> bool:
    member = members.find_member(tenant_id.removesuffix(TEST_SUFFIX), user_id)
    return member is not None and member.role > Role.VIEWER
