"""What the routes of tenants, members, invitations and keys take and show."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, StringConstraints

from chalicelib.core import clock
from chalicelib.core.http import Request, Response
from chalicelib.core.http.schema import Email, Moment, Name, Timestamp
from chalicelib.events.models import Event
from chalicelib.tenants.models import (
    SCOPES,
    ApiKey,
    CreatedTenant,
    Invitation,
    IssuedKey,
    Language,
    Member,
    Mode,
    MyTenant,
    Status,
    Tenant,
)

RETENTION = "Days after which closed conversations are deleted with their messages and files; null: never."
MAX_RETENTION_DAYS = 3650
RoleName = Literal["owner", "admin", "agent", "viewer"]
Slug = Annotated[str, StringConstraints(min_length=2, max_length=48, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]


def _known(scope: str) -> str:
    if scope not in SCOPES:
        raise ValueError("there is no such scope; see the API reference for the list")
    return scope


Scope = Annotated[str, AfterValidator(_known), Field(json_schema_extra={"enum": list(SCOPES)})]
Scopes = Annotated[list[Scope], Field(min_length=1, max_length=len(SCOPES))]


class CreateTenant(Request):
    """A new organisation."""

    name: Name
    slug: Slug | None = Field(default=None, description="Made from the name when not given.")
    language: Language = Field(default="en", description="The language of mails sent in the tenant's name.")
    domain: str | None = Field(
        default=None, min_length=1, max_length=260, description="The first site that may embed the widget."
    )


class UpdateTenant(Request):
    """A tenant's settings; what is absent stays."""

    # Factories, because a field that may be absent but not null has no default to document.
    name: Name = Field(default_factory=str)
    slug: Slug = Field(default_factory=str)
    language: Language = Field(default_factory=lambda: "en")
    retention_days: int | None = Field(default=None, ge=1, le=MAX_RETENTION_DAYS, description=RETENTION)


class EraseTenant(Request):
    """A word that nobody says by mistake."""

    confirm: str = Field(max_length=100, description="The tenant's slug.", examples=["example-gmbh"])


class InviteMember(Request):
    """Whom to invite, and as what."""

    email: Email
    role: RoleName
    name: Name | None = None


class ChangeRole(Request):
    """A member's new role."""

    role: RoleName


class CreateApiKey(Request):
    """A new API key."""

    name: Name = "API key"
    scopes: Scopes | None = Field(default=None, description="All that the caller has, when not given.")
    mode: Mode = Field(default="live", description="What a `test` key reads and writes never mixes with live data.")
    expires_at: Moment | None = Field(
        default=None, description="When not given: never, or when the key that makes it ends itself."
    )
    author_name: Name | None = Field(
        default=None,
        description="Whom visitors see as the author of what the key writes; the tenant's name, when not given.",
        examples=["Acme support"],
    )


class UpdateApiKey(Request):
    """What may change about a key; what is absent stays."""

    name: Name = Field(default_factory=str)
    author_name: Name = Field(default_factory=str)
    scopes: Scopes = Field(default_factory=list)
    expires_at: Moment | None = Field(default=None, description="Null: never.")


class RotateApiKey(Request):
    """How long the secret before this one goes on working."""

    expire_previous_in: int = Field(default=0, ge=0, le=86_400, description="Seconds; 0 ends it at once.")


class TenantOut(Response):
    """A tenant."""

    id: str
    name: str
    slug: str
    language: Language
    retention_days: int | None = Field(description=RETENTION)
    status: Status = Field(description="Unless it is `active`, every credential of the tenant is refused.")
    created_at: Timestamp
    updated_at: Timestamp

    @classmethod
    def of(cls, tenant: Tenant) -> "TenantOut":
        """Show a tenant."""
        return cls(**_shown(tenant))


class CreatedTenantOut(TenantOut):
    """A new tenant with the widget it starts with."""

    default_widget: dict[str, Any] | None

    @classmethod
    def of(cls, created: CreatedTenant) -> "CreatedTenantOut":  # type: ignore[override]
        """Show a new tenant."""
        return cls(**_shown(created.tenant), default_widget=created.default_widget)


class MyTenantOut(TenantOut):
    """One of the caller's tenants."""

    role: RoleName = Field(description="The caller's.")

    @classmethod
    def of(cls, mine: MyTenant) -> "MyTenantOut":  # type: ignore[override]
        """Show a tenant with the caller's role."""
        return cls(**_shown(mine.tenant), role=mine.role.label)  # type: ignore[arg-type]


def _shown(tenant: Tenant) -> dict[str, Any]:
    return {name: getattr(tenant, name) for name in TenantOut.model_fields}


class MemberOut(Response):
    """A member, or somebody who has been invited."""

    id: str = Field(description="The user's id, or the invitation's: what DELETE takes.")
    user_id: str | None = Field(description="Null until the invitation is accepted.")
    email: str
    name: str | None
    role: RoleName
    status: Literal["active", "invited"]
    created_at: Timestamp = Field(description="When they joined, or were invited.")

    @classmethod
    def of(cls, one: Member | Invitation) -> "MemberOut":
        """Show a member or an invitation."""
        joined = isinstance(one, Member)
        return cls(
            id=one.id,
            user_id=one.user_id if isinstance(one, Member) else None,
            email=one.email,
            name=one.name,
            role=one.role.label,  # type: ignore[arg-type]
            status="active" if joined else "invited",
            created_at=one.joined_at if isinstance(one, Member) else one.created_at,  # type: ignore[arg-type]
        )


class InvitationOut(Response):
    """An invitation that has not been accepted."""

    id: str
    email: str
    name: str | None
    role: RoleName
    status: Literal["pending", "expired"]
    invited_by: str = Field(description="The id of the user or API key.")
    created_at: Timestamp
    expires_at: Timestamp

    @classmethod
    def of(cls, one: Invitation) -> "InvitationOut":
        """Show an invitation."""
        return cls(
            id=one.id,
            email=one.email,
            name=one.name,
            role=one.role.label,  # type: ignore[arg-type]
            status="pending" if one.expires_at > clock.now_ms() else "expired",
            invited_by=one.invited_by,
            created_at=one.created_at,  # type: ignore[arg-type]
            expires_at=one.expires_at,  # type: ignore[arg-type]
        )


class ApiKeyOut(Response):
    """An API key, without its secret."""

    id: str
    name: str
    mode: Mode
    scopes: list[str]
    hint: str = Field(description="The secret's last four characters.")
    author_name: str | None = Field(description="Whom visitors see as the author of what the key writes.")
    created_by: dict[str, str]
    created_at: Timestamp
    updated_at: Timestamp
    expires_at: Timestamp | None
    last_used_at: Timestamp | None = Field(description="Exact to five minutes.")
    previous_secret_until: Timestamp | None = Field(description="Until when the secret before the last rotation works.")

    @classmethod
    def of(cls, key: ApiKey) -> "ApiKeyOut":
        """Show a key."""
        return cls(**_shown_key(key))


class IssuedKeyOut(ApiKeyOut):
    """A key with its secret, which is shown this once."""

    shown_once: ClassVar[frozenset[str]] = frozenset({"secret"})
    secret: str | None = Field(description="Send it as `Authorization: Bearer …`. Null when this answer is a replay.")

    @classmethod
    def of(cls, issued: IssuedKey) -> "IssuedKeyOut":  # type: ignore[override]
        """Show a key and its secret."""
        return cls(**_shown_key(issued.key), secret=issued.secret)


def _shown_key(key: ApiKey) -> dict[str, Any]:
    overlapping = key.previous_until is not None and key.previous_until > clock.now_ms()
    own = {name: getattr(key, name) for name in ApiKeyOut.model_fields if hasattr(key, name)}
    return own | {
        "scopes": sorted(key.scopes),
        "previous_secret_until": key.previous_until if overlapping else None,
    }


class AuditEntryOut(Response):
    """One administrative change."""

    id: str
    action: str = Field(description="`member.removed`, `api_key.created`, …")
    actor: dict[str, str] = Field(description="Who did it: `type` (user, api_key, system) and `id`.")
    at: Timestamp
    target: dict[str, str] = Field(description="What was changed: `type` and `id`.")
    changes: dict[str, Any] = Field(description="New values of what changed; the whole object when it is new or gone.")
    previous: dict[str, Any] = Field(description="Old values of what changed.")

    @classmethod
    def of(cls, event: Event) -> "AuditEntryOut":
        """Show an event of a tenant as an entry of its audit log."""
        return cls(
            id=event.id,
            action=event.type,
            actor=event.actor,
            at=event.at,  # type: ignore[arg-type]
            target={"type": event.type.partition(".")[0], "id": str(event.data.get("id", ""))},
            changes={name: event.data.get(name) for name in event.previous} if event.previous else event.data,
            previous=event.previous,
        )
