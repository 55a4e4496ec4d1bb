"""Every type of event that a tenant's log and its webhooks have, with the model that its `data` is made of."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from chalicelib.billing.schemas import ChangedSubscriptionOut, PlanLimitOut
from chalicelib.canned_responses.models import CannedResponseOut
from chalicelib.companies.models import CompanyOut
from chalicelib.contacts.schemas import ContactNoteOut, ContactOut, CustomAttributeOut
from chalicelib.conversations.models import ConversationOut
from chalicelib.core.config import settings
from chalicelib.core.errors import NotFoundError
from chalicelib.core.frozen import frozen
from chalicelib.core.http import Response
from chalicelib.events.models import EventOut
from chalicelib.files.showing import FileOut
from chalicelib.jobs.models import JobOut
from chalicelib.messages.models import MessageOut, TranscriptRequestedOut
from chalicelib.tags.models import TagOut
from chalicelib.teams.models import TeamOut
from chalicelib.tenants.schemas import ApiKeyOut, InvitationOut, MemberOut, TenantOut
from chalicelib.visitors.models import VisitorOut
from chalicelib.webhooks.schemas import FailingWebhookOut, WebhookOut
from chalicelib.widgets.models import DomainOut, IdentitySecretStatusOut, WidgetOut

Schema = dict[str, Any]


class UnknownEventTypeError(NotFoundError):
    """There is no such type of event."""


class MergedConversationOut(ConversationOut):
    """A conversation that has gone into another one."""

    merged_into: str


class DeletedConversationOut(Response):
    """What is left of a conversation that was deleted."""

    id: str
    number: int


class DeletedFileOut(Response):
    """What is left of a file that was deleted."""

    id: str


class DeletedContactOut(Response):
    """What is left of a contact that was deleted."""

    id: str
    number: int
    external_id: str | None


class MergedContactOut(ContactOut):
    """A contact that has gone into another one."""

    merged_into: str


class DeletedNoteOut(Response):
    """What is left of a note that was deleted."""

    id: str
    contact_id: str


class DeletedCompanyOut(Response):
    """What is left of a company that was deleted."""

    id: str
    name: str


class RotatedIdentitySecretOut(IdentitySecretStatusOut):
    """The state of a widget's identity secret, with the widget's id."""

    id: str


class TestedWebhookOut(Response):
    """The endpoint that is tested."""

    id: str
    url: str


@frozen
class EventType:
    """What an event of a type tells."""

    description: str
    data: type[Response]
    without: frozenset[str] = frozenset()  # fields of the model that are not the event's business
    forgotten: frozenset[str] = frozenset()  # fields that a later change may have taken out of the event


_QUOTES = frozenset({"last_message"})  # what somebody said may be deleted while the event is kept

EVENT_TYPES: Mapping[str, EventType] = {
    "message.created": EventType("A visitor, an agent or a bot wrote, or an agent left a note.", MessageOut),
    "message.updated": EventType(
        "Its author changed a message. Has no `content` once it was changed again or deleted.",
        MessageOut,
        forgotten=frozenset({"content"}),
    ),
    "message.deleted": EventType("A message was deleted; its place stays.", MessageOut),
    "message.moved": EventType("A merge moved a message to another conversation.", MessageOut),
    "conversation.created": EventType("A conversation was opened.", ConversationOut, _QUOTES),
    "conversation.updated": EventType("Its subject, tags, priority or the like changed.", ConversationOut, _QUOTES),
    "conversation.assigned": EventType(
        "It was given to somebody or to a team, or taken from them.", ConversationOut, _QUOTES
    ),
    "conversation.read": EventType("The team or the visitor has seen the newest message.", ConversationOut, _QUOTES),
    "conversation.pending": EventType("It waits for the visitor.", ConversationOut, _QUOTES),
    "conversation.snoozed": EventType("It was put aside until `snoozed_until`.", ConversationOut, _QUOTES),
    "conversation.closed": EventType("It was closed.", ConversationOut, _QUOTES),
    "conversation.reopened": EventType(
        "It is open again: by a click, a message or its alarm.", ConversationOut, _QUOTES
    ),
    "conversation.rated": EventType("The visitor rated it.", ConversationOut, _QUOTES),
    "conversation.merged": EventType("It went into the one that `merged_into` names.", MergedConversationOut, _QUOTES),
    "conversation.transcript_requested": EventType("It is sent to somebody by mail.", TranscriptRequestedOut),
    "conversation.deleted": EventType("It was deleted, with its messages and files.", DeletedConversationOut),
    "file.created": EventType("A file was uploaded and found harmless.", FileOut, frozenset({"download_url"})),
    "file.deleted": EventType("A file was deleted.", DeletedFileOut),
    "visitor.created": EventType("Somebody opened the widget for the first time.", VisitorOut),
    "visitor.updated": EventType("A visitor's page or context changed.", VisitorOut),
    "visitor.identified": EventType("A visitor gave a name or an address, or was linked to a contact.", VisitorOut),
    "visitor.blocked": EventType("A visitor can neither open conversations nor write any more.", VisitorOut),
    "visitor.unblocked": EventType("A visitor can write again.", VisitorOut),
    "contact.created": EventType("A contact was added.", ContactOut),
    "contact.updated": EventType("A contact's fields changed.", ContactOut),
    "contact.blocked": EventType("Nothing that this person writes comes in any more.", ContactOut),
    "contact.unblocked": EventType("What this person writes comes in again.", ContactOut),
    "contact.merged": EventType("A contact went into the one that `merged_into` names.", MergedContactOut),
    "contact.deleted": EventType("A contact was deleted, with its notes.", DeletedContactOut),
    "contact.note_created": EventType("Somebody left a note about a contact.", ContactNoteOut),
    "contact.note_deleted": EventType("A note about a contact was deleted.", DeletedNoteOut),
    "company.created": EventType("A company was added.", CompanyOut),
    "company.updated": EventType("A company's fields changed.", CompanyOut),
    "company.deleted": EventType("A company was deleted; its contacts stay.", DeletedCompanyOut),
    "custom_attribute.created": EventType("A custom attribute was defined.", CustomAttributeOut),
    "custom_attribute.updated": EventType("A custom attribute's definition changed.", CustomAttributeOut),
    "custom_attribute.deleted": EventType("A custom attribute was removed.", CustomAttributeOut),
    "tag.created": EventType("A tag was added, by itself or with the first conversation that got it.", TagOut),
    "tag.updated": EventType("A tag's fields changed; with a new name, its conversations change one by one.", TagOut),
    "tag.deleted": EventType("A tag was deleted; its conversations lose it one by one.", TagOut),
    "team.created": EventType("A team was added.", TeamOut),
    "team.updated": EventType("A team's fields changed, or who is in it.", TeamOut),
    "team.deleted": EventType("A team was deleted; its conversations leave it one by one.", TeamOut),
    "canned_response.created": EventType("A canned response was added.", CannedResponseOut),
    "canned_response.updated": EventType("A canned response changed.", CannedResponseOut),
    "canned_response.deleted": EventType("A canned response was deleted.", CannedResponseOut),
    "widget.created": EventType("A widget was added.", WidgetOut),
    "widget.updated": EventType("A widget's settings changed.", WidgetOut),
    "widget.deleted": EventType("A widget was deleted.", WidgetOut),
    "widget.identity_secret_rotated": EventType("A widget has a new identity secret.", RotatedIdentitySecretOut),
    "domain.created": EventType("A domain may show the widget.", DomainOut),
    "domain.deleted": EventType("A domain may not show the widget any more.", DomainOut),
    "tenant.created": EventType("The tenant was made.", TenantOut),
    "tenant.updated": EventType("The tenant's name, slug, language or retention changed.", TenantOut),
    "tenant.suspended": EventType("An operator has suspended the tenant: nothing works until it goes on.", TenantOut),
    "tenant.resumed": EventType("The tenant goes on.", TenantOut),
    "tenant.export_started": EventType("An owner has all that there is of the tenant written to a file.", TenantOut),
    "tenant.erasing": EventType("All that there is of the tenant is being erased.", TenantOut),
    "member.invited": EventType("Somebody was invited.", InvitationOut),
    "member.joined": EventType("Somebody became a member.", MemberOut),
    "member.updated": EventType("A member has another name or address.", MemberOut),
    "member.role_changed": EventType("A member has another role.", MemberOut),
    "member.removed": EventType("Somebody is no member any more.", MemberOut),
    "invitation.resent": EventType("An invitation was sent once more.", InvitationOut),
    "invitation.revoked": EventType("An invitation was taken back.", InvitationOut),
    "api_key.created": EventType("An API key was made.", ApiKeyOut, frozenset({"last_used_at"})),
    "api_key.updated": EventType(
        "An API key's name, scopes or expiry changed.", ApiKeyOut, frozenset({"last_used_at"})
    ),
    "api_key.rotated": EventType("An API key has a new secret.", ApiKeyOut, frozenset({"last_used_at"})),
    "api_key.revoked": EventType("An API key ended.", ApiKeyOut, frozenset({"last_used_at"})),
    "webhook.created": EventType("A webhook endpoint was added.", WebhookOut),
    "webhook.updated": EventType("A webhook endpoint changed.", WebhookOut),
    "webhook.secret_rotated": EventType("A webhook endpoint has a new secret.", WebhookOut),
    "webhook.deleted": EventType("A webhook endpoint was deleted.", WebhookOut),
    "webhook.failing": EventType("Nothing has arrived at an endpoint for a day, or for four.", FailingWebhookOut),
    "webhook.disabled": EventType("An endpoint is sent nothing more: it is gone, or failed for five days.", WebhookOut),
    "webhook.test": EventType("Sent by POST /v1/webhooks/{id}/test only; it is not in the log.", TestedWebhookOut),
    "subscription.updated": EventType("The tenant's plan or its subscription changed.", ChangedSubscriptionOut),
    "subscription.trial_ending": EventType("A trial ends within three days.", ChangedSubscriptionOut),
    "subscription.duplicate_canceled": EventType(
        "A second subscription, begun beside the first, is canceled and paid back.", ChangedSubscriptionOut
    ),
    "plan.limit_near": EventType("80 % of what the plan allows in a month are used.", PlanLimitOut),
    "plan.limit_reached": EventType("What the plan allows in a month is used up.", PlanLimitOut),
    "job.created": EventType("Work on many objects has begun.", JobOut),
    "job.completed": EventType("Work on many objects is done.", JobOut),
}
_FAMILIES = frozenset(f"{type_.partition('.')[0]}.*" for type_ in EVENT_TYPES)


def matches_any(pattern: str) -> bool:
    """Tell whether there are events that a pattern means: `*`, `family.*` or a type."""
    return pattern == "*" or pattern in _FAMILIES or pattern in EVENT_TYPES


def url_of(type_: str) -> str:
    """Return where the schema of a type of event is."""
    return f"{settings().api_url}/v1/events/schemas/{type_}"


@lru_cache(maxsize=len(EVENT_TYPES))
def schema_of(type_: str) -> Schema:
    """Return the JSON Schema (2020-12) of whole events of a type; raises UnknownEventTypeError.

    Fields may be added to `data` within a payload version, so the schema does not forbid others.
    """
    found = EVENT_TYPES.get(type_)
    if found is None:
        raise UnknownEventTypeError
    event = EventOut.model_json_schema(mode="serialization")
    data = found.data.model_json_schema(mode="serialization")
    nested = event.pop("$defs", {}) | data.pop("$defs", {})
    data["properties"] = {name: each for name, each in data["properties"].items() if name not in found.without}
    data["required"] = [name for name in data["required"] if name not in found.without | found.forgotten]
    properties = event["properties"] | {"type": {"const": type_}, "data": {"$ref": f"#/$defs/{found.data.__name__}"}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": url_of(type_),
        **event,
        "title": type_,
        "description": found.description,
        "properties": properties,
        "$defs": nested | {found.data.__name__: data},
    }
