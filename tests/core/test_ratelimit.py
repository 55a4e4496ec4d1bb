"""The token bucket that limits floods: driven by the clock, and not upset by one that is set back."""

import pytest

from chalicelib.core import clock
from chalicelib.core.errors import RateLimitedError
from chalicelib.core.ratelimit import Bucket

START = 1_800_000_000_000


def take(bucket: Bucket, ms: int) -> Bucket:
    with clock.reading(lambda: START + ms):
        return Bucket.parse(str(bucket), 3).take(3, 0.5)


def full() -> Bucket:
    with clock.reading(lambda: START):
        return Bucket.parse(None, 3)


def test_a_burst_then_one_every_two_seconds():
    bucket = full()
    for ms in (0, 0, 0, 2000, 4000):
        bucket = take(bucket, ms)
    for ms, wait in ((4000, 2), (4001, 2), (5000, 1), (5999, 1)):
        with pytest.raises(RateLimitedError) as refused:
            take(bucket, ms)
        assert refused.value.retry_after == wait, ms
    take(bucket, 6000)


def test_it_never_holds_more_than_the_burst():
    bucket = full()
    for _ in range(3):
        bucket = take(bucket, 10**9)
    with pytest.raises(RateLimitedError):
        take(bucket, 10**9)


def test_a_clock_that_is_behind_costs_nothing_and_gives_nothing():
    bucket = take(full(), 60_000)
    bucket = take(bucket, 0)
    bucket = take(bucket, 30_000)
    with pytest.raises(RateLimitedError):
        take(bucket, 60_000)
