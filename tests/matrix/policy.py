"""Who may do what, said once more without the product's code: a rule, its exceptions, and what a refusal looks like.

Reading takes a viewer, writing an agent, and the tenant's own administration an admin. A route whose decorator says
something else is an exception below, or a mistake.
"""

import re
from dataclasses import dataclass
from typing import Literal

ROLES = ("viewer", "agent", "admin", "owner")
NOBODY = "nobody"  # no role is needed: anybody who is signed in, or anybody at all

_ADMINISTRATION = (
    *("/v1/tenants", "/v1/api-keys", "/v1/widgets", "/v1/domains", "/v1/custom-attributes", "/v1/webhooks"),
    "/v1/teams",
)
_UNSEEN = "/v1/webhooks"  # of the administration, what only admins may even read
# What a member chooses for themselves in a tenant: any member, and no key, which is nobody.
MINE = {
    "GET /v1/tenants/{tenant_id}/members/me/notifications",
    "PUT /v1/tenants/{tenant_id}/members/me/notifications",
}
_EXCEPTIONS = {
    "GET /v1/events": "admin",
    "GET /v1/api-keys": "admin",
    "GET /v1/api-keys/{key_id}": "admin",
    "GET /v1/widgets/{widget_id}/identity-secret": "admin",
    "GET /v1/tenants/{tenant_id}/invitations": "admin",
    "GET /v1/tenants/{tenant_id}/audit-log": "admin",
    "DELETE /v1/conversations/{conversation_id}": "admin",
    "DELETE /v1/tenants/{tenant_id}": "owner",
    "POST /v1/tenants/{tenant_id}/export": "owner",
    "POST /v1/contacts/import": "admin",
    "POST /v1/contacts/export": "admin",
    "GET /v1/tenants": NOBODY,
    "POST /v1/tenants": NOBODY,
    **dict.fromkeys(MINE, "viewer"),
}
# What the view refuses, because the decorator cannot know: everybody may leave, only admins may remove somebody else.
IN_THE_VIEW = {"DELETE /v1/tenants/{tenant_id}/members/{member_id}": "admin"}

# Whose message it is may change it, and an admin may delete it too. Those of the requests are the owner's.
BY_AUTHOR = {
    "PATCH /v1/conversations/{conversation_id}/messages/{message_id}": "owner",
    "DELETE /v1/conversations/{conversation_id}/messages/{message_id}": "admin",
}
# A job that reads: a key that may read may begin it.
READS = {"POST /v1/contacts/export"}
# What its body names and is not there is counted in the result of its job, and does not refuse the rest.
COUNTED = {"POST /v1/conversations/bulk"}
# Its request does not say the word that would do it, because the others need the tenant.
UNCONFIRMED = {"DELETE /v1/tenants/{tenant_id}"}

PUBLIC = re.compile(
    r"POST /v1/auth/(register|verify-email|login|refresh|logout|confirm-email|forgot-password|reset-password"
    r"|accept-invite|cognito)"
    r"|GET /auth/[a-z-]+|(GET|POST) /mail/[a-z]+|GET (/\.well-known/.+|/health.*|/docs|/v1/openapi\.json|/v1/regions)"
    r"|GET /v1/events/schemas.*"
    r"|POST /hooks/stripe|POST /widget/v1/sessions|GET /widget/v1/configuration/.+"
)
# A user's own account, in no tenant: each sees and changes nothing but their own.
ACCOUNT = re.compile(r"[A-Z]+ /v1/auth/(me|sessions|change-|totp).*")
CONFIRMED = re.compile(r"[A-Z]+ /v1/auth/(change-|totp).*")  # these ask for the password or a code as well
# About somebody, which a key is not, or about all that there is: the decorator gives no scope.
NO_KEYS = {
    *("GET /v1/tenants", "POST /v1/tenants"),
    *("DELETE /v1/tenants/{tenant_id}", "POST /v1/tenants/{tenant_id}/export"),
}
LIVE_ONLY = re.compile(
    r"[A-Z]+ /v1/(tenants|api-keys|billing)(/.*)?"
)  # the tenant itself, of which there is no test copy

Whose = Literal["own", "foreign", "missing"]


@dataclass(frozen=True)
class Caller:
    """What matters about who asks."""

    kind: Literal["none", "user", "key", "visitor"]
    role: str | None = None  # a user's in the tenant; None: not a member
    may_write: bool = False  # a key's scopes
    test: bool = False  # a key's mode
    own: bool = True  # a visitor's: whether the conversation is theirs; a user's: whether the account is
    right_origin: bool = True  # a visitor's


def is_public(route: str) -> bool:
    """Tell whether a route answers without a credential."""
    return PUBLIC.fullmatch(route) is not None


def is_visitors(route: str) -> bool:
    """Tell whether a route is for visitors only."""
    return "/widget/v1/" in route and not is_public(route)


def is_account(route: str) -> bool:
    """Tell whether a route is about the account of who asks."""
    return not is_public(route) and ACCOUNT.fullmatch(route) is not None


def is_users(route: str) -> bool:
    """Tell whether a route takes nothing but a user's token, by its decorator."""
    return is_account(route) or route in MINE


def is_live_only(route: str) -> bool:
    """Tell whether a test-mode key may not change anything by it."""
    return LIVE_ONLY.fullmatch(route) is not None and route not in MINE


def role_for(route: str) -> str:
    """Return the role that a member needs."""
    if is_account(route):
        return NOBODY
    if route in _EXCEPTIONS:
        return _EXCEPTIONS[route]
    method, _, path = route.partition(" ")
    if path.startswith("/v1/billing"):
        return "admin" if method == "GET" else "owner"
    if method == "GET":
        return "admin" if path.startswith(_UNSEEN) else "viewer"
    return "admin" if path.startswith(_ADMINISTRATION) else "agent"


@dataclass(frozen=True)
class Named:
    """Whose things a request names. A request names a tenant in its path, in X-Tenant-ID, or by its credential."""

    tenant: Whose = "own"
    thing: Whose | None = None  # None: nothing but the tenant
    in_body: bool = False  # whether its body names what is not the tenant's


def expected(route: str, caller: Caller, named: Named) -> int:
    """Return the status that a good request must get; 200 stands for any success."""
    if is_public(route):
        return 404 if named.thing == "missing" else 200
    if caller.kind == "none":
        return 401
    if is_visitors(route):
        return _expected_of_visitor(caller, named)
    if is_account(route):
        return _expected_of_account(route, caller, named)
    return 403 if caller.kind == "visitor" else _expected_of_tenant(route, caller, named)


def _expected_of_tenant(route: str, caller: Caller, named: Named) -> int:
    refused = _refused_key(route, caller, named) if caller.kind == "key" else _refused_user(route, caller, named)
    if refused:
        return refused
    in_test_data = caller.test and not is_live_only(route)
    if named.thing not in {None, "own"} or (named.thing and in_test_data):
        return 404
    if route in IN_THE_VIEW and caller.kind == "user" and not _has_role(caller, IN_THE_VIEW[route]):
        return 403
    if route in BY_AUTHOR and not (caller.kind == "user" and _has_role(caller, BY_AUTHOR[route])):
        return 403
    return 422 if (named.in_body and route not in COUNTED) or route in UNCONFIRMED else 200


def _expected_of_visitor(caller: Caller, named: Named) -> int:
    if caller.kind != "visitor" or not caller.right_origin:
        return 403
    return 404 if named.thing and (named.thing != "own" or not caller.own) else 200


def _expected_of_account(route: str, caller: Caller, named: Named) -> int:
    if caller.kind != "user":
        return 403
    if named.thing and (named.thing != "own" or not caller.own):
        return 404
    if caller.own or not CONFIRMED.fullmatch(route):
        return 200
    # With another's password or code one changes nothing, at one's own account either.
    return 409 if route == "POST /v1/auth/totp/verify" else 403


def _refused_key(route: str, caller: Caller, named: Named) -> int | None:
    method = route.partition(" ")[0]
    if is_users(route):
        return 403
    if named.tenant != "own":
        return 404 if "{tenant_id}" in route else 403  # what X-Tenant-ID claims is a contradiction, not a question
    if route in NO_KEYS:
        return 403
    if method != "GET" and route not in READS and not caller.may_write:
        return 403
    return 403 if caller.test and method != "GET" and is_live_only(route) else None


def _refused_user(route: str, caller: Caller, named: Named) -> int | None:
    if role_for(route) == NOBODY:
        return None
    if caller.role is None or named.tenant != "own":
        return 404
    return None if _has_role(caller, "viewer" if route in IN_THE_VIEW else role_for(route)) else 403


def _has_role(caller: Caller, role: str) -> bool:
    return caller.role is not None and ROLES.index(caller.role) >= ROLES.index(role)
