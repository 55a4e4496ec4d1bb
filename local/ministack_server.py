"""Runs ministack with what it lacks: state that survives SIGKILL, and prompt long polls.

A script, not a module of the package: nothing of Parley is installed where it runs. Its settings are in the environment
(see local/ministack.py); its standard input is a pipe that ends with the parent, and so does this process.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import threading
import time
from types import SimpleNamespace
from typing import Any

from hypercorn.asyncio import serve  # type: ignore[import-not-found]
from hypercorn.config import Config  # type: ignore[import-not-found]
from ministack import app as ministack  # type: ignore[import-not-found]
from ministack.core import persistence  # type: ignore[import-not-found]
from ministack.services import ses, sqs  # type: ignore[import-not-found]

SAVE_SECONDS = 0.5  # between two looks at the state; a save itself may take longer, then the pause grows with it
MAILS_KEPT = 100  # ministack keeps every mail in memory; the catcher has them all


class Arrivals:
    """Wakes the long polls when a message arrives; ministack itself looks every 100 ms.

    Takes the place of its wake-up flag for event source mappings and passes the signal on.
    """

    def __init__(self, original: threading.Event) -> None:
        self._original = original
        self._event = asyncio.Event()

    def set(self) -> None:
        self._original.set()
        self._event.set()
        self._event = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        event = self._event
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), seconds)


class Autosave:
    """Writes the state of every service that changed, while nothing else runs on the loop."""

    def __init__(self) -> None:
        self._written: dict[str, str] = {}
        self._task: asyncio.Task[None] | None = None

    async def app(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        """ministack's application; its state is loaded when it has started, and not a moment earlier saved."""

        async def forward(message: dict[str, Any]) -> None:
            if message["type"] == "lifespan.startup.complete":
                release_messages()
                self._task = asyncio.create_task(self._run())
            await send(message)

        await ministack.app(scope, receive, forward if scope["type"] == "lifespan" else send)

    async def _run(self) -> None:
        while True:
            started = time.monotonic()
            self.save()
            await asyncio.sleep(max(SAVE_SECONDS, 10 * (time.monotonic() - started)))

    def save(self) -> None:
        del ses._sent_emails_list()[:-MAILS_KEPT]  # noqa: SLF001 - no public way
        for name, get_state in ministack._build_persistence_save_dict().items():  # noqa: SLF001
            state = get_state()
            if state is None:
                continue
            text = json.dumps(state, default=persistence._json_default)  # noqa: SLF001
            if text != self._written.get(name):
                persistence.save_state(name, state)
                self._written[name] = text


def release_messages() -> None:
    """Whoever had received a message stopped with the last run: nobody else need wait for its visibility timeout."""
    now = time.time()
    for _scope, found in sqs._queues.all_items():  # noqa: SLF001 - no public way
        for message in found["messages"]:
            if message["receive_count"] and message["visible_at"] > now:
                message["visible_at"] = now


def die_with_the_parent() -> None:
    """Where the kernel doesn't see to it (see local/processes.py), the end of the pipe does."""

    def watch() -> None:
        sys.stdin.buffer.read()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def adapt_sqs() -> None:
    """Prompt long polls, and queues that are found again on another port."""
    arrivals = Arrivals(sqs.esm_wake)
    sqs.esm_wake = arrivals
    sqs.asyncio = SimpleNamespace(sleep=arrivals.sleep, iscoroutine=asyncio.iscoroutine)
    # A queue is kept under its URL, and the URL clients see is rewritten to the host they ask: so any constant will do.
    sqs.DEFAULT_HOST, sqs.DEFAULT_PORT, sqs._CANONICAL_NETLOC = "queues", "80", "queues:80"  # noqa: SLF001


async def main() -> None:
    adapt_sqs()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    config = Config()
    config.bind = [f"{os.environ['BIND_HOST']}:{os.environ['GATEWAY_PORT']}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 0.2  # long polls need no grace
    config.loglevel = "WARNING"
    await serve(Autosave().app, config, shutdown_trigger=stop.wait)


if __name__ == "__main__":
    logging.getLogger("persistence").setLevel(logging.WARNING)
    die_with_the_parent()
    asyncio.run(main())
