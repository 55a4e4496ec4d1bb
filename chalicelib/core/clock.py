"""The one place that reads the time, so that tests can set it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


LAST_MS = 9_999_999_999_999  # in the year 2286: sort keys write times in 13 digits

_read: Callable[[], int] = _wall_ms


def now_ms() -> int:
    """Return milliseconds since the Unix epoch, UTC."""
    return _read()


def now_s() -> int:
    """Return whole seconds since the Unix epoch, UTC, as JWT claims and DynamoDB's TTL want them."""
    return _read() // 1000


def rfc3339(ms: int) -> str:
    """Render milliseconds since the epoch as RFC 3339 in UTC with `Z`, in whole seconds as the API shows times."""
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339_or_none(ms: int | None) -> str | None:
    """Like `rfc3339`, passing None through."""
    return None if ms is None else rfc3339(ms)


def to_ms(moment: datetime) -> int:
    """Return milliseconds since the epoch of an aware datetime."""
    return int(moment.timestamp() * 1000)


@contextmanager
def reading(read: Callable[[], int]) -> Iterator[None]:
    """Let `read` tell the time inside the block; for tests and demo data only."""
    global _read
    before, _read = _read, read
    try:
        yield
    finally:
        _read = before
