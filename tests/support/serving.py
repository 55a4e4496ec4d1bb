"""The app behind the local gateway on a real port, with the door to its files, and pages of a test's own."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager

from local.gateway import Gateway
from local.kinds import AsgiApp, ChaliceApp
from local.server import listen, serve_http


@contextmanager
def serving(app: ChaliceApp, pages: Mapping[str, AsgiApp], sock: object = None) -> Iterator[str]:
    """Serve until the block ends; yields the base URL."""
    public = sock or listen(0)
    gateway, loop = Gateway(app, pages=pages), asyncio.new_event_loop()
    up, stop = threading.Event(), asyncio.Event()

    async def run() -> None:
        async with AsyncExitStack() as servers:
            await servers.enter_async_context(serve_http(gateway, public))  # type: ignore[arg-type]  # a socket
            up.set()
            await stop.wait()
        gateway.close()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    assert up.wait(10)
    try:
        yield f"http://127.0.0.1:{public.getsockname()[1]}"  # type: ignore[attr-defined]  # a socket
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
