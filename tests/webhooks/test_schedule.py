"""When a delivery is tried again, over the whole 27 hours."""

import pytest

from chalicelib.core import clock
from chalicelib.webhooks.schedule import WAITS_S, wait_ms
from tests.support.clocks import later


def middle(low: float, high: float) -> float:
    return (low + high) / 2


def test_the_waits_are_those_of_the_documentation():
    waits = [wait_ms(attempts, draw=middle) for attempts in range(1, 9)]
    assert waits == [5_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 36_000_000, None]
    assert 27 <= sum(wait or 0 for wait in waits) / 3_600_000 < 28


@pytest.mark.parametrize("attempts", range(1, len(WAITS_S)))
def test_each_wait_varies_by_a_fifth(attempts):
    waits = {wait_ms(attempts) for _ in range(300)}
    planned = WAITS_S[attempts] * 1000
    assert len(waits) > 100
    assert all(0.8 * planned <= (wait or 0) <= 1.2 * planned for wait in waits)


@pytest.mark.parametrize(
    ("asked", "wait"),
    [
        ("60", 60_000),
        (" 60 ", 60_000),
        ("3", 5_000),
        ("999999999999999999999999", 86_400_000),
        ("-1", 5_000),
        ("1.5", 5_000),
        ("soon", 5_000),
        ("", 5_000),
        (None, 5_000),
        ("٣٠", 5_000),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 5_000),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400_000),
    ],
)
def test_a_receiver_may_ask_for_a_longer_wait(asked, wait):
    assert wait_ms(1, asked, draw=middle) == wait


def test_a_receiver_may_name_a_time():
    with later(0):
        from email.utils import formatdate

        until = clock.now_ms() // 1000 + 90
        wait = wait_ms(1, formatdate(until, usegmt=True), draw=middle)
    assert wait is not None
    assert 88_000 < wait <= 90_000
