"""Exporting a tenant: a job that asks the API's own lists, one after the other, for all that they have.

Each line of the file is an object as its list shows it, with `object` before. What is still to be read is a stack of
places in lists: a page's objects are followed by the lists that belong to each, then by the next page.
"""

import gzip
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import astuple, replace
from typing import Any

from chalicelib.core import clock, log
from chalicelib.core.errors import ApiError, NotFoundError
from chalicelib.core.frozen import frozen
from chalicelib.core.http import Call, Page, PageQuery, Principal, Role, Route
from chalicelib.core.http.access import TenantSuspendedError
from chalicelib.core.table import Write, retrying
from chalicelib.events.models import NewEvent
from chalicelib.jobs import service as jobs
from chalicelib.jobs.models import Job, JobNotFoundError, Step
from chalicelib.tenants import standing, store
from chalicelib.tenants.audit import commit
from chalicelib.tenants.models import EXPORT_JOB, Tenant

# What a file has, in its order: what `object` says, and whose answers these are. Those of a path with the id of one of
# another list's belong to that one, and follow it.
LISTS = {
    "tenant": "/v1/tenants/{tenant_id}",
    "subscription": "/v1/billing/subscription",
    "member": "/v1/tenants/{tenant_id}/members",
    "invitation": "/v1/tenants/{tenant_id}/invitations",
    "team": "/v1/teams",
    "api_key": "/v1/api-keys",
    "domain": "/v1/domains",
    "widget": "/v1/widgets",
    "webhook": "/v1/webhooks",
    "tag": "/v1/tags",
    "canned_response": "/v1/canned-responses",
    "custom_attribute": "/v1/custom-attributes",
    "company": "/v1/companies",
    "contact": "/v1/contacts",
    "contact_note": "/v1/contacts/{contact_id}/notes",
    "visitor": "/v1/visitors",
    "page_view": "/v1/visitors/{visitor_id}/page-views",
    "conversation": "/v1/conversations",
    "message": "/v1/conversations/{conversation_id}/messages",
    "file": "/v1/files",
    "audit_entry": "/v1/tenants/{tenant_id}/audit-log",
}
A_PAGE = 100
A_PAGE_WITH_LISTS = 50  # if to each object others may belong: each is a place that the job has to remember
# How many others belong to an object, where it knows: most have none.
KNOWN = {"contact_note": "note_count"}
# What ends a step, whichever comes first; together they take about a second.
READS_A_STEP = 100
BYTES_A_STEP = 1_500_000  # before they are compressed

# Links would be over before the file is read: who wants the bytes gets a new one by the file's id.
LINK = "download_url"

List = Callable[[str, PageQuery], Page[Any]]
Keep = Callable[[Job, int, bytes], Write]


@frozen
class Place:
    """Where to read on: in which list, whose it is if it belongs to an object, and behind which page."""

    name: str
    owner: str = ""
    cursor: str | None = None


def start_export(tenant_id: str, actor: dict[str, str]) -> Job:
    """Start the job, or return the one that is not done yet. Raises TenantSuspendedError for a tenant that is erased.

    One read or two, one transaction, two queue sends.
    """

    def attempt() -> Job:
        before = store.get_tenant(tenant_id)
        if before.status == "erasing":
            raise TenantSuspendedError
        if running := _running(before):
            return running
        args = {"output": f"{before.slug}-{clock.rfc3339(clock.now_ms())[:10]}.ndjson.gz"}
        job, writes = jobs.starting(tenant_id, EXPORT_JOB, args, actor)
        event = NewEvent("tenant.export_started", standing.shown(before), actor)
        commit(tenant_id, [*writes, *store.changing_tenant(before, event, {"export": job.id})], result=job)
        jobs.started(job)
        log.info("tenant_export_started", tenant=tenant_id, by=actor["id"], job=job.id)
        return job

    return retrying(attempt)


def _running(tenant: Tenant) -> Job | None:
    if tenant.export_job_id is None:
        return None
    try:
        job = jobs.get_job(tenant.id, tenant.export_job_id)
    except JobNotFoundError:
        return None  # done more than 30 days ago
    return None if job.status == "completed" else job


def collect(job: Job, routes: Iterable[Route], instead: Mapping[str, List], keep: Keep) -> Step:
    """Write down the next objects, as a piece of the file that `keep` puts away.

    For a path in `instead`, that is read instead of what its view lists: in an order that nothing changes meanwhile.
    """
    number, todo = _begun(job.cursor)
    views = {route.path: route for route in routes if route.method == "GET"}
    lines: list[bytes] = []
    counted: Counter[str] = Counter()
    reads = size = 0
    while todo and reads < READS_A_STEP and size < BYTES_A_STEP:
        place = todo.pop()
        found, then = _read(job, place, views[LISTS[place.name]], instead.get(LISTS[place.name]))
        todo += then
        lines += found
        counted[place.name] += len(found)
        reads, size = reads + 1, size + sum(map(len, found))
    writes = [keep(job, number, gzip.compress(b"".join(lines), 6, mtime=0))] if lines else []
    cursor = json.dumps([number + len(writes), *map(astuple, todo)], separators=(",", ":"))
    return Step(writes, sum(counted.values()), not todo, cursor, counted, long=bool(todo))


def _begun(cursor: str | None) -> tuple[int, list[Place]]:
    """Return how many pieces there are, and where to read on: at the last of these places first."""
    if cursor is None:
        return 0, [Place(name) for name in reversed(LISTS) if _owners(name) is None]
    number, *places = json.loads(cursor)
    return number, [Place(*each) for each in places]


def _owners(name: str) -> str | None:
    """Return the list to whose objects a list belongs, or None."""
    above = re.sub(r"/{\w+}/[\w-]+$", "", LISTS[name])
    return next((each for each, path in LISTS.items() if path == above and each != name), None)


def _read(job: Job, place: Place, route: Route, instead: List | None) -> tuple[list[bytes], list[Place]]:
    """Return the lines of a page, and where to read on: at the last of these places first."""
    theirs = [name for name in LISTS if _owners(name) == place.name]
    try:
        if route.before:
            route.before()
    except ApiError:
        return [], []  # this installation does not offer it
    try:
        page = _page(job, place, route, instead, A_PAGE_WITH_LISTS if theirs else A_PAGE)
    except NotFoundError:
        return [], []  # whom it belonged to was deleted just now
    then = [replace(place, cursor=page.next_cursor)] if page.next_cursor else []
    for row in reversed(page.rows):
        then += [Place(name, row.id) for name in reversed(theirs) if getattr(row, KNOWN.get(name, "id"))]
    return [line for row in page.rows if (line := _line(place, route, row))], then


def _page(job: Job, place: Place, route: Route, instead: List | None, limit: int) -> Page[Any]:
    owner = Principal("user", job.created_by, memberships={job.tenant_id: Role.OWNER})
    names = re.findall(r"{(\w+)}", route.path)
    path = {name: job.tenant_id if name == "tenant_id" else place.owner for name in names}
    call = Call({}, owner, job.tenant_id)
    if not route.paged:
        return Page([route.view(call, **path)], 1, 1, 0, has_more=False, next_cursor=None)
    query = {"limit": limit, "cursor": place.cursor}
    if instead:
        return instead(job.tenant_id, PageQuery.model_validate(query))
    page: Page[Any] = route.view(call, query=(route.query or PageQuery).model_validate(query), **path)
    return page


def _line(place: Place, route: Route, row: object) -> bytes | None:
    """Return an object's line. None if its list is another's by now: what is merged answers what it has gone into."""
    if route.answer is None:
        raise TypeError(f"{route.path} answers no objects")
    shown = _without_links(route.answer.of(row).model_dump(mode="json"))
    if place.owner:
        (name,) = re.findall(r"{(\w+)}", route.path)
        if shown.get(name, place.owner) != place.owner:
            return None
        shown = {name: place.owner, **shown}
    text = json.dumps({"object": place.name, **shown}, ensure_ascii=False, separators=(",", ":"))
    return f"{text}\n".encode()


def _without_links(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return {name: None if name == LINK else _without_links(each) for name, each in value.items()}
    return [_without_links(each) for each in value] if isinstance(value, list) else value
