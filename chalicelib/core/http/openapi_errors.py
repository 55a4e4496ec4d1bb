"""Which errors a route may answer, and the catalogue of every error code there is."""

import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from chalicelib.core import errors, regions
from chalicelib.core.errors import ApiError
from chalicelib.core.http import access
from chalicelib.core.http.principal import Role
from chalicelib.core.http.route import Route


@dataclass(frozen=True, order=True)
class Problem:
    """One error code as the API documents it."""

    status: int
    code: str
    message: str
    note: str = ""  # why, or how it relates to others; may be empty


# API Gateway answers these itself, in the same envelope; a test compares them with what is deployed.
GATEWAY_PROBLEMS = (
    Problem(400, "bad_request", "The request is malformed.", "API Gateway could not read it."),
    Problem(400, "malformed_parameters", "A parameter is malformed."),
    Problem(404, "route_not_found", "There is nothing at this path and method."),
    Problem(429, "quota_exceeded", "The quota is used up."),
    Problem(504, "timeout", "The answer took too long. Whether the request had an effect is open."),
)


def problem_of(error: type[ApiError]) -> Problem:
    """Describe an error class: its default message, and its own docstring if it has one."""
    own = error.__dict__.get("__doc__")
    return Problem(error.status, error.code, error.default_message, inspect.cleandoc(own) if own else "")


def catalogue() -> list[Problem]:
    """Return every code once, by status and code: those of all classes imported by now, and the gateway's own."""
    found = {error.code: problem_of(error) for error in _reachable(ApiError)}
    found |= {problem.code: problem for problem in GATEWAY_PROBLEMS if problem.code not in found}
    return sorted(found.values())


def problems_of(route: Route) -> dict[int, list[Problem]]:
    """Return what a route may answer besides success, by status."""
    found = {problem_of(error) for error in (*route.errors, *_always(route), *_of_input(route), *_of_access(route))}
    statuses = sorted({problem.status for problem in found} - set(route.also))
    return {status: sorted(problem for problem in found if problem.status == status) for status in statuses}


def _reachable(error: type[ApiError]) -> Iterator[type[ApiError]]:
    # Deepest first: where a subclass keeps its parent's code, the parent describes it.
    for subclass in error.__subclasses__():
        if subclass.__module__.startswith("chalicelib."):  # a test's own are no part of the API
            yield from _reachable(subclass)
    yield error


def _always(route: Route) -> Iterable[type[ApiError]]:
    yield errors.RateLimitedError
    yield errors.UnavailableError
    if route.method != "GET":
        yield errors.ContentionError


def _of_input(route: Route) -> Iterable[type[ApiError]]:
    if route.body is not None or route.upload:
        yield errors.MalformedRequestError
        yield errors.UnsupportedMediaTypeError
        yield errors.TooLargeError
    if route.upload or route.body is not None or route.query is not None or route.idempotent_post:
        yield errors.InvalidError
    if "{" in route.path:
        yield errors.NotFoundError
    if route.reads_if_match or route.refuses_if_match:
        yield errors.PreconditionFailedError


def _of_access(route: Route) -> Iterable[type[ApiError]]:
    if route.public:
        return
    yield errors.UnauthenticatedError
    yield regions.WrongRegionError
    yield access.WrongCredentialError
    if route.tenant and not route.while_suspended:
        yield access.TenantSuspendedError
    if "user" in route.kinds and route.tenant:
        yield errors.NotFoundError
        if "{tenant_id}" not in route.path:
            yield errors.TenantRequiredError
            yield access.NoTenantError
        if route.role > Role.VIEWER:
            yield access.InsufficientRoleError
    if "api_key" in route.kinds:
        yield errors.ForbiddenError
        yield access.InsufficientScopeError
        if "{tenant_id}" in route.path:
            yield errors.NotFoundError
        if route.scope and route.live_only and route.method != "GET":
            yield access.TestModeError
    if "visitor" in route.kinds:
        yield access.OriginNotAllowedError
