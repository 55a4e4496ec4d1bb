"""What requests about webhook endpoints may say."""

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from chalicelib.core.errors import InvalidError
from chalicelib.core.http import PageQuery, Request
from chalicelib.core.http.schema import OMITTED, Moment
from chalicelib.webhooks.models import DeliveryStatus, Status
from chalicelib.webhooks.targets import read_target


def _known(pattern: str) -> str:
    from chalicelib.webhooks.catalogue import matches_any  # noqa: PLC0415 - a cold start elsewhere must not pay for it

    if not matches_any(pattern):
        message = f"There is no event type {pattern}. GET /v1/events/schemas lists them."
        raise PydanticCustomError("unknown_event_type", "{message}", {"message": message})
    return pattern


def _distinct(events: list[str]) -> list[str]:
    return list(dict.fromkeys(events))


def _target(url: str) -> str:
    try:
        read_target(url)
    except InvalidError as exc:
        raise PydanticCustomError(exc.errors[0].code, "{message}", {"message": exc.errors[0].message}) from None
    return url


Url = Annotated[str, AfterValidator(_target)]
Pattern = Annotated[str, StringConstraints(max_length=60), AfterValidator(_known)]
Patterns = Annotated[
    list[Pattern],
    Field(min_length=1, max_length=50, description="`conversation.closed`, `conversation.*`, or `*` for everything."),
    AfterValidator(_distinct),
]
Description = Annotated[str, StringConstraints(max_length=500)]


class CreateWebhook(Request):
    """Where to send what."""

    url: Url = Field(description="https:// and a public host.", examples=["https://hooks.example.com/parley"])
    events: Patterns = Field(examples=[["conversation.*", "message.created"]])
    description: Description | None = None


class UpdateWebhook(Request):
    """What to change."""

    url: Url = Field(default=OMITTED, examples=["https://hooks.example.com/parley"])
    events: Patterns = Field(default=OMITTED, examples=[["conversation.*"]])
    description: Description | None = None
    status: Status = Field(default=OMITTED, description="Enabling a disabled endpoint forgets its failures.")


class ReplayRange(Request):
    """Which events to send again."""

    since: Moment
    until: Moment


class DeliveryQuery(Request):
    """Which attempts."""

    before: int | None = Field(
        default=None, ge=2, le=9999, description="Attempts with a lower number than this one, which is the log's first."
    )


class ListDeliveries(PageQuery):
    """Which deliveries."""

    status: DeliveryStatus | None = None
