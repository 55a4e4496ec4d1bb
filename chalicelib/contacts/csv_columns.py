"""Which column of a CSV file is which field of a contact, and what a row of it says."""

from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.contacts.csv_text import read_cell
from chalicelib.contacts.models import Attribute, AttributeType
from chalicelib.contacts.schemas import WriteContact
from chalicelib.core import strictjson
from chalicelib.core.errors import FieldError, InvalidError, MalformedRequestError
from chalicelib.core.frozen import frozen
from chalicelib.core.http.call import parse

MAX_COLUMNS = 200
ATTRIBUTES = "custom_attributes"
FIELDS = ("name", "email", "phone", "company_id", "title", "role", "is_primary", "notes", "external_id", ATTRIBUTES)
# Columns of our own export that say what nobody can set.
READ_ONLY = (
    "id",
    "number",
    "company",
    "other_emails",
    "other_external_ids",
    "blocked",
    "created_by",
    "created_at",
    "updated_at",
)
_FINDS = {"name", "email", "external_id"}
_TRUE, _FALSE = {"true", "yes", "1"}, {"false", "no", "0"}


@frozen
class Column:
    """A column that is read."""

    place: int
    header: str
    field: str  # of FIELDS, or `custom_attributes.<key>`


def columns_of(headers: Sequence[str], wanted: Mapping[str, str | None] | None) -> list[Column]:
    """Return the columns that are read: those that `wanted` gives a field, else all, by their headers.

    Raises InvalidError for every header that is missing, not known or there twice.
    """
    named = [read_cell(header).strip() for header in headers]
    if len(named) > MAX_COLUMNS:
        raise InvalidError.field("file_id", f"At most {MAX_COLUMNS} columns.", "too_many_columns")
    found = _wanted(named, wanted) if wanted is not None else _by_header(named)
    fields = [column.field for column in found]
    if twice := sorted({field for field in fields if fields.count(field) > 1}):
        raise _errors("duplicate_column", {field: f"More than one column is {field}." for field in twice})
    if not _FINDS & set(fields):
        raise InvalidError.field("columns", "One column must be name, email or external_id.", "required")
    return found


def given_of(
    cells: Sequence[str], width: int, columns: Sequence[Column], definitions: Sequence[Attribute]
) -> dict[str, Any]:
    """Return the fields that a row gives, of a file with `width` columns; an empty cell gives none.

    Raises InvalidError for every bad field.
    """
    if any(cell.strip() for cell in cells[width:]):
        raise InvalidError.field("", "This row has more cells than there are columns.", "too_many_cells")
    types = {each.key: each.type for each in definitions}
    told: dict[str, Any] = {}
    errors: list[FieldError] = []
    for column in columns:
        text = read_cell(cells[column.place]).strip() if column.place < len(cells) else ""
        if text:
            try:
                _tell(told, column, text, types)
            except InvalidError as refusal:
                errors += refusal.errors
    try:
        given = parse(WriteContact, told).given()
    except InvalidError as refusal:
        raise InvalidError(errors=[*errors, *refusal.errors]) from None
    if errors:
        raise InvalidError(errors=errors)
    return given


def _tell(told: dict[str, Any], column: Column, text: str, types: Mapping[str, AttributeType]) -> None:
    """Put what a cell says where it belongs."""
    if "\x00" in text:
        raise InvalidError.field(column.field, "This cell has characters that cannot be stored.", "invalid_text")
    if column.field == ATTRIBUTES:
        told[ATTRIBUTES] = {**_object(text, column), **told.get(ATTRIBUTES, {})}  # a column of its own goes first
    elif column.field.startswith(f"{ATTRIBUTES}."):
        key = column.field.partition(".")[2]
        told[ATTRIBUTES] = {**told.get(ATTRIBUTES, {}), key: _typed(text, types.get(key))}
    else:
        told[column.field] = _boolean(text) if column.field == "is_primary" else text


def header_of(param: str, columns: Sequence[Column]) -> str:
    """Return the header of the column that a bad field came from, or the field itself."""
    by_field = {column.field: column.header for column in columns}
    return by_field.get(param) or by_field.get(param.partition(".")[0], param)


def _wanted(headers: Sequence[str], wanted: Mapping[str, str | None]) -> list[Column]:
    missing = {header: "There is no such column." for header in wanted if header.strip() not in headers}
    if missing:
        raise _errors("unknown_column", missing)
    bad = {header: f"There is no field {field}." for header, field in wanted.items() if field and not _is_field(field)}
    if bad:
        raise _errors("unknown_field", bad)
    chosen = {header.strip(): field for header, field in wanted.items() if field}
    return [Column(place, header, chosen[header]) for place, header in enumerate(headers) if header in chosen]


def _by_header(headers: Sequence[str]) -> list[Column]:
    found, unknown = [], {}
    for place, header in enumerate(headers):
        field = header if header.startswith(f"{ATTRIBUTES}.") else _folded(header)
        if _is_field(field):
            found.append(Column(place, header, field))
        elif field not in READ_ONLY and header:
            unknown[header] = "No field has this name. Say in `columns` which one it is; null leaves it out."
    if unknown:
        raise _errors("unknown_column", unknown)
    return found


def _folded(header: str) -> str:
    name = header.casefold().replace(" ", "_").replace("-", "_")
    return "email" if name == "e_mail" else name


def _is_field(name: str) -> bool:
    return name in FIELDS or (name.startswith(f"{ATTRIBUTES}.") and 0 < len(name.partition(".")[2]) <= 100)


def _errors(code: str, messages: Mapping[str, str]) -> InvalidError:
    errors = [FieldError(f"columns.{header[:100]}", code, message) for header, message in messages.items()]
    return InvalidError(errors[0].message, param=errors[0].param, errors=errors)


def _object(text: str, column: Column) -> dict[str, Any]:
    found = _json(text)
    if not isinstance(found, dict):
        raise InvalidError.field(column.field, 'This must be a JSON object, as in {"plan": "pro"}.', "json_invalid")
    return found


def _typed(text: str, type_: AttributeType | None) -> object:
    """Return a cell as its attribute's definition wants it; as text where that is not possible, to be refused."""
    if type_ == "boolean":
        return _boolean(text)
    if type_ == "number":
        number = _json(text)
        return number if isinstance(number, int | float) else text
    return text


def _json(text: str) -> object:
    try:
        return strictjson.loads(text.encode())
    except (MalformedRequestError, InvalidError):
        return None


def _boolean(text: str) -> object:
    folded = text.casefold()
    return True if folded in _TRUE else False if folded in _FALSE else text
