"""Rows of jobs: `job_…`/`meta`, an aggregate whose pending entry lets the sweeper find it until it is done."""

from collections.abc import Sequence
from typing import Any

from chalicelib.core import clock
from chalicelib.core.items import Item
from chalicelib.core.table import Write, live, tenant_rows
from chalicelib.events import outbox
from chalicelib.jobs.models import Job

KEEP_S = 30 * 86_400  # after its end

_STORED = {
    "kind": "kind",
    "args": "args",
    "created_by": "by",
    "created_at": "ct",
    "updated_at": "ut",
    "status": "st",
    "stage": "sg",
    "stages": "sgs",
    "steps": "n",
    "cursor": "cur",
    "done": "done",
    "completed_at": "end",
    "result": "res",
    "output": "out",
    "pos": "pos",
}


def find(tenant_id: str, job_id: str) -> Job | None:
    """Read a job as it is now."""
    item = live(tenant_rows(tenant_id).get(job_id, "meta", consistent=True), clock.now_s())
    return _from_item(item, job_id) if item else None


def creating(job: Job) -> Write:
    """Return the write of a new job."""
    rows = tenant_rows(job.tenant_id)
    item = _item(job)
    return rows.putting(job.id, "meta", item | outbox.new_aggregate(rows, job.id, job.pos), absent=True)


def advancing(before: Job, after: Job) -> Write:
    """Return the write that takes one step, for as long as nobody else has taken it."""
    rows = tenant_rows(before.tenant_id)
    old, new = _item(before), _item(after)
    changed: dict[str, Any] = {name: value for name, value in new.items() if value != old[name]}
    if after.completed_at is not None:
        changed["exp"] = after.completed_at // 1000 + KEEP_S
    if after.pos != before.pos:
        # Pending since now: a long job is no lost one, and the sweeper would park what it has sent again too often.
        changed |= {**outbox.pending(rows, before.id), "pr": None}
    return rows.updating(before.id, "meta", set_=changed, when={"n": before.steps})


def keeping(tenant_id: str, job_id: str, number: int, ids: Sequence[str]) -> Write:
    """Return the write of a part of the ids that a job is to deal with; the job's own row is written at each step."""
    return tenant_rows(tenant_id).putting(job_id, _part(number), {"ids": list(ids)})


def first_kept(tenant_id: str, job_id: str) -> tuple[int, list[str]] | None:
    """Read the first part of a job's ids that is not dealt with, or None."""
    found = tenant_rows(tenant_id).query(job_id, prefix="ids#", limit=1, consistent=True).items
    return (int(found[0]["sk"][4:]), found[0]["ids"]) if found else None


def dropping(tenant_id: str, job_id: str, number: int) -> Write:
    """Return the write that removes a part of a job's ids."""
    return tenant_rows(tenant_id).deleting(job_id, _part(number))


def adding_text(tenant_id: str, job_id: str, number: int, text: str) -> Write:
    """Return the write of a part of the file that a job makes; at most 400 KB, DynamoDB's limit."""
    return tenant_rows(tenant_id).putting(job_id, _text(number), {"t": text})


def texts_after(tenant_id: str, job_id: str, number: int, limit: int = 1000) -> tuple[list[tuple[int, str]], bool]:
    """Read the parts of a job's file behind a number, up to 1 MB, and whether there are more. One query."""
    found = tenant_rows(tenant_id).query(job_id, between=(_text(number + 1), _text(999_999)), limit=limit)
    return [(int(item["sk"][4:]), item["t"]) for item in found.items], found.more


def removing_text(tenant_id: str, job_id: str, number: int) -> Write:
    """Return the write that removes a part of a job's file."""
    return tenant_rows(tenant_id).deleting(job_id, _text(number))


def _text(number: int) -> str:
    return f"txt#{number:06d}"


def _part(number: int) -> str:
    return f"ids#{number:06d}"


def _item(job: Job) -> Item:
    item = {short: getattr(job, name) for name, short in _STORED.items()}
    return item | {"res": dict(job.result) or None}


def _from_item(item: Item, job_id: str) -> Job:
    known: dict[str, Any] = {name: item[short] for name, short in _STORED.items() if short in item}
    return Job(tenant_id=item["pk"].partition("#")[0], id=job_id, **known)
