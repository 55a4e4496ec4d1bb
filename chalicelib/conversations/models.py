"""A conversation, inside and on the wire."""

import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from chalicelib.core import clock
from chalicelib.core.errors import ConflictError, InvalidError, NotFoundError
from chalicelib.core.frozen import frozen
from chalicelib.core.http import Request, Response
from chalicelib.core.http.schema import Timestamp

Status = Literal["open", "pending", "snoozed", "closed"]
Priority = Literal["low", "medium", "high", "urgent"]
STATUSES: tuple[Status, ...] = ("open", "pending", "snoozed", "closed")

PREVIEW_CHARACTERS = 200
PREVIEW_BYTES = 280  # with the rest of the hot row below 1 KB, where a write costs one unit
MAX_TAGS = 20
INDEX_LAG_MS = 60_000  # how far a list entry may be behind
MAX_ATTRIBUTES_BYTES = 8192


class ConversationNotFoundError(NotFoundError):
    default_message = NotFoundError.default_message


class ConversationMergedError(ConflictError):
    """Reading such a conversation answers the one that it was merged into; changes must name that one."""

    code = "conversation_merged"
    default_message = "This conversation was merged into another one."


class MergeInProgressError(ConflictError):
    code = "merge_in_progress"
    default_message = "Messages are still being moved from one conversation to the other. Try again in a moment."


class DifferentVisitorsError(InvalidError):
    """A visitor must never read what somebody else has said."""

    code = "different_visitors"
    default_message = "Only conversations with the same visitor, or with the same contact, can be merged."


class NotAMemberError(InvalidError):
    code = "not_a_member"
    default_message = "assigned_to must be the user id of a member of this tenant."


class ViewerAssignedError(InvalidError):
    code = "viewer_cannot_be_assigned"
    default_message = "assigned_to is a viewer, who may not answer."


@frozen
class Hot:
    """What changes with every message, in a row of at most 1 KB. Times are milliseconds since the epoch."""

    number: int
    status: Status
    visitor_id: str
    widget_id: str | None
    contact_id: str | None
    assigned_to: str | None
    priority: Priority | None
    channel: str
    created_at: int
    updated_at: int
    closed_at: int | None
    snoozed_until: int | None
    last_message: str | None
    last_message_at: int | None
    indexed_at: int  # the activity that the index shows, up to a minute behind
    seq: int  # of the newest message
    public_count: int
    unread_count: int  # visitor's messages no agent has read
    visitor_unread_count: int  # agents' public messages the visitor has not read
    pos: int
    recent: bytes  # hashes of the newest client_msg_ids
    bucket: str | None  # the visitor's flood limit
    blocked: bool = False  # whether its visitor may not write: he or the contact is blocked
    held: bool = False  # whether it is beyond what the plan allows in its month: agents may read, not answer
    merging_from: str | None = None  # a conversation whose messages are on their way to this one

    @property
    def activity(self) -> int:
        """When something was last said, or when it began."""
        return self.last_message_at or self.created_at


@frozen
class Cold:
    """What changes seldom."""

    subject: str | None = None
    summary: str | None = None
    team_id: str | None = None
    company_id: str | None = None  # the contact's
    tags: tuple[str, ...] = ()
    page_url: str | None = None
    referrer_url: str | None = None
    user_agent: str | None = None
    visitor_ip: str | None = None
    rating: str | None = None  # JSON text
    custom_attributes: str = "{}"  # JSON text
    trust_uploads: bool = False
    revision: int = 0  # how often it has changed since the conversation began


@frozen
class Conversation:
    """A conversation with both its rows."""

    tenant_id: str
    id: str
    hot: Hot
    cold: Cold

    @property
    def version(self) -> int:
        """What the ETag shows: every change has an event, so the newest event's position."""
        return self.hot.pos


@frozen
class Merged:
    """What is left of a conversation that was merged into another one."""

    id: str
    into: str
    job_id: str


class Rating(Response):
    """What the visitor thought of it."""

    score: int
    comment: str | None
    rated_at: Timestamp


class ConversationOut(Response):
    """A conversation, as agents and integrators see it."""

    id: str
    number: int
    status: Status
    subject: str | None
    visitor_id: str
    contact_id: str | None
    company_id: str | None = Field(description="The contact's company.")
    widget_id: str | None
    assigned_to: str | None = Field(description="A member's user id.")
    team_id: str | None
    tags: list[str]
    priority: Priority | None
    channel: str
    page_url: str | None
    referrer_url: str | None
    user_agent: str | None
    visitor_ip: str | None
    is_read: bool
    unread_count: int = Field(description="Messages of the visitor that no agent has read.")
    message_count: int
    last_message: str | None = Field(description="The newest public message, cut to 200 characters.")
    last_message_at: Timestamp | None
    rating: Rating | None
    summary: str | None
    snoozed_until: Timestamp | None
    trust_uploads: bool
    custom_attributes: dict[str, Any]
    created_at: Timestamp
    updated_at: Timestamp
    closed_at: Timestamp | None

    @classmethod
    def of(cls, conversation: Conversation) -> "ConversationOut":
        """Show a conversation."""
        hot, cold = conversation.hot, conversation.cold
        return cls.model_validate(
            {
                "id": conversation.id,
                **{name: getattr(hot, name) for name in _SHOWN_HOT},
                **{name: getattr(cold, name) for name in _SHOWN_COLD},
                "tags": list(cold.tags),
                "is_read": hot.unread_count == 0,
                "message_count": hot.seq,
                "rating": json.loads(cold.rating) if cold.rating else None,
                "custom_attributes": json.loads(cold.custom_attributes),
            }
        )


_SHOWN_HOT = [
    "number",
    "status",
    "visitor_id",
    "contact_id",
    "widget_id",
    "assigned_to",
    "priority",
    "channel",
    "unread_count",
    "last_message",
    "last_message_at",
    "snoozed_until",
    "created_at",
    "updated_at",
    "closed_at",
]
_SHOWN_COLD = [
    *("subject", "summary", "team_id", "company_id", "page_url", "referrer_url", "user_agent", "visitor_ip"),
    "trust_uploads",
]


class RateConversation(Request):
    """What the visitor thought of it."""

    score: int = Field(ge=1, le=5)
    comment: str | None = Field(default=None, max_length=2000)


def preview(content: str) -> str:
    """Return the beginning of a message as lists show it: at most 200 characters and 280 bytes."""
    return content[:PREVIEW_CHARACTERS].encode()[:PREVIEW_BYTES].decode("utf-8", "ignore")


def rating_text(score: int, comment: str | None) -> str:
    """Return a rating as it is stored."""
    return json.dumps({"score": score, "comment": comment, "rated_at": clock.now_ms()}, ensure_ascii=False)


def attributes_text(attributes: Mapping[str, Any]) -> str:
    """Return custom attributes as they are stored; raises InvalidError beyond 8 KB."""
    text = json.dumps(attributes, ensure_ascii=False, separators=(",", ":"))
    if len(text.encode()) > MAX_ATTRIBUTES_BYTES:
        raise InvalidError.field("custom_attributes", f"At most {MAX_ATTRIBUTES_BYTES} bytes as JSON.", "too_long")
    return text
