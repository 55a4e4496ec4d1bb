"""Other times than now."""

from contextlib import AbstractContextManager

from chalicelib.core import clock


def later(ms: int) -> AbstractContextManager[None]:
    """Let the clock stand still, so many milliseconds from now."""
    moment = clock.now_ms() + ms
    return clock.reading(lambda: moment)
