"""The visitors' tokens: tied to a visitor and a site, and good for resuming long after they expired."""

from collections.abc import Callable
from enum import IntEnum

from chalicelib.auth import jwts
from chalicelib.core.frozen import frozen

LIFE_S = 86_400
RESUME_S = 180 * 86_400
USE = "visitor"  # the claim `token_use`


@frozen
class VisitorClaims:
    """What a visitor's token says."""

    tenant_space: str  # the tenant, or its test data
    visitor_id: str
    widget_id: str
    origin: str
    name: str = ""  # as agents see him: the author of his messages
    contact_id: str = ""  # whom he has proven to be


class Admission(IntEnum):
    """Whether a visitor's token opens anything."""

    REFUSED = 0
    SUSPENDED = 1  # it would, if the tenant were active
    ADMITTED = 2


_checks: list[Callable[[VisitorClaims], Admission]] = []


def admit_with(check: Callable[[VisitorClaims], Admission]) -> None:
    """Add a check that a token's site must still pass, at most one read. Bound in app.py: sites are a slice above."""
    _checks.append(check)


def admission(claims: VisitorClaims) -> Admission:
    """Tell whether the site that a token was made for is still the tenant's, and its widget still there."""
    return min((check(claims) for check in _checks), default=Admission.ADMITTED)


def issue(
    tenant_space: str, visitor_id: str, widget_id: str, origin: str, *, name: str | None = None, contact_id: str = ""
) -> str:
    """Return a token that lets one visitor's browser talk from one site for 24 hours."""
    claims = {"token_use": USE, "sub": visitor_id, "tenant": tenant_space, "widget": widget_id, "origin": origin}
    known = {claim: value for claim, value in (("name", name), ("contact", contact_id)) if value}
    return jwts.sign(claims | known, LIFE_S)


def from_claims(claims: jwts.Claims) -> VisitorClaims:
    """Return what the claims of a token for `USE` say."""
    known = claims.get("name", ""), claims.get("contact", "")
    return VisitorClaims(claims["tenant"], claims["sub"], claims["widget"], claims["origin"], *known)


def read_for_resume(token: str) -> VisitorClaims | None:
    """Return what a token says that is valid or expired at most 180 days ago, or None."""
    claims = jwts.read(token, USE, expired_for_s=RESUME_S)
    return from_claims(claims) if claims else None
