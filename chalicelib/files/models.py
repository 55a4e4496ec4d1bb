"""A file, inside and on the wire."""

from dataclasses import field
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from chalicelib.core.errors import ConflictError, InvalidError, NotFoundError
from chalicelib.core.frozen import frozen
from chalicelib.core.http import PageQuery, Request, Response
from chalicelib.core.http.schema import Timestamp

Status = Literal["pending", "ready", "refused"]

MAX_BYTES = 25 * 1024 * 1024
MAX_PIXELS = 100_000_000
MAX_SIDE = 30_000
MAX_ATTACHMENTS = 10
UPLOAD_S = 3600  # how long a form for a direct upload can be used
LINK_S = 900  # how long a download link can be used


class FileNotFoundInTenantError(NotFoundError):
    """No such file in this tenant, or none that this visitor may see; the answer is that of any missing object."""


class NotUploadedError(ConflictError):
    code = "not_uploaded"
    default_message = "Nothing has been uploaded yet. Post the file to `url` with `fields` first."


class ActiveContentError(InvalidError):
    code = "active_content"
    default_message = "Files that a browser would run, such as HTML, SVG and scripts, are not taken."


class ProgramError(InvalidError):
    code = "executable"
    default_message = "Programs, disk images and documents with macros are not taken."


class PolyglotError(InvalidError):
    code = "polyglot"
    default_message = "The file is several things at once. Save it again with the program it was made with."


class BrokenImageError(InvalidError):
    code = "broken_image"
    default_message = "The image's size could not be read. Save it again."


class ImageTooLargeError(InvalidError):
    code = "image_too_large"
    default_message = f"An image may have {MAX_PIXELS // 1_000_000} million pixels and {MAX_SIDE} on a side."


class SizeDiffersError(InvalidError):
    code = "size_differs"
    default_message = "What was uploaded has another size than was announced."


REFUSALS: tuple[type[InvalidError], ...] = (
    ActiveContentError,
    ProgramError,
    PolyglotError,
    BrokenImageError,
    ImageTooLargeError,
    SizeDiffersError,
)


@frozen
class File:
    """A file. Pending until it has been looked at; only a ready one has bytes that anybody gets."""

    tenant_id: str
    id: str
    name: str
    content_type: str  # claimed while pending, then what was found
    size: int  # bytes
    created_by: dict[str, str]  # as events name actors
    created_at: int  # milliseconds
    status: Status = "pending"
    part: str = ""  # the last part of its object's key
    width: int | None = None  # pixels, of an image
    height: int | None = None
    refused_for: str | None = None  # the code of an error
    conversation_id: str | None = None  # where it is attached
    visitor_id: str | None = None  # who may see it because a public message brought it
    pos: int = 0


@frozen
class Attachment:
    """What a message keeps of a file: enough to show it and to sign a link without another read."""

    id: str
    name: str
    content_type: str
    size: int
    part: str
    width: int | None = None
    height: int | None = None

    @classmethod
    def of(cls, file: File) -> "Attachment":
        """Return what a message keeps."""
        return cls(file.id, file.name, file.content_type, file.size, file.part, file.width, file.height)


@frozen
class Started:
    """An upload that goes directly to the bucket."""

    file: File
    url: str
    expires_at: int  # milliseconds
    fields: dict[str, str] = field(default_factory=dict)


@frozen
class Storage:
    """What a tenant keeps."""

    files: int
    size: int  # bytes


class StartUpload(Request):
    """What is to be uploaded. Another type or another number of bytes will not be taken."""

    name: str = Field(min_length=1, max_length=500, examples=["receipt.pdf"])
    content_type: Annotated[str, StringConstraints(max_length=100, to_lower=True, pattern=r"^[\w.+-]+/[\w.+-]+$")] = (
        Field(examples=["application/pdf"])
    )
    size: int = Field(ge=1, le=MAX_BYTES, description="In bytes.", examples=[48_213])


class ListFiles(PageQuery):
    """Which files."""


class FileQuery(Request):
    """How to answer."""

    download: Literal["1", "true", "0", "false"] = Field(default="0", description="`1`: go to the bytes at once.")

    @property
    def wants_bytes(self) -> bool:
        """Whether the metadata is of no interest."""
        return self.download in {"1", "true"}


class StartedOut(Response):
    """Where to send the file: a POST of `fields` and then the part `file`, as multipart/form-data."""

    versioned: ClassVar[bool] = False

    id: str
    url: str
    fields: dict[str, str]
    expires_at: Timestamp
    status: Status

    @classmethod
    def of(cls, started: Started) -> "StartedOut":
        """Show a begun upload."""
        return cls.model_validate(
            {
                "id": started.file.id,
                "url": started.url,
                "fields": started.fields,
                "expires_at": started.expires_at,
                "status": started.file.status,
            }
        )


class StorageOut(Response):
    """How much a tenant keeps."""

    versioned: ClassVar[bool] = False

    files: int
    bytes: int

    @classmethod
    def of(cls, storage: Storage) -> "StorageOut":
        """Show what is kept."""
        return cls(files=storage.files, bytes=storage.size)
