"""Contacts found by external id or e-mail address and made where there is none, for who keeps a list of their own."""

from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.contacts import store
from chalicelib.contacts.models import Contact, EmailTakenError, ExternalIdTakenError
from chalicelib.contacts.service import (
    Actor,
    Given,
    change,
    commit,
    creation,
    numbering,
    requiring_contact,
    taken_error,
)
from chalicelib.core.errors import InvalidError
from chalicelib.core.table import StaleError, Write, retrying


def upsert_contact(tenant_id: str, given: Given, actor: Actor) -> tuple[Contact, bool]:
    """Change the contact that has the external id, else the one that has the e-mail address, else make one.

    Returns also whether it was made. Raises EmailTakenError when the address is that of a contact with another
    external id.
    """
    kinds = ((store.EXTERNAL_ID, given.get("external_id")), (store.EMAIL, given.get("email")))
    wanted = [(kind, value) for kind, value in kinds if value]
    if not wanted:
        raise InvalidError.field("external_id", "Give an external_id or an e-mail address to find it by.", "required")
    number = numbering(tenant_id)

    def attempt() -> tuple[Contact, bool]:
        after, writes = upserting(tenant_id, given, actor, number)
        try:
            if writes:
                commit(after, writes, result=after)
        except (EmailTakenError, ExternalIdTakenError):
            raise StaleError from None  # somebody else has just made it: it is found by the next attempt
        return after, bool(writes) and after.version == 1

    return retrying(attempt)


def upserting(tenant_id: str, given: Given, actor: Actor, number: Callable[[], int]) -> tuple[Contact, list[Write]]:
    """Return what `upsert_contact` makes of a contact, and the writes of that; none if it is so already."""
    kinds = ((store.EXTERNAL_ID, given.get("external_id")), (store.EMAIL, given.get("email")))
    wanted = [(kind, value) for kind, value in kinds if value]
    if not wanted:
        raise InvalidError.field("external_id", "Give an external_id or an e-mail address to find it by.", "required")
    owners = store.find_owners(tenant_id, wanted)
    if not owners:
        return creation(tenant_id, given, actor, number)
    found = store.find(tenant_id, owners.get(store.EXTERNAL_ID) or owners[store.EMAIL])
    if not isinstance(found, Contact):
        raise StaleError  # deleted or merged a moment ago
    require_match(found, owners, given)
    return change(found, but_seconds(found, given), actor)


def require_match(found: Contact, owners: Mapping[str, str], given: Given) -> None:
    """Raise EmailTakenError if the e-mail address is another contact's, or this one's by another external id."""
    if owners.get(store.EMAIL, found.id) != found.id:
        raise taken_error(store.EMAIL, owners[store.EMAIL])
    if store.EXTERNAL_ID not in owners and given.get("external_id") and found.external_id:
        raise taken_error(store.EMAIL, found.id)


def but_seconds(contact: Contact, given: Given) -> dict[str, Any]:
    """Return `given` without an id or address that the contact has from a merged one: it stays its second."""
    known = {"external_id": contact.other_external_ids, "email": contact.other_emails}
    return {name: value for name, value in given.items() if value not in known.get(name, ())}


def identified(
    tenant_id: str, external_id: str, email: str | None, name: str | None, actor: Actor, number: Callable[[], int]
) -> tuple[Contact, list[Write]]:
    """Return the contact that somebody has been proven to be, and the writes that make it so, or require it.

    It is the one with the external id, else the one with the e-mail address if that has no other external id, else a
    new one. An address that is somebody else's is left out: who proves one thing need not know of the other.
    """
    wanted = [(store.EXTERNAL_ID, external_id), *([(store.EMAIL, email)] if email else [])]
    owners = store.find_owners(tenant_id, wanted)
    by_email = owners.get(store.EMAIL)
    found = store.find(tenant_id, owner) if (owner := owners.get(store.EXTERNAL_ID) or by_email) else None
    if owner and not isinstance(found, Contact):
        raise StaleError  # deleted or merged a moment ago
    if isinstance(found, Contact) and store.EXTERNAL_ID not in owners and found.external_id:
        found = None
    given: dict[str, Any] = {"external_id": external_id, "name": name, "email": email}
    if by_email and not (isinstance(found, Contact) and found.id == by_email):
        given["email"] = None
    given = {field: value for field, value in given.items() if value}
    if isinstance(found, Contact):
        after, writes = change(found, but_seconds(found, given), actor)
        return after, writes or [requiring_contact(tenant_id, after.id)]
    if not {"name", "email"} & given.keys():
        given["name"] = external_id
    return creation(tenant_id, given, actor, number, complete=False)
