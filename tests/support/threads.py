"""Doing the same thing at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from local.gateway.models import build_models

Result = TypeVar("Result")


def at_once(count: int, act: Callable[[], Result]) -> list[Result]:
    """Call `act` from `count` threads that start together, and return what each call returned."""
    build_models()  # as the local stack does it, whose functions are threads
    ready = Barrier(count)

    def one() -> Result:
        ready.wait(timeout=30)
        return act()

    with ThreadPoolExecutor(count) as pool:
        return [future.result(timeout=60) for future in [pool.submit(one) for _ in range(count)]]
