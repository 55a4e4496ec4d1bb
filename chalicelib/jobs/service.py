"""Running jobs: step by step, each of them one transaction that also moves the job on, so each is done once.

A job is driven by its own events. A slice of steps ends with an event, and a consumer returns from one event only when
the job has come to the next: the dispatcher therefore leaves no job behind, whoever dies and however often an event
is delivered. What a lost queue message left behind, the sweeper finds. A slice tells nobody of its event: the
dispatcher that waits for it looks again by itself.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from chalicelib.core import clock, fence, ids
from chalicelib.core.errors import UnavailableError
from chalicelib.core.http import Principal, Role
from chalicelib.core.http.access import TenantSuspendedError
from chalicelib.core.table import TEST_SUFFIX, ConditionFailedError, StaleError, Write, retrying, tenant_rows, transact
from chalicelib.events import outbox
from chalicelib.events.models import SYSTEM, Event, NewEvent
from chalicelib.jobs import store
from chalicelib.jobs.models import Job, JobNotFoundError, JobOut, Stage, Step

SLICE = 25  # steps between two events, if none is long: the dispatcher may hand over to another function there

_BEGINNINGS = {"job.created", "job.continued"}

_stages: dict[str, tuple[Stage, ...]] = {}
# Of kinds that make a file: the scope an API key needs to get it, None for no key may, and the role a member needs.
_readers: dict[str, tuple[str | None, Role]] = {}
_always_shown: set[str] = set()  # kinds that the people of a tenant see which is not active
_links: list[Callable[[Job], str | None]] = []


def run_in_stages(kind: str, *stages: Stage) -> None:
    """Say what a kind of job does, stage by stage. Called from app.py, because stages are in several slices."""
    _stages[kind] = stages


def makes_file(kind: str, scope: str | None, role: Role = Role.ADMIN) -> None:
    """Say that a kind of job makes a file, and who gets it: keys with a scope, if any, and members from a role on.

    Called from app.py.
    """
    _readers[kind] = scope, role


def show_always(kind: str) -> None:
    """Let a kind of job be seen while its tenant is not active. Called from app.py."""
    _always_shown.add(kind)


def link_files_with(link: Callable[[Job], str | None]) -> None:
    """Set what makes the link to a job's file. Called from app.py: files are above."""
    _links[:] = [link]


def starting(
    tenant_id: str, kind: str, args: Mapping[str, str], actor: Mapping[str, str], *, job_id: str | None = None
) -> tuple[Job, list[Write]]:
    """Return a new job and the writes that start it, for the transaction of what it follows from.

    After the commit call `started`. What follows from an event gives the `job_id` that derives from it: the job then
    starts once, and the transaction fails a second time.
    """
    now = clock.now_ms()
    job = Job(tenant_id, job_id or ids.new("job"), kind, args, actor["id"], now, now, stages=len(_stages[kind]))
    event = NewEvent("job.created", _shown(job), dict(actor))
    rows = tenant_rows(tenant_id)
    return job, [store.creating(job), *outbox.event_writes(rows, job.id, 0, [event])]


def started(job: Job, *, delay_s: int = 0) -> None:
    """Tell the dispatcher, after the commit, that there is work, for it to begin after up to 180 s."""
    outbox.notify(tenant_rows(job.tenant_id), job.id, delay_s=delay_s)


def keeping(job: Job, number: int, ids_: Sequence[str]) -> Write:
    """Return the write of a part of what a job is to deal with, for its start or one of its steps."""
    return store.keeping(job.tenant_id, job.id, number, ids_)


def first_kept(job: Job) -> tuple[int, list[str]] | None:
    """Return the number and the ids of the first part that is not dropped, or None."""
    return store.first_kept(job.tenant_id, job.id)


def dropping(job: Job, number: int) -> Write:
    """Return the write that notes that a part is dealt with."""
    return store.dropping(job.tenant_id, job.id, number)


def adding_text(job: Job, number: int, text: str) -> Write:
    """Return the write of a part of the file that a job makes, for one of its steps: at most 400 KB."""
    return store.adding_text(job.tenant_id, job.id, number, text)


def texts_after(job: Job, number: int, limit: int = 1000) -> tuple[list[tuple[int, str]], bool]:
    """Return parts of a job's file behind a number, about 1 MB of them, and whether there are more."""
    return store.texts_after(job.tenant_id, job.id, number, limit)


def removing_text(job: Job, number: int) -> Write:
    """Return the write that removes a part of a job's file."""
    return store.removing_text(job.tenant_id, job.id, number)


def get_job(tenant_id: str, job_id: str) -> Job:
    """Return a job; raises JobNotFoundError."""
    found = store.find(tenant_id, job_id) if ids.is_id("job", job_id) else None
    if found is None:
        raise JobNotFoundError
    return found


def show_job(tenant_id: str, job_id: str, caller: Principal) -> Job:
    """Return a job with the link to its file, if the caller may have that.

    Raises JobNotFoundError, and TenantSuspendedError for all but the kinds that are shown always.
    """
    found = get_job(tenant_id, job_id)
    if tenant_id.removesuffix(TEST_SUFFIX) in caller.suspended and found.kind not in _always_shown:
        raise TenantSuspendedError
    if found.output is None or found.kind not in _readers:
        return found
    scope, least = _readers[found.kind]
    role = caller.memberships.get(tenant_id, Role.VIEWER)
    allowed = scope in caller.scopes if caller.kind == "api_key" else role >= least
    return replace(found, download_url=_links[0](found)) if allowed else found


def on_event(event: Event) -> None:
    """Work on a job until it has moved past this event. Subscribed in app.py."""
    if event.type not in _BEGINNINGS:
        return
    job_id = event.pk.partition("#")[2]

    def attempt() -> bool:
        job = store.find(event.tenant_id, job_id)
        if job is None or job.pos > event.pos:
            return False
        _take_step(job)
        return True

    with fence.within(event.tenant_id):
        while retrying(attempt):
            pass


def take_first_steps(job: Job, most: int) -> Job:
    """Take up to so many steps of a job that has just begun, and return it as it is then.

    For a job that is mostly short, so that callers see what it does at once; they call `started` afterwards. Whatever
    comes between, the dispatcher goes on.
    """
    try:
        with fence.within(job.tenant_id):
            for _ in range(most):
                if job.status == "completed":
                    break
                job = _take_step(job)
    except (StaleError, UnavailableError):
        pass  # somebody else is at it, or will be
    return job


def _take_step(before: Job) -> Job:
    step = _stages[before.kind][before.stage](before)
    after, event = _after(before, step)
    rows = tenant_rows(before.tenant_id)
    writes = [*step.writes, store.advancing(before, after)]
    if event:
        logged = event.type == "job.completed"
        writes += outbox.event_writes(rows, before.id, before.pos, [event], logged=logged)
    try:
        transact(writes)
    except ConditionFailedError:
        raise StaleError from None  # somebody else took the step, or changed what it works on
    for pk in step.changed:
        outbox.notify(rows, pk)
    return after


def _after(before: Job, step: Step) -> tuple[Job, NewEvent | None]:
    """Return the job after a step, and its event if the step ends the job or a slice of it."""
    now = clock.now_ms()
    after = replace(before, status="running", steps=before.steps + 1, done=before.done + step.done, updated_at=now)
    after = replace(after, cursor=step.cursor, output=step.output or before.output)
    after = replace(after, result=Counter(before.result) + Counter(step.counted))
    if step.finished:
        after = replace(after, stage=before.stage + 1, cursor=None)
    if after.stage == len(_stages[before.kind]):
        after = replace(after, status="completed", completed_at=now, pos=before.pos + 1)
        return after, NewEvent("job.completed", _shown(after), SYSTEM)
    if step.long or after.steps % SLICE == 0:
        after = replace(after, pos=before.pos + 1)
        return after, NewEvent("job.continued", {"id": before.id}, SYSTEM)
    return after, None


def _shown(job: Job) -> dict[str, object]:
    return JobOut.of(job).model_dump(mode="json")
