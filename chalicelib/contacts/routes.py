"""`/v1/contacts`, their notes, and `/v1/custom-attributes`."""

from chalicelib.contacts import attributes, listing, merging, notes, service, upserts
from chalicelib.contacts.models import (
    Attribute,
    AttributeExistsError,
    Contact,
    ContactMergedError,
    EmailTakenError,
    ExternalIdTakenError,
    MergedTooLargeError,
    NameOrEmailRequiredError,
    Note,
    TooManyAttributesError,
    TooManyMergedError,
)
from chalicelib.contacts.schemas import (
    ContactNoteOut,
    ContactOut,
    CreateAttribute,
    CustomAttributeOut,
    ExportContacts,
    ImportContacts,
    ListContacts,
    MergeContact,
    UpdateAttribute,
    WriteContact,
    WriteNote,
)
from chalicelib.core.http import Api, Call, Page, PageQuery, Role
from chalicelib.core.http.access import require_scopes
from chalicelib.jobs.models import Job, JobOut

api = Api("Contacts")
attributes_api = Api("Custom attributes")

_WRITING = {"role": Role.AGENT, "scope": "contacts:write"}
_TAKEN = (EmailTakenError, ExternalIdTakenError, NameOrEmailRequiredError)


@api.get("/v1/contacts", scope="contacts:read", query=ListContacts, answer=ContactOut, paged=True)
def list_contacts(call: Call, query: ListContacts) -> Page[Contact]:
    """List contacts, newest first, or search them.

    `search` finds the beginnings of words, without regard to case and accents: `jurg acme` finds Jürgen at acme.com.
    A phone number is found by its beginning, with or without the country's code. A page of a search may be short
    although there are more (`has_more`), when many contacts have the one word and few have them all.
    """
    return listing.list_contacts(call.tenant_id, query)


@api.post("/v1/contacts", body=WriteContact, answer=ContactOut, status=201, errors=_TAKEN, **_WRITING)
def create_contact(call: Call, body: WriteContact) -> Contact:
    """Create a contact. A name or an e-mail address is needed; e-mail address and `external_id` are unique."""
    return service.create_contact(call.tenant_id, body.given(), call.principal.actor)


@api.put("/v1/contacts", body=WriteContact, answer=ContactOut, also={201: ContactOut}, errors=_TAKEN, **_WRITING)
def upsert_contact(call: Call, body: WriteContact) -> Contact:
    """Create or change a contact.

    It is the one with this `external_id`, else the one with this e-mail address, else a new one (201).
    Fields that are not given stay as they are, so several systems can each keep their own up to date.
    """
    contact, call.made = upserts.upsert_contact(call.tenant_id, body.given(), call.principal.actor)
    return contact


@api.post(
    "/v1/contacts/import",
    role=Role.ADMIN,
    scope="contacts:write",
    body=ImportContacts,
    answer=JobOut,
    status=202,
)
def import_contacts(call: Call, body: ImportContacts) -> Job:
    """Import contacts from a CSV file that was uploaded before, in a job.

    A row changes the contact that has its `external_id`, else the one with its e-mail address, else it makes a new one.
    Empty cells change nothing. Rows that are refused are listed, by line and column, in a file of their own: the job's
    `download_url`. The job's `result` counts `created`, `updated`, `unchanged`, `skipped` and `refused` rows.
    """
    require_scopes(call.principal, "files:read")
    from chalicelib.contacts import importing  # noqa: PLC0415 - few calls need it

    return importing.start_import(call.tenant_id, body, call.principal.actor)


@api.post("/v1/contacts/export", role=Role.ADMIN, scope="contacts:read", body=ExportContacts, answer=JobOut, status=202)
def export_contacts(call: Call, body: ExportContacts) -> Job:
    """Export contacts to a CSV file, in a job, whose `download_url` then has it. It is kept for a day."""
    from chalicelib.contacts import exporting  # noqa: PLC0415 - few calls need it

    return exporting.start_export(call.tenant_id, body.given(), call.principal.actor)


@api.get("/v1/contacts/{contact_id}", scope="contacts:read", answer=ContactOut)
def retrieve_contact(call: Call, contact_id: str) -> Contact:
    """Retrieve a contact. The id of one that was merged answers the contact it was merged into, with that one's id."""
    return service.get_contact(call.tenant_id, contact_id)


@api.patch(
    "/v1/contacts/{contact_id}",
    body=WriteContact,
    answer=ContactOut,
    errors=(*_TAKEN, ContactMergedError),
    **_WRITING,
)
def update_contact(call: Call, body: WriteContact, contact_id: str) -> Contact:
    """Change a contact."""
    return service.update_contact(call.tenant_id, contact_id, body.given(), call.principal.actor, call.if_match)


@api.delete("/v1/contacts/{contact_id}", errors=(ContactMergedError,), **_WRITING)
def delete_contact(call: Call, contact_id: str) -> None:
    """Delete a contact with its notes. Its conversations stay, without a contact."""
    service.delete_contact(call.tenant_id, contact_id, call.principal.actor, call.if_match)


@api.post("/v1/contacts/{contact_id}/block", answer=ContactOut, errors=(ContactMergedError,), **_WRITING)
def block_contact(call: Call, contact_id: str) -> Contact:
    """Block a contact. Blocking a blocked one is no error."""
    return service.block_contact(call.tenant_id, contact_id, call.principal.actor, call.if_match, blocked=True)


@api.post("/v1/contacts/{contact_id}/unblock", answer=ContactOut, errors=(ContactMergedError,), **_WRITING)
def unblock_contact(call: Call, contact_id: str) -> Contact:
    """Unblock a contact. Unblocking one that is not blocked is no error."""
    return service.block_contact(call.tenant_id, contact_id, call.principal.actor, call.if_match, blocked=False)


@api.post(
    "/v1/contacts/{contact_id}/merge",
    body=MergeContact,
    answer=JobOut,
    status=202,
    errors=(ContactMergedError, TooManyMergedError, MergedTooLargeError),
    **_WRITING,
)
def merge_contact(call: Call, body: MergeContact, contact_id: str) -> Job:
    """Merge a contact into another one, which keeps its own values and takes over what it lacks.

    At once: the contact is gone from lists, its id answers the other one, and its e-mail addresses and external ids
    find the other one. Notes and conversations follow in a job; `GET /v1/jobs/{job_id}` tells how far it is. Merging
    again answers the same job. `blocked` and `is_primary` stay as they are on the one that stays.
    """
    return merging.merge_contact(call.tenant_id, contact_id, body.into, call.principal.actor, call.if_match)


@api.get("/v1/contacts/{contact_id}/notes", scope="contacts:read", query=PageQuery, answer=ContactNoteOut, paged=True)
def list_contact_notes(call: Call, query: PageQuery, contact_id: str) -> Page[Note]:
    """List the notes about a contact, newest first."""
    return notes.list_notes(call.tenant_id, contact_id, query)


@api.post(
    "/v1/contacts/{contact_id}/notes",
    body=WriteNote,
    answer=ContactNoteOut,
    status=201,
    errors=(ContactMergedError,),
    **_WRITING,
)
def create_contact_note(call: Call, body: WriteNote, contact_id: str) -> Note:
    """Note something about a contact, for agents only."""
    return notes.add_note(call.tenant_id, contact_id, body.content, call.principal)


@api.delete("/v1/contacts/{contact_id}/notes/{note_id}", errors=(ContactMergedError,), **_WRITING)
def delete_contact_note(call: Call, contact_id: str, note_id: str) -> None:
    """Delete a note."""
    notes.delete_note(call.tenant_id, contact_id, note_id, call.principal)


@attributes_api.get(
    "/v1/custom-attributes", scope="contacts:read", query=PageQuery, answer=CustomAttributeOut, paged=True
)
def list_custom_attributes(call: Call, query: PageQuery) -> Page[Attribute]:
    """List the definitions of contacts' custom attributes, newest first."""
    return attributes.list_attributes(call.tenant_id, query)


@attributes_api.post(
    "/v1/custom-attributes",
    role=Role.ADMIN,
    scope="contacts:write",
    body=CreateAttribute,
    answer=CustomAttributeOut,
    status=201,
    errors=(AttributeExistsError, TooManyAttributesError),
)
def create_custom_attribute(call: Call, body: CreateAttribute) -> Attribute:
    """Define a custom attribute. Values that contacts have already stay, and are checked when they are next changed."""
    return attributes.create_attribute(call.tenant_id, call.principal.actor, **body.given())


@attributes_api.get("/v1/custom-attributes/{attribute_id}", scope="contacts:read", answer=CustomAttributeOut)
def retrieve_custom_attribute(call: Call, attribute_id: str) -> Attribute:
    """Retrieve a definition."""
    return attributes.get_attribute(call.tenant_id, attribute_id)


@attributes_api.patch(
    "/v1/custom-attributes/{attribute_id}",
    role=Role.ADMIN,
    scope="contacts:write",
    body=UpdateAttribute,
    answer=CustomAttributeOut,
)
def update_custom_attribute(call: Call, body: UpdateAttribute, attribute_id: str) -> Attribute:
    """Change a definition. Its key and type stay."""
    return attributes.update_attribute(call.tenant_id, call.principal.actor, attribute_id, body.given(), call.if_match)


@attributes_api.delete("/v1/custom-attributes/{attribute_id}", role=Role.ADMIN, scope="contacts:write")
def delete_custom_attribute(call: Call, attribute_id: str) -> None:
    """Delete a definition. Contacts keep their values, which are then no longer checked."""
    attributes.delete_attribute(call.tenant_id, call.principal.actor, attribute_id, call.if_match)
