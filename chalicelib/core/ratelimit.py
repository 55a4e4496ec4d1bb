"""Attempts counted in the table: fixed windows for addresses, growing pauses for accounts, buckets for floods."""

import math

from chalicelib.core import clock, table
from chalicelib.core.errors import RateLimitedError
from chalicelib.core.frozen import frozen

FREE_ATTEMPTS = 10  # in flight or failed since the last success, before pauses begin
LONGEST_PAUSE_S = 900
FORGET_S = 86_400


def count_in_window(name: str, limit: int, window_s: int) -> None:
    """Count one event under `name`; raises RateLimitedError beyond `limit` in the current window. One write."""
    now = clock.now_s()
    start = now - now % window_s
    write = table.LIMITS.updating(f"{name}#{start}", "-", add={"n": 1}, set_={"exp": start + 2 * window_s})
    if table.run(write, returning=True)["n"] > limit:
        raise RateLimitedError(retry_after=start + window_s - now)


def take_attempt(name: str) -> None:
    """Reserve one try of a secret before it is checked, so that parallel guesses are counted exactly.

    The first ten since the last success are free; after that each waits twice as long as the one before, up to
    fifteen minutes. Raises RateLimitedError while the pause lasts. One write among the free ones.
    """
    now = clock.now_s()
    free = table.LIMITS.updating(
        name, "-", add={"n": 1}, set_={"exp": now + FORGET_S}, at_most={"n": FREE_ATTEMPTS - 1}
    )
    try:
        table.run(free)
    except table.ConditionFailedError:
        _take_paused_attempt(name, now)


def _take_paused_attempt(name: str, now: int) -> None:
    row = table.LIMITS.get(name, "-", consistent=True) or {"n": FREE_ATTEMPTS}
    if row.get("until", now) > now:
        raise RateLimitedError(retry_after=row["until"] - now)
    pause = min(LONGEST_PAUSE_S, 2 ** min(20, row["n"] - FREE_ATTEMPTS))
    changed = {"n": row["n"] + 1, "until": now + pause, "exp": now + FORGET_S}
    try:
        table.run(table.LIMITS.updating(name, "-", set_=changed, when={"n": row["n"]}))
    except table.ConditionFailedError:
        raise RateLimitedError(retry_after=pause) from None  # another guess took the only try


def forget_attempts(name: str) -> None:
    """Start afresh after a success. One write."""
    table.run(table.LIMITS.deleting(name, "-"))


@frozen
class Bucket:
    """A token bucket kept inside a row that is written anyway: `level` tokens at `at_ms`."""

    level_milli: int
    at_ms: int

    @staticmethod
    def parse(text: str | None, burst: int) -> "Bucket":
        """Read a stored bucket; None is a full one."""
        if text is None:
            return Bucket(burst * 1000, clock.now_ms())
        level, at = text.split("@")
        return Bucket(int(level), int(at))

    def take(self, burst: int, per_second: float) -> "Bucket":
        """Return the bucket with one token less; raises RateLimitedError when there is none."""
        now = max(clock.now_ms(), self.at_ms)  # another function's clock may be ahead: that must not cost tokens
        level = min(burst * 1000, self.level_milli + int((now - self.at_ms) * per_second))
        if level < 1000:
            raise RateLimitedError(retry_after=math.ceil((1000 - level) / per_second / 1000))
        return Bucket(level - 1000, now)

    def __str__(self) -> str:
        return f"{self.level_milli}@{self.at_ms}"
