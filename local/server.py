"""Loopback ports and the HTTP servers on them, set up as API Gateway behaves."""

import asyncio
import contextlib
import errno
import socket
import uuid
from collections.abc import AsyncIterator, Iterator

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from local.gateway.answers import not_http
from local.gateway.sockets import Limits
from local.kinds import AsgiApp
from local.processes import LOOPBACK, StartFailed


@contextlib.asynccontextmanager
async def serve_http(app: AsgiApp, sock: socket.socket) -> AsyncIterator[None]:
    limits = Limits()
    config = uvicorn.Config(
        app,
        http=_Protocol,
        ws="websockets-sansio",
        ws_max_size=(limits.message_bytes, limits.frame_bytes),  # type: ignore[arg-type] # websockets takes both
        ws_ping_interval=None,  # API Gateway sends none
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=3,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[sock]))
    await server.up.wait()
    try:
        yield
    finally:
        server.should_exit = True
        await serving


def listen(port: int) -> socket.socket:
    """Take a loopback port, any free one for 0, and keep it."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((LOOPBACK, port))
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise StartFailed(
                f"Port {port} is taken, by a stack that runs already or by another program."
                f" Choose another: PORT={_next_free(port)} make run"
            ) from error
        raise StartFailed(f"Port {port} cannot be used: {error.strerror}") from error
    sock.listen(2048)
    return sock


def _next_free(port: int) -> int:
    for candidate in range(port + 1, min(port + 100, 65536)):
        with socket.socket() as probe:
            if probe.connect_ex((LOOPBACK, candidate)) != 0:
                return candidate
    return 18000


class _Protocol(HttpToolsProtocol):
    """Refuses what is not HTTP with the product's own error, as everything else does."""

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's signature
        self.transport.write(not_http(str(uuid.uuid4())))
        self.transport.close()


class _Server(uvicorn.Server):
    """Leaves signals to the supervisor and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()
