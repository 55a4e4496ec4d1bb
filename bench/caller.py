"""A JSON client over one kept connection, as a browser or an integration has it."""

import http.client
import json
import socket
import time
from dataclasses import dataclass, field
from typing import Any

from local.processes import LOOPBACK

SECONDS = 40  # longer than the gateway's own 29
IDLE_SECONDS = 30  # after which a connection is not trusted to be open still: the gateway closes it at 75


class Unanswered(Exception):
    """The connection ended before an answer came: the request may have had its effect, or not."""


@dataclass(frozen=True)
class Answer:
    """Status and body."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - any JSON
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class Caller:
    """One client with its credential. Not for several threads."""

    port: int
    token: str = ""
    origin: str = ""
    _connection: http.client.HTTPConnection | None = field(default=None, repr=False)
    _used_at: float = 0.0

    def send(self, method: str, path: str, body: object = None, *, content_type: str = "application/json") -> Answer:
        """Send one request, bytes as they are, and return its answer; raises Unanswered. Nothing is sent twice."""
        headers = {"Accept": "application/json"}
        raw = None
        if body is not None:
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            headers["Content-Type"] = content_type
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if self.origin:
            headers["Origin"] = self.origin
        try:
            connection = self._connected()
            connection.request(method, path, raw, headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.read())
        except (OSError, http.client.HTTPException) as exc:
            self.close()
            raise Unanswered(f"{method} {path}: {exc!r}") from exc

    def must(self, method: str, path: str, body: object = None, **options: str) -> Any:  # noqa: ANN401 - any JSON
        """Send one request and return the JSON of its 2xx answer; any other raises."""
        answer = self.send(method, path, body, **options)
        if not 200 <= answer.status < 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {answer.body.decode(errors='replace')}")
        return answer.json if answer.body else None

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection:
            self._connection.close()
            self._connection = None

    def _connected(self) -> http.client.HTTPConnection:
        now = time.monotonic()
        if now - self._used_at > IDLE_SECONDS:
            self.close()
        self._used_at = now
        if self._connection is None:
            self._connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=SECONDS)
            self._connection.connect()
            self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._connection
