"""Suspending a tenant and letting it go on: what an operator does, and what follows for the people who belong to it.

The tenant's own row says it, and whoever checks a key or a visitor's token reads that row along. A person may belong to
a hundred tenants, so for people their own row says which of them are not active: it follows by the tenant's event.
"""

from dataclasses import replace
from typing import Any

from chalicelib.core import clock
from chalicelib.core.errors import ConflictError
from chalicelib.core.table import ConditionFailedError, StaleError, retrying, run
from chalicelib.events.models import Event, NewEvent
from chalicelib.tenants import store
from chalicelib.tenants.audit import commit
from chalicelib.tenants.models import Status, Tenant
from chalicelib.tenants.schemas import TenantOut

OPERATOR = {"type": "system", "id": "operator"}
CHANGES = frozenset({"tenant.suspended", "tenant.resumed", "tenant.erasing"})


class TenantErasingError(ConflictError):
    code = "tenant_erasing"
    default_message = "This tenant is being erased. That can't be stopped."


def suspend_tenant(tenant_id: str) -> Tenant:
    """Let no credential of a tenant work, and send nothing in its name, until it is resumed. Its data is kept.

    Doing it again changes nothing. Raises NotFoundError and TenantErasingError. One read, one transaction.
    """
    return _change(tenant_id, "suspended", "tenant.suspended")


def resume_tenant(tenant_id: str) -> Tenant:
    """Undo `suspend_tenant`. What webhooks have missed is sent within an hour. Raises as that does."""
    return _change(tenant_id, "active", "tenant.resumed")


def changed_to(before: Tenant, status: Status) -> Tenant:
    """Return the tenant as it is in another state."""
    return replace(before, status=status, updated_at=clock.now_ms(), version=before.version + 1, pos=before.pos + 1)


def stored(tenant: Tenant) -> dict[str, Any]:
    """Return what a change of state writes."""
    return {
        "off": None if tenant.status == "active" else tenant.status,
        "u": tenant.updated_at,
        "v": tenant.version,
    }


def shown(tenant: Tenant) -> dict[str, Any]:
    """Return the tenant as its events show it."""
    return TenantOut.of(tenant).model_dump(mode="json")


def _change(tenant_id: str, status: Status, type_: str) -> Tenant:
    def attempt() -> Tenant:
        before = store.get_tenant(tenant_id)
        if before.status == "erasing":
            raise TenantErasingError
        if before.status == status:
            return before
        after = changed_to(before, status)
        event = NewEvent(type_, shown(after), OPERATOR, {"status": before.status})
        commit(tenant_id, store.changing_tenant(before, event, stored(after)))
        return after

    return retrying(attempt)


def on_event(event: Event) -> None:
    """Let the rows of a tenant's members say whether it is active, as its own row says by now. Subscribed in app.py.

    No job: a tenant has at most five hundred members, and who is marked already is not written again.
    """
    if event.type not in CHANGES:
        return
    suspended = store.get_tenant(event.tenant_id).status != "active"
    members, _ = store.list_members(event.tenant_id)
    for person in store.find_persons([member.user_id for member in members]):
        if (event.tenant_id in person.suspended) != suspended:
            _mark(event.tenant_id, person.user_id, suspended=suspended)


def _mark(tenant_id: str, user_id: str, *, suspended: bool) -> None:
    def attempt() -> None:
        person = store.find_person(user_id)
        if person is None or (tenant_id in person.suspended) == suspended:
            return
        try:
            run(store.marking(person, tenant_id, suspended=suspended))
        except ConditionFailedError:
            raise StaleError from None  # another of their tenants was suspended just now

    retrying(attempt)
