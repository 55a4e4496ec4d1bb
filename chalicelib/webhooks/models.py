"""A webhook endpoint, a delivery and its attempts."""

from typing import Literal

from chalicelib.core import keyring
from chalicelib.core.errors import ConflictError, NotFoundError
from chalicelib.core.frozen import frozen
from chalicelib.webhooks import signing

MAX_ENDPOINTS = 50  # a tenant; the list is read whole with each batch of events
PREVIOUS_SECRET_MS = 86_400_000
API_VERSION = "2026-11-21"  # of the payload; see docs/api-changelog.md

Status = Literal["enabled", "disabled"]
Reason = Literal["by_user", "gone", "failing"]
DeliveryStatus = Literal["pending", "delivered", "exhausted", "canceled"]


class WebhookNotFoundError(NotFoundError):
    """No such endpoint in this tenant."""


class DeliveryNotFoundError(NotFoundError):
    """No such delivery of this endpoint, or one older than 30 days."""


class TooManyWebhooksError(ConflictError):
    code = "too_many_webhooks"
    default_message = f"A tenant has at most {MAX_ENDPOINTS} webhook endpoints. Delete one that is no longer used."


class WebhookDisabledError(ConflictError):
    code = "webhook_disabled"
    default_message = "This endpoint is disabled. Enable it first: PATCH it with status enabled."


@frozen
class Endpoint:
    """Where a tenant wants to be told. Times are milliseconds since the epoch."""

    tenant_id: str
    id: str
    url: str
    events: tuple[str, ...]  # types, `family.*`, or `*`
    description: str | None
    created_at: int
    updated_at: int
    salt: str  # of the secret, which is not stored: it is derived
    previous_salt: str | None = None
    previous_until: int | None = None
    status: Status = "enabled"
    disabled_reason: Reason | None = None
    disabled_at: int | None = None
    api_version: str = API_VERSION
    version: int = 1

    @property
    def secret(self) -> str:
        """What deliveries are signed with."""
        return _secret(self, self.salt)

    def secrets_at(self, now: int) -> list[str]:
        """Return the secrets to sign with: the one before a rotation too, for a day."""
        found = [self.secret]
        if self.previous_salt is not None and (self.previous_until or 0) > now:
            found.append(_secret(self, self.previous_salt))
        return found

    def wants(self, type_: str) -> bool:
        """Tell whether events of a type are to be sent there."""
        family = type_.partition(".")[0]
        return any(pattern in {"*", f"{family}.*", type_} for pattern in self.events)


def _secret(endpoint: Endpoint, salt: str) -> str:
    return signing.secret_of(keyring.keyed_hash("webhook-secret", endpoint.tenant_id, endpoint.id, salt))


@frozen
class IssuedEndpoint:
    """An endpoint whose secret is shown this once."""

    endpoint: Endpoint

    @property
    def version(self) -> int:
        """What the ETag shows."""
        return self.endpoint.version


@frozen
class Attempt:
    """One try of a delivery."""

    number: int
    at: int  # milliseconds
    status: int | None  # HTTP's; None: no answer came
    duration_ms: int
    error: str | None
    body: str  # the beginning of the answer, as text of at most 64 kB


@frozen
class Delivery:
    """One event for one endpoint."""

    tenant_id: str
    endpoint_id: str
    ulid: str  # of the event
    type: str
    body: str  # what is sent, byte for byte the same each time
    created_at: int
    status: DeliveryStatus = "pending"
    attempts: int = 0  # all there were
    tries: int = 0  # since it was begun or replayed: what the schedule goes by
    due_at: int | None = None
    lease: int = 0  # until when somebody is at it
    last_status: int | None = None
    last_error: str | None = None

    @property
    def id(self) -> str:
        """The id in the API."""
        return f"dlv_{self.ulid}"

    @property
    def event_id(self) -> str:
        """The `webhook-id` header: the same on each attempt, and on each replay."""
        return f"evt_{self.ulid}"


@frozen
class Traced:
    """A delivery with its newest attempts, or with older ones."""

    delivery: Delivery
    attempts: list[Attempt]
