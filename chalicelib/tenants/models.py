"""Tenants, the people who belong to them, and the keys that act for them; and what can be refused."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from chalicelib.core.errors import ApiError, ConflictError, ForbiddenError, NotFoundError
from chalicelib.core.frozen import frozen
from chalicelib.core.http import Principal, Role

Language = Literal["en", "de"]
Mode = Literal["live", "test"]
Status = Literal["active", "suspended", "erasing"]

EXPORT_JOB = "tenant.export"
MAX_MEMBERS = 500  # of one tenant, those invited included
MAX_KEYS = 100  # of one tenant
MAX_MEMBERSHIPS = 100  # of one person: the authorizer's context lists them, and API Gateway bounds its size

RESOURCES = (
    *("conversations", "messages", "visitors", "contacts", "widgets", "domains", "canned_responses", "tags", "teams"),
    *("files", "tickets", "companies", "funnels", "statistics", "webhooks", "events", "jobs", "billing"),
    *("tenants", "members", "api_keys"),  # `members` covers invitations and the audit log, which names members
)
SCOPES = tuple(f"{resource}:{verb}" for resource in RESOURCES for verb in ("read", "write"))


@frozen
class Limits:
    """What a tenant's plan allows. None: any number, as far as the plan goes."""

    seats: int | None = None  # members, those invited included
    conversations: int | None = None  # a month
    storage: int | None = None  # bytes
    webhooks: int | None = None
    request_share: int = 100  # percent of what this installation allows a tenant's users and keys in a minute


@frozen
class Tenant:
    """An organisation. Times are milliseconds since the epoch."""

    id: str
    name: str
    slug: str
    language: Language
    created_at: int
    updated_at: int
    version: int = 1
    owners: int = 1
    members: int = 1  # those invited included
    keys: int = 0
    pos: int = 0  # of its last event; every change below it is conditioned on this
    limits: Limits = Limits()
    status: Status = "active"  # no credential works unless it is
    retention_days: int | None = None  # how long closed conversations are kept; None: for ever
    export_job_id: str | None = None  # of the newest export


@frozen
class Person:
    """What the authorizer knows about a user: who it is, and where they belong."""

    user_id: str
    email: str
    name: str | None
    memberships: Mapping[str, Role] = field(default_factory=dict)  # by tenant
    suspended: frozenset[str] = frozenset()  # those of these tenants that are not active


@frozen
class Member:
    """A person's membership in a tenant."""

    user_id: str
    email: str
    name: str | None
    role: Role
    joined_at: int
    version: int = 1

    @property
    def id(self) -> str:
        """What names the member in a path."""
        return self.user_id


@frozen
class Invitation:
    """An invitation by mail. `sent` counts how often it was: only the newest link works."""

    id: str
    tenant_id: str
    email: str
    name: str | None
    role: Role
    invited_by: str
    created_at: int
    expires_at: int
    sent: int = 1
    outcome: Literal["pending", "accepted", "revoked"] = "pending"


@frozen
class OpenInvitation:
    """A pending invitation that its link has proved, with the tenant it leads into as it was read."""

    invitation: Invitation
    tenant: Tenant

    @property
    def email(self) -> str:
        """The address that was invited: who accepts it has that address."""
        return self.invitation.email


@frozen
class ApiKey:
    """A credential of a program. Only hashes of its secrets are known."""

    id: str
    tenant_id: str
    name: str
    mode: Mode
    scopes: frozenset[str]
    hash: bytes
    created_by: dict[str, str]  # who made it, as events name actors
    created_at: int
    updated_at: int
    hint: str  # the secret's last four characters, to tell keys apart
    author_name: str | None = None  # whom visitors see as the author of its messages
    expires_at: int | None = None
    last_used_at: int | None = None
    previous_hash: bytes | None = None
    previous_until: int | None = None  # until when the secret before the last rotation works
    version: int = 1


@frozen
class IssuedKey:
    """A key together with its secret, which exists only in the answer that creates or rotates it."""

    key: ApiKey
    secret: str

    @property
    def version(self) -> int:
        """The key's version, for its ETag."""
        return self.key.version


@frozen
class CreatedTenant:
    """A new tenant and the widget it starts with."""

    tenant: Tenant
    default_widget: dict[str, Any] | None

    @property
    def version(self) -> int:
        """The tenant's version, for its ETag."""
        return self.tenant.version


@frozen
class MyTenant:
    """A tenant as one of its members sees it."""

    tenant: Tenant
    role: Role


LARGER = "An owner can take a larger plan: POST /v1/billing/checkout."


class PlanLimitError(ApiError):
    """Reading, exporting and paying always work."""

    code = "plan_limit_reached"
    status = 402
    default_message = f"Your plan does not allow more. {LARGER}"


class AlreadyMemberError(ConflictError):
    code = "already_member"
    default_message = "This person is a member of the tenant already."


class AlreadyInvitedError(ConflictError):
    code = "already_invited"
    default_message = "This address is invited already. Resend or revoke that invitation."


class LastOwnerError(ConflictError):
    code = "last_owner"
    default_message = "A tenant needs an owner. Make another member an owner first."


class MemberLimitError(ConflictError):
    code = "member_limit_reached"
    default_message = f"A tenant has at most {MAX_MEMBERS} members, those invited included."


class KeyLimitError(ConflictError):
    code = "key_limit_reached"
    default_message = f"A tenant has at most {MAX_KEYS} API keys. Delete one that is not used."


class MembershipLimitError(ConflictError):
    code = "membership_limit_reached"
    default_message = f"A person belongs to at most {MAX_MEMBERSHIPS} tenants."


class OwnersOnlyError(ForbiddenError):
    code = "owners_only"
    default_message = "Only an owner may make, change or remove owners."


class ScopeNotHeldError(ForbiddenError):
    code = "scope_not_held"
    default_message = "An API key may only give, change or rotate what it could do itself."


class OutlivesCallerError(ForbiddenError):
    code = "outlives_caller"
    default_message = "An API key may only give, change or rotate what ends no later than its own secret does."


def require_lasting(caller: Principal) -> None:
    """Raise OutlivesCallerError for an API key that ends: who is let in by it would stay for good."""
    if caller.kind == "api_key" and caller.expires_at is not None:
        raise OutlivesCallerError("A key that ends can't let anybody in: they would stay.")


class InvitationNotFoundError(NotFoundError):
    code = "invitation_not_found"
    default_message = "This invitation does not exist, was revoked, or a newer link has been sent."


class InvitationAcceptedError(ConflictError):
    code = "invitation_already_accepted"
    default_message = "This invitation has been accepted already. Sign in."


class InvitationExpiredError(ConflictError):
    code = "invitation_expired"
    default_message = "This invitation has expired. Ask for a new one."
