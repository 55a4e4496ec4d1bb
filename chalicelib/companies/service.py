"""What people do with a company. What a new name or a deletion means for its contacts is a job."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from chalicelib.companies import store
from chalicelib.companies.models import Company, CompanyNotFoundError, CompanyOut
from chalicelib.core import clock, ids
from chalicelib.core.errors import PreconditionFailedError
from chalicelib.core.http import Page, PageQuery
from chalicelib.core.items import Item
from chalicelib.core.listing import page_of_source
from chalicelib.core.table import NOTHING, ConditionFailedError, Key, StaleError, Write, retrying, tenant_rows, transact
from chalicelib.events import counters, outbox
from chalicelib.events.models import NewEvent
from chalicelib.jobs import service as jobs
from chalicelib.jobs.models import Job

FOLLOW_JOB = "company.follow"  # lets a company's contacts follow its new name, or its end

Actor = Mapping[str, str]


def find_company(tenant_id: str, company_id: str) -> Company | None:
    """Return a company or None."""
    return store.find(tenant_id, company_id) if ids.is_id("com", company_id) else None


def get_company(tenant_id: str, company_id: str) -> Company:
    """Return a company; raises CompanyNotFoundError."""
    found = find_company(tenant_id, company_id)
    if found is None:
        raise CompanyNotFoundError
    return found


def requiring_company(company: Company) -> Write:
    """Return the condition that a company is still there under its name, for what is linked to it."""
    return store.requiring(company)


def list_companies(tenant_id: str, query: PageQuery) -> Page[Company]:
    """List companies, newest first. One query a shard and one BatchGet, which brings the counters too."""
    rows, source = tenant_rows(tenant_id), store.listed(tenant_id)
    found: dict[Key, Item] = {}

    def load(keys: Sequence[Key]) -> dict[Key, Company]:
        found.update(rows.batch_get([*keys, *counters.keys(rows)]))
        return {key: company for key in keys if (company := store.from_item(found.get(key)))}

    def count() -> tuple[int, bool]:
        return (counters.total(found, rows, "companies") if found else counters.read_total(rows, "companies")), False

    return page_of_source(source, query, tenant_id, "companies", load=load, count=count)


def create_company(tenant_id: str, given: Mapping[str, Any], actor: Actor) -> Company:
    """Make a company. One transaction and one queue send."""
    now = clock.now_ms()
    known = {"id": ids.new("com"), "created_at": now, "updated_at": now, "created_by": actor["id"]}
    new = Company(tenant_id=tenant_id, **{**known, **given})
    event = NewEvent("company.created", _shown(new), dict(actor), counts={"companies": 1})
    _commit(new, store.creating(new, event), result=new)
    return new


def update_company(
    tenant_id: str, company_id: str, given: Mapping[str, Any], actor: Actor, expected_version: int | None = None
) -> Company:
    """Change the given fields."""

    def attempt() -> Company:
        before = _expected(tenant_id, company_id, expected_version)
        after = replace(before, **given)
        if after == before:
            return before
        after = replace(after, updated_at=clock.now_ms(), pos=before.pos + 1)
        old, new = _shown(before), _shown(after)
        previous = {name: old[name] for name in given if old[name] != new[name]}
        event = NewEvent("company.updated", new, dict(actor), previous)
        job, starting = _following(after, actor) if after.name != before.name else (None, [])
        _commit(after, [*store.changing(before, after, event), *starting], result=after)
        if job:
            jobs.started(job)
        return after

    return retrying(attempt)


def delete_company(tenant_id: str, company_id: str, actor: Actor, expected_version: int | None = None) -> None:
    """Delete a company; its contacts stay and belong to none."""

    def attempt() -> None:
        before = _expected(tenant_id, company_id, expected_version)
        data = {"id": before.id, "name": before.name}
        event = NewEvent("company.deleted", data, dict(actor), counts={"companies": -1})
        job, starting = _following(before, actor)
        _commit(before, [*store.burying(before, event), *starting])
        jobs.started(job)

    retrying(attempt)


def _following(company: Company, actor: Actor) -> tuple[Job, list[Write]]:
    return jobs.starting(company.tenant_id, FOLLOW_JOB, {"company_id": company.id}, actor)


def _commit(company: Company, writes: list[Write], *, result: object = NOTHING) -> None:
    try:
        transact(writes, result=result)
    except ConditionFailedError:
        raise StaleError from None
    outbox.notify(tenant_rows(company.tenant_id), company.id)


def _expected(tenant_id: str, company_id: str, expected_version: int | None) -> Company:
    found = get_company(tenant_id, company_id)
    if expected_version not in {None, found.version}:
        raise PreconditionFailedError
    return found


def _shown(company: Company) -> dict[str, Any]:
    return CompanyOut.of(company).model_dump(mode="json")
