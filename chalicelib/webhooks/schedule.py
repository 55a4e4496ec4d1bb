"""When a delivery is tried again."""

import random
from collections.abc import Callable
from email.utils import parsedate_to_datetime

from chalicelib.core import clock

# Seconds after the attempt before: 0, 5, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h. What fails then too is exhausted.
WAITS_S = (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 36_000)
JITTER = 0.2  # either way, so that what failed together does not come back together
LONGEST_RETRY_AFTER_S = 86_400

Draw = Callable[[float, float], float]


def wait_ms(attempts: int, retry_after: str | None = None, draw: Draw = random.uniform) -> int | None:
    """Return how long to wait after `attempts` failed ones, in milliseconds; None when that was the last.

    A receiver's `Retry-After` (seconds or an HTTP date) can make it longer, up to a day, never shorter.
    """
    if attempts >= len(WAITS_S):
        return None
    planned = WAITS_S[attempts] * draw(1 - JITTER, 1 + JITTER)
    return round(1000 * max(planned, _asked_s(retry_after)))


def _asked_s(retry_after: str | None) -> float:
    text = (retry_after or "").strip()
    if text.isascii() and text.isdecimal():
        return min(int(text[:9]), LONGEST_RETRY_AFTER_S)
    try:
        until = parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return 0
    return min(max(0, until - clock.now_ms() / 1000), LONGEST_RETRY_AFTER_S)
