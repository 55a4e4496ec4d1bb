"""Erasing a tenant: all of its rows, bounded steps at a time, by a job that whoever dies only delays.

What a partition's main rows tell of others (words, guards, lists) goes before those rows do, so a step that was cut
short finds everything again. All lists are looked through twice: what was on its way at the first look is there at the
second.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from functools import partial

from chalicelib.core import fence, ids, log
from chalicelib.core.errors import InvalidError, NotFoundError
from chalicelib.core.items import Item
from chalicelib.core.table import GUARDS, Found, Key, Rows, delete_all, retrying, tenant_rows, transact
from chalicelib.directory import service as directory
from chalicelib.events import dispatcher, outbox
from chalicelib.events.models import Event, NewEvent
from chalicelib.jobs import service as jobs
from chalicelib.jobs.models import Job, Step
from chalicelib.tenants import partitions, standing, store
from chalicelib.tenants.audit import commit
from chalicelib.tenants.partitions import FIXED, LISTS, TENANT, Place, belonging_to, traces_of

ERASE_JOB = "tenant.erase"
# Until every credential's minute in a cache and every request that was let in before are over.
SETTLE_S = 180
ROWS_A_STEP = 250  # and a query takes as long as a few rows
A_QUERY = 3
ENTRIES_A_STEP = 25
Actor = dict[str, str]


def start_erasing(tenant_id: str, actor: Actor, confirm: str) -> Job:
    """Begin to erase a tenant for good: nothing of it works from now on, and nothing stops it.

    `confirm` is the tenant's slug. Doing it again answers the job as it stands. Raises NotFoundError, and InvalidError
    for `confirm`. One read, one transaction, two queue sends.
    """

    def attempt() -> Job:
        before = store.get_tenant(tenant_id)
        if confirm != before.slug:
            raise InvalidError.field(
                "confirm", "To erase this tenant with all its data, give its slug.", "not_confirmed"
            )
        job_id = ids.derived("job", tenant_id, ERASE_JOB)
        if before.status == "erasing":
            return jobs.get_job(tenant_id, job_id)
        after = standing.changed_to(before, "erasing")
        job, writes = jobs.starting(tenant_id, ERASE_JOB, {"by": actor["id"]}, actor, job_id=job_id)
        event = NewEvent("tenant.erasing", standing.shown(after), actor, {"status": before.status})
        writes += store.changing_tenant(before, event, standing.stored(after))
        commit(tenant_id, writes, result=job)
        jobs.started(job, delay_s=SETTLE_S)
        log.info("tenant_erasing", tenant=tenant_id, by=actor["id"], job=job.id)
        return job

    return retrying(attempt)


def erase_listed(job: Job) -> Step:
    """Erase the next aggregates that stand in a list, each with all that belongs to it."""
    return _walk(job, "activity", LISTS)


def erase_logged(job: Job) -> Step:
    """Erase the next partitions that have an entry in the log: what was deleted lately, and jobs."""
    return _walk(job, "log", ("log",))


def erase_numbers(job: Job) -> Step:
    """Free the next conversation numbers: also those of merged ones, whose rows don't tell them."""
    place = Place.read(job.cursor)
    rows = partitions.spaces(job.tenant_id)[place.number]
    first = int(place.after or 0) + 1
    last = (rows.get("number", "conv") or {}).get("n", 0)
    numbers = range(first, min(last, first + ROWS_A_STEP - 1) + 1)
    delete_all(rows.key(f"u#conv-no#{number}", "-") for number in numbers)
    if numbers and numbers[-1] < last:
        return Step(cursor=str(Place(place.number, str(numbers[-1]))))
    return _after_list(place, 2)


def erase_fixed(job: Job) -> Step:
    """Erase the next partitions with fixed names, with the guards and partitions that their rows tell of."""
    wanted = [(rows, pk) for rows in partitions.spaces(job.tenant_id) for pk in FIXED]
    place, room = Place.read(job.cursor), _Room()
    number = place.number
    while number < len(wanted) and room:
        rows, pk = wanted[number]
        if not _erase_fixed(rows, pk, room):
            break
        number += 1
    return Step(done=room.used, finished=number == len(wanted), cursor=str(Place(number)))


def erase_audit_log(job: Job) -> Step:
    """Erase what only the audit log still knows: deliveries of deleted endpoints, lists of deleted widgets."""
    place, room = Place.read(job.cursor), _Room()
    rows = partitions.spaces(job.tenant_id)[place.number]
    found = rows.query(TENANT, between=(f"{place.after or 'e#'} ", "e#~"), limit=ENTRIES_A_STEP)
    after = place.after
    for row in found.items:
        if not _erase_named(rows, [str(json.loads(row["d"]).get("id", ""))], room):
            return Step(done=room.used, cursor=str(Place(place.number, after)))
        after = row["sk"]
    return Step(done=room.used, cursor=str(Place(place.number, after))) if found.more else _after_list(place, 2, room)


def end_memberships(job: Job) -> Step:
    """Let the people who belonged to the tenant belong to it no more."""
    members, _ = store.list_members(job.tenant_id)
    with fence.lifted():
        for person in store.find_persons([member.user_id for member in members]):
            if job.tenant_id in person.memberships or job.tenant_id in person.suspended:
                retrying(partial(store.forget_tenant, person.user_id, job.tenant_id))
    return Step(done=len(members), finished=True)


def erase_tenant(job: Job) -> Step:
    """Erase the tenant itself and free its slug. Its events go first: they may not have been dispatched."""
    live, test = partitions.spaces(job.tenant_id)
    room = _Room()
    for rows in (test, live):
        dispatcher.require_dispatched(rows, TENANT)
        if not _erase_rows(rows, TENANT, room, but=("meta",)):
            return Step(done=room.used)
    try:
        tenant = store.get_tenant(job.tenant_id)
    except NotFoundError:
        return Step(done=room.used, finished=True)
    with fence.lifted():
        directory.release_slug(tenant.slug, tenant.id, tenant.pos + 1)
        guard = GUARDS.get(f"slug#{tenant.slug}", "-")
        if guard and guard["tenant"] == tenant.id:
            delete_all([GUARDS.key(f"slug#{tenant.slug}", "-")])
    delete_all([test.key(TENANT, "meta"), live.key(TENANT, "meta")])
    return Step(done=room.used + 1, finished=True)


def on_event(event: Event) -> None:
    """Erase the job itself when it is done: the tenant's last rows. Subscribed in app.py, behind all others."""
    job_id = event.pk.partition("#")[2]
    if event.type != "job.completed" or event.data["kind"] != ERASE_JOB:
        return
    rows, last = tenant_rows(event.tenant_id), outbox.event_key(event.pos)
    room = _Room(rows_at_most=100_000)  # an event for every 25 steps
    _erase_rows(rows, job_id, room, but=("meta", last))
    # Both at once: an aggregate whose event is missing would be parked, with an alarm.
    transact([rows.deleting(job_id, "meta"), rows.deleting(job_id, last)])
    done = event.data["progress"]["done"]
    log.info("tenant_erased", tenant=event.tenant_id, by=event.data["created_by"], job=job_id, rows=done)


class _Room:
    """How much a step may still do."""

    def __init__(self, rows_at_most: int = 0) -> None:
        self.left, self.used = rows_at_most or ROWS_A_STEP, 0

    def __bool__(self) -> bool:
        return self.left > 0

    def query(self, rows: Rows, pk: str, *, limit: int = 0, prefix: str | None = None) -> Found:
        """Read the first rows of a partition, as many as may be erased unless said otherwise."""
        self.left -= A_QUERY
        return rows.query(pk, limit=limit or max(1, self.left), prefix=prefix)

    def delete(self, keys: Iterable[Key]) -> None:
        """Delete rows."""
        wanted = list(keys)
        delete_all(wanted)
        self.left, self.used = self.left - len(wanted), self.used + len(wanted)


def _walk(job: Job, index: str, names: Sequence[str]) -> Step:
    place, room = Place.read(job.cursor), _Room()
    try:
        entries, rows, more = partitions.listed(job.tenant_id, index, names, place, ENTRIES_A_STEP)
    except IndexError:
        return Step(finished=True)
    after = place.after
    for entry in entries:
        pk = entry["pk"].partition("#")[2]
        if pk not in (TENANT, job.id) and not _erase_aggregate(rows, pk, room, entry["sk"]):
            return Step(done=room.used, cursor=str(Place(place.number, after)))
        after = entry[f"{index[0]}_sk"]
    return Step(done=room.used, cursor=str(Place(place.number, after) if more else Place(place.number + 1)))


def _after_list(place: Place, lists: int, room: _Room | None = None) -> Step:
    done = room.used if room else 0
    return Step(done=done, finished=place.number + 1 == lists, cursor=str(Place(place.number + 1)))


def _erase_aggregate(rows: Rows, pk: str, room: _Room, entry: str) -> bool:
    """Erase an aggregate; False while there is more of it than there is room.

    The row that stands in the list goes last: nothing else may lead here.
    """
    last = {"meta", "meta~info", entry}
    if not (_erase_named(rows, [pk], room) and _erase_rows(rows, pk, room, but=last)):
        return False
    if not _erase_traces(rows, pk, room.query(rows, pk, prefix="meta").items, room):
        return False
    room.delete(rows.key(pk, sk) for sk in sorted(last - {entry}))
    room.delete([rows.key(pk, entry)])
    return True


def _erase_fixed(rows: Rows, pk: str, room: _Room) -> bool:
    while room:
        found = room.query(rows, pk, limit=ENTRIES_A_STEP)
        if not _erase_traces(rows, pk, found.items, room):
            return False
        room.delete(_keys(found.items))
        if not found.more:
            return True
    return False


def _erase_traces(rows: Rows, pk: str, found: Sequence[Item], room: _Room) -> bool:
    """Erase what a partition's rows tell of elsewhere; those are few, but for whole partitions."""
    traces = traces_of(pk, rows.scope, found)
    room.delete(rows.key(*each) for each in traces.rows)
    with fence.lifted():
        room.delete(GUARDS.key(each, "-") for each in traces.guards)
    return _erase_named(rows, traces.ids, room)


def _erase_named(rows: Rows, named: Sequence[str], room: _Room) -> bool:
    return all(_erase_rows(rows, pk, room) for id_ in named for pk in belonging_to(id_))


def _erase_rows(rows: Rows, pk: str, room: _Room, but: Collection[str] = ()) -> bool:
    """Erase a partition's rows; False while there are more of them than there is room."""
    while room:
        found = room.query(rows, pk, limit=max(1, room.left) + len(but))
        room.delete(key for key in _keys(found.items) if key.sk not in but)
        if not found.more:
            return True
    return False


def _keys(found: Sequence[Item]) -> list[Key]:
    return [Key(row["pk"], row["sk"]) for row in found]
