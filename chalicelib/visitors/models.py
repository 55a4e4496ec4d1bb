"""A visitor, inside and on the wire."""

import json
import re
from typing import Any, ClassVar

from pydantic import Field

from chalicelib.core import clock, ids, tokens
from chalicelib.core.errors import ConflictError, ForbiddenError, NotFoundError
from chalicelib.core.frozen import frozen
from chalicelib.core.http import Request, Response
from chalicelib.core.http.schema import Timestamp

ONLINE_MS = 300_000
MAX_CONTEXT_BYTES = 8192

# Where somebody is, however it is spelled: dropped at any depth before it is stored. Letters only, in lower case.
_GEOLOCATION_KEY = re.compile(
    "(country|city|region|state|province|county|district|continent)(code|name)?|lat|latitude|lng|lon|long|longitude|"
    "coords|coordinates|accuracy|geo|geoip|geolocation|location|ip|ipaddress|timezone|(postal|zip)(code)?"
)


class VisitorNotFoundError(NotFoundError):
    default_message = NotFoundError.default_message


class BlockedError(ForbiddenError):
    """The visitor, or the contact he is, was blocked. Worded so that it tells him no more than that."""

    code = "blocked"
    default_message = "You can't write here at the moment."


class IdentityRequiredError(ForbiddenError):
    """This widget opens conversations for visitors who have proven who they are, within the last day."""

    code = "identity_required"
    default_message = "Sign in on this site first. Then call POST /widget/v1/identify with an identity_token."


class OtherIdentityError(ConflictError):
    """What was said here before is another person's, so this one needs a session of their own."""

    code = "other_identity"
    default_message = "This visitor is somebody else already. Begin a session without visitor_token, then identify."


@frozen
class Visitor:
    """Somebody on a site. Times are milliseconds since the epoch."""

    tenant_id: str
    id: str
    widget_id: str | None  # None: made for a contact who has not been on a page yet
    name: str | None
    email: str | None
    contact_id: str | None
    verified: bool  # the contact was proven with a signed token, not named by an agent
    context: str  # JSON text, without geolocation
    page_url: str | None
    referrer_url: str | None
    user_agent: str | None
    ip: str | None
    locale: str | None
    first_seen_at: int
    last_seen_at: int
    blocked: bool
    opening_bucket: str | None
    pos: int
    company_id: str | None = None  # the contact's when a conversation was last opened: a guess that saves a read

    @property
    def handle(self) -> str:
        """The public reference other systems call the visitor's token. It is no credential."""
        return tokens.pack("vt_", ids.to_bytes(self.id))

    @property
    def online(self) -> bool:
        """Whether he was seen just now."""
        return self.widget_id is not None and clock.now_ms() - self.last_seen_at < ONLINE_MS


@frozen
class Seen:
    """What a browser tells about itself when it shows up; None leaves what is known."""

    page_url: str | None = None
    referrer_url: str | None = None
    user_agent: str | None = None
    ip: str | None = None
    locale: str | None = None


@frozen
class PageView:
    """A page that a visitor has opened. `number` counts all that he has."""

    url: str
    title: str | None
    referrer_url: str | None
    at: int  # milliseconds
    number: int = 0


class PageViewOut(Response):
    """A page that a visitor has opened."""

    versioned: ClassVar[bool] = False

    url: str = Field(
        description="Without user, fragment, and query but for `utm_…` parameters.",
        examples=["https://www.example.com/prices?utm_source=newsletter"],
    )
    title: str | None = Field(examples=["Prices"])
    referrer_url: str | None = Field(description="Cut as `url` is.", examples=["https://search.example/"])
    viewed_at: Timestamp

    @classmethod
    def of(cls, view: PageView) -> "PageViewOut":
        """Show a view."""
        return cls.model_validate(
            {"url": view.url, "title": view.title, "referrer_url": view.referrer_url, "viewed_at": view.at}
        )


class LinkVisitor(Request):
    """Who the visitor is."""

    contact_id: str | None = Field(max_length=40, description="Null: nobody known.")


class VisitorOut(Response):
    """A visitor, as agents see it."""

    id: str
    name: str | None
    email: str | None
    contact_id: str | None
    verified: bool = Field(description="The site has proven who this is. Otherwise name and e-mail are only claims.")
    token: str = Field(description="A public reference to the visitor; not a credential.")
    context: dict[str, Any]
    page_url: str | None
    referrer_url: str | None
    user_agent: str | None
    ip: str | None
    locale: str | None
    first_seen_at: Timestamp = Field(description="Of a visitor who was made for a contact, when that was.")
    last_seen_at: Timestamp = Field(description="As `first_seen_at` for as long as such a visitor has not come.")
    online: bool = Field(description="Seen within the last five minutes.")
    blocked: bool = Field(description="Blocked himself; a blocked contact's visitors are blocked as well.")

    @classmethod
    def of(cls, visitor: Visitor) -> "VisitorOut":
        """Show a visitor."""
        return cls(
            id=visitor.id,
            name=visitor.name,
            email=visitor.email,
            contact_id=visitor.contact_id,
            verified=visitor.verified,
            token=visitor.handle,
            context=json.loads(visitor.context),
            page_url=visitor.page_url,
            referrer_url=visitor.referrer_url,
            user_agent=visitor.user_agent,
            ip=visitor.ip,
            locale=visitor.locale,
            first_seen_at=visitor.first_seen_at,  # type: ignore[arg-type]  # Timestamp renders milliseconds
            last_seen_at=visitor.last_seen_at,  # type: ignore[arg-type]
            online=visitor.online,
            blocked=visitor.blocked,
        )


def without_geolocation(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return the context without the keys that say where somebody is, at any depth."""
    if isinstance(value, dict):
        return {
            name: without_geolocation(each)
            for name, each in value.items()
            if not _GEOLOCATION_KEY.fullmatch("".join(filter(str.isalpha, name)).lower())
        }
    if isinstance(value, list):
        return [without_geolocation(each) for each in value]
    return value
