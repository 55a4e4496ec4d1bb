"""Leases: never more than the limit, whatever the processes do; and how much idle ones can keep from the others."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import settings as trying
from hypothesis import strategies as st

from chalicelib.core import clock, ids, log
from chalicelib.core.errors import UnavailableError
from chalicelib.core.leases import REST_MS, Leases, Policy
from tests.support.clocks import later
from tests.support.faults import injected
from tests.support.threads import at_once

START_S = 1_800_000_000
PROCESSES = 32

STEPS = st.lists(
    st.tuples(
        st.integers(0, 5),  # which process
        st.integers(1, 40),  # how many requests it gets
        st.sampled_from([0, 0, 0, 1, 20, 60, 200]),  # seconds that pass before
        st.sampled_from([False] * 9 + [True]),  # whether the process was replaced by a new one
    ),
    max_size=60,
)


class Counters:
    """The table's counters, in memory."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.calls = 0

    def __call__(self, name: str, asked: int, _expires_s: int) -> int:
        self.calls += 1
        self.counts[name] += asked
        return self.counts[name]


def held(process: Leases, policy: Policy, subject: str) -> int:
    return process._slots[policy.name, subject].lease.held


class TestWhateverHappens:
    @given(limit=st.integers(1, 400), steps=STEPS)
    @trying(deadline=None, max_examples=200)
    def test_no_window_serves_more_than_the_limit_and_each_refusal_is_accounted_for(self, limit, steps):
        policy, shared, now = Policy("p", limit), Counters(), START_S
        processes = [Leases(shared) for _ in range(6)]
        admitted: Counter[int] = Counter()
        idle: defaultdict[int, Counter[int]] = defaultdict(Counter)  # held by each process, by window
        lost: Counter[int] = Counter()  # held by processes that are no more
        for number, requests, pause, replaced in steps:
            now += pause
            window = policy.window("s", now)
            if replaced:
                processes[number] = Leases(shared)
                lost[window] += idle[window].pop(number, 0)
            with clock.reading(lambda: now * 1000):  # noqa: B023 - read inside the iteration only
                for _ in range(requests):
                    standing = processes[number].take(policy, "s")
                    admitted[window] += standing.admitted
                    idle[window][number] = held(processes[number], policy, "s")
                    assert idle[window][number] < policy.largest_lease
                    assert admitted[window] <= limit
                    assert 0 < standing.reset_s <= policy.window_s
                    if not standing.admitted:
                        assert admitted[window] + sum(idle[window].values()) + lost[window] == limit
                        assert standing.remaining == 0

    @given(limit=st.integers(1, 2000), requests=st.integers(1, 2500))
    @trying(deadline=None, max_examples=50)
    def test_one_process_alone_serves_exactly_the_limit_and_says_what_is_left(self, limit, requests):
        policy, process = Policy("p", limit), Leases(Counters())
        with clock.reading(lambda: START_S * 1000):
            standings = [process.take(policy, "s") for _ in range(requests)]
        assert [each.admitted for each in standings] == [number < limit for number in range(requests)]
        assert [each.remaining for each in standings] == [max(0, limit - number - 1) for number in range(requests)]

    def test_an_idle_process_keeps_no_more_than_it_used_lately(self):
        policy, process = Policy("p", 6000), Leases(Counters())
        used = 0
        for window, requests in enumerate((1, 5, 30, 3, 1)):
            with clock.reading(lambda: (START_S + window * 60) * 1000):  # noqa: B023 - as above
                for number in range(requests):
                    process.take(policy, "s")
                    assert held(process, policy, "s") < max(used, number + 1)
            used = requests


class TestManyProcesses:
    def test_those_that_go_on_until_they_are_refused_serve_exactly_the_limit(self, engine):
        policy, subject = Policy("p", 2000), ids.new("tn")

        def process() -> int:
            own, admitted = Leases(), 0
            while own.take(policy, subject).admitted:
                admitted += 1
            return admitted

        with later(0):
            assert sum(at_once(PROCESSES, process)) == policy.limit

    def test_those_that_stop_keep_no_more_than_is_said_from_one_that_goes_on(self, engine):
        policy, subject = Policy("p", 2000), ids.new("tn")

        def process() -> int:
            own = Leases()
            return sum(own.take(policy, subject).admitted for _ in range(25))

        with later(0):
            admitted = sum(at_once(PROCESSES, process))
            last = Leases()
            while last.take(policy, subject).admitted:
                admitted += 1
        assert policy.limit - PROCESSES * (policy.largest_lease - 1) <= admitted <= policy.limit

    @pytest.mark.parametrize("limit", [1, 7, 99])
    def test_small_limits_are_exact_even_if_each_request_meets_another_process(self, engine, limit):
        policy, subject = Policy("p", limit), ids.new("vis")
        with later(0):
            admitted = sum(at_once(PROCESSES, lambda: sum(Leases().take(policy, subject).admitted for _ in range(4))))
        assert admitted == min(limit, 4 * PROCESSES)

    def test_threads_of_one_process_share_its_lease(self, engine):
        policy, subject, process = Policy("p", 300), ids.new("tn"), Leases()
        with later(0):
            results = at_once(PROCESSES, lambda: [process.take(policy, subject).admitted for _ in range(20)])
        assert sum(map(sum, results)) == 300


class TestCost:
    @pytest.mark.parametrize("limit", [120, 1200, 6000])
    @pytest.mark.parametrize("requests", [1, 6, 30, 110])
    def test_a_steady_caller_costs_few_updates_a_minute(self, limit, requests):
        policy, shared = Policy("p", limit), Counters()
        process = Leases(shared)
        for minute in range(5):
            shared.calls = 0
            with clock.reading(lambda: (START_S + minute * 60) * 1000):  # noqa: B023 - as above
                assert all(process.take(policy, "s").admitted for _ in range(requests))
        # The few below the largest lease are those taken when little is left.
        smallest_lease = min(requests, policy.largest_lease, max(1, (limit - requests) // 16))
        assert shared.calls <= math.ceil(requests / smallest_lease)

    def test_a_refused_caller_costs_nothing(self):
        policy, shared = Policy("p", 3), Counters()
        process = Leases(shared)
        with clock.reading(lambda: START_S * 1000):
            for _ in range(100):
                process.take(policy, "s")
        assert shared.calls == 3

    def test_only_callers_of_the_current_minute_are_remembered(self, monkeypatch):
        monkeypatch.setattr("chalicelib.core.leases._MANY", 10)
        policy, process = Policy("p", 1000), Leases(Counters())
        for minute in range(3):
            with clock.reading(lambda: (START_S + minute * 120) * 1000):  # noqa: B023 - as above
                for number in range(10):
                    process.take(policy, f"{minute}.{number}")
        assert len(process._slots) <= 11


class TestTheStoreFails:
    @pytest.mark.parametrize("failure", [UnavailableError, KeyError])
    def test_everybody_is_admitted_it_is_logged_once_and_the_store_is_left_alone(self, monkeypatch, failure):
        logged: list[str] = []
        monkeypatch.setattr(log, "error", lambda message, **_fields: logged.append(message))
        calls = Failing(failure)
        process, policy = Leases(calls), Policy("p", 2)
        with clock.reading(lambda: START_S * 1000):
            assert all(process.take(policy, "s").admitted for _ in range(50))
        assert calls.number == 1
        with clock.reading(lambda: START_S * 1000 + REST_MS):
            assert process.take(policy, "s").admitted
        assert calls.number == 2
        assert logged == ["rate_limit_store_failed"]

    def test_it_limits_again_when_the_store_is_back(self):
        calls = Failing(UnavailableError, times=1)
        process, policy = Leases(calls), Policy("p", 2)
        with clock.reading(lambda: START_S * 1000):
            process.take(policy, "s")
        with clock.reading(lambda: START_S * 1000 + REST_MS):
            assert [process.take(policy, "s").admitted for _ in range(3)] == [True, True, False]

    def test_a_real_throttle_is_such_a_failure(self, engine):
        def throttled(service, operation, params, proceed):
            raise UnavailableError

        with injected(throttled):
            assert Leases().take(Policy("p", 2), ids.new("tn")).admitted


class Failing:
    """Counters that cannot be reached the first `times`."""

    def __init__(self, error: Callable[[], Exception], times: int = 10**9) -> None:
        self.error, self.times, self.number = error, times, 0
        self.good = Counters()

    def __call__(self, name: str, asked: int, expires_s: int) -> int:
        self.number += 1
        if self.number <= self.times:
            raise self.error()
        return self.good(name, asked, expires_s)
