"""Contacts, notes and custom attributes as callers send and see them."""

import json
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints

from chalicelib.contacts.models import MAX_ATTRIBUTES_BYTES, Attribute, AttributeType, Contact, Note
from chalicelib.contacts.phones import Phone
from chalicelib.core.http import PageQuery, Request, Response
from chalicelib.core.http.schema import OMITTED, Email, Name, Timestamp

ExternalId = Annotated[
    str,
    # It becomes part of a key; and text with invisible characters is never the same twice.
    StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$"),
    Field(description="Your own system's id of this person; unique in the tenant.", examples=["crm-4711"]),
]
NoteContent = Annotated[str, StringConstraints(min_length=1, max_length=10_000)]
AttributeKey = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,49}$"),
    Field(description="The name in `custom_attributes`; it never changes.", examples=["plan"]),
]
Label = Annotated[str, StringConstraints(min_length=1, max_length=100), Field(examples=["Plan"])]
Options = Annotated[
    list[Annotated[str, StringConstraints(min_length=1, max_length=100)]],
    Field(min_length=1, max_length=100, examples=[["free", "pro"]]),
]


class WriteContact(Request):
    """The fields of a contact that callers set; absent ones stay as they are."""

    name: Name | None = None
    email: Email | None = Field(default=None, description="Unique in the tenant; stored in lower case.")
    phone: Phone | None = None
    company_id: str | None = Field(default=None, max_length=40, examples=[None])
    title: str | None = Field(default=None, max_length=200, examples=["Head of purchasing"])
    role: str | None = Field(default=None, max_length=200, examples=["Decision maker"])
    is_primary: bool = Field(default=OMITTED, strict=True, description="The company's main contact.")
    notes: str | None = Field(default=None, max_length=5000)
    external_id: ExternalId | None = None
    custom_attributes: dict[str, Any] = Field(
        default=OMITTED,
        description=f"Keys given are set, null removes one, others stay; at most {MAX_ATTRIBUTES_BYTES // 1024} KB as "
        "JSON. A key that `/v1/custom-attributes` defines must have a value of its type.",
        examples=[{"plan": "pro"}],
    )


class MergeContact(Request):
    """Into whom."""

    into: str = Field(max_length=40, examples=["con_01JB3D2N6T8V4W5X7Y9Z0A1B2C"])


class WriteNote(Request):
    """What to note."""

    content: NoteContent


class CreateAttribute(Request):
    """A custom attribute of contacts: its values are then checked."""

    key: AttributeKey
    label: Label
    type: AttributeType = Field(description="`date` is `2026-01-31`; the value of a `list` is one of its options.")
    options: Options | None = Field(default=None, description="Of a `list`.", examples=[None])
    required: bool = Field(
        default=False, strict=True, description="A contact can't be created without it through the API."
    )


class UpdateAttribute(Request):
    """What changes; values that are there already stay, and are checked when they are next changed."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"label": "Plan", "required": False}]})

    label: Label = OMITTED
    options: Options = OMITTED
    required: bool = Field(default=OMITTED, strict=True)


class ContactFilters(Request):
    """Which contacts. Several filters must all match."""

    search: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="The beginnings of words in name, e-mail, phone number and company, all of which must be found. "
        "Substrings are not. The order is that of the first word found.",
    )
    company_id: str | None = Field(default=None, min_length=1, max_length=40)
    email: str | None = Field(default=None, min_length=1, max_length=254)
    external_id: str | None = Field(default=None, min_length=1, max_length=200)


class ListContacts(ContactFilters, PageQuery):
    """Which contacts, and where in their list."""


class ExportContacts(ContactFilters):
    """Which contacts. Several filters must all match; without any it is all of them."""


class ImportContacts(Request):
    """Which file, and what is in it."""

    file_id: str = Field(max_length=40, examples=["fil_01JB3D2N6T8V4W5X7Y9Z0A1B2C"])
    columns: dict[Annotated[str, StringConstraints(max_length=200)], str | None] | None = Field(
        default=None,
        max_length=200,
        description="Which field a column is, by its header; columns that are not named here, or with null, are left "
        "out. Without it each header must be a field's name, or `custom_attributes.<key>`.",
        examples=[{"E-mail address": "email", "Plan": "custom_attributes.plan"}],
    )
    on_duplicate: Literal["update", "skip"] = Field(
        default="update",
        description="What becomes of a contact that has the row's `external_id`, or else its e-mail address.",
    )
    delimiter: Literal[",", ";", "\t"] | None = Field(
        default=None, description="Without it, the one that makes the most of the first line.", examples=[","]
    )


class ContactOut(Response):
    """Somebody a tenant knows by name or address."""

    id: str
    number: int
    name: str | None
    email: str | None
    phone: str | None = Field(examples=["+49301234567"])
    company_id: str | None = Field(examples=["com_01JB3D2N6T8V4W5X7Y9Z0A1B2C"])
    title: str | None = Field(examples=["Head of purchasing"])
    role: str | None = Field(examples=["Decision maker"])
    is_primary: bool
    notes: str | None = Field(examples=["Prefers to be called in the morning."])
    external_id: str | None = Field(examples=["crm-4711"])
    custom_attributes: dict[str, Any] = Field(examples=[{"plan": "pro"}])
    other_emails: list[str] = Field(description="Addresses of contacts merged into this one.", examples=[[]])
    other_external_ids: list[str] = Field(description="As `other_emails`.", examples=[[]])
    blocked: bool
    created_by: str | None = Field(examples=["usr_01JB3D2N6T8V4W5X7Y9Z0A1B2C"])
    created_at: Timestamp
    updated_at: Timestamp

    @classmethod
    def of(cls, contact: Contact) -> "ContactOut":
        """Show a contact."""
        shown = {name: getattr(contact, name) for name in cls.model_fields}
        return cls.model_validate({**shown, "custom_attributes": json.loads(contact.custom_attributes)})


class NoteAuthor(Response):
    """Who wrote it."""

    type: Literal["user", "api_key"]
    id: str
    name: str | None


class ContactNoteOut(Response):
    """A note about a contact."""

    id: str = Field(examples=["note_01JB3D2N6T8V4W5X7Y9Z0A1B2C"])
    contact_id: str
    content: str
    author: NoteAuthor
    created_at: Timestamp

    @classmethod
    def of(cls, note: Note) -> "ContactNoteOut":
        """Show a note."""
        author = {"type": note.author_type, "id": note.author_id, "name": note.author_name}
        shown = {name: getattr(note, name) for name in ("id", "contact_id", "content", "created_at")}
        return cls.model_validate({**shown, "author": author})


class CustomAttributeOut(Response):
    """What a tenant says about one of its custom attributes."""

    id: str = Field(examples=["attr_01JB3D2N6T8V4W5X7Y9Z0A1B2C"])
    key: str
    label: str
    type: AttributeType
    options: list[str]
    required: bool
    created_at: Timestamp
    updated_at: Timestamp

    @classmethod
    def of(cls, attribute: Attribute) -> "CustomAttributeOut":
        """Show a definition."""
        return cls.model_validate({name: getattr(attribute, name) for name in cls.model_fields})
