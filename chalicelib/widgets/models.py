"""A widget and an allowed domain: as they are inside, and as the API shows them."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints

from chalicelib.core import clock, tokens
from chalicelib.core.errors import ConflictError, NotFoundError
from chalicelib.core.frozen import frozen
from chalicelib.core.http import Request, Response
from chalicelib.core.http.schema import Name, Timestamp
from chalicelib.core.ids import from_bytes, to_bytes
from chalicelib.core.table import TEST_SUFFIX

Position = Literal["left", "right"]
Language = Literal["en", "de"]

MAX_WIDGETS = 100  # a tenant; a list is read whole, so its rows must fit into one query
MAX_DOMAINS = 100  # a tenant


class WidgetNotFoundError(NotFoundError):
    """No such widget in this tenant, or nobody's client token; the answer is that of any missing object."""


class DomainNotFoundError(NotFoundError):
    """No such domain in this tenant."""


class TooManyWidgetsError(ConflictError):
    code = "too_many_widgets"
    default_message = f"A tenant has at most {MAX_WIDGETS} widgets. Delete one that is no longer used."


class TooManyDomainsError(ConflictError):
    code = "too_many_domains"
    default_message = (
        f"A tenant has at most {MAX_DOMAINS} domains. Remove one, or use a wildcard such as *.example.com."
    )


class DomainExistsError(ConflictError):
    code = "domain_exists"
    default_message = "This domain is already allowed."


@frozen
class Wording:
    """The texts a widget shows where its tenant has not set any."""

    title: str
    greeting: str
    offline_message: str


WORDINGS: dict[Language, Wording] = {
    "en": Wording(
        "Chat with us", "Hello! How can we help?", "We are away at the moment. Leave a message and we will answer it."
    ),
    "de": Wording(
        "Chatten Sie mit uns",
        "Hallo! Wie können wir helfen?",
        "Wir sind gerade nicht da. Hinterlassen Sie eine Nachricht, wir antworten darauf.",
    ),
}


@frozen
class Widget:
    """One widget. `tenant_id` is the tenant's space in the table, so that of its test data for a test-mode widget."""

    tenant_id: str
    id: str
    client_token: str
    name: str
    created_at: int  # milliseconds
    updated_at: int
    title: str | None = None  # None: the language's wording, here and below
    greeting: str | None = None
    offline_message: str | None = None
    color: str = "#2563eb"
    position: Position = "right"
    language: Language = "en"
    logo_url: str | None = None
    identity_required: bool = False
    identity_generation: int = 0  # of the identity secret, which is derived from it; 0: there is none
    identity_rotated_at: int | None = None  # milliseconds, as below
    identity_previous_until: int | None = None  # until when the secret of the generation before is good, too
    version: int = 1


@frozen
class Domain:
    """A host, or one-label wildcard, whose pages may embed the tenant's widgets."""

    tenant_id: str
    id: str
    domain: str  # as `hosts.normalised` returns it
    created_at: int  # milliseconds


@frozen
class IssuedSecret:
    """A widget with its newest identity secret."""

    widget: Widget
    secret: str


@frozen
class Site:
    """A widget on a page that may embed it."""

    tenant_space: str
    widget: Widget


_TOKEN_PREFIX = "parley_wt_"  # noqa: S105 - public, and only a prefix
_TOKEN_PARTS = (1, 16, 16, 6)  # live or test, tenant, widget, and something to guess


def new_client_token(tenant_space: str, widget_id: str, random: bytes) -> str:
    """Return the public token that finds a widget without a look-up row; `random` is 6 bytes."""
    test = tenant_space.endswith(TEST_SUFFIX)
    tenant = to_bytes(tenant_space.removesuffix(TEST_SUFFIX))
    return tokens.pack(_TOKEN_PREFIX, bytes([test]), tenant, to_bytes(widget_id), random)


def read_client_token(token: str) -> tuple[str, str] | None:
    """Return the tenant's space and the widget's id that a token names; None for a typo, found without a read."""
    parts = tokens.unpack(_TOKEN_PREFIX, token, *_TOKEN_PARTS)
    if parts is None or parts[0] not in {b"\0", b"\1"}:
        return None
    return from_bytes("tn", parts[1]) + (TEST_SUFFIX if parts[0] == b"\1" else ""), from_bytes("wgt", parts[2])


Title = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Color = Annotated[
    str,
    StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$", to_lower=True),
    Field(description="`#rrggbb`", examples=["#2563eb"]),
]
LogoUrl = Annotated[
    str,
    # It ends up in an attribute of a foreign page: https only, and nothing that could close the attribute.
    StringConstraints(max_length=1000, pattern=r"^https://[A-Za-z0-9][A-Za-z0-9.:-]*(/[!#-&(-;=?-\[\]_a-z~]*)?$"),
    Field(json_schema_extra={"format": "uri"}),
]


class _WidgetSettings(Request):
    """What may be set when a widget is made and changed later.

    The fields that cannot be null have a default factory: it is never used, because only given fields are read, and
    unlike a default it does not show in the OpenAPI document as if a PATCH would reset the field.
    """

    title: Title | None = Field(default=None, description="Null: the language's own wording.")
    greeting: Text | None = Field(default=None, description="Null: the language's own wording.")
    offline_message: Text | None = Field(default=None, description="Null: the language's own wording.")
    color: Color = Field(default_factory=str)
    position: Position = Field(default_factory=lambda: "right")
    language: Language = Field(default_factory=lambda: "en")
    logo_url: LogoUrl | None = None
    identity_required: bool = Field(
        default_factory=bool,
        strict=True,
        description="Only visitors who have proven who they are (`POST /widget/v1/identify`) can open conversations.",
    )


class CreateWidget(_WidgetSettings):
    """A new widget; what is not given gets its default."""

    name: Name = Field(description="What the tenant calls it; visitors never see it.")


class UpdateWidget(_WidgetSettings):
    """What changes; absent fields stay."""

    name: Name = Field(default_factory=str)


class AddDomain(Request):
    """A host such as `www.example.com`, or `*.example.com` for every host one label below it."""

    domain: str = Field(max_length=300, examples=["www.example.com", "*.example.com"])


def _shown(widget: Widget) -> dict[str, Any]:
    """Return what tenant and visitor see alike."""
    wording = WORDINGS[widget.language]
    return {
        "title": widget.title or wording.title,
        "greeting": widget.greeting or wording.greeting,
        "offline_message": widget.offline_message or wording.offline_message,
        "color": widget.color,
        "position": widget.position,
        "language": widget.language,
        "logo_url": widget.logo_url,
    }


class WidgetOut(Response):
    """A widget, as its tenant sees it."""

    id: str
    name: str
    client_token: str = Field(description="Public: it stands in the page that embeds the widget.")
    title: str
    greeting: str
    offline_message: str
    color: str
    position: Position
    language: Language
    logo_url: str | None
    identity_required: bool
    created_at: Timestamp
    updated_at: Timestamp

    @classmethod
    def of(cls, widget: Widget) -> "WidgetOut":
        """Show a widget."""
        return cls(
            id=widget.id,
            name=widget.name,
            client_token=widget.client_token,
            **_shown(widget),
            identity_required=widget.identity_required,
            created_at=widget.created_at,  # type: ignore[arg-type]  # Timestamp renders milliseconds
            updated_at=widget.updated_at,  # type: ignore[arg-type]
        )


class RotateIdentitySecret(Request):
    """How long the secret before stays good."""

    expire_previous_in: int = Field(
        default=86_400, ge=0, le=86_400, description="Seconds; 0 if it may have been seen by somebody."
    )


class IdentitySecretStatusOut(Response):
    """Whether a widget has an identity secret, and since when."""

    versioned: ClassVar[bool] = False

    configured: bool
    rotated_at: Timestamp | None
    previous_valid_until: Timestamp | None

    @classmethod
    def of(cls, widget: Widget) -> "IdentitySecretStatusOut":
        """Show what is known of a widget's secret, but not the secret."""
        return cls.model_validate(_secret_shown(widget))


class IdentitySecretOut(IdentitySecretStatusOut):
    """A widget's new identity secret."""

    shown_once: ClassVar[frozenset[str]] = frozenset({"secret"})

    secret: str | None = Field(description="Keep it on your server. Null when this answer is a replay.")

    @classmethod
    def of(cls, issued: IssuedSecret) -> "IdentitySecretOut":  # type: ignore[override]  # shows what rotating returns
        """Show a new secret."""
        return cls.model_validate({**_secret_shown(issued.widget), "secret": issued.secret})


def _secret_shown(widget: Widget) -> dict[str, Any]:
    until = widget.identity_previous_until
    return {
        "configured": widget.identity_generation > 0,
        "rotated_at": widget.identity_rotated_at,
        "previous_valid_until": until if until and until > clock.now_ms() else None,
    }


class ConfigurationOut(Response):
    """What a visitor's browser may know about a widget."""

    id: str
    title: str
    greeting: str
    offline_message: str
    color: str
    position: Position
    language: Language
    logo_url: str | None

    @classmethod
    def of(cls, widget: Widget) -> "ConfigurationOut":
        """Show a widget to a visitor."""
        return cls(id=widget.id, **_shown(widget))


class DomainOut(Response):
    """An allowed domain."""

    id: str
    domain: str
    status: Literal["active"]
    created_at: Timestamp

    @classmethod
    def of(cls, domain: Domain) -> "DomainOut":
        """Show a domain."""
        created_at = domain.created_at
        return cls(id=domain.id, domain=domain.domain, status="active", created_at=created_at)  # type: ignore[arg-type]
