"""The secret document is cached, refreshed, and kept in use while Secrets Manager does not answer."""

import pytest

from chalicelib.core import clock, keyring
from chalicelib.core.errors import UnavailableError
from tests.support.clocks import later
from tests.support.faults import At, injected, no_answer, throttled

MINUTE_MS = 60_000


def is_secret(service: str, _operation: str) -> bool:
    return service == "secretsmanager"


@pytest.mark.parametrize("error", [no_answer, throttled])
def test_a_warm_function_goes_on_with_what_it_has_and_asks_again_in_a_minute(error):
    known, fault = keyring.document(), At(0, "before", error, is_secret, times=2)
    asked = []
    with injected(fault):
        for minute in (6, 6.5, 7.1, 8.2, 10):
            with later(int(minute * MINUTE_MS)):
                assert keyring.document() == known
            asked.append(fault.seen)
    assert asked == [1, 1, 2, 3, 3]


def test_who_needs_a_newer_one_is_told_so():
    keyring.document()
    with later(MINUTE_MS), injected(At(0, "before", no_answer, is_secret)), pytest.raises(UnavailableError):
        keyring.document(newer_than_ms=clock.now_ms())


def test_a_cold_function_cannot_do_without():
    with injected(At(0, "before", no_answer, is_secret)), pytest.raises(UnavailableError):
        keyring.document()
