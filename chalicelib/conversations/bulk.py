"""Changing many conversations as a job: which ones is written down first, then each is changed once.

Those of a filter are collected page by page before the first is changed, because a change may move it in the very list
that is read.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.conversations import store
from chalicelib.conversations.changes import events_of
from chalicelib.conversations.listing import ListConversations, list_conversations
from chalicelib.conversations.models import Conversation, NotAMemberError, ViewerAssignedError
from chalicelib.conversations.service import MAX_WRITES, changing, new_tags, new_team, with_wanted
from chalicelib.core.errors import InvalidError
from chalicelib.core.http import Role
from chalicelib.core.table import ConditionFailedError, StaleError, retrying, transact
from chalicelib.jobs import service as jobs
from chalicelib.jobs.models import Job, Step
from chalicelib.tags.naming import Naming, all_known
from chalicelib.teams import service as teams
from chalicelib.tenants import members
from chalicelib.tenants import service as tenants

BULK_JOB = "conversation.bulk_update"
MAX_IDS = 1000
A_PART = 100

Actor = Mapping[str, str]


def start_bulk_update(
    tenant_id: str, ids: Sequence[str], filters: Mapping[str, str] | None, wanted: Mapping[str, Any], actor: Actor
) -> Job:
    """Start the job that changes the conversations with these ids, or those that the filters list.

    Raises NotAMemberError, ViewerAssignedError, TagBusyError and InvalidError. A read where there is an assignee and
    one where there is a team, one transaction, one queue send; a read and a transaction more for tags not known yet.
    """
    if wanted.get("team_id") is not None and teams.find_team(tenant_id, wanted["team_id"]) is None:
        raise teams.no_such_team("set.team_id")
    if refused := _refusal(tenant_id, wanted.get("assigned_to")):
        raise refused(param="set.assigned_to")
    args = {"set": json.dumps(wanted), "actor": json.dumps(dict(actor))}
    if filters is not None:
        args["filter"] = json.dumps(filters)
    naming = Naming(tenant_id, dict(actor))

    def attempt() -> Job:
        job, writes = jobs.starting(tenant_id, BULK_JOB, args, actor)
        writes += [jobs.keeping(job, number, part) for number, part in enumerate(_parts(list(dict.fromkeys(ids))))]
        named = set(wanted.get("add_tags", ())) - set(wanted.get("remove_tags", ()))
        writes += naming.writes(named, room=MAX_WRITES - 1 - len(writes))
        try:
            transact(writes, result=job)
        except ConditionFailedError:
            raise StaleError from None
        jobs.started(job)
        naming.committed()
        return job

    return retrying(attempt)


def collect(job: Job) -> Step:
    """Write down the next page of the conversations that the filters list."""
    if "filter" not in job.args:
        return Step(finished=True)
    number, _, cursor = (job.cursor or "0 ").partition(" ")
    filters = {**json.loads(job.args["filter"]), "limit": A_PART, "cursor": cursor or None}
    page = list_conversations(job.tenant_id, ListConversations.model_validate(filters))
    part = [each.id for each in page.rows]
    return Step(
        [jobs.keeping(job, int(number), part)] if part else [],
        finished=page.next_cursor is None,
        cursor=f"{int(number) + 1} {page.next_cursor or ''}",
    )


def change_next(job: Job) -> Step:
    """Change the next conversation, with its own events; what became of it is counted."""
    kept = jobs.first_kept(job)
    if kept is None:
        return Step(finished=True)
    number, part = kept
    done_part, _, done = (job.cursor or "").partition(" ")
    place = int(done) if done_part == str(number) else 0
    step = _change(job, part[place])
    ended = [jobs.dropping(job, number)] if place + 1 == len(part) else []
    return Step(
        [*step.writes, *ended],
        done=1,
        cursor=f"{number} {place + 1}",
        counted=step.counted,
        changed=step.changed,
    )


def _change(job: Job, conversation_id: str) -> Step:
    wanted, actor = json.loads(job.args["set"]), json.loads(job.args["actor"])
    before = store.find(job.tenant_id, conversation_id)
    if not isinstance(before, Conversation):
        return Step(counted={"missing": 1})
    try:
        after = with_wanted(before, wanted)
    except InvalidError:
        return Step(counted={"refused": 1})  # it would have too many tags
    if after == before:
        return Step(counted={"unchanged": 1})
    tags, team = new_tags(before, after), new_team(before, after)
    if not all_known(job.tenant_id, tags) or (team and teams.find_team(job.tenant_id, team.key.sk) is None):
        return Step(counted={"refused": 1})  # a tag or the team is gone, or about to be
    checks = [*Naming(job.tenant_id, actor).writes(tags, room=0), *([team] if team else [])]
    if after.hot.assigned_to not in (None, before.hot.assigned_to):
        if _refusal(job.tenant_id, after.hot.assigned_to):
            return Step(counted={"refused": 1})  # no member any more
        checks.append(tenants.requiring_agent(job.tenant_id, str(after.hot.assigned_to)))
    writes = [*changing(before, after, events_of(before, after, actor)), *checks]
    return Step(writes, counted={"updated": 1}, changed=(before.id,))


def _refusal(tenant_id: str, assignee: str | None) -> type[NotAMemberError | ViewerAssignedError] | None:
    """Return what speaks against an assignee."""
    if assignee is None:
        return None
    member = members.find_member(tenant_id, assignee)
    if member is None:
        return NotAMemberError
    return ViewerAssignedError if member.role == Role.VIEWER else None


def _parts(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[start : start + A_PART] for start in range(0, len(ids), A_PART)]
