"""A tag, inside and on the wire."""

import unicodedata
from collections.abc import Mapping
from dataclasses import field
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from chalicelib.core.errors import ConflictError, NotFoundError
from chalicelib.core.frozen import frozen
from chalicelib.core.http import PageQuery, Request, Response
from chalicelib.core.http.schema import OMITTED, Timestamp

MAX_NAME = 50
MAX_TRANSLATIONS = 50


class TagNotFoundError(NotFoundError):
    """No such tag in this tenant."""


class TagExistsError(ConflictError):
    code = "tag_exists"
    default_message = "There is a tag of this name already; case and blanks make no difference."


class TagBusyError(ConflictError):
    """A name is held until the last conversation has lost it: then nothing that is tagged anew gets caught up in it."""

    code = "tag_busy"
    default_message = "This tag is being renamed or deleted. Try again when that is done."


def folded(name: str) -> str:
    """Return a name as tags are told apart: in lower case, with single blanks, composed.

    Folding the case may leave something to compose again: of some letters only the small one is in Unicode.
    """
    lower = unicodedata.normalize("NFC", name).lower()
    return " ".join(unicodedata.normalize("NFC", lower).split())


TagName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_NAME, to_lower=True, pattern=r"^[^\x00-\x1f#,]+$"),
    AfterValidator(folded),
]
TagNames = Annotated[list[TagName], Field(max_length=20)]
Language = Annotated[str, StringConstraints(max_length=35, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
Translation = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME, pattern=r"^[^\x00-\x1f]+$")]
Translations = Annotated[dict[Language, Translation], Field(max_length=MAX_TRANSLATIONS)]
Color = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$", to_lower=True)]


@frozen
class Tag:
    """A tag. Times are milliseconds."""

    tenant_id: str
    id: str
    name: str
    created_at: int
    updated_at: int
    color: str | None = None
    description: str | None = None
    translations: Mapping[str, str] = field(default_factory=dict)  # by language
    version: int = 1
    job_id: str | None = None  # of the job that gives conversations its new name


class ListTags(PageQuery):
    """Which tags."""

    name: str | None = Field(
        default=None, min_length=1, max_length=MAX_NAME, description="The one of this name.", examples=["spam"]
    )


class _WriteTag(Request):
    color: Color | None = Field(default=None, description="`#rrggbb`", examples=["#d93025"])
    description: str | None = Field(default=None, max_length=500, examples=["Advertising, not worth an answer."])
    translations: Translations = Field(
        default=OMITTED,
        description="What the tag is called in other languages, by language tag. Replaces all.",
        examples=[{"de": "Werbung"}],
    )


class CreateTag(_WriteTag):
    """A new tag."""

    name: TagName = Field(description="Kept in lower case, with single blanks.", examples=["spam"])


class UpdateTag(_WriteTag):
    """The fields to change; absent ones stay."""

    name: TagName = Field(default=OMITTED, examples=["junk"])


class TagOut(Response):
    """A word that conversations are sorted by."""

    id: str = Field(examples=["tag_01JB3D2N6T8V4W5X7Y9Z0A1B2C"])
    name: str = Field(examples=["spam"])
    color: str | None = Field(examples=["#d93025"])
    description: str | None = Field(examples=["Advertising, not worth an answer."])
    translations: dict[str, str] = Field(examples=[{"de": "Werbung"}])
    job_id: str | None = Field(
        description="The job that gives conversations the new name, until it is done. The ETag does not tell of its "
        "end.",
        examples=[None],
    )
    created_at: Timestamp
    updated_at: Timestamp

    @classmethod
    def of(cls, tag: Tag) -> "TagOut":
        """Show a tag."""
        return cls.model_validate({name: getattr(tag, name) for name in cls.model_fields})
