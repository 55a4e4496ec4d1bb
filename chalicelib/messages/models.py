"""A message, inside and on the wire."""

import hashlib
import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo
from pydantic_core import PydanticCustomError

from chalicelib.conversations.models import Conversation, ConversationOut
from chalicelib.core.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from chalicelib.core.frozen import frozen
from chalicelib.core.http import PageQuery, Response
from chalicelib.core.http.schema import Timestamp
from chalicelib.files.models import MAX_ATTACHMENTS, Attachment
from chalicelib.files.showing import AttachmentOut

AuthorType = Literal["visitor", "agent", "bot", "system"]

MAX_CONTENT = 10_000
RECENT_CLIENT_IDS = 32  # how many client_msg_ids a conversation remembers
_HASH_BYTES = 4


def _distinct(file_ids: list[str]) -> list[str]:
    return list(dict.fromkeys(file_ids))


def _said_or_attached(content: str, info: ValidationInfo) -> str:
    if not content and not info.data.get("attachments", True):  # absent here: refused, and told of already
        raise PydanticCustomError("missing", "This field is required.")
    return content


def _said(content: str) -> str:
    if not content:
        raise PydanticCustomError("string_too_short", "String should have at least 1 character")
    return content


# Each of these is six characters in JSON, and seven in what Lambda makes of that: a page of messages that are full of
# them is more than it lets out. Nobody sees them, and what is pasted may have some, so they are no error.
_UNSEEN = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f]")


def _without_unseen(content: str) -> str:
    return _UNSEEN.sub("", content).strip()


# Declared after `attachments`: with files, there need be no words.
Content = Annotated[
    str,
    StringConstraints(max_length=MAX_CONTENT, strip_whitespace=True),
    AfterValidator(_without_unseen),
    AfterValidator(_said_or_attached),
    Field(default="", validate_default=True, description="May be empty if there are attachments."),
]
# What a message is changed to: there is no taking back all it says but by deleting it.
NewContent = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_CONTENT, strip_whitespace=True),
    AfterValidator(_without_unseen),
    AfterValidator(_said),
]
Attachments = Annotated[
    list[Annotated[str, StringConstraints(max_length=40)]],
    Field(max_length=MAX_ATTACHMENTS, description="Ids of files that are ready."),
    AfterValidator(_distinct),
]
ClientMessageId = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$")]


class MessageNotFoundError(NotFoundError):
    """No such message in this conversation, or none that the caller may see."""


class NotTheAuthorError(ForbiddenError):
    code = "not_the_author"
    default_message = "Only its author may change a message; its author or an admin may delete it."


class MessageDeletedError(ConflictError):
    code = "message_deleted"
    default_message = "This message has been deleted."


class NoAddressError(InvalidError):
    """Nobody has said where the mail should go."""

    code = "no_address"
    default_message = "There is no e-mail address to send it to. Give one."


class ListMessages(PageQuery):
    """Which messages."""

    after_seq: int = Field(default=0, ge=0, description="Only messages after this `seq`.")
    before_seq: int | None = Field(default=None, ge=1, description="Only messages before this `seq`.")
    after: str | None = Field(default=None, max_length=40, description="Only messages after the one with this id.")
    before: str | None = Field(default=None, max_length=40, description="Only messages before the one with this id.")
    order: Literal["asc", "desc"] = Field(default="asc", description="Oldest first, or newest first.")


@frozen
class Author:
    """Who said it."""

    type: AuthorType
    id: str
    name: str | None


@frozen
class Moved:
    """Where a message was said that has come here by a merge, and when it came."""

    conversation_id: str
    seq: int
    at: int  # milliseconds


@frozen
class NewMessage:
    """A message about to be sent."""

    author: Author
    content: str
    private: bool = False
    client_msg_id: str | None = None
    proven_contact_id: str | None = None  # whom a visitor has proven to be: that one's conversations are his, too
    file_ids: tuple[str, ...] = ()


@frozen
class Message:
    """A message. Times are milliseconds since the epoch; `seq` has no gaps within the conversation."""

    tenant_id: str
    conversation_id: str
    id: str
    seq: int
    pos: int  # of its `message.created` event: the message row is that event
    author: Author
    content: str
    private: bool
    client_msg_id: str | None
    created_at: int
    edited_at: int | None = None
    deleted_at: int | None = None  # its place and its `seq` stay; what it said is gone
    edit_pos: int | None = None  # of the newest `message.updated` event, which holds the text
    moved: "Moved | None" = None  # then its row is its `message.moved` event
    attachments: tuple[Attachment, ...] = ()

    @property
    def shown_in_lists(self) -> str:
        """What it says, or else the name of its first file."""
        return self.content or (self.attachments[0].name if self.attachments else "")


class AuthorOut(Response):
    """Who said it."""

    type: AuthorType
    id: str
    name: str | None


class MessageOut(Response):
    """A message."""

    id: str
    seq: int = Field(description="1, 2, 3 … within the conversation, without gaps.")
    conversation_id: str
    author: AuthorOut
    content: str
    private: bool = Field(description="A note among agents; visitors never get it.")
    attachments: list[AttachmentOut]
    client_msg_id: str | None
    created_at: Timestamp
    edited_at: Timestamp | None
    deleted_at: Timestamp | None

    @classmethod
    def of(cls, message: Message) -> "MessageOut":
        """Show a message."""
        author = message.author
        return cls(
            id=message.id,
            seq=message.seq,
            conversation_id=message.conversation_id,
            author=AuthorOut(type=author.type, id=author.id, name=author.name),
            content=message.content,
            private=message.private,
            attachments=[AttachmentOut.of_message(message.tenant_id, each) for each in message.attachments],
            client_msg_id=message.client_msg_id,
            created_at=message.created_at,  # type: ignore[arg-type]  # Timestamp renders milliseconds
            edited_at=message.edited_at,  # type: ignore[arg-type]
            deleted_at=message.deleted_at,  # type: ignore[arg-type]
        )


@frozen
class Thread:
    """A conversation with messages of it, oldest first."""

    conversation: Conversation
    messages: list[Message]
    has_more: bool  # older ones


class ThreadOut(Response):
    """A conversation with its newest messages."""

    conversation: ConversationOut
    messages: list[MessageOut]
    has_more: bool = Field(description="Whether there are older messages than these.")

    @classmethod
    def of(cls, thread: Thread) -> "ThreadOut":
        """Show a thread."""
        return cls(
            conversation=ConversationOut.of(thread.conversation),
            messages=[MessageOut.of(each) for each in thread.messages],
            has_more=thread.has_more,
        )


@frozen
class Opened:
    """A conversation with its first message, if it began with one."""

    conversation: Conversation
    message: Message | None

    @property
    def version(self) -> int:
        """What the ETag shows."""
        return self.conversation.version


class OpenedConversationOut(ConversationOut):
    """What was opened, as the bare conversation."""

    @classmethod
    def of(cls, opened: Opened) -> "ConversationOut":  # type: ignore[override]  # shows what opening returns
        """Show the conversation only."""
        return ConversationOut.of(opened.conversation)


class OpenedOut(Response):
    """A conversation with its first message."""

    conversation: ConversationOut
    message: MessageOut | None

    @classmethod
    def of(cls, opened: Opened) -> "OpenedOut":
        """Show what was opened."""
        message = MessageOut.of(opened.message) if opened.message else None
        return cls(conversation=ConversationOut.of(opened.conversation), message=message)


def client_id_hash(author_id: str, client_msg_id: str) -> bytes:
    """Return what a conversation remembers of a client_msg_id. Short: a hit is verified against the message."""
    return hashlib.sha256(f"{author_id}\x00{client_msg_id}".encode()).digest()[:_HASH_BYTES]


def remembers(recent: bytes, hashed: bytes) -> bool:
    """Tell whether a hash is among the remembered ones."""
    return any(recent[start : start + _HASH_BYTES] == hashed for start in range(0, len(recent), _HASH_BYTES))


def remember(recent: bytes, hashed: bytes) -> bytes:
    """Return the remembered hashes with one more, without the oldest beyond 32."""
    return (recent + hashed)[-RECENT_CLIENT_IDS * _HASH_BYTES :]


def both_remember(older: bytes, newer: bytes) -> bytes:
    """Return the newest 16 hashes of each of two conversations that become one."""
    half = RECENT_CLIENT_IDS // 2 * _HASH_BYTES
    return older[-half:] + newer[-half:]


@frozen
class TranscriptMail:
    """A transcript on its way."""

    conversation_id: str
    email: str
    language: str | None


class TranscriptMailOut(Response):
    """A transcript on its way by mail."""

    versioned: ClassVar[bool] = False

    conversation_id: str
    email: str = Field(description="Where to. Nothing is sent where mails have bounced or were unsubscribed from.")
    language: str | None = Field(description="Null: that of the visitor's browser, else the tenant's.")

    @classmethod
    def of(cls, mail: TranscriptMail) -> "TranscriptMailOut":
        """Show a mail."""
        return cls(conversation_id=mail.conversation_id, email=mail.email, language=mail.language)


class TranscriptRequestedOut(Response):
    """A transcript that is sent by mail."""

    id: str = Field(description="The conversation's.")
    number: int
    email: str
    language: str | None
    told: Literal["everything", "replies"] = Field(
        description="`replies`: without the visitor's own messages, because the address is only what he says."
    )
