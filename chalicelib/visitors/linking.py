"""Who a visitor is, and whether he may write: an agent's word, or a site's signed one, and what follows from it.

The visitor's row changes at once, and what he opens from then on is as the row says. A job lets the conversations that
are there follow: they belong to the same contact, and are closed to him if he is blocked.
"""

from collections.abc import Callable
from typing import TypeVar

from chalicelib.contacts import service as contacts
from chalicelib.contacts import upserts
from chalicelib.contacts.models import Contact
from chalicelib.core.errors import InvalidError
from chalicelib.core.table import Write, retrying, tenant_rows
from chalicelib.events import outbox
from chalicelib.jobs import service as jobs
from chalicelib.visitors import service, store
from chalicelib.visitors.identity import Identity
from chalicelib.visitors.models import OtherIdentityError, Visitor
from chalicelib.visitors.service import Actor

FOLLOW_JOB = "visitor.follow"

Result = TypeVar("Result")


def link_visitor(tenant_id: str, visitor_id: str, contact_id: str | None, actor: Actor) -> Visitor:
    """Note who a visitor is by an agent's word; it lets him read nothing but his own conversations.

    Raises VisitorNotFoundError and InvalidError.
    """

    def attempt() -> Visitor:
        before = service.get_visitor(tenant_id, visitor_id)
        contact = contacts.find_contact(tenant_id, contact_id) if contact_id else None
        if contact_id and contact is None:
            raise InvalidError.field("contact_id", "There is no such contact.", "not_found")
        new = contact.id if contact else None
        # Who is already proven to be this contact stays so.
        changed = {"contact_id": new, "verified": before.verified and new == before.contact_id}
        after, writes = service.changing(before, "visitor.identified", actor, changed)
        if new != before.contact_id:
            writes += [contacts.requiring_contact(tenant_id, new)] if new else []
            _commit_and_follow(before, after, writes, actor)
        return after

    return retrying(attempt)


def prove_visitor(
    tenant_id: str, visitor_id: str, identity: Identity, result_of: Callable[[Visitor], Result]
) -> Result:
    """Note who a visitor is by his site's signed word, and make the contact if there is none, in one transaction.

    `result_of` makes of the visitor what the request will answer. Raises OtherIdentityError for a visitor who was
    proven to be another contact: his conversations are that one's.
    """
    actor, number = {"type": "visitor", "id": visitor_id}, contacts.numbering(tenant_id)

    def attempt() -> Result:
        before = service.get_visitor(tenant_id, visitor_id)
        contact, making = upserts.identified(
            tenant_id, identity.external_id, identity.email, identity.name, actor, number
        )
        _refuse_another(before, contact)
        claims = {"name": identity.name or before.name, "email": identity.email or before.email}
        after, writes = service.changing(
            before, "visitor.identified", actor, {"contact_id": contact.id, "verified": True, **claims}
        )
        made, result = len(making) > 1, result_of(after)  # otherwise it is only required to be there
        if contact.id != before.contact_id:
            _commit_and_follow(before, after, [*writes, *making], actor, result)
        elif writes or made:
            service.commit(after, [*writes, *making], result=result)
        if made:
            outbox.notify(tenant_rows(tenant_id), contact.id)
        return result

    return retrying(attempt)


def _refuse_another(before: Visitor, contact: Contact) -> None:
    if before.verified and before.contact_id not in {None, contact.id}:
        proven = contacts.find_contact(before.tenant_id, before.contact_id)
        if proven and proven.id != contact.id:
            raise OtherIdentityError


def block_visitor(tenant_id: str, visitor_id: str, actor: Actor, *, blocked: bool) -> Visitor:
    """Let a visitor write no more, or again. He goes on reading, and agents go on answering."""

    def attempt() -> Visitor:
        before = service.get_visitor(tenant_id, visitor_id)
        type_ = "visitor.blocked" if blocked else "visitor.unblocked"
        after, writes = service.changing(before, type_, actor, {"blocked": blocked})
        if writes:
            _commit_and_follow(before, after, writes, actor)
        return after

    return retrying(attempt)


def _commit_and_follow(
    before: Visitor, after: Visitor, writes: list[Write], actor: Actor, result: object = None
) -> None:
    job, starting = jobs.starting(after.tenant_id, FOLLOW_JOB, {"visitor_id": after.id}, actor)
    lists = store.moving(after.tenant_id, after.id, before.contact_id, after.contact_id)
    service.commit(after, [*writes, *lists, *starting], result=result)
    jobs.started(job)
