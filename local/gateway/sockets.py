"""The WebSocket API: connections, their events for the app's socket handlers, and what is behind `@connections`."""

import asyncio
import base64
import json
import logging
import os
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from local.gateway.events import Api, Incoming, forwarded_headers, query_parameters
from local.kinds import Call, ChaliceApp, Message, Receive, Scope, Send

SOCKET_PATH = "/ws"
KB = 1024
log = logging.getLogger("local.sockets")


@dataclass(frozen=True)
class Limits:
    """API Gateway's quotas: https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html"""

    idle_seconds: float = 600
    connection_seconds: float = 7200
    message_bytes: int = 128 * KB
    frame_bytes: int = 32 * KB  # enforced by the server below us: see `ws_max_size` where it is configured


class Gone(Exception):
    """There is no such connection, or not any more."""


class TooLarge(Exception):
    """The message is larger than a message may be."""


@dataclass(slots=True)
class Connection:
    """One client that is connected now."""

    id: str
    request: Incoming
    send: Send
    connected_at: float = field(default_factory=time.time)
    active_at: float = field(default_factory=time.time)
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    def info(self) -> dict[str, Any]:
        return {
            "connectedAt": _rfc3339(self.connected_at),
            "identity": {"sourceIp": self.request.source_ip, "userAgent": self.request.header("user-agent")},
            "lastActiveAt": _rfc3339(self.active_at),
        }


class Sockets:
    """All connections of the app's WebSocket API; refuses everyone where the app declares no socket handler."""

    def __init__(self, chalice_app: ChaliceApp, api: Api, call: Call, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._app = chalice_app
        self._api = api
        self._call = call
        self._open: dict[str, Connection] = {}

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one connection from its handshake to its end."""
        await receive()  # websocket.connect
        request = Incoming(scope)
        if scope["path"] != SOCKET_PATH or not self._app.websocket_handlers:
            await _refuse(send, 403)
            return
        connection = Connection(base64.urlsafe_b64encode(os.urandom(12)).decode()[:-1] + "=", request, send)
        self._open[connection.id] = connection  # a connect handler may already post to it
        if not await self._connect(connection, send):
            del self._open[connection.id]
            return
        code = 1006
        try:
            code = await self._converse(connection, receive)
        finally:
            del self._open[connection.id]
            await self._run("$disconnect", connection, {"disconnectStatusCode": code, "disconnectReason": ""})

    async def post(self, connection_id: str, data: bytes) -> None:
        """Send to a client. Raises Gone and TooLarge."""
        if len(data) > self.limits.message_bytes:
            raise TooLarge
        connection = self._find(connection_id)
        connection.active_at = time.time()
        try:
            await connection.send({"type": "websocket.send", "text": data.decode("utf-8")})
        except UnicodeDecodeError:
            await connection.send({"type": "websocket.send", "bytes": data})

    def info(self, connection_id: str) -> dict[str, Any]:
        """Raises Gone."""
        return self._find(connection_id).info()

    def close(self, connection_id: str) -> None:
        """End a connection. Raises Gone."""
        self._find(connection_id).closing.set()

    def _find(self, connection_id: str) -> Connection:
        connection = self._open.get(connection_id)
        if connection is None or connection.closing.is_set():
            raise Gone
        return connection

    async def _connect(self, connection: Connection, send: Send) -> bool:
        status, headers = await self._run("$connect", connection, {})
        if not 200 <= status < 300:
            await _refuse(send, status)
            return False
        accept: dict[str, Any] = {"type": "websocket.accept"}
        chosen = {name.lower(): value for name, value in headers.items()}.get("sec-websocket-protocol")
        if chosen:
            accept["subprotocol"] = chosen
        await send(accept)
        return True

    async def _converse(self, connection: Connection, receive: Receive) -> int:
        """Hand every message on until somebody or some limit ends it; returns the close code."""
        closing = asyncio.create_task(connection.closing.wait())
        incoming = asyncio.create_task(receive())
        try:
            while True:
                await asyncio.wait(
                    (incoming, closing), timeout=self._patience(connection), return_when=asyncio.FIRST_COMPLETED
                )
                if incoming.done():
                    message = incoming.result()
                    if message["type"] == "websocket.disconnect":
                        return int(message.get("code") or 1005)
                    incoming = asyncio.create_task(receive())
                    await self._receive(connection, message)
                elif closing.done():
                    return await _close(connection, 1000)
                elif self._patience(connection) <= 0:
                    return await _close(connection, 1001)
        finally:
            closing.cancel()
            incoming.cancel()

    def _patience(self, connection: Connection) -> float:
        """Seconds until the first of the two time limits."""
        idle = connection.active_at + self.limits.idle_seconds
        age = connection.connected_at + self.limits.connection_seconds
        return max(0.0, min(idle, age) - time.time())

    async def _receive(self, connection: Connection, message: Message) -> None:
        connection.active_at = time.time()
        text = message.get("text")
        binary = text is None
        body = base64.b64encode(message.get("bytes") or b"").decode("ascii") if binary else text
        route = self._route("" if binary else str(text))
        await self._run(route, connection, {"messageId": os.urandom(8).hex()}, body=body, binary=binary)

    def _route(self, text: str) -> str:
        """`$request.body.action`, Chalice's route selection; `$default` for anything else."""
        try:
            action = json.loads(text).get("action")
        except (ValueError, AttributeError):
            return "$default"
        return action if action in self._app.websocket_handlers and not action.startswith("$") else "$default"

    async def _run(
        self,
        route: str,
        connection: Connection,
        details: dict[str, Any],
        body: str | None = None,
        *,
        binary: bool = False,
    ) -> tuple[int, dict[str, str]]:
        """Call the handler of a route; status 200 where there is none, 500 where it fails."""
        config = self._app.websocket_handlers.get(route)
        if config is None:
            return 200, {}
        event = self._event(route, connection, details)
        if body is not None:
            event.update(body=body, isBase64Encoded=binary)
        try:
            result = await self._call(self._app.handler_map[config.name], event, config.name)
        except Exception:
            log.exception("the handler of %s failed", route)
            return 500, {}
        found = result if isinstance(result, dict) else {}
        return int(found.get("statusCode", 200)), found.get("headers") or {}

    def _event(self, route: str, connection: Connection, details: dict[str, Any]) -> dict[str, Any]:
        request = connection.request
        kind = {"$connect": "CONNECT", "$disconnect": "DISCONNECT"}.get(route, "MESSAGE")
        context = {
            "apiId": self._api.api_id,
            "connectedAt": int(connection.connected_at * 1000),
            "connectionId": connection.id,
            "domainName": request.header("host"),
            "eventType": kind,
            "extendedRequestId": os.urandom(8).hex(),
            "identity": {"sourceIp": request.source_ip, "userAgent": request.header("user-agent")},
            "messageDirection": "IN",
            "requestId": os.urandom(8).hex(),
            "requestTimeEpoch": int(time.time() * 1000),
            "routeKey": route,
            "stage": self._api.stage,
            **details,
        }
        event: dict[str, Any] = {"requestContext": context, "isBase64Encoded": False}
        if kind != "MESSAGE":
            headers = forwarded_headers(request)
            event["headers"] = {name: values[-1] for name, values in headers.items()}
            event["multiValueHeaders"] = headers
        if kind == "CONNECT" and (query := query_parameters(request)):
            event["queryStringParameters"] = {name: values[-1] for name, values in query.items()}
            event["multiValueQueryStringParameters"] = query
        return event


async def _refuse(send: Send, status: int) -> None:
    """Answer the handshake with a plain HTTP status."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"0")]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": b""})


async def _close(connection: Connection, code: int) -> int:
    await connection.send({"type": "websocket.close", "code": code})
    return code


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
