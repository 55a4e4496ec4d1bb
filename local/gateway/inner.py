"""The AWS APIs that the gateway answers itself, on a port of their own: `@connections`, authorizer-cache flush."""

import json
import re
from urllib.parse import unquote

from local.gateway.answers import Answer
from local.gateway.http import Gateway
from local.gateway.sockets import Gone, TooLarge
from local.kinds import Receive, Scope, Send

_FLUSH = re.compile(r"/restapis/[^/]+/stages/[^/]+/cache/authorizers/?")
_CONNECTION = re.compile(r"(?:/[^/@]+)?/@connections/([^/]+)/?")


class InnerApi:
    """An ASGI application for botocore's `apigateway` and `apigatewaymanagementapi` clients."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        method, path = scope["method"], (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        body = await _read(receive)
        if method == "DELETE" and _FLUSH.fullmatch(path):
            self._gateway.flush_authorizers()
            answer = _json(202, {})
        elif found := _CONNECTION.fullmatch(path):
            answer = await self._connection(method, unquote(found[1]), body)
        else:
            answer = _error(404, "NotFoundException", "There is no such operation here.")
        await answer.send(send)

    async def _connection(self, method: str, connection_id: str, body: bytes) -> Answer:
        sockets = self._gateway.sockets
        try:
            if method == "POST":
                await sockets.post(connection_id, body)
                return _json(200, {})
            if method == "GET":
                return _json(200, sockets.info(connection_id))
            if method == "DELETE":
                sockets.close(connection_id)
                return Answer(204, [], b"")
        except Gone:
            return _error(410, "GoneException", "The connection is gone.")
        except TooLarge:
            return _error(413, "PayloadTooLargeException", "The message is too large.")
        return _error(403, "ForbiddenException", "There is no such operation here.")


async def _read(receive: Receive) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def _json(status: int, content: object) -> Answer:
    return Answer(status, [(b"content-type", b"application/json")], json.dumps(content).encode())


def _error(status: int, kind: str, message: str) -> Answer:
    answer = _json(status, {"message": message})
    answer.headers.append((b"x-amzn-errortype", kind.encode()))
    return answer
