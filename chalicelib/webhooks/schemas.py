"""Webhook endpoints and deliveries as the API shows them."""

import json
from typing import Any, ClassVar

from pydantic import Field

from chalicelib.core import clock
from chalicelib.core.http import Response
from chalicelib.core.http.schema import Timestamp
from chalicelib.webhooks.models import Delivery, DeliveryStatus, Endpoint, IssuedEndpoint, Reason, Status, Traced


class WebhookOut(Response):
    """A webhook endpoint."""

    id: str
    url: str
    events: list[str]
    description: str | None
    status: Status
    disabled_reason: Reason | None = Field(
        description="`by_user`; `gone`: the endpoint answered 410; `failing`: nothing arrived for five days."
    )
    disabled_at: Timestamp | None
    api_version: str = Field(description="The payload's version, fixed when the endpoint was made.")
    previous_secret_until: Timestamp | None = Field(description="Until when the secret before the rotation signs too.")
    created_at: Timestamp
    updated_at: Timestamp

    @classmethod
    def of(cls, endpoint: Endpoint) -> "WebhookOut":
        """Show an endpoint."""
        return cls(**_shown(endpoint))


class IssuedWebhookOut(WebhookOut):
    """An endpoint with its secret, which is shown this once."""

    shown_once: ClassVar[frozenset[str]] = frozenset({"secret"})
    secret: str | None = Field(
        description="Check signatures with it. Null when this answer is a replay: rotate it then.",
        examples=["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDi4Vx0CgFxGo="],
    )

    @classmethod
    def of(cls, issued: IssuedEndpoint) -> "IssuedWebhookOut":  # type: ignore[override]
        """Show an endpoint and its secret."""
        return cls(**_shown(issued.endpoint), secret=issued.endpoint.secret)


def _shown(endpoint: Endpoint) -> dict[str, Any]:
    own = {name: getattr(endpoint, name) for name in WebhookOut.model_fields if hasattr(endpoint, name)}
    previous = endpoint.previous_until if len(endpoint.secrets_at(clock.now_ms())) > 1 else None
    return own | {"events": list(endpoint.events), "previous_secret_until": previous}


class FailingWebhookOut(WebhookOut):
    """An endpoint that nothing has arrived at for a while."""

    failing_since: Timestamp


class EventTypeOut(Response):
    """A type of event."""

    versioned: ClassVar[bool] = False

    type: str = Field(examples=["conversation.closed"])
    description: str
    url: str = Field(description="Where its JSON Schema is.")


class CatalogueOut(Response):
    """Every type of event that there is."""

    versioned: ClassVar[bool] = False

    data: list[EventTypeOut]


class AttemptOut(Response):
    """One try of a delivery."""

    number: int
    at: Timestamp
    status: int | None = Field(description="The HTTP status; null when no answer came.")
    duration_ms: int
    error: str | None = Field(description="Why no answer came.", examples=["Connection refused"])
    body: str = Field(description="The beginning of the answer, up to 64 kB.", examples=["ok"])


class DeliveryOut(Response):
    """One event for one endpoint."""

    versioned: ClassVar[bool] = False

    id: str
    event_id: str = Field(description="Also the `webhook-id` header, on every attempt.")
    type: str
    status: DeliveryStatus
    attempts: int
    last_status: int | None
    last_error: str | None
    next_attempt_at: Timestamp | None
    created_at: Timestamp

    @classmethod
    def of(cls, delivery: Delivery) -> "DeliveryOut":
        """Show a delivery."""
        own = {name: getattr(delivery, name) for name in cls.model_fields if name != "next_attempt_at"}
        return cls(**own, next_attempt_at=delivery.due_at if delivery.status == "pending" else None)  # type: ignore[arg-type]


class TracedOut(DeliveryOut):
    """A delivery with what was sent and what came back."""

    payload: dict[str, Any] = Field(description="The body, as it is sent.")
    log: list[AttemptOut] = Field(description="The newest 20 attempts, or those `before` one, oldest first.")
    has_more: bool = Field(description="Whether older attempts were made; ask for them `before` the log's first.")

    @classmethod
    def of(cls, traced: Traced) -> "TracedOut":  # type: ignore[override]
        """Show a delivery with its attempts."""
        shown = DeliveryOut.of(traced.delivery).model_dump()
        attempts = [AttemptOut.model_validate(vars(each)) for each in traced.attempts]
        return cls(
            **shown,
            payload=json.loads(traced.delivery.body),
            log=attempts,
            has_more=bool(attempts) and attempts[0].number > 1,
        )
