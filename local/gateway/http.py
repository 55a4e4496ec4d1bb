"""The gateway itself: from an ASGI request to the Chalice app and back."""

import logging
from collections.abc import Mapping
from typing import Any

from local.context import LambdaContext
from local.gateway.answers import Answer, Malformed, from_function, not_ready, preflight, refusal
from local.gateway.authorizer import CachedAuthorizer, Refused
from local.gateway.events import Api, BinaryTypes, Incoming, proxy_event
from local.gateway.models import build_models
from local.gateway.routes import Resource, RouteTable
from local.gateway.sockets import Sockets
from local.gateway.workers import Workers
from local.kinds import AsgiApp, ChaliceApp, Handler, Receive, Returned, RouteEntry, Scope, Send

MB = 1024 * 1024
GATEWAY_LIMIT = 10 * MB  # what API Gateway takes from a client
FUNCTION_LIMIT = 6 * MB  # what Lambda takes and gives, Base64 included
READY_PATH = "/health/ready"

log = logging.getLogger("local.gateway")


class Gateway:
    """An ASGI application that answers as a deployed REST API (and, at /ws, a WebSocket API) of this app would."""

    def __init__(
        self,
        chalice_app: ChaliceApp,
        *,
        stage: str = "local",
        region: str = "eu-west-1",
        threads: int = 64,
        timeout: float = 29.0,
        pages: Mapping[str, AsgiApp] | None = None,
    ) -> None:
        self.ready = True  # the supervisor holds it back until every part is up
        self.api = Api("local", stage, region)
        self._app = chalice_app
        self._function = f"{chalice_app.app_name}-{stage}"
        self._routes = RouteTable(chalice_app.routes)
        self._binary = BinaryTypes(chalice_app.api.binary_types)
        self._timeout = timeout
        self._pages = dict(pages or {})  # by path; one that ends with a slash has all that is below it
        build_models()
        self._workers = Workers(threads)
        self._authorizers: dict[str, CachedAuthorizer] = {}
        self.sockets = Sockets(chalice_app, self.api, self.call)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            page = self._pages.get(scope["path"]) or self._pages.get(f"/{scope['path'].split('/')[1]}/")
            if page is not None:
                await page(scope, receive, send)
                return
            try:
                answer = await self._answer(Incoming(scope), receive)
            except _ClientGone:
                return
            await answer.send(send)
        elif scope["type"] == "websocket":
            await self.sockets.serve(scope, receive, send)
        else:
            await _lifespan(receive, send)

    def flush_authorizers(self) -> None:
        """What FlushStageAuthorizersCache does."""
        for authorizer in self._authorizers.values():
            authorizer.flush()

    async def call(self, handler: Handler, event: dict[str, Any], name: str = "") -> Returned:
        """Run a function in a thread. Raises TimeoutError, or whatever the function raises."""
        context = LambdaContext(f"{self._function}-{name}" if name else self._function, self._timeout)
        return await self._workers.run(self._timeout, handler, event, context)

    def close(self) -> None:
        self._workers.close()

    async def _answer(self, request: Incoming, receive: Receive) -> Answer:
        body = await _read_body(receive)
        if request.path == READY_PATH and not self.ready:
            return not_ready(request.request_id)
        found = self._routes.find(request.path)
        if found is None:
            return refusal("MISSING_AUTHENTICATION_TOKEN", request.request_id)
        resource, parameters = found
        route = resource.methods.get(request.method)
        if route is None:
            if request.method == "OPTIONS" and resource.preflight is not None:
                return preflight(resource.preflight, request.request_id)
            return refusal("MISSING_AUTHENTICATION_TOKEN", request.request_id)
        try:
            context = await self._authorize(route, request)
        except Refused as refused:
            if refused.__cause__ is not None:
                log.warning("the authorizer failed", exc_info=refused.__cause__)
            return refusal(refused.kind, request.request_id)
        if body is None:
            return refusal("REQUEST_TOO_LARGE", request.request_id)
        return await self._invoke(request, resource, parameters, body, context)

    async def _authorize(self, route: RouteEntry, request: Incoming) -> dict[str, str] | None:
        handler = route.authorizer
        if handler is None:
            return None
        authorizer = self._authorizers.get(handler.name)
        if authorizer is None:
            authorizer = self._authorizers.setdefault(handler.name, CachedAuthorizer(handler, self.call))
        method_arn = self.api.method_arn(request.method, request.path)
        return await authorizer.authorize(request.header(authorizer.header), method_arn)

    async def _invoke(
        self,
        request: Incoming,
        resource: Resource,
        parameters: dict[str, str],
        body: bytes,
        authorizer: dict[str, str] | None,
    ) -> Answer:
        binary = bool(body) and self._binary.match(request.header("content-type"))
        event = proxy_event(self.api, request, resource.path, parameters, body, binary=binary)
        if authorizer is not None:
            event["requestContext"]["authorizer"] = dict(authorizer)
        if len(event["body"] or "") > FUNCTION_LIMIT:
            return refusal("REQUEST_TOO_LARGE", request.request_id)
        try:
            result = await self.call(self._app, event)
            answer = from_function(
                result, request.request_id, accepts_binary=self._binary.match(request.header("accept"))
            )
        except TimeoutError:
            return refusal("INTEGRATION_TIMEOUT", request.request_id)
        except Malformed as reason:
            log.warning("%s %s: malformed answer: %s", request.method, resource.path, reason)
            return refusal("DEFAULT_5XX", request.request_id, 502)
        except Exception:
            log.exception("%s %s: the function failed", request.method, resource.path)
            return refusal("DEFAULT_5XX", request.request_id, 502)
        if len(answer.body) > FUNCTION_LIMIT:
            log.error("%s %s: the answer is larger than Lambda allows", request.method, resource.path)
            return refusal("DEFAULT_5XX", request.request_id, 502)
        return answer


class _ClientGone(Exception):
    """The connection ended before the body did: no function may see half a request."""


async def _read_body(receive: Receive) -> bytes | None:
    """The whole body, chunked or not; None for one too large, read to its end so that the answer gets through."""
    parts: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _ClientGone
        part = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(part)
        if size <= GATEWAY_LIMIT:
            parts.append(part)
    if size > GATEWAY_LIMIT:
        return None
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
