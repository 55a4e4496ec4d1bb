"""How files are shown: always with a link of their own, signed for a quarter of an hour."""

from typing import ClassVar

from pydantic import Field

from chalicelib.core.http import Response
from chalicelib.core.http.schema import Timestamp
from chalicelib.files import s3_gateway
from chalicelib.files.models import LINK_S, Attachment, File, Status
from chalicelib.files.names import disposition

# What a browser may show instead of saving it.
INLINE = frozenset(
    {
        "image/png",
        "image/jpeg",
        "image/gif",
        "image/webp",
        "video/mp4",
        "video/webm",
        "audio/mpeg",
        "audio/ogg",
        "audio/wav",
        "text/plain",
    }
)


def object_prefix(tenant_id: str, file_id: str) -> str:
    """Return what the keys of a file's checked bytes begin with."""
    return f"files/{tenant_id}/{file_id}/"


def incoming_key(tenant_id: str, file_id: str) -> str:
    """Return where strangers put bytes. Nothing is ever served from there; the bucket forgets it after a day."""
    return f"incoming/{tenant_id}/{file_id}"


def download_url(tenant_id: str, file: File | Attachment) -> str:
    """Return a link to the bytes. What is not known to be harmless to look at can only be saved."""
    inline = file.content_type in INLINE
    content_type = "text/plain; charset=utf-8" if file.content_type == "text/plain" else file.content_type
    key = object_prefix(tenant_id, file.id) + file.part
    return s3_gateway.link(key, content_type, disposition(file.name, inline=inline), LINK_S)


class AttachmentOut(Response):
    """A file of a message."""

    id: str
    name: str = Field(examples=["receipt.pdf"])
    content_type: str = Field(examples=["application/pdf"])
    size: int = Field(description="In bytes.")
    width: int | None = Field(description="Of an image, in pixels.")
    height: int | None
    download_url: str = Field(description="Serves the bytes for 15 minutes, without a credential.")

    @classmethod
    def of_message(cls, tenant_id: str, attachment: Attachment) -> "AttachmentOut":
        """Show a file of a message. No read: the message has all there is to tell."""
        shown = {name: getattr(attachment, name) for name in cls.model_fields if name != "download_url"}
        return cls.model_validate({**shown, "download_url": download_url(tenant_id, attachment)})


class FileOut(Response):
    """A file. `content_type` is what it was found to be, whatever was claimed."""

    versioned: ClassVar[bool] = False  # a link is new each time

    id: str
    name: str = Field(examples=["receipt.pdf"])
    content_type: str = Field(examples=["application/pdf"])
    size: int = Field(description="In bytes.")
    width: int | None = Field(description="Of an image, in pixels.")
    height: int | None
    status: Status = Field(description="`pending` until completed; `refused` is for good.")
    refused_for: str | None = Field(description="Why it was refused: the code of the error.", examples=[None])
    download_url: str | None = Field(
        description="Serves the bytes for 15 minutes, without a credential. Null unless ready."
    )
    conversation_id: str | None = Field(description="The conversation that a message has attached it to.")
    created_by: dict[str, str]
    created_at: Timestamp

    @classmethod
    def of(cls, file: File) -> "FileOut":
        """Show a file."""
        shown = {name: getattr(file, name) for name in cls.model_fields if name != "download_url"}
        url = download_url(file.tenant_id, file) if file.status == "ready" else None
        return cls.model_validate({**shown, "download_url": url})
