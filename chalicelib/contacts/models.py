"""A contact, a note about one, and a custom attribute's definition: as they are inside, and what can be wrong."""

from typing import Literal

from chalicelib.contacts.words import words_of
from chalicelib.core.errors import ConflictError, InvalidError, NotFoundError
from chalicelib.core.frozen import frozen

IMPORT_JOB = "contact.import"
EXPORT_JOB = "contact.export"
MAX_ATTRIBUTES_BYTES = 8192
MAX_MERGED_NOTES_BYTES = 50_000  # as JSON, of a contact that has taken over others'
MAX_MERGED_ATTRIBUTES_BYTES = 2 * MAX_ATTRIBUTES_BYTES
MAX_DEFINITIONS = 100
MAX_OTHERS = 10  # e-mail addresses, and external ids, that a contact has taken over from merged ones

AttributeType = Literal["text", "number", "boolean", "date", "list"]


class ContactNotFoundError(NotFoundError):
    """No such contact in this tenant."""


class NoteNotFoundError(NotFoundError):
    """No such note about this contact."""


class AttributeNotFoundError(NotFoundError):
    """No such custom attribute in this tenant."""


class NameOrEmailRequiredError(InvalidError):
    code = "name_or_email_required"
    default_message = "A contact needs a name or an e-mail address."


class EmailTakenError(ConflictError):
    """The message names the contact that has it. Change that one, merge the two, or use PUT /v1/contacts."""

    code = "email_taken"
    default_message = "Another contact has this e-mail address."


class ExternalIdTakenError(ConflictError):
    """The message names the contact that has it. Change that one, merge the two, or use PUT /v1/contacts."""

    code = "external_id_taken"
    default_message = "Another contact has this external_id."


class ContactMergedError(ConflictError):
    """Reading such a contact answers the one that it was merged into; changes must name that one."""

    code = "contact_merged"
    default_message = "This contact was merged into another one."


class TooManyMergedError(ConflictError):
    code = "too_many_merged"
    default_message = f"A contact takes over at most {MAX_OTHERS} e-mail addresses and external ids from others."


class MergedTooLargeError(ConflictError):
    """Merging again and again must not make what no row, event or answer can hold."""

    code = "merged_too_large"
    default_message = "The two have more notes or custom attributes than one contact can have. Shorten one's first."


class AttributeExistsError(ConflictError):
    code = "attribute_exists"
    default_message = "There is a custom attribute with this key."


class TooManyAttributesError(ConflictError):
    code = "too_many_attributes"
    default_message = f"A tenant has at most {MAX_DEFINITIONS} custom attributes."


@frozen
class Contact:
    """Somebody a tenant knows. `tenant_id` is the tenant's space in the table; times are milliseconds."""

    tenant_id: str
    id: str
    number: int
    created_at: int
    updated_at: int
    created_by: str | None = None
    name: str | None = None
    email: str | None = None
    phone: str | None = None  # E.164
    company_id: str | None = None
    company_name: str | None = None  # for the words; follows the company's own
    title: str | None = None
    role: str | None = None
    is_primary: bool = False
    notes: str | None = None
    external_id: str | None = None
    custom_attributes: str = "{}"  # JSON text
    other_emails: tuple[str, ...] = ()  # of contacts merged into this one
    other_external_ids: tuple[str, ...] = ()
    blocked: bool = False
    note_count: int = 0
    found_by: tuple[str, ...] = ()  # the words it stands under; `words` are those it should
    pos: int = 1

    @property
    def state(self) -> tuple[bool, str | None]:
        """What its conversations have from it: whether it is blocked, and its company."""
        return self.blocked, self.company_id

    @property
    def version(self) -> int:
        """What the ETag shows: every change has an event, so the newest event's position."""
        return self.pos

    @property
    def emails(self) -> tuple[str, ...]:
        """All its addresses, the one that is shown first."""
        return (*([self.email] if self.email else []), *self.other_emails)

    @property
    def external_ids(self) -> tuple[str, ...]:
        """All its external ids, the one that is shown first."""
        return (*([self.external_id] if self.external_id else []), *self.other_external_ids)

    @property
    def words(self) -> tuple[str, ...]:
        """What it should be found by."""
        return words_of(self.name, self.emails, self.phone, self.company_name)


@frozen
class Merged:
    """What is left of a contact that was merged into another one."""

    id: str
    into: str
    job_id: str
    found_by: tuple[str, ...] = ()  # until the job has taken it away from them


@frozen
class Note:
    """A note about a contact, for agents only."""

    tenant_id: str
    contact_id: str
    id: str
    content: str
    author_type: str
    author_id: str
    author_name: str | None
    created_at: int


@frozen
class Attribute:
    """What a tenant says about one of its custom attributes."""

    tenant_id: str
    id: str
    key: str
    label: str
    type: AttributeType
    options: tuple[str, ...]
    required: bool
    created_at: int
    updated_at: int
    version: int = 1
