"""A process that dies before or after each of the calls it makes, one run for each."""

from collections.abc import Callable
from typing import Any

import app
from tests.support.aws import Services
from tests.support.clocks import later
from tests.support.faults import At, Crash, crash, injected, is_functions
from tests.support.queues import drain
from tests.support.schedules import tick

ENOUGH = 400  # calls no scenario makes
SWEEP_MS = 200_000


def enumerated(scenario: Callable[[], tuple[Callable[[], Any], Callable[[], None]]], services: Services) -> int:
    """Run a scenario anew for each call it makes, dying there; a scenario gives what to do and what must hold then."""
    runs = 0
    for when in ("before", "after"):
        for number in range(ENOUGH):
            act, check = scenario()
            fault = At(number, when, crash, is_functions)
            with injected(fault):
                try:
                    act()
                except Crash:
                    services.queues.clear()  # what it had taken from a queue, and what lay there, is lost
            if not fault.fired:
                assert number > 3
                break
            runs += 1
            act()
            with later(SWEEP_MS):
                tick(app.sweep_pending)
                drain(services)
            check()
        else:
            raise AssertionError("never through")
    return runs
