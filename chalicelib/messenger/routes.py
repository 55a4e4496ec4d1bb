"""`/widget/v1`: called from a tenant's site by the visitor's browser, so every answer is for an allowed origin only."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from chalicelib.conversations import service as conversations
from chalicelib.conversations.models import Conversation, MergeInProgressError, RateConversation
from chalicelib.core.errors import RateLimitedError
from chalicelib.core.http import Api, Call, Page, PageQuery, Raw, Request
from chalicelib.core.http.access import OriginNotAllowedError, TenantSuspendedError
from chalicelib.core.http.schema import OMITTED, Email, Name
from chalicelib.core.regions import WrongRegionError
from chalicelib.messages import mailing, transcript
from chalicelib.messages.models import (
    Attachments,
    ClientMessageId,
    Content,
    Message,
    MessageDeletedError,
    NewContent,
    NoAddressError,
    NotTheAuthorError,
    Opened,
    TranscriptMail,
    TranscriptMailOut,
)
from chalicelib.messenger import service
from chalicelib.messenger.models import (
    BegunOut,
    Identified,
    IdentifiedOut,
    OwnConversationOut,
    OwnMessageOut,
    OwnVisitorOut,
    Session,
    SessionOut,
)
from chalicelib.visitors import page_views
from chalicelib.visitors import service as visitors
from chalicelib.visitors.models import (
    BlockedError,
    IdentityRequiredError,
    OtherIdentityError,
    PageView,
    PageViewOut,
    Seen,
    Visitor,
)
from chalicelib.visitors.page_views import web_page, web_page_or_none
from chalicelib.widgets import service as widgets
from chalicelib.widgets.models import WidgetNotFoundError

api = Api("Widget", kinds=("visitor",), widget=True)

Url = Field(default=None, max_length=2000)
# What a browser says by itself never refuses the visitor: an address that is no web page's is left out.
WebUrl = Annotated[str | None, AfterValidator(web_page_or_none)]


class StartSession(Request):
    """Which widget, and who was here before."""

    client_token: str = Field(max_length=200)
    visitor_token: str | None = Field(default=None, max_length=4000, description="An earlier session's token.")
    page_url: WebUrl = Url
    referrer_url: WebUrl = Url
    locale: str | None = Field(default=None, max_length=35)


class SaidMessage(Request):
    """What the visitor says."""

    attachments: Attachments = Field(default_factory=list)
    content: Content
    client_msg_id: ClientMessageId | None = Field(
        default=None, description="The browser's own id of the message: sending it again returns the first one."
    )


class EditOwnMessage(Request):
    """What the message is to say instead."""

    content: NewContent


class BeginConversation(Request):
    """The first message."""

    message: SaidMessage


class ListOwnMessages(Request):
    """From where, and how many."""

    after_seq: int = Field(default=0, ge=0)
    limit: int = Field(default=100, ge=1, le=100)
    cursor: str | None = Field(default=None, max_length=500)


class OwnTranscriptQuery(Request):
    """In what form."""

    format: Literal["text", "html"] = "text"
    language: transcript.Language | None = Field(
        default=None, description="Unless given, as `Accept-Language` asks, else the tenant's."
    )


class MailOwnTranscript(Request):
    """In which language."""

    language: transcript.Language | None = Field(
        default=None, description="Unless given, the browser's, else the tenant's."
    )


class SetContext(Request):
    """What the site tells about the visitor."""

    context: dict[str, Any] = Field(
        default=OMITTED, description="Free JSON, at most 8 KB. Keys that say where somebody is are dropped."
    )
    page_url: WebUrl = Url
    referrer_url: WebUrl = Url
    locale: str | None = Field(default=None, max_length=35)


class ViewPage(Request):
    """Which page is open."""

    url: Annotated[str, StringConstraints(min_length=1, max_length=2000), AfterValidator(web_page)] = Field(
        examples=["https://www.example.com/prices"]
    )
    title: str | None = Field(default=None, max_length=300, examples=["Prices"])
    referrer_url: str | None = Url


class Identify(Request):
    """Who the visitor says to be."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Ana Ferreira", "email": "ana@example.com"}]})

    name: Name | None = None
    email: Email | None = None
    identity_token: str | None = Field(
        default=None,
        min_length=1,
        max_length=4000,
        description="A JSON Web Token, signed by your server with the widget's identity secret (HS256), with `sub` and "
        "`exp`, and optionally `email` and `name`. What it says goes before the other fields.",
    )


@api.post(
    "/widget/v1/sessions",
    public=True,
    body=StartSession,
    answer=SessionOut,
    status=201,
    errors=(OriginNotAllowedError, TenantSuspendedError, WidgetNotFoundError, WrongRegionError),
)
def start_session(call: Call, body: StartSession) -> Session:
    """Begin or resume a visitor's session. The `Origin` must be one of the tenant's domains."""
    site = widgets.open_site(body.client_token, call.origin)
    call.allowed_origin = call.origin
    seen = Seen(
        page_url=body.page_url,
        referrer_url=body.referrer_url,
        user_agent=call.headers.get("user-agent", "")[:500] or None,
        ip=call.source_ip or None,
        locale=body.locale,
    )
    return service.start_session(site, call.origin, body.visitor_token, seen, call.source_ip)


@api.get("/widget/v1/conversations", query=PageQuery, answer=OwnConversationOut, paged=True)
def list_own_conversations(call: Call, query: PageQuery) -> Page[Conversation]:
    """List the visitor's own conversations, newest activity first."""
    return service.list_own_conversations(call.tenant_id, call.principal, query)


@api.post(
    "/widget/v1/conversations",
    body=BeginConversation,
    answer=BegunOut,
    status=201,
    errors=(BlockedError, IdentityRequiredError),
)
def begin_conversation(call: Call, body: BeginConversation) -> Opened:
    """Begin a conversation with its first message."""
    said = body.message
    file_ids = tuple(said.attachments)
    return service.begin_conversation(call.tenant_id, call.principal, said.content, said.client_msg_id, file_ids)


@api.get("/widget/v1/conversations/{conversation_id}", answer=OwnConversationOut)
def retrieve_own_conversation(call: Call, conversation_id: str) -> Conversation:
    """Retrieve one of the visitor's own conversations."""
    return service.get_own_conversation(call.tenant_id, conversation_id, call.principal)


@api.get("/widget/v1/conversations/{conversation_id}/messages", query=ListOwnMessages, answer=OwnMessageOut, paged=True)
def list_own_messages(call: Call, query: ListOwnMessages, conversation_id: str) -> Page[Message]:
    """List messages after a `seq`, oldest first. Notes among agents are never in it, so `seq` may skip numbers."""
    return service.list_own_messages(
        call.tenant_id, conversation_id, call.principal, query.after_seq, query.limit, query.cursor
    )


@api.post(
    "/widget/v1/conversations/{conversation_id}/messages",
    body=SaidMessage,
    answer=OwnMessageOut,
    status=201,
    errors=(BlockedError,),
)
def say(call: Call, body: SaidMessage, conversation_id: str) -> Message:
    """Send a message. A conversation that was closed or put aside is open again."""
    file_ids = tuple(body.attachments)
    return service.say(call.tenant_id, conversation_id, call.principal, body.content, body.client_msg_id, file_ids)


@api.patch(
    "/widget/v1/conversations/{conversation_id}/messages/{message_id}",
    body=EditOwnMessage,
    answer=OwnMessageOut,
    errors=(NotTheAuthorError, MessageDeletedError, MergeInProgressError, BlockedError),
)
def edit_own_message(call: Call, body: EditOwnMessage, conversation_id: str, message_id: str) -> Message:
    """Change what one of the visitor's own messages says."""
    return service.edit_own_message(call.tenant_id, conversation_id, call.principal, message_id, body.content)


@api.delete(
    "/widget/v1/conversations/{conversation_id}/messages/{message_id}",
    errors=(NotTheAuthorError, MergeInProgressError, BlockedError),
)
def delete_own_message(call: Call, conversation_id: str, message_id: str) -> None:
    """Delete one of the visitor's own messages. It stays in the list without its text."""
    service.delete_own_message(call.tenant_id, conversation_id, call.principal, message_id)


@api.post("/widget/v1/conversations/{conversation_id}/read", answer=OwnConversationOut)
def read_own_conversation(call: Call, conversation_id: str) -> Conversation:
    """Mark all messages as read by the visitor."""
    visitor = call.principal
    return conversations.mark_read_by_visitor(call.tenant_id, conversation_id, visitor.id, visitor.contact_id)


@api.post("/widget/v1/conversations/{conversation_id}/rate", body=RateConversation, answer=OwnConversationOut)
def rate_own_conversation(call: Call, body: RateConversation, conversation_id: str) -> Conversation:
    """Rate a conversation, 1 to 5. A second rating replaces the first."""
    visitor = call.principal
    return conversations.rate_own_conversation(
        call.tenant_id, conversation_id, visitor.id, body.score, body.comment, visitor.contact_id
    )


@api.get(
    "/widget/v1/conversations/{conversation_id}/transcript",
    query=OwnTranscriptQuery,
    raw=(transcript.TEXT, transcript.HTML),
)
def retrieve_own_transcript(call: Call, query: OwnTranscriptQuery, conversation_id: str) -> Raw:
    """Retrieve one of the visitor's own conversations to keep or print: its newest 1,000 messages, oldest first."""
    own = service.get_own_conversation(call.tenant_id, conversation_id, call.principal)
    found = transcript.transcript_of(own, query.language, call.headers.get("accept-language", ""))
    return transcript.rendered(found, query.format, call.answer_headers)


@api.post(
    "/widget/v1/conversations/{conversation_id}/transcript",
    body=MailOwnTranscript,
    answer=TranscriptMailOut,
    status=202,
    errors=(NoAddressError, BlockedError, RateLimitedError),
)
def mail_own_transcript(call: Call, body: MailOwnTranscript, conversation_id: str) -> TranscriptMail:
    """Send one of the visitor's own conversations by mail: to his contact's address if he has proven who he is.

    To an address that he has only given goes what the agents have said, without his own messages: nobody shall be able
    to write to strangers in this way.
    """
    return mailing.mail_own_transcript(call.tenant_id, conversation_id, call.principal, body.language)


@api.put("/widget/v1/context", body=SetContext, answer=OwnVisitorOut)
def set_context(call: Call, body: SetContext) -> Visitor:
    """Replace the visitor's context and say which page is open."""
    seen = Seen(page_url=body.page_url, referrer_url=body.referrer_url, locale=body.locale)
    return visitors.set_context(call.tenant_id, call.principal.id, body.given().get("context"), seen)


@api.post("/widget/v1/page-views", body=ViewPage, answer=PageViewOut, status=201)
def view_page(call: Call, body: ViewPage) -> PageView:
    """Say that the visitor has opened a page. The newest fifty are kept, and no event tells of them.

    User, fragment and query are cut off the addresses before they are stored, but for `utm_…` parameters.
    """
    return page_views.note_page_view(call.tenant_id, call.principal.id, body.url, body.title, body.referrer_url)


@api.post("/widget/v1/identify", body=Identify, answer=IdentifiedOut, errors=(OtherIdentityError,))
def identify(call: Call, body: Identify) -> Identified:
    """Say who the visitor is, or prove it.

    Name and e-mail alone are a claim, shown to agents as such; it opens nobody's history. An `identity_token` makes the
    visitor the contact whose `external_id` is its `sub`. His conversations so far become that contact's, and with the
    `token` in the answer he sees the contact's conversations from all his devices.
    """
    if body.identity_token is not None:
        return service.prove_identity(call.tenant_id, call.principal, body.identity_token)
    return service.claim_identity(call.tenant_id, call.principal, body.name, body.email)
