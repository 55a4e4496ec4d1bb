"""A canned response filled in for a conversation, whose visitor and number its variables may name."""

from collections.abc import Mapping

from chalicelib.canned_responses import service as canned_responses
from chalicelib.canned_responses.template import Rendered
from chalicelib.conversations.service import get_conversation
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
        visitor = visitors.find_visitor(tenant_id, conversation.hot.visitor_id)
        values["visitor.name"] = visitor.name if visitor else None
        values["visitor.email"] = visitor.email if visitor else None
    return canned_responses.use_canned_response(response, {**values, **given})
