"""What people and programs do with a contact."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from chalicelib.companies import service as companies
from chalicelib.contacts import attributes, store
from chalicelib.contacts.models import (
    Contact,
    ContactMergedError,
    ContactNotFoundError,
    EmailTakenError,
    ExternalIdTakenError,
    Merged,
    NameOrEmailRequiredError,
)
from chalicelib.contacts.schemas import ContactOut
from chalicelib.core import clock, ids
from chalicelib.core.errors import ConflictError, InvalidError, PreconditionFailedError
from chalicelib.core.items import Item
from chalicelib.core.table import (
    NOTHING,
    ConditionFailedError,
    Key,
    StaleError,
    Write,
    retrying,
    tenant_rows,
    transact,
)
from chalicelib.events import outbox
from chalicelib.events.models import NewEvent
from chalicelib.jobs import service as jobs

DELETE_JOB = "contact.delete"
BLOCK_JOB = "contact.block"
MAX_HOPS = 100  # how often what a contact was merged into may have been merged itself; each is a read

Actor = Mapping[str, str]
Given = Mapping[str, Any]  # the fields that the caller sent

_PLAIN = ("name", "email", "phone", "company_id", "title", "role", "is_primary", "notes", "external_id")
_TAKEN: dict[str, tuple[type[ConflictError], str, str]] = {
    store.EMAIL: (EmailTakenError, "email", "this e-mail address"),
    store.EXTERNAL_ID: (ExternalIdTakenError, "external_id", "this external_id"),
}


def find_contact(tenant_id: str, contact_id: str) -> Contact | None:
    """Return a contact, or the one it was merged into, or None. One read for each merge on the way."""
    for _ in range(MAX_HOPS):
        found = store.find(tenant_id, contact_id) if ids.is_id("con", contact_id) else None
        if not isinstance(found, Merged):
            return found
        contact_id = found.into
    return None


def get_contact(tenant_id: str, contact_id: str) -> Contact:
    """As `find_contact`; raises ContactNotFoundError."""
    found = find_contact(tenant_id, contact_id)
    if found is None:
        raise ContactNotFoundError
    return found


def get_for_change(tenant_id: str, contact_id: str) -> Contact:
    """Return a contact that is to be changed; raises ContactNotFoundError, and ContactMergedError naming the other."""
    found = store.find(tenant_id, contact_id) if ids.is_id("con", contact_id) else None
    if found is None:
        raise ContactNotFoundError
    if isinstance(found, Merged):
        raise merged_error(found)
    return found


def requiring_contact(tenant_id: str, contact_id: str, state: tuple[bool, str | None] | None = None) -> Write:
    """Return the condition that a contact is live, for a transaction that links something to it.

    Without it a link could be made behind the back of a merge or deletion that has already passed. `state` also
    requires whether it is blocked and which company it is of, for what has to be as its contact is.
    """
    return store.requiring_live(tenant_id, contact_id, state)


def contact_key(tenant_id: str, contact_id: str) -> Key:
    """Return where a contact's row is, for a caller that reads it together with others."""
    return store.key(tenant_id, contact_id)


def contact_from_row(item: Item | None) -> Contact | None:
    """Read a row found under `contact_key`; None for a contact that was deleted or merged."""
    found = store.from_item(item)
    return found if isinstance(found, Contact) else None


def create_contact(tenant_id: str, given: Given, actor: Actor) -> Contact:
    """Make a contact. Raises EmailTakenError, ExternalIdTakenError, NameOrEmailRequiredError and InvalidError.

    One query, a read where there is a company, one write for the number, one transaction, one queue send.
    """
    number = numbering(tenant_id)

    def attempt() -> Contact:
        after, writes = creation(tenant_id, given, actor, number)
        commit(after, writes, result=after)
        return after

    return retrying(attempt)


def update_contact(
    tenant_id: str, contact_id: str, given: Given, actor: Actor, expected_version: int | None = None
) -> Contact:
    """Change the given fields. Raises as `create_contact`, ContactMergedError and PreconditionFailedError."""

    def attempt() -> Contact:
        before = _expected(tenant_id, contact_id, expected_version)
        after, writes = change(before, given, actor)
        if writes:
            commit(after, writes, result=after)
        return after

    return retrying(attempt)


def block_contact(
    tenant_id: str, contact_id: str, actor: Actor, expected_version: int | None = None, *, blocked: bool
) -> Contact:
    """Let nothing of what this person writes in any more, or let it in again. Raises PreconditionFailedError.

    What is opened from now on is as the contact is; a job tells the conversations that are there.
    """

    def attempt() -> Contact:
        before = _expected(tenant_id, contact_id, expected_version)
        if before.blocked == blocked:
            return before
        after = replace(before, blocked=blocked, updated_at=clock.now_ms(), pos=before.pos + 1)
        event = NewEvent(
            "contact.blocked" if blocked else "contact.unblocked", shown(after), dict(actor), {"blocked": not blocked}
        )
        job, starting = jobs.starting(tenant_id, BLOCK_JOB, {"contact_id": contact_id}, actor)
        commit(after, [*store.changing(before, after, [event]), *starting], result=after)
        jobs.started(job)
        return after

    return retrying(attempt)


def delete_contact(tenant_id: str, contact_id: str, actor: Actor, expected_version: int | None = None) -> None:
    """Delete a contact with its notes; its conversations stay and belong to nobody known. A job does the rest."""

    def attempt() -> None:
        before = _expected(tenant_id, contact_id, expected_version)
        data = {name: value for name, value in shown(before).items() if name in {"id", "number", "external_id"}}
        event = NewEvent("contact.deleted", data, dict(actor), counts={"contacts": -1})
        job, starting = jobs.starting(tenant_id, DELETE_JOB, {"contact_id": contact_id}, actor)
        writes = [
            *store.burying(before, {"gone": True, "exp": store.expiry_of_deleted()}, event),
            *store.releasing(before),
            *store.removing_words(tenant_id, contact_id, before.found_by),
            *starting,
        ]
        commit(before, writes)
        jobs.started(job)

    retrying(attempt)


def commit(contact: Contact, writes: list[Write], *, result: object = NOTHING) -> None:
    """Commit a change and tell the dispatcher.

    Raises EmailTakenError and ExternalIdTakenError for a guard, StaleError for all else that was different.
    """
    try:
        transact(writes, result=result)
    except ConditionFailedError as exc:
        for write in exc.failed:
            if (kind := store.taken(write)) and (owner := store.owner_of(write)):
                raise taken_error(kind, owner) from None
        raise StaleError from None
    outbox.notify(tenant_rows(contact.tenant_id), contact.id)


def shown(contact: Contact) -> dict[str, Any]:
    """Return a contact as the API shows it."""
    return ContactOut.of(contact).model_dump(mode="json")


def merged_error(merged: Merged) -> ContactMergedError:
    """Return the error that names what a contact was merged into."""
    return ContactMergedError(f"This contact was merged into {merged.into}. Use that one.")


def numbering(tenant_id: str) -> Callable[[], int]:
    """Return what takes a new contact's number: once, however often its creation is tried."""
    return cache(lambda: store.next_number(tenant_id))


class Known:
    """What contacts are checked against; of many that are checked together, each thing is read once."""

    def __init__(self, tenant_id: str) -> None:
        self.company = cache(lambda company_id: companies.find_company(tenant_id, company_id))
        self.definitions = cache(lambda: attributes.list_definitions(tenant_id))


def creation(
    tenant_id: str, given: Given, actor: Actor, number: Callable[[], int], *, complete: bool = True
) -> tuple[Contact, list[Write]]:
    """Return a new contact and its writes; unless `complete`, attributes that are required may be missing."""
    draft, checks = drafted(tenant_id, given, actor, Known(tenant_id), complete=complete)
    after = replace(draft, number=number())
    return after, [*creating(after, actor), *checks]


def drafted(
    tenant_id: str, given: Given, actor: Actor, known: Known, *, complete: bool = True
) -> tuple[Contact, list[Write]]:
    """Return a new contact that has no number yet, and the conditions of what it names."""
    now = clock.now_ms()
    return _with(Contact(tenant_id, ids.new("con"), 0, now, now, actor["id"]), given, known, created=complete)


def creating(contact: Contact, actor: Actor) -> list[Write]:
    """Return the writes of a new contact, with its event and its guards."""
    event = NewEvent("contact.created", shown(contact), dict(actor), counts={"contacts": 1})
    return [*store.creating(contact, event), *store.claiming(contact)]


def change(before: Contact, given: Given, actor: Actor, known: Known | None = None) -> tuple[Contact, list[Write]]:
    """Return a contact with the given fields and the writes of that, or the contact itself and none."""
    after, checks = _with(before, given, known or Known(before.tenant_id))
    if after == before:
        return before, []
    after = replace(after, updated_at=clock.now_ms(), pos=before.pos + 1)
    event = updated_event(before, after, actor)
    guards = [*store.claiming(after, besides=before), *store.releasing(before, kept=after)]
    return after, [*store.changing(before, after, [event]), *guards, *checks]


def updated_event(before: Contact, after: Contact, actor: Actor) -> NewEvent:
    """Return the event of a change."""
    old, new = shown(before), shown(after)
    previous = {name: old[name] for name in new if new[name] != old[name] and name != "updated_at"}
    return NewEvent("contact.updated", new, dict(actor), previous)


def _with(before: Contact, given: Given, known: Known, *, created: bool = False) -> tuple[Contact, list[Write]]:
    """Return the contact as the given fields make it, and the conditions of that."""
    after = replace(before, **{name: given[name] for name in _PLAIN if name in given})
    checks: list[Write] = []
    if after.company_id != before.company_id:
        company = known.company(after.company_id) if after.company_id is not None else None
        if after.company_id is not None and company is None:
            raise InvalidError.field("company_id", "There is no such company.", "not_found")
        after = replace(after, company_name=company.name if company else None)
        checks = [companies.requiring_company(company)] if company else []
    if created or "custom_attributes" in given:
        old, wanted = json.loads(before.custom_attributes), given.get("custom_attributes", {})
        text = attributes.checked(known.definitions(), old, wanted)
        after = replace(after, custom_attributes=text)
    after = replace(
        after,
        other_emails=tuple(each for each in after.other_emails if each != after.email),
        other_external_ids=tuple(each for each in after.other_external_ids if each != after.external_id),
    )
    if not after.name and not after.email:
        raise NameOrEmailRequiredError(param="name")
    return after, checks


def _expected(tenant_id: str, contact_id: str, expected_version: int | None) -> Contact:
    found = get_for_change(tenant_id, contact_id)
    if expected_version not in {None, found.version}:
        raise PreconditionFailedError
    return found


def taken_error(kind: str, owner: str) -> ConflictError:
    """Return the error that names who has an e-mail address or external id."""
    error, param, what = _TAKEN[kind]
    return error(f"Contact {owner} has {what}.", param=param)
