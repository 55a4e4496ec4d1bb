"""The app behind the local gateway, without a socket: real bytes in, real bytes out."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from local.gateway.events import Incoming
from local.gateway.http import Gateway
from local.kinds import Message
from tests.support.client import Answer


@dataclass
class Door:
    """Sends requests through a gateway, one at a time."""

    gateway: Gateway
    loop: asyncio.AbstractEventLoop

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send a request as its bytes are; `url` is percent-encoded."""
        parts = urlsplit(url)
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        scope = {
            "type": "http",
            "method": method,
            "path": parts.path,
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "headers": raw,
            "client": ("203.0.113.9", 1),
        }

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        answer = self.loop.run_until_complete(self.gateway._answer(Incoming(scope), receive))
        sent = {name.decode("latin-1"): value.decode("latin-1") for name, value in answer.headers}
        return Answer(answer.status, sent, answer.body.decode())


@contextmanager
def door() -> Iterator[Door]:
    """Open a gateway in front of the product."""
    from app import app

    gateway, loop = Gateway(app, threads=1), asyncio.new_event_loop()
    try:
        yield Door(gateway, loop)
    finally:
        gateway.close()
        loop.close()
