"""The visitor whom a conversation belongs to that an agent opens for a contact, who need never have been on a page."""

from collections.abc import Iterable
from dataclasses import replace

from chalicelib.contacts.models import Contact
from chalicelib.core import ids
from chalicelib.core.table import Write
from chalicelib.visitors import service, store
from chalicelib.visitors.models import Seen, Visitor
from chalicelib.visitors.service import Actor

MAX_VISITORS = 20  # of a contact's, the newest, that are looked at


def candidates(contact: Contact) -> list[str]:
    """Return the ids of the visitors who may be a contact, the one that would be made for it among them. One query."""
    listed = store.newest_of_contact(contact.tenant_id, contact.id, MAX_VISITORS)
    return list(dict.fromkeys([*listed, _made_for(contact)]))


def visitor_of(contact: Contact, found: Iterable[Visitor], actor: Actor) -> tuple[Visitor, list[Write]]:
    """Return who was seen last of the `found` candidates; of a contact without visitors a new one, with his writes.

    What commits them has to require the contact as it was read.
    """
    there = {visitor.id: visitor for visitor in found}
    theirs = [visitor for visitor in there.values() if visitor.contact_id == contact.id]
    if theirs:
        # Who has never been on a page can be led back to none.
        return max(theirs, key=lambda visitor: (visitor.widget_id is not None, visitor.last_seen_at)), []
    # The id derives from the contact's, so that two at once make one. It is taken where an agent has said since that
    # the visitor made for this contact is somebody else.
    visitor_id = ids.new("vis") if _made_for(contact) in there else _made_for(contact)
    visitor = service.new_visitor(contact.tenant_id, visitor_id, None, Seen(), contact.id)
    visitor = replace(visitor, company_id=contact.company_id)
    return visitor, service.creating(visitor, actor)


def _made_for(contact: Contact) -> str:
    return ids.derived_at("vis", contact.created_at, contact.tenant_id, contact.id)
