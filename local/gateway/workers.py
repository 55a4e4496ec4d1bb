"""Threads that run functions for the event loop; leaner than an executor, and none keeps the process from ending."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

_Job = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Callable[..., Any], tuple[Any, ...]]


class Workers:
    """A fixed number of daemon threads: a function that hangs is left behind when the process ends."""

    def __init__(self, count: int) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._count = count
        for number in range(count):
            threading.Thread(target=self._work, name=f"function-{number}", daemon=True).start()

    async def run(self, seconds: float, function: Callable[..., Any], *args: Any) -> Any:  # noqa: ANN401 - any result
        """Call the function in a thread. Raises what it raises, or TimeoutError: then it goes on unattended."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._jobs.put((loop, future, function, args))
        alarm = loop.call_later(seconds, _fail, future, TimeoutError())
        try:
            return await future
        finally:
            alarm.cancel()

    def close(self) -> None:
        """Let the threads end as they become idle."""
        for _ in range(self._count):
            self._jobs.put(None)

    def _work(self) -> None:
        while job := self._jobs.get():
            loop, future, function, args = job
            if future.done():  # timed out or given up while it waited for a thread
                continue
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                try:
                    result = function(*args)
                except BaseException as error:
                    loop.call_soon_threadsafe(_fail, future, error)
                else:
                    loop.call_soon_threadsafe(_succeed, future, result)


def _succeed(future: "asyncio.Future[Any]", result: object) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: "asyncio.Future[Any]", error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
