"""Routes with their permissions and models on the decorator, and the one path every request takes through them."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from chalice.app import Response as ChaliceResponse

from chalicelib.core import regions
from chalicelib.core.errors import ApiError, NotFoundError, PreconditionFailedError, UnauthenticatedError
from chalicelib.core.http import limits
from chalicelib.core.http.access import (
    InsufficientRoleError,
    NoTenantError,
    TenantSuspendedError,
    admit,
    recognise_origin,
)
from chalicelib.core.http.answers import render, render_for_replay, to_gateway, to_gateway_error
from chalicelib.core.http.app import CORS, App, current_event
from chalicelib.core.http.call import Call
from chalicelib.core.http.forms import fingerprint, read_upload
from chalicelib.core.http.principal import Kind, Principal, Role
from chalicelib.core.http.route import Raw, Route
from chalicelib.core.http.schema import Request, Response
from chalicelib.core.idempotency import Answer, Guard
from chalicelib.core.table import USERS, tenant_rows

View = TypeVar("View", bound=Callable[..., Any])

MEMBERS_AND_KEYS: frozenset[Kind] = frozenset({"user", "api_key"})
# What a newer membership could change, or its tenant's being active again.
MEMBERSHIP_ERRORS = (NotFoundError, NoTenantError, InsufficientRoleError, TenantSuspendedError)


class Authenticate(Protocol):
    """Reads a credential anew: what the authorizer does, for routes that must not trust its cache."""

    def __call__(self, token: str) -> Principal: ...


class Api:
    """The routes of one slice, in the order in which they are declared."""

    def __init__(
        self,
        tag: str,
        *,
        kinds: Iterable[Kind] = MEMBERS_AND_KEYS,
        live_only: bool = False,
        fresh: bool = False,
        widget: bool = False,
        before: Callable[[], None] | None = None,
        errors: Iterable[type[ApiError]] = (),
    ) -> None:
        self.tag = tag
        self.routes: list[Route] = []
        self._kinds, self._live_only, self._fresh, self._widget = frozenset(kinds), live_only, fresh, widget
        self._before, self._errors = before, tuple(errors)

    def get(self, path: str, **options: Any) -> Callable[[View], View]:  # noqa: ANN401 - see `route`
        """Declare a read."""
        return self.route("GET", path, **options)

    def post(self, path: str, **options: Any) -> Callable[[View], View]:  # noqa: ANN401 - see `route`
        """Declare a creation (`status=201`) or an action."""
        return self.route("POST", path, **options)

    def put(self, path: str, **options: Any) -> Callable[[View], View]:  # noqa: ANN401 - see `route`
        """Declare a replacement."""
        return self.route("PUT", path, **options)

    def patch(self, path: str, **options: Any) -> Callable[[View], View]:  # noqa: ANN401 - see `route`
        """Declare a change."""
        return self.route("PATCH", path, **options)

    def delete(self, path: str, **options: Any) -> Callable[[View], View]:  # noqa: ANN401 - see `route`
        """Declare a deletion, which answers 204."""
        return self.route("DELETE", path, **{"status": 204, **options})

    def route(  # noqa: PLR0913 - keywords that read as one line of the API
        self,
        method: str,
        path: str,
        *,
        role: Role = Role.VIEWER,
        scope: str | None = None,
        public: bool = False,
        tenant: bool = True,
        live_only: bool | None = None,
        fresh: bool | None = None,
        body: type[Request] | None = None,
        query: type[Request] | None = None,
        answer: type[Response] | None = None,
        paged: bool = False,
        status: int = 200,
        errors: Iterable[type[ApiError]] = (),
        upload: bool = False,
        raw: str | tuple[str, ...] | None = None,
        also: Mapping[int, type[Response] | None] | None = None,
        while_suspended: bool = False,
    ) -> Callable[[View], View]:
        """Declare a route. The view gets `call`; `body`, `query`, `upload` if declared; then the path's variables.

        It returns what one service function returned; `answer.of` shows it, or each row of it when `paged`.
        """

        def declare(view: View) -> View:
            route = Route(
                method=method,
                path=path,
                view=view,
                tag=self.tag,
                kinds=frozenset() if public else self._kinds,
                role=role,
                scope=scope,
                tenant=tenant,
                live_only=self._live_only if live_only is None else live_only,
                fresh=self._fresh if fresh is None else fresh,
                widget=self._widget,
                body=body,
                query=query,
                answer=answer,
                paged=paged,
                status=status,
                errors=(*errors, *self._errors),
                upload=upload,
                raw=raw,
                also=also or {},
                while_suspended=while_suspended,
                before=self._before,
            )
            self.routes.append(route)
            return view

        return declare

    def mount(self, app: App, authorizer: object, authenticate: Authenticate) -> None:
        """Register the routes with Chalice, those that need a credential behind the authorizer."""
        for route in self.routes:
            chalice_route = app.route(
                route.path,
                methods=[route.method],
                authorizer=None if route.public else authorizer,
                content_types=[],  # Chalice's own 415 has another envelope
                cors=CORS,
            )
            chalice_route(_endpoint(route, authenticate))


def _endpoint(route: Route, authenticate: Authenticate) -> Callable[..., ChaliceResponse]:
    def endpoint(**path: str) -> ChaliceResponse:
        call = Call(current_event.get())
        try:
            body, status, headers = to_gateway(call, route, _serve(route, call, path, authenticate))
        except Exception as exc:  # noqa: BLE001 - every failure becomes the envelope, here and only here
            body, status, headers = to_gateway_error(call, route, exc)
        return ChaliceResponse(body=body, status_code=status, headers=dict(headers))

    endpoint.__name__ = route.view.__name__
    return endpoint


def _serve(route: Route, call: Call, path: dict[str, str], authenticate: Authenticate) -> Answer | Raw:
    if route.before:
        route.before()
    if not route.public:
        _admit(route, call, path, authenticate)
    if route.refuses_if_match and call.if_match is not None:
        raise PreconditionFailedError("What this changes has no version to match. Send it without If-Match.")
    key = call.headers.get("idempotency-key") if route.idempotent_post else None
    if key is None:
        result = _view(route, call, path)
        return result if isinstance(result, Raw) else render(route, result)
    rows = tenant_rows(call.tenant_id) if call.tenant_id else USERS
    content = fingerprint(call) if route.upload else call.raw_body
    guard = Guard.of(rows, key, call.principal.id, f"{route.method} {call.event['path']}", content)
    first = guard.find()
    if first is None:
        result, first = guard.run(lambda: _view(route, call, path), lambda done: render_for_replay(route, done))
        if first is None:
            return render(route, result)
    call.answer_headers["Idempotency-Replayed"] = "true"
    return first


def _view(route: Route, call: Call, path: dict[str, str]) -> object:
    arguments: dict[str, object] = {}
    if route.query is not None:
        arguments["query"] = call.query(route.query)
    if route.body is not None:
        arguments["body"] = call.body(route.body)
    if route.upload:
        arguments["upload"] = read_upload(call)
    return route.view(call, **arguments, **path)


def _admit(route: Route, call: Call, path: dict[str, str], authenticate: Authenticate) -> None:
    cached = _cached_caller(call)
    recognise_origin(call, cached)
    limits.count_caller(call, cached)  # before anything is read for it
    caller = authenticate(call.headers.get("authorization", "")) if route.fresh else cached
    try:
        admit(route, call, caller, path)
    except MEMBERSHIP_ERRORS:
        # The authorizer's cache may not know yet that the user has created or joined a tenant, or got another role.
        if route.fresh or caller.kind != "user":
            raise
        admit(route, call, authenticate(call.headers.get("authorization", "")), path)
    limits.count_tenant(call, caller)


def _cached_caller(call: Call) -> Principal:
    context = call.event["requestContext"].get("authorizer") or {}
    if "region" in context and (elsewhere := regions.find(context["region"])):
        raise regions.WrongRegionError(elsewhere)
    if "kind" not in context:
        raise UnauthenticatedError
    return Principal.from_context(context)
