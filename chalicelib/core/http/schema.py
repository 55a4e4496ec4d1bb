"""Base models of what comes in and what goes out, and the field types that many of them share."""

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from chalicelib.core import clock
from chalicelib.core.addresses import MAX_LENGTH, UnusableAddressError, normalised


class Request(BaseModel):
    """A request's body or query: an unknown field is an error, text is trimmed."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, frozen=True, defer_build=True)

    def given(self) -> dict[str, Any]:
        """Return the fields the caller sent, for a PATCH: an absent one is not a null one."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class Response(BaseModel):
    """A resource as callers see it; a subclass has `of(entity)` unless the service already returns the model."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    versioned: ClassVar[bool] = True  # False: no ETag, because what moves the version is not the caller's business

    @classmethod
    def of(cls, entity: Any) -> "Response":  # noqa: ANN401 - each subclass narrows it
        """Return the model of what the service returned."""
        if not isinstance(entity, cls):
            raise TypeError(f"{cls.__name__}.of must be told how to show a {type(entity).__name__}")
        return entity


# The default of a PATCH field that may be left out but not be null.
OMITTED: Any = None


def _timestamp(value: object) -> object:
    return clock.rfc3339(value) if isinstance(value, int) else value


# Milliseconds since the epoch inside, RFC 3339 on the wire.
Timestamp = Annotated[str, BeforeValidator(_timestamp), Field(json_schema_extra={"format": "date-time"})]


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("give a time with its zone, as in 2025-10-12T14:32:00Z")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("give a time between the years 1 and 9999 in UTC") from None


Moment = Annotated[datetime, AfterValidator(_aware)]
# One line: a name stands in mails and lists, where a second one could pose as something else's.
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$")]


def _address(address: str) -> str:
    try:
        return normalised(address)
    except UnusableAddressError as exc:
        raise PydanticCustomError("invalid_email", "{why}", {"why": str(exc)}) from None


# What passes is what `mail.models.check_address` passes: a mail that can't be sent would hold up those behind it.
Email = Annotated[
    str,
    StringConstraints(max_length=MAX_LENGTH),
    AfterValidator(_address),
    Field(json_schema_extra={"format": "email"}),
]
