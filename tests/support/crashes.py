"""Enumerates failures: one scenario, run anew with a fault at each of its calls, then put right as it would be in life.

After the fault the client asks again, the indexes catch up, minutes pass with their sweeps, and the queues deliver
everything twice and in another order. Then the scenario's own check must hold, and the audit of all the tenant's rows.

The scene is set once, and put back for each run. What two runs leave in one and the same state is followed up once: a
crash before a call leaves what one after the call before it has left. So pairs of faults are states and what a second
fault makes of each, rather than runs from the beginning.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from tests.support.aws import Services
from tests.support.faults import (
    At,
    When,
    conflict,
    crash,
    is_functions,
    is_queue,
    is_stripe,
    is_table,
    is_write,
    no_answer,
    no_endpoint,
    server_error,
    stripe_busy,
    stripe_silent,
    throttled,
)
from tests.support.worlds import SWEEP_MS, BrokenError, Make, Scenario, State, World

__all__ = ["AFTER", "CRASHES", "FAULTS", "STRIPE_FAULTS", "SWEEP_MS", "BrokenError", "Scenario", "enumerated"]

ENOUGH = 400  # calls that no scenario makes
ALWAYS = 10**6

Of = Callable[[str, str], bool]


@dataclass(frozen=True)
class Fault:
    """A kind of fault, for any of the function's calls of its kind."""

    name: str
    when: When
    error: Callable[[str], BaseException]
    of: Of = lambda _service, _operation: True
    times: int = 1

    def at(self, number: int) -> At:
        """Return this fault at one call; the authorizer is another function, whose calls do not count."""
        of = self.of
        return At(number, self.when, self.error, lambda s, o: of(s, o) and is_functions(s, o), times=self.times)


CRASHES = (Fault("crash before", "before", crash), Fault("crash after", "after", crash))
# A crash before a call leaves what one after the call before it has left, so that these alone miss no state.
AFTER = CRASHES[1]
FAULTS = (
    *CRASHES,
    Fault("throttled twice", "before", throttled, is_table, times=2),
    Fault("throttled from here on", "before", throttled, is_table, times=ALWAYS),
    Fault("conflict", "before", conflict, is_write),
    Fault("conflicts from here on", "before", conflict, is_write, times=ALWAYS),
    Fault("server error", "before", server_error, is_table),
    Fault("committed but timed out", "after", no_answer, is_write),
    Fault("committed but never answered", "after", no_answer, is_write, times=ALWAYS),
    Fault("committed but 500", "after", server_error, is_write),
    Fault("no queue", "before", no_endpoint, is_queue, times=ALWAYS),
    Fault("queued but timed out", "after", no_answer, is_queue),
)
STRIPE_FAULTS = (
    Fault("Stripe busy", "before", stripe_busy, is_stripe),
    Fault("Stripe away", "before", stripe_silent, is_stripe, times=ALWAYS),
    Fault("done at Stripe but timed out", "after", stripe_silent, is_stripe),
    Fault("done at Stripe but never answered", "after", stripe_silent, is_stripe, times=ALWAYS),
)


def fault_named(name: str) -> Fault:
    """Return a fault by its name."""
    return next(fault for fault in (*FAULTS, *STRIPE_FAULTS) if fault.name == name)


@dataclass
class Tally:
    """How much was tried, and how much of that had to be run."""

    faults: int = 0  # or pairs of them
    first_states: int = 0  # that the first of two left
    states: int = 0  # that were followed up to the end


@dataclass
class _Follower:
    """Follows states up to the end, each once."""

    world: World
    tally: Tally
    known: set[str] = field(default_factory=set)

    def follow(self, path: str) -> None:
        """Ask again from the state that the world is in. Raises BrokenError."""
        mark = self.world.state().fingerprint
        if mark in self.known:
            return
        self.known.add(mark)
        self.tally.states += 1
        if problems := self.world.finish():
            raise BrokenError(f"{path}: {'; '.join(problems)}")


def enumerated(make: Make, services: Services, *faults: Fault) -> int:
    """Run a scenario for each fault (crashes unless given) at each of its calls; returns how many faults that were."""
    with World.of(make, services) as world:
        follower = _Follower(world, Tally())
        for path in _each(world, world.start, faults or CRASHES):
            follower.tally.faults += 1
            follower.follow(path)
    return follower.tally.faults


def paired(
    make: Make, services: Services, firsts: Sequence[Fault], seconds: Sequence[Fault], *, every: int = 1
) -> Tally:
    """Try pairs of calls: one fails while it is done, the other while it is done again.

    With `every`, of the states that the first leaves only each so-many-th is followed up.
    """
    with World.of(make, services) as world:
        follower = _Follower(world, Tally())
        for path, state, leading in _states(world, firsts)[::every]:
            follower.tally.first_states += 1
            for then in _each(world, state, seconds):
                follower.tally.faults += leading
                follower.follow(f"{path}, then {then}")
    return follower.tally


def _states(world: World, faults: Sequence[Fault]) -> list[tuple[str, State, int]]:
    """Return the states that one fault leads to, how to each first, and how many do."""
    found: dict[str, tuple[str, State, int]] = {}
    for path in _each(world, world.start, faults):
        state = world.state()
        first, kept, leading = found.get(state.fingerprint, (path, state, 0))
        found[state.fingerprint] = first, kept, leading + 1
    return list(found.values())


def _each(world: World, state: State, faults: Sequence[Fault]) -> Iterator[str]:
    """From a state, try each fault at each call in turn, and say which; the world is then in what it has left."""
    for fault in faults:
        for number in range(ENOUGH):
            world.put_into(state)
            if not world.attempt(fault.at(number)):
                break
            yield f"{fault.name} (call {number})"
        else:
            raise AssertionError("never through")
