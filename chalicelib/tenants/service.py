"""Tenants: made, listed and changed; and this slice's door for the slices above it."""

import re
import secrets
import unicodedata
from collections.abc import Callable
from dataclasses import field, replace
from typing import Any

from chalicelib.core import clock, regions
from chalicelib.core.errors import NotFoundError, PreconditionFailedError
from chalicelib.core.frozen import frozen
from chalicelib.core.http import Principal, Role
from chalicelib.core.table import ConditionFailedError, StaleError, Write, retrying
from chalicelib.directory import service as directory
from chalicelib.directory.models import SlugTakenError
from chalicelib.events.models import NewEvent
from chalicelib.tenants import retaining, store
from chalicelib.tenants.api_keys import authenticate_key
from chalicelib.tenants.audit import commit, notify_tenant, recording, recording_all, recording_at
from chalicelib.tenants.invitations import accepting, find_invitation
from chalicelib.tenants.members import count_members, list_admins
from chalicelib.tenants.models import (
    MAX_MEMBERSHIPS,
    CreatedTenant,
    Language,
    Limits,
    Member,
    MembershipLimitError,
    MyTenant,
    Person,
    Tenant,
)
from chalicelib.tenants.schemas import MemberOut, TenantOut
from chalicelib.tenants.store import (
    changing_limits,
    changing_person,
    find_for_change,
    find_limits,
    find_tenant_id,
    get_tenant,
    is_active,
    is_member,
    limits_of,
    list_tenants,
    person_from_item,
    person_key,
    requiring_agent,
    requiring_member,
    requiring_tenant,
    tenant_key,
)

__all__ = [
    "Started",
    "Starter",
    "accepting",
    "also_create",
    "authenticate_key",
    "changing_limits",
    "changing_person",
    "commit",
    "count_members",
    "create_tenant",
    "find_for_change",
    "find_invitation",
    "find_limits",
    "find_tenant_id",
    "get_person",
    "get_tenant",
    "is_active",
    "is_member",
    "limits_of",
    "list_admins",
    "list_my_tenants",
    "list_tenants",
    "new_person_write",
    "notify_tenant",
    "person_from_item",
    "person_key",
    "recording",
    "recording_all",
    "recording_at",
    "requiring_agent",
    "requiring_member",
    "requiring_tenant",
    "tenant_key",
    "update_tenant",
]

SLUG_ATTEMPTS = 5


@frozen
class Started:
    """What a slice above adds to a new tenant, in the creating transaction."""

    writes: list[Write]
    default_widget: dict[str, Any] | None = None  # as the API shows it
    events: list[NewEvent] = field(default_factory=list)  # recorded on the tenant, behind `tenant.created`
    limits: Limits | None = None  # what the tenant's first plan allows


Starter = Callable[[Tenant, str | None], Started]  # the tenant and the `domain` of the request

_starters: list[Starter] = []


def also_create(starter: Starter) -> None:
    """Let `starter` add to every new tenant. Called from app.py."""
    _starters.append(starter)


def starting(tenant: Tenant, domain: str | None) -> list[Started]:
    """Return what the slices above add to a new tenant."""
    return [starter(tenant, domain) for starter in _starters]


def create_tenant(
    user_id: str, name: str, *, slug: str | None = None, language: Language = "en", domain: str | None = None
) -> CreatedTenant:
    """Make a tenant whose owner is the user, with all that a tenant starts with, in one transaction.

    A slug that is not given is made from the name. Raises SlugTakenError for one that is given and taken.
    """

    def attempt() -> CreatedTenant:
        person = get_person(user_id)
        if len(person.memberships) >= MAX_MEMBERSHIPS:
            raise MembershipLimitError
        for number in range(SLUG_ATTEMPTS):
            chosen = slug or slug_of(name, distinct=number > 0)
            try:
                return _create(person, name, chosen, language, domain)
            except SlugTakenError:
                pass
            except ConditionFailedError as exc:
                if not any(write.key.pk.endswith(f"#slug#{chosen}") for write in exc.failed):
                    raise StaleError from exc  # the person has changed since they were read
            if slug:
                break
        raise SlugTakenError(param="slug")

    return retrying(attempt)


def _create(person: Person, name: str, slug: str, language: Language, domain: str | None) -> CreatedTenant:
    now = clock.now_ms()
    tenant = Tenant(regions.new_id("tn"), name, slug, language, now, now)
    owner = Member(person.user_id, person.email, person.name, Role.OWNER, now)
    directory.claim_slug(slug, tenant.id, tenant.pos)
    started = starting(tenant, domain)
    tenant = replace(tenant, limits=next((each.limits for each in started if each.limits), tenant.limits))
    actor = {"type": "user", "id": person.user_id}
    events = [
        NewEvent("tenant.created", _shown(tenant), actor),
        NewEvent("member.joined", MemberOut.of(owner).model_dump(mode="json"), actor),
        *(event for each in started for event in each.events),
    ]
    writes = [
        *store.creating_tenant(tenant, events),
        store.joining(tenant.id, owner),
        store.adding_membership(person, tenant.id, Role.OWNER),
        *(write for each in started for write in each.writes),
    ]
    widget = next((each.default_widget for each in started if each.default_widget), None)
    created = CreatedTenant(tenant, widget)
    commit(tenant.id, writes, result=created)
    return created


def slug_of(name: str, *, distinct: bool = False) -> str:
    """Return a slug like the name: ASCII letters and digits with hyphens between. `distinct` adds chance to it."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-")
    if len(slug) < 2:
        slug, distinct = "tenant", True
    return f"{slug}-{secrets.token_hex(3)}" if distinct else slug


def list_my_tenants(caller: Principal) -> list[MyTenant]:
    """List the caller's tenants, newest first."""
    mine = [MyTenant(tenant, caller.memberships[tenant.id]) for tenant in list_tenants(list(caller.memberships))]
    return sorted(mine, key=lambda each: each.tenant.id, reverse=True)


def update_tenant(
    tenant_id: str, actor: Principal, changes: dict[str, Any], *, expected_version: int | None = None
) -> Tenant:
    """Change a tenant's `name`, `slug`, `language` or `retention_days`.

    Raises SlugTakenError and PreconditionFailedError.
    """

    def attempt() -> Tenant:
        before = get_tenant(tenant_id)
        if expected_version not in {None, before.version}:
            raise PreconditionFailedError
        previous = {name: getattr(before, name) for name in changes if getattr(before, name) != changes[name]}
        if not previous:
            return before
        wanted = {name: changes[name] for name in previous}
        after = replace(before, **wanted, updated_at=clock.now_ms(), version=before.version + 1, pos=before.pos + 1)
        event = NewEvent("tenant.updated", _shown(after), actor.actor, previous)
        writes = store.changing_tenant(before, event, store.settings_of(after))
        if "slug" in wanted:
            _claim_slug(before, after.slug)
            writes += [store.claiming_slug(after.slug, tenant_id), store.releasing_slug(before.slug, tenant_id)]
        if "retention_days" in wanted:
            writes.append(retaining.scheduling(after))
        try:
            commit(tenant_id, writes, result=after)
        except ConditionFailedError:
            raise SlugTakenError(param="slug") from None
        return after

    return retrying(attempt)


def _claim_slug(before: Tenant, slug: str) -> None:
    try:
        directory.claim_slug(slug, before.id, before.pos)
    except SlugTakenError:
        if get_tenant(before.id).pos != before.pos:
            raise StaleError from None  # perhaps it is the tenant's own by now
        raise


def read_request_share(tenant_id: str) -> int:
    """Return how many percent of a tenant's requests its plan allows. One read."""
    return find_limits(tenant_id)[0].request_share


def get_person(user_id: str) -> Person:
    """Return a person; raises NotFoundError."""
    person = store.find_person(user_id)
    if person is None:
        raise NotFoundError
    return person


def new_person_write(user_id: str, email: str, name: str | None) -> Write:
    """Return the write of a new person who belongs nowhere yet."""
    return store.new_person(Person(user_id, email, name))


def _shown(tenant: Tenant) -> dict[str, Any]:
    return TenantOut.of(tenant).model_dump(mode="json")
