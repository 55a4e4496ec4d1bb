"""`/v1/canned-responses`. Rendering one for a conversation is a route of the conversation's."""

from chalicelib.canned_responses import service
from chalicelib.canned_responses.models import (
    CannedResponse,
    CannedResponseOut,
    CreateCannedResponse,
    ListCannedResponses,
    RenderCannedResponse,
    RenderedOut,
    ShortcutTakenError,
    TooManyCannedResponsesError,
    UpdateCannedResponse,
)
from chalicelib.canned_responses.template import Rendered
from chalicelib.core.http import Api, Call, Page, Role

api = Api("Canned responses")


@api.get(
    "/v1/canned-responses",
    scope="canned_responses:read",
    query=ListCannedResponses,
    answer=CannedResponseOut,
    paged=True,
)
def list_canned_responses(call: Call, query: ListCannedResponses) -> Page[CannedResponse]:
    """List canned responses, newest first."""
    return service.list_canned_responses(call.tenant_id, query)


@api.post(
    "/v1/canned-responses",
    role=Role.AGENT,
    scope="canned_responses:write",
    body=CreateCannedResponse,
    answer=CannedResponseOut,
    status=201,
    errors=(ShortcutTakenError, TooManyCannedResponsesError),
)
def create_canned_response(call: Call, body: CreateCannedResponse) -> CannedResponse:
    """Create a canned response."""
    return service.create_canned_response(call.tenant_id, call.principal.actor, **body.given())


@api.get("/v1/canned-responses/{canned_response_id}", scope="canned_responses:read", answer=CannedResponseOut)
def get_canned_response(call: Call, canned_response_id: str) -> CannedResponse:
    """Read a canned response."""
    return service.get_canned_response(call.tenant_id, canned_response_id)


@api.patch(
    "/v1/canned-responses/{canned_response_id}",
    role=Role.AGENT,
    scope="canned_responses:write",
    body=UpdateCannedResponse,
    answer=CannedResponseOut,
    errors=(ShortcutTakenError, TooManyCannedResponsesError),
)
def update_canned_response(call: Call, body: UpdateCannedResponse, canned_response_id: str) -> CannedResponse:
    """Update a canned response. A shortcut that it gives up can be used again at once."""
    return service.update_canned_response(
        call.tenant_id, call.principal.actor, canned_response_id, body.given(), expected_version=call.if_match
    )


@api.delete("/v1/canned-responses/{canned_response_id}", role=Role.AGENT, scope="canned_responses:write")
def delete_canned_response(call: Call, canned_response_id: str) -> None:
    """Delete a canned response. Messages that were sent with it stay."""
    service.delete_canned_response(
        call.tenant_id, call.principal.actor, canned_response_id, expected_version=call.if_match
    )


@api.post(
    "/v1/canned-responses/{canned_response_id}/render",
    role=Role.AGENT,
    scope="canned_responses:write",
    body=RenderCannedResponse,
    answer=RenderedOut,
)
def render_canned_response(call: Call, body: RenderCannedResponse, canned_response_id: str) -> Rendered:
    """Fill in a canned response outside a conversation. Each call counts as one use.

    The agent's and the tenant's names are known; give the rest in `variables`. A variable without a value gets its
    default, `{{visitor.name|there}}`; without one nothing stands in its place, and `missing` names it. Values are put
    in as they are: a variable inside a value is not filled in, and the result is plain text, not HTML.
    """
    return service.render_canned_response(call.tenant_id, canned_response_id, call.principal.public_name, body.values())
