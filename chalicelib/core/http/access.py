"""May this caller use this route, and for which tenant? 401, 403 and 404 are decided here and nowhere else."""

from collections.abc import Mapping

from chalicelib.core import clock, regions
from chalicelib.core.errors import ForbiddenError, NotFoundError, TenantRequiredError, UnauthenticatedError
from chalicelib.core.http.call import Call
from chalicelib.core.http.principal import Principal
from chalicelib.core.http.route import Route
from chalicelib.core.table import TEST_SUFFIX


class WrongCredentialError(ForbiddenError):
    code = "wrong_credential"
    default_message = "This route takes another kind of credential."


class InsufficientRoleError(ForbiddenError):
    code = "insufficient_role"
    default_message = "Your role in this tenant does not allow that."


class InsufficientScopeError(ForbiddenError):
    code = "insufficient_scope"
    default_message = "This API key lacks the scope that is needed."


class TestModeError(ForbiddenError):
    code = "test_mode"
    default_message = "A test-mode key cannot change the tenant itself. Use a live key."


class OriginNotAllowedError(ForbiddenError):
    code = "origin_not_allowed"
    default_message = "This site is not among the tenant's domains. Add it with POST /v1/domains."


class TenantSuspendedError(ForbiddenError):
    code = "tenant_suspended"
    default_message = "This tenant is suspended, or being erased. Ask whoever runs this service."


def recognise_origin(call: Call, caller: Principal) -> None:
    """Let the site that a visitor's token was made for read the answer, also a refusal."""
    if caller.kind == "visitor" and call.origin and call.origin == caller.origin:
        call.allowed_origin = call.origin


def admit(route: Route, call: Call, caller: Principal, path: Mapping[str, str]) -> None:
    """Set the call's caller and tenant, or raise what the caller should see."""
    if caller.expires_at is not None and caller.expires_at <= clock.now_ms():
        raise UnauthenticatedError  # the authorizer's cache may hold it for another minute
    call.caller = caller
    if caller.kind not in route.kinds:
        raise WrongCredentialError
    if caller.kind == "visitor":
        _admit_visitor(call, caller)
    elif caller.kind == "api_key":
        _admit_key(route, call, caller, path)
    elif route.tenant:
        _admit_user(route, call, caller, path)
    if call.live_tenant_id in caller.suspended and not route.while_suspended:
        raise TenantSuspendedError


def require_scopes(caller: Principal, *scopes: str) -> None:
    """Raise InsufficientScopeError unless the caller, if it is a key, has these scopes besides the route's own."""
    for scope in scopes:
        if caller.kind == "api_key" and scope not in caller.scopes:
            raise InsufficientScopeError(f"This key lacks the scope {scope}.")


def _admit_visitor(call: Call, caller: Principal) -> None:
    if call.allowed_origin is None:
        raise OriginNotAllowedError
    call.tenant_id = caller.tenant_space


def _admit_key(route: Route, call: Call, caller: Principal, path: Mapping[str, str]) -> None:
    own = next(iter(caller.memberships))
    if (call.headers.get("x-tenant-id") or own) != own:
        raise ForbiddenError("This key belongs to another tenant than X-Tenant-ID names.", param="X-Tenant-ID")
    if path.get("tenant_id", own) != own:
        raise NotFoundError
    if route.scope is None:
        raise InsufficientScopeError("API keys cannot do this; a signed-in user can.")
    if route.scope not in caller.scopes:
        raise InsufficientScopeError(f"This key lacks the scope {route.scope}.")
    if caller.test_mode and route.live_only and route.method != "GET":
        raise TestModeError
    call.tenant_id = own + TEST_SUFFIX if caller.test_mode and not route.live_only else own


def _admit_user(route: Route, call: Call, caller: Principal, path: Mapping[str, str]) -> None:
    wanted = path.get("tenant_id") or call.headers.get("x-tenant-id")
    if not wanted:  # an empty header names nothing
        if len(caller.memberships) != 1:
            raise TenantRequiredError if caller.memberships else NoTenantError
        wanted = next(iter(caller.memberships))
    role = caller.memberships.get(wanted)
    if role is None:
        regions.require_home(wanted)
        raise NotFoundError
    if role < route.role:
        raise InsufficientRoleError(f"This needs the role {route.role.label} or above; yours is {role.label}.")
    call.tenant_id = wanted


class NoTenantError(ForbiddenError):
    code = "no_tenant"
    default_message = "You belong to no tenant yet. Create one with POST /v1/tenants."
