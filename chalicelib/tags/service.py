"""What people do with tags. What a new name or a deletion means for conversations is a job."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from chalicelib.core import clock, ids
from chalicelib.core.errors import PreconditionFailedError
from chalicelib.core.http import Page
from chalicelib.core.http.pages import page_of
from chalicelib.core.items import Item
from chalicelib.core.listing import page_of_source
from chalicelib.core.table import ConditionFailedError, Key, StaleError, Write, retrying
from chalicelib.jobs import service as jobs
from chalicelib.jobs.models import Job
from chalicelib.tags import store
from chalicelib.tags.models import ListTags, Tag, TagBusyError, TagExistsError, TagNotFoundError, TagOut, folded
from chalicelib.tenants import service as tenants
from chalicelib.tenants.partitions import Traces

FOLLOW_JOB = "tag.follow"  # takes a name from conversations, and gives them the new one if there is one

STEPS_AT_ONCE = 3  # two conversations and the end

Actor = dict[str, str]
Given = Mapping[str, Any]  # the fields that the caller sent


def get_tag(tenant_id: str, tag_id: str) -> Tag:
    """Return a tag; raises TagNotFoundError."""
    found = store.find(tenant_id, tag_id) if ids.is_id("tag", tag_id) else None
    if found is None:
        raise TagNotFoundError
    return found


def list_tags(tenant_id: str, query: ListTags) -> Page[Tag]:
    """List tags, newest first: one query and one BatchGet, and a query that counts where there are more."""
    if query.name is not None:
        owner = store.find_owner(tenant_id, folded(query.name))
        found = store.find(tenant_id, owner) if owner else None
        rows = [found] if found and found.name == folded(query.name) else []
        return page_of(rows, query, tenant_id, "tags", lambda tag: tag.id)
    source = store.listed(tenant_id)

    def load(keys: Sequence[Key]) -> dict[Key, Tag]:
        return store.load(tenant_id, keys)

    return page_of_source(source, query, tenant_id, "tags", load=load, count=source.count)


def create_tag(tenant_id: str, actor: Actor, given: Given) -> Tag:
    """Make a tag. Raises TagExistsError."""

    def attempt() -> Tag:
        tag = new_tag(tenant_id, given)
        row, claim = store.creating(tag)
        record = tenants.recording(tenant_id, actor, "tag.created", shown(tag))
        _commit(tenant_id, [row, claim, *record], claim, result=tag)
        return tag

    return retrying(attempt)


def update_tag(tenant_id: str, actor: Actor, tag_id: str, given: Given, expected_version: int | None = None) -> Tag:
    """Change the given fields; with a new name a job begins, which gives it to conversations.

    Raises TagNotFoundError, TagExistsError, TagBusyError and PreconditionFailedError. One read, one transaction, one
    queue send; where a job begins, one send more and what its first steps take.
    """

    def attempt() -> Tag:
        before, pos = _expected(tenant_id, tag_id, expected_version)
        after = replace(before, **given)
        if after == before:
            return before
        after = replace(after, version=before.version + 1, updated_at=clock.now_ms())
        job, renaming, claim = None, list[Write](), None
        if after.name != before.name:
            job, starting = jobs.starting(tenant_id, FOLLOW_JOB, _args(before), actor)
            after, claim = replace(after, job_id=job.id), store.claiming(after)
            renaming = [claim, store.holding(before, job.id), *starting]
        old, new = shown(before), shown(after)
        previous = {name: old[name] for name in given if old[name] != new[name]}
        record = tenants.recording_at(tenant_id, pos, actor, "tag.updated", new, previous)
        _commit(tenant_id, [store.changing(before, after), *renaming, *record], claim)
        return replace(after, job_id=None) if job and _is_done(job) else after

    return retrying(attempt)


def delete_tag(tenant_id: str, actor: Actor, tag_id: str, expected_version: int | None = None) -> None:
    """Delete a tag; a job takes it from conversations. Raises as `update_tag`."""

    def attempt() -> None:
        before, pos = _expected(tenant_id, tag_id, expected_version)
        job, starting = jobs.starting(tenant_id, FOLLOW_JOB, _args(before), actor)
        record = tenants.recording_at(tenant_id, pos, actor, "tag.deleted", shown(before))
        _commit(tenant_id, [store.deleting(before), store.holding(before, job.id), *starting, *record])
        _is_done(job)

    retrying(attempt)


def name_now(job: Job) -> tuple[str | None, list[Write]]:
    """Return the name that the tag of a job has now, None if it is deleted, and the condition that this holds.

    It may be renamed or deleted again while the job is under way. Deleted, it does not come back. One read.
    """
    found = store.find(job.tenant_id, job.args["tag_id"])
    return (found.name, [store.requiring_name(found)]) if found else (None, [])


def ending(job: Job) -> list[Write]:
    """Return the writes that end a job: the name is free, and the tag has no job unless a newer one. One read."""
    found = store.find(job.tenant_id, job.args["tag_id"])
    done = [store.settling(found)] if found and found.job_id == job.id else []
    return [store.releasing(job.tenant_id, job.args["name"], job.id), *done]


def new_tag(tenant_id: str, given: Given) -> Tag:
    """Return a tag that is not stored yet."""
    now = clock.now_ms()
    known = {name: value for name, value in given.items() if value is not None}
    return Tag(tenant_id, ids.new("tag"), created_at=now, updated_at=now, **known)


def shown(tag: Tag) -> dict[str, Any]:
    """Return a tag as the API shows it."""
    return TagOut.of(tag).model_dump(mode="json")


def held_names(_tenant_space: str, found: Sequence[Item]) -> Traces:
    """Return the guards of the names that jobs hold until they are done, of the rows of jobs."""
    held = [row["args"]["name"] for row in found if row.get("kind") == FOLLOW_JOB]
    return Traces([store.name_place(name) for name in held])


def _args(tag: Tag) -> dict[str, str]:
    return {"tag_id": tag.id, "name": tag.name}


def _is_done(job: Job) -> bool:
    """Begin with a job. One of few conversations is done before the answer: what it means can be seen at once."""
    taken = jobs.take_first_steps(job, STEPS_AT_ONCE)
    jobs.started(job)  # only now: the dispatcher would take the same steps, and one of the two in vain
    return taken.status == "completed"


def _commit(tenant_id: str, writes: list[Write], claim: Write | None = None, *, result: Tag | None = None) -> None:
    kept = {"result": result} if result else {}
    try:
        tenants.commit(tenant_id, writes, **kept)
    except ConditionFailedError as exc:
        if claim and claim in exc.failed:
            raise _taken(claim) from None
        raise StaleError from None


def _taken(claim: Write) -> TagExistsError | TagBusyError:
    job = store.holder(claim)
    return busy_error(job, "name") if job else TagExistsError(param="name")


def busy_error(job_id: str, param: str) -> TagBusyError:
    """Return the error that names the job that holds a name."""
    return TagBusyError(f"Job {job_id} is taking a tag's old name from conversations. Try again soon.", param=param)


def _expected(tenant_id: str, tag_id: str, expected_version: int | None) -> tuple[Tag, int | None]:
    if not ids.is_id("tag", tag_id):
        raise TagNotFoundError
    found, pos = store.find_for_change(tenant_id, tag_id)
    if found is None:
        raise TagNotFoundError
    if expected_version not in {None, found.version}:
        raise PreconditionFailedError
    return found, pos
