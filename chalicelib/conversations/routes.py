"""`/v1/conversations` but for what involves messages: opening one, the thread."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints, model_validator
from pydantic.config import JsonDict

from chalicelib.canned_responses.models import RenderCannedResponse, RenderedOut
from chalicelib.canned_responses.template import Rendered
from chalicelib.conversations import bulk, deletion, listing, rendering, service
from chalicelib.conversations.listing import ListConversations
from chalicelib.conversations.models import (
    Conversation,
    ConversationMergedError,
    ConversationOut,
    NotAMemberError,
    Priority,
    RateConversation,
    Status,
    ViewerAssignedError,
)
from chalicelib.core import clock
from chalicelib.core.errors import InvalidError
from chalicelib.core.http import Api, Call, Page, Request, Role
from chalicelib.core.http.access import require_scopes
from chalicelib.core.http.schema import OMITTED, Moment
from chalicelib.jobs.models import Job, JobOut
from chalicelib.tags.models import TagBusyError, TagNames

api = Api("Conversations")

_WRITING: dict[str, Any] = {
    "role": Role.AGENT,
    "scope": "conversations:write",
    "errors": (ConversationMergedError,),
}


class UpdateConversation(Request):
    """The fields to change; the others stay."""

    status: Status = OMITTED
    assigned_to: str | None = Field(default=None, max_length=40, description="A member's user id; null for nobody.")
    team_id: str | None = Field(default=None, max_length=40, description="Null for no team.")
    priority: Priority | None = None
    subject: str | None = Field(default=None, max_length=200)
    summary: str | None = Field(default=None, max_length=2000)
    tags: TagNames = Field(default=OMITTED, description="Replaces all tags; unknown ones are created.")
    add_tags: TagNames = OMITTED
    remove_tags: TagNames = OMITTED
    custom_attributes: dict[str, Any] = Field(default=OMITTED, description="Replaces all; at most 8 KB as JSON.")


class BulkFilter(Request):
    """Which conversations, as in the list of them. Several filters must all match."""

    status: Status | None = None
    assigned_to: str | None = Field(
        default=None, min_length=1, max_length=40, description="A user id, `me`, or `unassigned`."
    )
    visitor_id: str | None = Field(default=None, min_length=1, max_length=40)
    contact_id: str | None = Field(default=None, min_length=1, max_length=40)
    company_id: str | None = Field(default=None, min_length=1, max_length=40)
    widget_id: str | None = Field(default=None, min_length=1, max_length=40)
    team_id: str | None = Field(default=None, min_length=1, max_length=40)
    tag: str | None = Field(default=None, min_length=1, max_length=50)
    priority: Priority | None = None
    since: Moment | None = None
    until: Moment | None = None


class BulkChange(Request):
    """What is to change in each of them; the rest stays."""

    status: Status = OMITTED
    assigned_to: str | None = Field(default=None, max_length=40, description="A member's user id; null for nobody.")
    team_id: str | None = Field(default=None, max_length=40, description="Null for no team.")
    priority: Priority | None = None
    add_tags: TagNames = OMITTED
    remove_tags: TagNames = OMITTED

    @model_validator(mode="after")
    def _something(self) -> "BulkChange":
        if not self.model_fields_set:
            raise ValueError("name what is to change")
        return self


_CLOSE_SPAM: JsonDict = {"filter": {"status": "open", "tag": "spam"}, "set": {"status": "closed", "add_tags": ["bulk"]}}


class BulkUpdate(Request):
    """Which conversations to change, by their ids or by filters, and how."""

    model_config = ConfigDict(json_schema_extra={"examples": [_CLOSE_SPAM]})

    ids: list[Annotated[str, StringConstraints(max_length=40)]] = Field(
        default=OMITTED, min_length=1, max_length=bulk.MAX_IDS
    )
    filter: BulkFilter = OMITTED
    set: BulkChange

    @model_validator(mode="after")
    def _either(self) -> "BulkUpdate":
        if len({"ids", "filter"} & self.model_fields_set) != 1:
            raise ValueError("give either ids or filter")
        return self


class AssignConversation(Request):
    """Whom to give it to: a member, a team, or both."""

    assigned_to: str | None = Field(default=None, max_length=40, description="A member's user id; null for nobody.")
    team_id: str | None = Field(default=None, max_length=40, description="Null for no team.")


class SnoozeConversation(Request):
    """Until when."""

    until: Moment


@api.get("/v1/conversations", scope="conversations:read", query=ListConversations, answer=ConversationOut, paged=True)
def list_conversations(call: Call, query: ListConversations) -> Page[Conversation]:
    """List conversations, newest activity first.

    An entry's place in the list may be up to a minute behind its newest message. `total` comes from counters that
    follow changes within a second or so; it is never less than what the page proves.

    `q` finds at most 400 conversations, among them those with a text in which a word begins with each of yours. It
    looks at the newest 2,000 messages of the tenant, back to `pagination.searched_until`. As it tells what is in
    messages and contacts, a key needs the scopes messages:read and contacts:read besides.
    """
    if query.q:
        require_scopes(call.principal, "messages:read", "contacts:read")
    mine = query.assigned_to == "me"
    wanted = query.model_copy(update={"assigned_to": call.principal.id}) if mine else query
    return listing.list_conversations(call.tenant_id, wanted)


@api.post(
    "/v1/conversations/bulk",
    role=Role.AGENT,
    scope="conversations:write",
    body=BulkUpdate,
    answer=JobOut,
    status=202,
    errors=(NotAMemberError, ViewerAssignedError, TagBusyError),
)
def update_conversations(call: Call, body: BulkUpdate) -> Job:
    """Change up to 1,000 conversations by their ids, or all that filters list.

    A job changes one after the other, each with its own events. Its `result` counts those `updated`, `unchanged`,
    `missing` (no such conversation, or merged into another one) and `refused` (it would have more than 20 tags, or the
    assignee, team or tag is not there any more). A conversation that comes to match the filters after the beginning may
    be changed or not.
    """
    filters = None
    if "filter" in body.model_fields_set:
        filters = body.filter.model_dump(mode="json", exclude_none=True)
        if filters.get("assigned_to") == "me":
            filters["assigned_to"] = call.principal.id
    return bulk.start_bulk_update(call.tenant_id, body.ids or (), filters, body.set.given(), call.principal.actor)


@api.get("/v1/conversations/{conversation_id}", scope="conversations:read", answer=ConversationOut)
def retrieve_conversation(call: Call, conversation_id: str) -> Conversation:
    """Retrieve a conversation."""
    return service.get_conversation(call.tenant_id, conversation_id)


@api.patch(
    "/v1/conversations/{conversation_id}",
    role=Role.AGENT,
    scope="conversations:write",
    body=UpdateConversation,
    answer=ConversationOut,
    errors=(NotAMemberError, ViewerAssignedError, ConversationMergedError, TagBusyError),
)
def update_conversation(call: Call, body: UpdateConversation, conversation_id: str) -> Conversation:
    """Change a conversation: assign, change status, tags and other fields, all at once."""
    return service.update_conversation(
        call.tenant_id, conversation_id, body.given(), call.principal.actor, call.if_match
    )


@api.delete(
    "/v1/conversations/{conversation_id}",
    role=Role.ADMIN,
    scope="conversations:write",
    errors=(ConversationMergedError,),
)
def delete_conversation(call: Call, conversation_id: str) -> None:
    """Delete a conversation with all that was said in it, for good.

    It is gone at once from everywhere; the log too forgets its messages and events, but for `conversation.deleted`.
    """
    deletion.delete_conversation(call.tenant_id, conversation_id, call.principal.actor, call.if_match)


@api.post("/v1/conversations/{conversation_id}/close", answer=ConversationOut, **_WRITING)
def close_conversation(call: Call, conversation_id: str) -> Conversation:
    """Close a conversation. Closing a closed one is no error."""
    return service.close_conversation(call.tenant_id, conversation_id, call.principal.actor, call.if_match)


@api.post("/v1/conversations/{conversation_id}/reopen", answer=ConversationOut, **_WRITING)
def reopen_conversation(call: Call, conversation_id: str) -> Conversation:
    """Open a conversation again. Reopening an open one is no error."""
    return service.reopen_conversation(call.tenant_id, conversation_id, call.principal.actor, call.if_match)


@api.post(
    "/v1/conversations/{conversation_id}/snooze",
    body=SnoozeConversation,
    answer=ConversationOut,
    **_WRITING,
)
def snooze_conversation(call: Call, body: SnoozeConversation, conversation_id: str) -> Conversation:
    """Put a conversation aside until a time, or until the visitor writes. It is reopened within a minute of it."""
    return service.snooze_conversation(
        call.tenant_id, conversation_id, clock.to_ms(body.until), call.principal.actor, call.if_match
    )


@api.post(
    "/v1/conversations/{conversation_id}/assign",
    role=Role.AGENT,
    scope="conversations:write",
    body=AssignConversation,
    answer=ConversationOut,
    errors=(NotAMemberError, ViewerAssignedError, ConversationMergedError),
)
def assign_conversation(call: Call, body: AssignConversation, conversation_id: str) -> Conversation:
    """Give a conversation to a member or a team, or to nobody. What is not named stays."""
    if not body.model_fields_set:
        raise InvalidError.field("assigned_to", "Give assigned_to, team_id or both.", "required")
    return service.update_conversation(
        call.tenant_id, conversation_id, body.given(), call.principal.actor, call.if_match
    )


@api.post("/v1/conversations/{conversation_id}/read", answer=ConversationOut, **_WRITING)
def read_conversation(call: Call, conversation_id: str) -> Conversation:
    """Mark all of the visitor's messages as read."""
    return service.mark_read(call.tenant_id, conversation_id, call.principal.actor, call.if_match)


@api.post(
    "/v1/conversations/{conversation_id}/rate",
    body=RateConversation,
    answer=ConversationOut,
    **_WRITING,
)
def rate_conversation(call: Call, body: RateConversation, conversation_id: str) -> Conversation:
    """Record how the visitor rated a conversation elsewhere, such as in a survey. It replaces an earlier rating."""
    return service.rate_conversation(
        call.tenant_id, conversation_id, body.score, body.comment, call.principal.actor, call.if_match
    )


@api.post(
    "/v1/conversations/{conversation_id}/canned-responses/{canned_response_id}/render",
    role=Role.AGENT,
    scope="canned_responses:write",
    body=RenderCannedResponse,
    answer=RenderedOut,
)
def render_for_conversation(
    call: Call, body: RenderCannedResponse, conversation_id: str, canned_response_id: str
) -> Rendered:
    """Fill in a canned response for a conversation, as a draft of a message. Each call counts as one use.

    All variables are known here as far as the visitor is; `variables` go before that. As the text tells of the
    conversation, its visitor and contact, a key needs their scopes for reading besides.
    """
    require_scopes(call.principal, "conversations:read", "visitors:read", "contacts:read")
    return rendering.render_for_conversation(
        call.tenant_id, conversation_id, canned_response_id, call.principal.public_name, body.values()
    )
