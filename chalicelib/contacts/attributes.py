"""Custom attributes: what a tenant says about them, and whether a contact's values are what it says."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from chalicelib.contacts import attribute_store as store
from chalicelib.contacts.models import (
    MAX_ATTRIBUTES_BYTES,
    Attribute,
    AttributeExistsError,
    AttributeNotFoundError,
    AttributeType,
    TooManyAttributesError,
)
from chalicelib.contacts.schemas import CustomAttributeOut
from chalicelib.core import clock, ids
from chalicelib.core.errors import FieldError, InvalidError, PreconditionFailedError
from chalicelib.core.http import Page, PageQuery
from chalicelib.core.http.pages import page_of
from chalicelib.core.table import ConditionFailedError, StaleError, retrying
from chalicelib.tenants import service as tenants

MAX_TEXT = 1000

Actor = Mapping[str, str]


def list_definitions(tenant_id: str) -> list[Attribute]:
    """Return all definitions. One query."""
    return store.list_all(tenant_id)


def checked(definitions: Sequence[Attribute], before: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Return the attributes after `wanted` is put into them, as they are stored.

    Raises InvalidError for every value that its definition does not allow, and for one that is required and missing.
    """
    after = {name: value for name, value in {**before, **wanted}.items() if value is not None}
    errors = [error for each in definitions if (error := _error(each, after, wanted))]
    if errors:
        raise InvalidError(errors[0].message, param=errors[0].param, errors=errors)
    text = json.dumps(after, ensure_ascii=False, separators=(",", ":"))
    if len(text.encode()) > MAX_ATTRIBUTES_BYTES:
        raise InvalidError.field("custom_attributes", f"At most {MAX_ATTRIBUTES_BYTES} bytes as JSON.", "too_long")
    return text


def get_attribute(tenant_id: str, attribute_id: str) -> Attribute:
    """Return a definition; raises AttributeNotFoundError."""
    found = store.find(tenant_id, attribute_id) if ids.is_id("attr", attribute_id) else None
    if found is None:
        raise AttributeNotFoundError
    return found


def list_attributes(tenant_id: str, query: PageQuery) -> Page[Attribute]:
    """List the definitions, newest first. There are at most 100."""
    return page_of(
        store.list_all(tenant_id), query, tenant_id, "attributes", lambda each: f"{each.created_at:013d}#{each.id}"
    )


def create_attribute(
    tenant_id: str,
    actor: Actor,
    *,
    key: str,
    label: str,
    type: AttributeType,  # noqa: A002 - as the API calls it
    options: Sequence[str] | None = None,
    required: bool = False,
) -> Attribute:
    """Define an attribute. Raises AttributeExistsError and TooManyAttributesError."""
    if (type == "list") != bool(options):
        raise InvalidError.field("options", "A list has options, and no other type has.")
    now, chosen = clock.now_ms(), tuple(dict.fromkeys(options or ()))
    new = Attribute(tenant_id, store.id_of(tenant_id, key), key, label, type, chosen, required, now, now)

    def attempt() -> Attribute:
        creation, room = store.creating(new), store.taking_room(tenant_id)
        record = tenants.recording(tenant_id, dict(actor), "custom_attribute.created", _shown(new))
        try:
            tenants.commit(tenant_id, [creation, room, *record], result=new)
        except ConditionFailedError as exc:
            raise (AttributeExistsError(param="key") if creation in exc.failed else TooManyAttributesError) from None
        return new

    return retrying(attempt)


def update_attribute(
    tenant_id: str, actor: Actor, attribute_id: str, changes: Mapping[str, Any], expected_version: int | None = None
) -> Attribute:
    """Change label, options or whether it is required. Values that are there stay."""

    def attempt() -> Attribute:
        before = _expected(tenant_id, attribute_id, expected_version)
        wanted = dict(changes)
        if "options" in wanted:
            if before.type != "list":
                raise InvalidError.field("options", "Only a list has options.")
            wanted["options"] = tuple(dict.fromkeys(wanted["options"]))
        after = replace(before, **wanted)
        if after == before:
            return before
        after = replace(after, version=before.version + 1, updated_at=clock.now_ms())
        old, new = _shown(before), _shown(after)
        previous = {name: old[name] for name in wanted if old[name] != new[name]}
        record = tenants.recording(tenant_id, dict(actor), "custom_attribute.updated", new, previous)
        try:
            tenants.commit(tenant_id, [store.changing(before, after), *record], result=after)
        except ConditionFailedError:
            raise StaleError from None
        return after

    return retrying(attempt)


def delete_attribute(tenant_id: str, actor: Actor, attribute_id: str, expected_version: int | None = None) -> None:
    """Forget a definition; contacts keep their values, which are then free."""

    def attempt() -> None:
        before = _expected(tenant_id, attribute_id, expected_version)
        record = tenants.recording(tenant_id, dict(actor), "custom_attribute.deleted", _shown(before))
        try:
            tenants.commit(tenant_id, [*store.deleting(before), *record])
        except ConditionFailedError:
            raise StaleError from None

    retrying(attempt)


def _expected(tenant_id: str, attribute_id: str, expected_version: int | None) -> Attribute:
    found = get_attribute(tenant_id, attribute_id)
    if expected_version not in {None, found.version}:
        raise PreconditionFailedError
    return found


def _error(attribute: Attribute, after: Mapping[str, Any], wanted: Mapping[str, Any]) -> FieldError | None:
    param = f"custom_attributes.{attribute.key}"
    if attribute.key not in after:
        return FieldError(param, "required", f"{attribute.key} is required.") if attribute.required else None
    if attribute.key not in wanted or _fits(attribute, after[attribute.key]):
        return None
    needed = f"one of {', '.join(attribute.options)}" if attribute.type == "list" else _NEEDED[attribute.type]
    return FieldError(param, "wrong_type", f"{attribute.key} must be {needed}.")


_NEEDED = {
    "text": f"a text of at most {MAX_TEXT} characters",
    "number": "a number",
    "boolean": "true or false",
    "date": "a date such as 2026-01-31",
}


def _fits(attribute: Attribute, value: object) -> bool:
    if attribute.type == "boolean":
        return isinstance(value, bool)
    if attribute.type == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if not isinstance(value, str):
        return False
    if attribute.type == "date":
        return _is_date(value)
    return value in attribute.options if attribute.type == "list" else len(value) <= MAX_TEXT


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text  # not 20260131, which it would take as well
    except ValueError:
        return False


def _shown(attribute: Attribute) -> dict[str, Any]:
    return CustomAttributeOut.of(attribute).model_dump(mode="json")
