"""A scene that was set, its states, and what comes of them: faults, time, sweeps, queues that deliver badly, the audit.

A state is all that a run leaves behind: rows, queues, mails, objects, what consumers and servers saw, and what Stripe
has. A world is put into one, and told apart from another by a fingerprint: ids are numbered as they come, so that two
runs that went the same way are in one state. The clock stands still but for the pauses of a run.
"""

import functools
import json
import random
import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any
from unittest.mock import patch

import app
from chalicelib.billing import store as billing_store
from chalicelib.core import clock, table
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
from tests.support.faults import At, Crash, IndexLag, exposed, injected
from tests.support.ledger import Ledger, Raw
from tests.support.queues import deliver_once, drain, drain_badly, left
from tests.support.schedules import tick
from tests.support.stripe import Till
from tests.support.stripe_audit import audit_stripe

MINUTE_MS = 60_000
SWEEP_MS = 200_000  # older than the sweeper leaves alone
PASSES_MS = (SWEEP_MS, 9 * MINUTE_MS, 14 * MINUTE_MS)  # of the sweeps, while anything is pending; tokens last 15 min
TILL_PASSES_MS = (SWEEP_MS, 62 * MINUTE_MS, 124 * MINUTE_MS)  # …and of the hourly looks at Stripe
ASKS_AGAIN_MS = 1_000
LOCKED_MS = 61_000  # until a change of a subscription that died lets another begin
ROUNDS = 4  # of deliveries before the client asks again: what one brings about is in the next

Receive = Callable[[], Outcome]
Received = tuple[str, bytes]  # a webhook's id and body

_VARIES = re.compile(
    r"(?<![0-9A-Za-z])[0-7][0-9A-HJKMNP-TV-Z]{25}(?![0-9A-Za-z])"  # our ids
    r"|(?<![0-9A-Za-z])_?[a-z]{2,6}(?:_test)?_[A-Za-z0-9]{14,}"  # Stripe's, some of which are ours as well
    r"|(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])"  # hashes of either
)
_SHARDS = re.compile(r"(?<=[\"#])([PSW]#|log#|sock#)\d+")


@dataclass(frozen=True)
class Scenario:
    """What a client does, and what must hold once it has been done."""

    tenant_id: str  # whose rows are audited
    act: Callable[[], Answer | None]  # exactly the same request each time; without an answer it has checked it itself
    check: Callable[[], None] = lambda: None
    done: frozenset[int] = frozenset({200, 201, 202, 204})  # what tells the client that it need not ask again
    receive: Receive | None = None  # the server that webhooks go to
    mails: int | None = None  # how many different ones it causes
    remember: Callable[[], Any] = lambda: None  # returns what it holds of a run itself…
    recall: Callable[[Any], None] = lambda _held: None  # …and puts it back
    till: Till | None = None  # where it pays


Make = Callable[[], Scenario | AbstractContextManager[Scenario]]


class BrokenError(AssertionError):
    """Something was lost or doubled."""


@dataclass(frozen=True)
class State:
    """What a run has left behind so far."""

    rows: dict[Key, Raw]
    queues: dict[str, list[str]]
    mails: list[dict[str, Any]]
    objects: dict[str, list[Any]]
    seen: dict[str, list[int]]  # the positions of events that consumers saw, by aggregate
    received: list[Received]  # by the server that webhooks go to
    held: Any  # by the scenario itself
    stripe: tuple[Any, ...]
    moment: int  # milliseconds
    attempts: int = 0

    @property
    def fingerprint(self) -> str:
        """The same for states that differ in nothing but what ids they gave, and for no others."""
        rows = [row for _, row in sorted(self.rows.items())]
        objects = [each for each in self.stripe[0].values() if each["object"] not in {"event", "_delivery"}]
        known = [rows, self.queues, self.mails, self.objects, self.seen, self.received, self.held, objects]
        text = _SHARDS.sub(r"\1", json.dumps(known, default=repr, sort_keys=True))
        numbers: dict[str, str] = {}
        return _VARIES.sub(lambda found: numbers.setdefault(found[0], f"<{len(numbers)}>"), text)


class World:
    """A scene, what happens to it, and how to put it into a state."""

    def __init__(self, services: Services, scenario: Scenario, ledger: Ledger, seen: dict[str, list[int]]) -> None:
        self.services, self.scenario, self.ledger, self.seen = services, scenario, ledger, seen
        self.received: list[Received] = []
        self.moment, self.attempts = clock.now_ms(), 0
        self.start = self.state()

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
            standing_by.enter_context(patch.object(billing_store, "pending_keys", _pending_in(ledger.rows)))
            # As API Gateway keeps what the authorizer says.
            cached = functools.lru_cache(client._authorize)
            standing_by.enter_context(patch.object(client, "_authorize", cached))
            made = make()
            scenario = made if isinstance(made, Scenario) else standing_by.enter_context(made)
            drain(services)
            world = World(services, scenario, ledger, seen)
            if scenario.receive:
                post = _posting(scenario.receive, world.received)
                standing_by.enter_context(patch.object(workers, "post", post))
            standing_by.enter_context(clock.reading(lambda: world.moment))
            yield world

    def state(self) -> State:
        """Return what there is now."""
        scenario = self.scenario
        return State(
            self.ledger.raw(),
            {url: list(found) for url, found in self.services.queues.items() if found},
            list(self.services.mails),
            {key: list(versions) for key, versions in self.services.objects.versions.items()},
            {pk: list(positions) for pk, positions in self.seen.items()},
            list(self.received),
            scenario.remember(),
            scenario.till.state() if scenario.till else ({},),
            self.moment,
            self.attempts,
        )

    def put_into(self, state: State) -> None:
        """Make everything what it was."""
        random.seed(1)
        services, scenario = self.services, self.scenario
        services.queues.clear()
        services.queues.update({url: deque(found) for url, found in state.queues.items()})
        services.mails[:] = state.mails
        services.calls.clear()
        services.objects.versions.clear()
        services.objects.versions.update({key: list(found) for key, found in state.objects.items()})
        self.ledger.put_back(state.rows)
        self.ledger.keys = dict.fromkeys({**self.start.rows, **state.rows})
        self.seen.clear()
        self.seen.update({pk: list(positions) for pk, positions in state.seen.items()})
        self.received[:] = state.received
        scenario.recall(state.held)
        if scenario.till:
            scenario.till.put_back(state.stripe)
        self.moment, self.attempts = state.moment, state.attempts

    def attempt(self, fault: At) -> bool:
        """Do it under a fault, and have some of what follows delivered. False when the fault never came to be."""
        with injected(self._lag()), injected(fault):
            try:
                answer = self.scenario.act()
                for _ in range(ROUNDS):
                    deliver_once(self.services)
            except Crash:
                # What it had taken, and what lay there, is lost: these queues only say where to look. A mail is in its
                # queue alone, and SQS gives it out again.
                for url in (settings().events_queue_url, settings().webhooks_queue_url, settings().billing_queue_url):
                    self.services.queues.pop(url, None)
            else:
                if answer and answer.status >= 500 and answer.status != 503:
                    raise BrokenError(f"answered {answer.status}: {answer.text}")
        self.attempts += 1
        self.moment += LOCKED_MS if self.scenario.till else ASKS_AGAIN_MS
        return bool(fault.fired)

    def finish(self) -> list[str]:
        """Ask again, let time pass until nothing is pending, and return what is wrong then."""
        with injected(self._lag()):
            answer = self.scenario.act()
        drain_badly(self.services, Random(1))
        passes = iter(TILL_PASSES_MS if self.scenario.till else PASSES_MS)
        problems = self._settled(next(passes), passes)
        if answer and answer.status not in self.scenario.done:
            problems = [f"{answer.status}: {answer.text}", *problems]
        return problems

    def _settled(self, passed: int, more: Iterator[int]) -> list[str]:
        with later(passed):
            self._sweep()
            drain_badly(self.services, Random(passed))
            pending = any(row.get("p_pk", "")[:1] in {"P", "W"} for row in self.ledger.rows().values())
            waits = pending or left(self.services) or (self.scenario.till and passed == TILL_PASSES_MS[0])
            following = next(more, None)
            if not waits or following is None:
                return self._problems()
        return self._settled(following, more)

    def _lag(self) -> IndexLag:
        """Return indexes that show what was there when the run began."""
        before, now = self.start.rows, self.ledger.raw() if self.attempts else self.start.rows
        changed = [key for key in before.keys() | now.keys() if before.get(key) != now.get(key)]
        return IndexLag({(key.pk, key.sk): before.get(key, {}) for key in changed})

    def _sweep(self) -> None:
        due = [app.sweep_pending, app.sweep_deliveries, *([app.look_at_due_accounts] if self.scenario.till else [])]
        for sweep in due:
            pending_keys = _pending_in(functools.cache(self.ledger.rows))
            with (
                patch.object(table, "pending_keys", pending_keys),
                patch.object(billing_store, "pending_keys", pending_keys),
            ):
                tick(sweep)

    def _problems(self) -> list[str]:
        found = [f"left in a queue: {body}" for body in left(self.services)]
        try:
            self.scenario.check()
        except AssertionError as failed:
            found.append(f"check: {failed}")
        rows, tenant_id, till = self.ledger.rows(), self.scenario.tenant_id, self.scenario.till
        theirs = [row for key, row in rows.items() if key.pk.partition("#")[0] in {tenant_id, "U", "G"}]
        for row in theirs:
            if row["sk"] == "meta" and "pos" in row:
                first_seen = list(dict.fromkeys(self.seen[row["pk"]]))
                if first_seen != list(range(1, row["pos"] + 1)):
                    found.append(f"{row['pk']}: consumers saw {first_seen} of {row['pos']} events")
        paid = audit_stripe(tenant_id, rows, till.double.account.ledger) if till else ()
        return [*found, *audit(tenant_id, theirs), *paid, *self._mailed(rows), *self._sent(rows)]

    def _mailed(self, rows: dict[Key, Item]) -> Iterator[str]:
        """SES cannot tell that it has had a mail: one whose record was lost goes out again."""
        wanted = self.scenario.mails
        if wanted is None:
            return
        different = sum(key.pk.startswith("M#mail_") for key in rows.keys() - self.start.rows.keys())
        sent = len(self.services.mails) - len(self.start.mails)
        if different != wanted or not wanted <= sent <= wanted + self.attempts:
            yield f"{different} mails, sent {sent} times, rather than {wanted}"

    def _sent(self, rows: dict[Key, Item]) -> Iterator[str]:
        """A webhook whose attempt's record was lost is sent again: its receiver knows it by its id."""
        recorded = {key: row.get("n", 0) for key, row in rows.items() if key.sk.startswith("d#")}
        before = [from_attributes(row).get("n", 0) for key, row in self.start.rows.items() if key in recorded]
        attempts = sum(recorded.values()) - sum(before)
        if not bool(attempts) <= len(self.received) <= attempts + self.attempts:
            yield f"{len(self.received)} webhooks received, of {attempts} attempts"
        if unknown := {each for each, _ in self.received} - {f"evt_{key.sk.removeprefix('d#')}" for key in recorded}:
            yield f"webhooks came under {unknown}, which are no events"
        if len(set(self.received)) != len({webhook_id for webhook_id, _ in self.received}):
            yield "a webhook came with two bodies"


def _pending_in(read: Callable[[], dict[Key, Item]]) -> Callable[[str, str, int], list[Key]]:
    """Answer what looks at what is due, which asks 80 partitions, and hide what other tests have left pending."""

    def pending_keys(partition: str, before: str, limit: int) -> list[Key]:
        rows = read().items()
        there = sorted((row["p_sk"], key) for key, row in rows if row.get("p_pk") == partition and row["p_sk"] < before)
        return [key for _, key in there][:limit]

    return pending_keys


def _posting(receive: Receive, received: list[Received]) -> Callable[..., Outcome]:
    """Let a webhook be a call like those of AWS, which faults can be put around."""

    def post(_target: object, headers: dict[str, str], body: bytes) -> Outcome:
        def arrive() -> Any:
            received.append((headers["webhook-id"], body))
            return receive()

        outcome: Outcome = exposed("http", "post", arrive)
        return outcome

    return post
