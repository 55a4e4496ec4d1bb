"""Enumerates failures: one scenario, run anew with a fault at each of its calls, then put right as it would be in life.

After the fault the client asks again, the indexes catch up, minutes pass with their sweeps, and the queues deliver
everything twice and in another order. Then the scenario's own check must hold, and the audit of all the tenant's rows.
The scene is set once; before each run the rows, mails and objects are put back to what they were then.
"""

import functools
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any
from unittest.mock import patch

import app
from chalicelib.core import aws, table
from chalicelib.core.config import settings
from chalicelib.core.items import Item, from_attributes
from chalicelib.core.table import Key
from chalicelib.events import dispatcher
from chalicelib.events.models import Event
from chalicelib.webhooks import workers
from chalicelib.webhooks.sending import Outcome
from tests.support import client
from tests.support.audit import audit
from tests.support.aws import Services
from tests.support.client import Answer
from tests.support.clocks import later
from tests.support.faults import (
    At,
    Crash,
    IndexLag,
    conflict,
    crash,
    injected,
    is_functions,
    is_queue,
    is_table,
    is_write,
    no_answer,
    no_endpoint,
    server_error,
    throttled,
)
from tests.support.ledger import Ledger
from tests.support.queues import deliver_once, drain, drain_badly, left
from tests.support.schedules import tick

ENOUGH = 400  # calls that no scenario makes
MINUTE_MS = 60_000
SWEEP_MS = 200_000  # older than the sweeper leaves alone
PASSES_MS = (SWEEP_MS, 9 * MINUTE_MS, 14 * MINUTE_MS)  # of the sweeps, while anything is pending; tokens last 15 min
ALWAYS = 10**6
ROUNDS = 4  # of deliveries before the client asks again: what one brings about is in the next

Of = Callable[[str, str], bool]
Receive = Callable[[], Outcome]
Received = tuple[str, bytes]  # a webhook's id and body


@dataclass(frozen=True)
class Scenario:
    """What a client does, and what must hold once it has been done."""

    tenant_id: str  # whose rows are audited
    act: Callable[[], Answer | None]  # exactly the same request each time; without an answer it has checked it itself
    check: Callable[[], None] = lambda: None
    done: frozenset[int] = frozenset({200, 201, 202, 204})  # what tells the client that it need not ask again
    receive: Receive | None = None  # the server that webhooks go to
    mails: int | None = None  # how many different ones it causes
    begin: Callable[[], None] = lambda: None  # forgets what a run has left in memory


Make = Callable[[], Scenario]


class BrokenError(AssertionError):
    """Something was lost or doubled."""


@dataclass(frozen=True)
class Fault:
    """A kind of fault, for any of the function's calls of its kind."""

    name: str
    when: str
    error: Callable[[str], BaseException]
    of: Of = lambda _service, _operation: True
    times: int = 1

    def at(self, number: int) -> At:
        """Return this fault at one call; the authorizer is another function, whose calls do not count."""
        of = self.of
        return At(number, self.when, self.error, lambda s, o: of(s, o) and is_functions(s, o), times=self.times)  # type: ignore[arg-type]


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


def fault_named(name: str) -> Fault:
    """Return a fault by its name."""
    return next(fault for fault in FAULTS if fault.name == name)


def enumerated(make: Make, services: Services, *faults: Fault) -> int:
    """Run a scenario anew for each fault (crashes unless given) at each of its calls; returns how many runs it took."""
    runs = 0
    with World.of(make, services) as world:
        for fault in faults or CRASHES:
            for number in range(ENOUGH):
                if not world.run(fault.name, fault.at(number)):
                    break
                runs += 1
            else:
                raise AssertionError("never through")
    return runs


def paired(make: Make, services: Services, first: Fault, second: Fault) -> int:
    """Run a scenario anew for each pair of calls: one fails while it is done, the other while it is done again."""
    runs = 0
    with World.of(make, services) as world:
        for number in range(ENOUGH):
            for other in range(ENOUGH):
                if not world.run(f"{first.name}, then {second.name}", first.at(number), second.at(other)):
                    break
                runs += 1
            if not other:
                break
    return runs


@dataclass
class World:
    """A scene that was set, what happened to it in a run, and how to put it back."""

    services: Services
    scenario: Scenario
    ledger: Ledger
    seen: dict[str, list[int]]  # the positions of events that consumers saw, by aggregate
    received: list[Received]  # by the server that webhooks go to

    def __post_init__(self) -> None:
        self._rows = self.ledger.raw()
        self._seen = {pk: list(positions) for pk, positions in self.seen.items()}
        self._mails = list(self.services.mails)
        self._objects = {key: list(versions) for key, versions in self.services.objects.versions.items()}

    @staticmethod
    @contextmanager
    def of(make: Make, services: Services) -> Iterator["World"]:
        """Set a scene, and stand by until all runs are done."""
        ledger, seen = Ledger(), defaultdict[str, list[int]](list)

        def note(event: Event) -> None:
            seen[event.pk].append(event.pos)

        with ExitStack() as standing_by:
            standing_by.enter_context(injected(ledger))
            standing_by.enter_context(patch.object(dispatcher, "_consumers", [*dispatcher._consumers, note]))
            # As API Gateway keeps what the authorizer says.
            cached = functools.lru_cache(client._authorize)
            standing_by.enter_context(patch.object(client, "_authorize", cached))
            scenario, received = make(), list[Received]()
            if scenario.receive:
                standing_by.enter_context(patch.object(workers, "post", _posting(scenario.receive, received)))
            drain(services)
            yield World(services, scenario, ledger, seen, received)

    def run(self, name: str, *faults: At) -> bool:
        """Run under faults, each in an attempt of its own. False, unchecked, when one of them never came to be."""
        self._put_back()
        with injected(IndexLag()):
            for fault in faults:
                with injected(fault):
                    self._attempt()
            if not all(fault.fired for fault in faults):
                return False
            answer = self.scenario.act()
        problems = self._settled(len(faults))
        if answer and answer.status not in self.scenario.done:
            problems = [f"{answer.status}: {answer.text}", *problems]
        if problems:
            where = ", ".join(f"call {fault.number}" for fault in faults)
            raise BrokenError(f"{name} ({where}): {'; '.join(problems)}")
        return True

    def _put_back(self) -> None:
        self.services.queues.clear()
        self.services.mails[:] = self._mails
        versions = self.services.objects.versions
        versions.clear()
        versions.update({key: list(found) for key, found in self._objects.items()})
        self.ledger.put_back(self._rows)
        self.seen.clear()
        self.seen.update({pk: list(positions) for pk, positions in self._seen.items()})
        self.received.clear()
        self.scenario.begin()

    def _attempt(self) -> None:
        try:
            answer = self.scenario.act()
            for _ in range(ROUNDS):
                deliver_once(self.services)
        except Crash:
            # What it had taken, and what lay there, is lost: these queues only say where to look. A mail is in its
            # queue alone, and SQS gives it out again.
            for url in (settings().events_queue_url, settings().webhooks_queue_url):
                self.services.queues.pop(url, None)
        else:
            if answer and answer.status >= 500 and answer.status != 503:
                raise BrokenError(f"answered {answer.status}: {answer.text}")

    def _settled(self, faults: int) -> list[str]:
        """Let time pass until nothing is pending, and return what is wrong then."""
        drain_badly(self.services, Random(1))
        for passed in PASSES_MS:
            with later(passed):
                for sweep in (app.sweep_pending, app.sweep_deliveries):
                    with _instead_of_queries(self.ledger.rows()):
                        tick(sweep)
                drain_badly(self.services, Random(passed))
                pending = any(row.get("p_pk", "")[:1] in {"P", "W"} for row in self.ledger.rows().values())
                if passed == PASSES_MS[-1] or not (pending or left(self.services)):
                    return self._problems(faults)
        raise AssertionError("not reached")

    def _problems(self, faults: int) -> list[str]:
        found = [f"left in a queue: {body}" for body in left(self.services)]
        try:
            self.scenario.check()
        except AssertionError as failed:
            found.append(f"check: {failed}")
        rows = self.ledger.rows()
        theirs = [row for key, row in rows.items() if key.pk.partition("#")[0] in {self.scenario.tenant_id, "U", "G"}]
        for row in theirs:
            if row["sk"] == "meta" and "pos" in row:
                first_seen = list(dict.fromkeys(self.seen[row["pk"]]))
                if first_seen != list(range(1, row["pos"] + 1)):
                    found.append(f"{row['pk']}: consumers saw {first_seen} of {row['pos']} events")
        return [*found, *audit(self.scenario.tenant_id, theirs), *self._mailed(rows, faults), *self._sent(rows, faults)]

    def _mailed(self, rows: dict[Key, Item], faults: int) -> Iterator[str]:
        """SES cannot tell that it has had a mail: one whose record was lost goes out again."""
        wanted = self.scenario.mails
        if wanted is None:
            return
        different = sum(key.pk.startswith("M#mail_") for key in rows.keys() - self._rows.keys())
        sent = len(self.services.mails) - len(self._mails)
        if different != wanted or not wanted <= sent <= wanted + faults:
            yield f"{different} mails, sent {sent} times, rather than {wanted}"

    def _sent(self, rows: dict[Key, Item], faults: int) -> Iterator[str]:
        """A webhook whose attempt's record was lost is sent again: its receiver knows it by its id."""
        recorded = {key: row.get("n", 0) for key, row in rows.items() if key.sk.startswith("d#")}
        before = [from_attributes(row).get("n", 0) for key, row in self._rows.items() if key in recorded]
        attempts = sum(recorded.values()) - sum(before)
        if not bool(attempts) <= len(self.received) <= attempts + faults:
            yield f"{len(self.received)} webhooks received, of {attempts} attempts"
        if unknown := {each for each, _ in self.received} - {f"evt_{key.sk.removeprefix('d#')}" for key in recorded}:
            yield f"webhooks came under {unknown}, which are no events"
        if len(set(self.received)) != len({webhook_id for webhook_id, _ in self.received}):
            yield "a webhook came with two bodies"


@contextmanager
def _instead_of_queries(rows: dict[Key, Item]) -> Iterator[None]:
    """Answer the sweeps, which ask 80 partitions each, and hide what other tests have left pending."""
    pending = defaultdict[str, deque[tuple[str, Key]]](deque)
    for key, row in rows.items():
        if "p_pk" in row:
            pending[row["p_pk"]].append((row["p_sk"], key))

    def pending_keys(partition: str, before: str, limit: int) -> list[Key]:
        return [key for place, key in sorted(pending.get(partition, ())) if place < before][:limit]

    with patch.object(table, "pending_keys", pending_keys):
        yield


def _posting(receive: Receive, received: list[Received]) -> Callable[..., Outcome]:
    """Let a webhook be a call like those of AWS, which faults can be put around."""

    def post(_target: object, headers: dict[str, str], body: bytes) -> Outcome:
        def arrive() -> Any:
            received.append((headers["webhook-id"], body))
            return receive()

        proceed = arrive
        for interceptor in aws.interceptors:
            if not isinstance(interceptor, Services):
                proceed = aws._around(interceptor, "http", "post", {}, proceed)
        outcome: Outcome = proceed()
        return outcome

    return post
