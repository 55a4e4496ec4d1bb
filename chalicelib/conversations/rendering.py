"""A canned response filled in for a conversation, whose visitor and number its variables may name."""

from collections.abc import Mapping

from chalicelib.canned_responses import service as canned_responses
from chalicelib.canned_responses.template import Rendered
from chalicelib.contacts import service as contacts
from chalicelib.conversations.models import Hot
from chalicelib.conversations.service import get_conversation
from chalicelib.core.table import tenant_rows
from chalicelib.visitors import service as visitors

VISITOR = {"visitor.name", "visitor.email"}


def render_for_conversation(
    tenant_id: str, conversation_id: str, response_id: str, agent: str, given: Mapping[str, str]
) -> Rendered:
    """Use a canned response in a conversation; values that are `given` go before what is known.

    Two reads, one more where the text names the visitor and one where it names the tenant, and one transaction.
    Raises ConversationNotFoundError and CannedResponseNotFoundError.
    """
    conversation = get_conversation(tenant_id, conversation_id)
    response = canned_responses.get_canned_response(tenant_id, response_id)
    values: dict[str, str | None] = {**canned_responses.common_values(response, agent)}
    values["conversation.number"] = str(conversation.hot.number)
    if VISITOR & set(response.variables):
        values |= _person(tenant_id, conversation.hot)
    return canned_responses.use_canned_response(response, {**values, **given})


def _person(tenant_id: str, hot: Hot) -> dict[str, str | None]:
    """Return who the visitor is: as the contact is known, or else as he says himself. One read."""
    visitor_key = visitors.visitor_key(tenant_id, hot.visitor_id)
    contact_key = contacts.contact_key(tenant_id, hot.contact_id) if hot.contact_id else None
    found = tenant_rows(tenant_id).batch_get([visitor_key, *([contact_key] if contact_key else [])])
    contact = contacts.contact_from_row(found.get(contact_key)) if contact_key else None
    visitor = visitors.visitor_from_row(found[visitor_key]) if visitor_key in found else None
    known = [each for each in (contact, visitor) if each]
    return {
        "visitor.name": next((each.name for each in known if each.name), None),
        "visitor.email": next((each.email for each in known if each.email), None),
    }
