"""Messages of a conversation, the thread, and opening a conversation with its first message."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, ValidationInfo
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from chalicelib.conversations.models import (
    ConversationMergedError,
    DifferentVisitorsError,
    MergeInProgressError,
    Priority,
    attributes_text,
)
from chalicelib.core.errors import RateLimitedError
from chalicelib.core.http import Api, Call, Page, Principal, Request, Role
from chalicelib.core.http.access import require_scopes
from chalicelib.core.http.route import Raw
from chalicelib.core.http.schema import OMITTED, Email
from chalicelib.jobs.models import Job, JobOut
from chalicelib.messages import editing, mailing, merging, opening, service, transcript
from chalicelib.messages.models import (
    Attachments,
    Author,
    ClientMessageId,
    Content,
    ListMessages,
    Message,
    MessageDeletedError,
    MessageOut,
    NewContent,
    NewMessage,
    NoAddressError,
    NotTheAuthorError,
    Opened,
    OpenedConversationOut,
    Thread,
    ThreadOut,
    TranscriptMail,
    TranscriptMailOut,
)
from chalicelib.tags.models import TagBusyError, TagNames
from chalicelib.tenants.models import PlanLimitError

api = Api("Messages")


class SendMessage(Request):
    """What to say."""

    attachments: Attachments = Field(default_factory=list)
    content: Content
    private: bool = Field(default=False, description="A note among agents; visitors never get it.")
    client_msg_id: ClientMessageId | None = Field(
        default=None, description="Your own id of the message: sending it again returns the first one."
    )


class EditMessage(Request):
    """What the message is to say instead."""

    content: NewContent


class FirstMessage(Request):
    """The message a conversation begins with."""

    attachments: Attachments = Field(default_factory=list)
    content: Content
    client_msg_id: ClientMessageId | None = None


class MergeConversation(Request):
    """Which one stays."""

    into: str = Field(max_length=40, description="The id of the conversation that stays.")


def _one_of_both(visitor_id: str | None, info: ValidationInfo) -> str | None:
    if "contact_id" not in info.data:
        return visitor_id  # refused, and told of already
    if visitor_id is None and info.data["contact_id"] is None:
        raise PydanticCustomError("required", "Give visitor_id or contact_id.")
    if None not in {visitor_id, info.data["contact_id"]}:
        raise ValueError("give visitor_id or contact_id, not both")
    return visitor_id


_FOR_A_CONTACT: JsonDict = {
    "contact_id": "con_01JB3D2N6T8V4W5X7Y9Z0A1B2C",
    "message": {"content": "Your invoice is ready."},
}


class OpenConversation(Request):
    """A conversation with a visitor or a contact, and what to say first."""

    model_config = ConfigDict(json_schema_extra={"examples": [_FOR_A_CONTACT]})

    contact_id: str | None = Field(
        default=None,
        max_length=40,
        description="Either this or `visitor_id`. The conversation is with the visitor who is this contact, with the "
        "one seen last if there are several; if there is none yet, one is made.",
    )
    visitor_id: Annotated[str | None, AfterValidator(_one_of_both)] = Field(
        default=None, max_length=40, validate_default=True, description="Either this or `contact_id`."
    )
    message: FirstMessage | None = None
    subject: str | None = Field(default=None, max_length=200)
    priority: Priority | None = None
    tags: TagNames = Field(default_factory=list)
    custom_attributes: dict[str, Any] = OMITTED


class TranscriptQuery(Request):
    """In what form."""

    format: Literal["text", "html"] = "text"
    language: transcript.Language | None = Field(
        default=None, description="Unless given, as `Accept-Language` asks, else the tenant's."
    )
    include_notes: Literal["true", "false"] = Field(default="false", description="Notes are for agents only.")


class MailTranscript(Request):
    """Where to, and in which language."""

    email: Email | None = Field(
        default=None, description="Unless given, the contact's, else what the visitor has given."
    )
    language: transcript.Language | None = Field(
        default=None, description="Unless given, that of the visitor's browser, else the tenant's."
    )


class ThreadQuery(Request):
    """How many messages to bring."""

    limit: int = Field(default=50, ge=1, le=98)


@api.post(
    "/v1/conversations",
    role=Role.AGENT,
    scope="conversations:write",
    body=OpenConversation,
    answer=OpenedConversationOut,
    status=201,
    errors=(PlanLimitError, TagBusyError),
)
def open_conversation(call: Call, body: OpenConversation) -> Opened:
    """Open a conversation with a visitor or a contact, optionally with a first message.

    As the answer tells who a contact is on your site, a key needs the scope contacts:read besides to name one.
    """
    if body.contact_id is not None:
        require_scopes(call.principal, "contacts:read")
    first = None
    if body.message:
        said = body.message
        first = NewMessage(
            _agent(call.principal), said.content, client_msg_id=said.client_msg_id, file_ids=tuple(said.attachments)
        )
    new = opening.NewConversation(
        visitor_id=body.visitor_id,
        contact_id=body.contact_id,
        actor=call.principal.actor,
        first=first,
        subject=body.subject,
        tags=tuple(dict.fromkeys(body.tags)),
        custom_attributes=attributes_text(body.custom_attributes or {}),
        hot={"priority": body.priority, "channel": "api"},
    )
    return opening.open_conversation(call.tenant_id, new)


@api.get("/v1/conversations/{conversation_id}/thread", scope="messages:read", query=ThreadQuery, answer=ThreadOut)
def retrieve_thread(call: Call, query: ThreadQuery, conversation_id: str) -> Thread:
    """Retrieve a conversation with its newest messages, oldest of them first."""
    return service.get_thread(call.tenant_id, conversation_id, query.limit)


@api.get(
    "/v1/conversations/{conversation_id}/transcript",
    scope="messages:read",
    query=TranscriptQuery,
    raw=(transcript.TEXT, transcript.HTML),
)
def retrieve_transcript(call: Call, query: TranscriptQuery, conversation_id: str) -> Raw:
    """Retrieve a conversation to keep or print: its newest 1,000 messages, oldest first, as plain text or as a page."""
    accepted, notes = call.headers.get("accept-language", ""), query.include_notes == "true"
    found = transcript.get_transcript(call.tenant_id, conversation_id, query.language, accepted, notes=notes)
    return transcript.rendered(found, query.format, call.answer_headers)


@api.post(
    "/v1/conversations/{conversation_id}/transcript",
    role=Role.AGENT,
    scope="conversations:write",
    body=MailTranscript,
    answer=TranscriptMailOut,
    status=202,
    errors=(NoAddressError, ConversationMergedError, RateLimitedError),
)
def mail_transcript(call: Call, body: MailTranscript, conversation_id: str) -> TranscriptMail:
    """Send a conversation by mail, without notes: its newest messages, up to 100 KB of text."""
    require_scopes(call.principal, "messages:read", *(() if body.email else ("contacts:read", "visitors:read")))
    return mailing.mail_transcript(call.tenant_id, conversation_id, body.email, body.language, call.principal.actor)


@api.get(
    "/v1/conversations/{conversation_id}/messages",
    scope="messages:read",
    query=ListMessages,
    answer=MessageOut,
    paged=True,
)
def list_messages(call: Call, query: ListMessages, conversation_id: str) -> Page[Message]:
    """List the messages of a conversation, notes included, oldest first."""
    return service.list_messages(call.tenant_id, conversation_id, query)


@api.post(
    "/v1/conversations/{conversation_id}/messages",
    role=Role.AGENT,
    scope="messages:write",
    body=SendMessage,
    answer=MessageOut,
    status=201,
    errors=(PlanLimitError,),
)
def send_message(call: Call, body: SendMessage, conversation_id: str) -> Message:
    """Send a message to the visitor, or a note to the other agents.

    With `client_msg_id`, sending again returns the message of the first time, for as long as it is among the last 32
    in the conversation that were sent with one, and among its newest 1,000.
    """
    author = _agent(call.principal, private=body.private)
    new = NewMessage(author, body.content, body.private, body.client_msg_id, file_ids=tuple(body.attachments))
    return service.send_message(call.tenant_id, conversation_id, new)


@api.patch(
    "/v1/conversations/{conversation_id}/messages/{message_id}",
    role=Role.AGENT,
    scope="messages:write",
    body=EditMessage,
    answer=MessageOut,
    errors=(NotTheAuthorError, MessageDeletedError, MergeInProgressError),
)
def edit_message(call: Call, body: EditMessage, conversation_id: str, message_id: str) -> Message:
    """Change what one's own message says. The text before is not kept anywhere."""
    return editing.edit_message(call.tenant_id, conversation_id, message_id, body.content, _editor(call))


@api.delete(
    "/v1/conversations/{conversation_id}/messages/{message_id}",
    role=Role.AGENT,
    scope="messages:write",
    errors=(NotTheAuthorError, MergeInProgressError),
)
def delete_message(call: Call, conversation_id: str, message_id: str) -> None:
    """Delete one's own message, or as an admin any message.

    It stays in the list without its text, so that no `seq` is missing. Deleting it again is no error.
    """
    editing.delete_message(call.tenant_id, conversation_id, message_id, _editor(call))


@api.post(
    "/v1/conversations/{conversation_id}/merge",
    role=Role.AGENT,
    scope="conversations:write",
    body=MergeConversation,
    answer=JobOut,
    status=202,
    errors=(ConversationMergedError, MergeInProgressError, DifferentVisitorsError),
)
def merge_conversation(call: Call, body: MergeConversation, conversation_id: str) -> Job:
    """Merge a conversation into another one with the same visitor, or with the same contact.

    At once: it is gone from lists, its id answers the one that stays, and what is said in it is said there. Its
    messages follow in a job, in their order, after those that are there; each keeps its id, author and time and tells
    of itself with `message.moved`. The one that stays keeps its own values, takes over what it lacked, and is open if
    either was. Where the visitors differ, the visitor of the one that goes does not see the other one. Merging again
    answers the same job.
    """
    return merging.merge_conversation(call.tenant_id, conversation_id, body.into, call.principal.actor, call.if_match)


def _editor(call: Call) -> editing.Editor:
    caller = call.principal
    # A key has scopes instead of a role: it writes as an agent.
    admin = caller.kind == "user" and caller.memberships[call.tenant_id] >= Role.ADMIN
    return editing.Editor("agent", caller.id, caller.actor, deletes_any=admin)


def _agent(principal: Principal, *, private: bool = False) -> Author:
    """A key answers as an agent too: to the visitor there is one other side."""
    name = principal.name if private else principal.public_name
    return Author("agent", principal.id, name or None)
