"""What a visitor sends and sees: never a note, never another visitor, nothing internal."""

import json
from typing import Any, ClassVar

from pydantic import Field

from chalicelib.conversations.models import Conversation, Rating, Status
from chalicelib.core.frozen import frozen
from chalicelib.core.http import Response
from chalicelib.core.http.schema import Timestamp
from chalicelib.files.showing import AttachmentOut
from chalicelib.messages.models import Message, MessageOut, Opened
from chalicelib.visitors.models import Visitor
from chalicelib.widgets.models import ConfigurationOut, Widget


class OwnVisitorOut(Response):
    """The visitor, as the visitor's own browser sees it."""

    id: str
    name: str | None
    email: str | None
    locale: str | None
    context: dict[str, Any]

    @classmethod
    def of(cls, visitor: Visitor) -> "OwnVisitorOut":
        """Show a visitor to himself."""
        return cls(
            id=visitor.id,
            name=visitor.name,
            email=visitor.email,
            locale=visitor.locale,
            context=json.loads(visitor.context),
        )


@frozen
class Identified:
    """A visitor who has said, or proven, who he is."""

    token: str
    visitor: Visitor


class IdentifiedOut(OwnVisitorOut):
    """The visitor, and a token that knows who he is."""

    shown_once: ClassVar[frozenset[str]] = frozenset({"token"})

    verified: bool = Field(description="Whether `identity_token` has proven it.")
    token: str | None = Field(
        description="Use it from now on, in place of the session's: with it, messages bear the visitor's name, and a "
        "proven contact's conversations can be read. Null when this answer is a replay."
    )

    @classmethod
    def of(cls, identified: Identified) -> "IdentifiedOut":  # type: ignore[override]  # shows what identifying returns
        """Show a visitor to himself, with his new token."""
        own = OwnVisitorOut.of(identified.visitor).model_dump()
        return cls(**own, verified=identified.visitor.verified, token=identified.token)


@frozen
class Session:
    """A visitor at a site."""

    token: str
    visitor: Visitor
    widget: Widget


class SessionOut(Response):
    """A visitor's token, and what the chat needs to show itself."""

    token: str = Field(description="Send it as `Authorization: Bearer`. Valid for 24 hours; give it to resume later.")
    visitor: OwnVisitorOut
    widget: ConfigurationOut

    @classmethod
    def of(cls, session: Session) -> "SessionOut":
        """Show a session."""
        return cls(
            token=session.token,
            visitor=OwnVisitorOut.of(session.visitor),
            widget=ConfigurationOut.of(session.widget),
        )


class OwnConversationOut(Response):
    """A conversation, as its visitor sees it."""

    versioned: ClassVar[bool] = False  # a note moves the version, and visitors must not notice notes

    id: str
    number: int
    status: Status
    unread_count: int = Field(description="Messages the visitor has not read.")
    last_message: str | None
    last_message_at: Timestamp | None
    rating: Rating | None
    created_at: Timestamp
    closed_at: Timestamp | None

    @classmethod
    def of(cls, conversation: Conversation) -> "OwnConversationOut":
        """Show a conversation to its visitor."""
        hot, rating = conversation.hot, conversation.cold.rating
        return cls.model_validate(
            {
                "id": conversation.id,
                "unread_count": hot.visitor_unread_count,
                "rating": json.loads(rating) if rating else None,
                **{name: getattr(hot, name) for name in _SHOWN},
            }
        )


_SHOWN = ("number", "status", "last_message", "last_message_at", "created_at", "closed_at")


class OwnMessageOut(Response):
    """A message, as the visitor sees it."""

    id: str
    seq: int
    conversation_id: str
    author: dict[str, str | None]
    content: str
    attachments: list[AttachmentOut]
    client_msg_id: str | None
    created_at: Timestamp
    edited_at: Timestamp | None
    deleted_at: Timestamp | None

    @classmethod
    def of(cls, message: Message) -> "OwnMessageOut":
        """Show a message; `private` is left out because it is always false here."""
        return cls.model_validate(MessageOut.of(message).model_dump(exclude={"private"}))


class BegunOut(Response):
    """A conversation with its first message."""

    versioned: ClassVar[bool] = False

    conversation: OwnConversationOut
    message: OwnMessageOut

    @classmethod
    def of(cls, opened: Opened) -> "BegunOut":
        """Show what the visitor began."""
        if opened.message is None:
            raise ValueError("a visitor begins with a message")
        return cls(conversation=OwnConversationOut.of(opened.conversation), message=OwnMessageOut.of(opened.message))
