"""Deliveries under crashes: the process dies before or after each call, to AWS or to the receiver."""

from collections.abc import Iterator
from typing import Any

import pytest

import app
from chalicelib.events.dispatcher import dispatch
from chalicelib.webhooks import deliveries, store, workers
from tests.support.aws import Services
from tests.support.clocks import later
from tests.support.contacts import new_company
from tests.support.faults import At, Crash, crash, injected, is_functions
from tests.support.queues import drain, take
from tests.support.receivers import Receiver
from tests.support.schedules import tick
from tests.support.tenants import new_key, new_tenant
from tests.support.webhooks import WEBHOOKS, deliveries_of, delivery, new_webhook

ENOUGH = 200  # calls no scenario makes
MINUTE = 60_000


class Scenario:
    """A tenant, its endpoint, and something to tell of, again and again."""

    def __init__(self, services: Services, receiver: Receiver) -> None:
        self.services, self.receiver = services, receiver
        self.owner = new_key(new_tenant())
        self.webhook = new_webhook(self.owner, receiver.url, ["company.created"])
        self.url = f"{WEBHOOKS}/{self.webhook['id']}"
        self.begun = 0
        drain(services)

    def begin(self, answers: list[Any]) -> None:
        """Something happens."""
        self.owner.patch(self.url, {"status": "enabled"})
        drain(self.services)
        self.receiver.got.clear()
        self.receiver.answers[:] = answers
        self.begun += 1
        self.company = new_company(self.owner)["id"]

    def work(self) -> None:
        """Let the queue functions run, one record a batch, in this thread: there a crash is seen."""
        for _ in range(20):
            bodies = [(consume, body) for name, consume in QUEUES for body in take(self.services, name)]
            if not bodies:
                return
            for consume, body in bodies:
                consume(body)

    def heal(self) -> None:
        """Minutes pass: what was lost with the process is found."""
        for minutes, sweep in ((4, app.sweep_pending), (10, app.sweep_deliveries), (16, app.sweep_deliveries)):
            with later(minutes * MINUTE):
                tick(sweep)
                self.work()

    def delivery(self) -> dict[str, Any]:
        """The one of what has happened since `begin`."""
        rows = deliveries_of(self.owner, self.webhook)
        assert rows, "none was recorded"
        newest = delivery(self.owner, self.webhook, rows[0]["id"])
        assert newest["payload"]["data"]["id"] == self.company, "it was not recorded"
        return newest


QUEUES = (("events", dispatch), ("webhooks", workers.send))


def enumerated(services: Services, receiver: Receiver, answers: list[Any]) -> Iterator[Scenario]:
    """Begin anew for each call that is made, dying there, and then let time pass."""
    scenario = Scenario(services, receiver)
    for when in ("before", "after"):
        for number in range(ENOUGH):
            scenario.begin(answers)
            fault = At(number, when, crash, is_functions)
            with injected(fault):
                try:
                    scenario.work()
                except Crash:
                    for queue in services.queues.values():
                        queue.clear()  # what it had taken from a queue, and what lay there, is lost
            if not fault.fired:
                assert number > 5
                break
            scenario.heal()
            yield scenario
        else:
            raise AssertionError("never through")


def test_an_event_is_recorded_once_and_delivered_wherever_the_process_dies(services, receiver):
    runs = 0
    for scenario in enumerated(services, receiver, []):
        runs += 1
        found = scenario.delivery()
        assert (found["status"], found["last_status"]) == ("delivered", 200)
        assert 1 <= len(receiver.got) <= 2  # at most the attempt whose record was lost comes again
        assert {headers["webhook-id"] for headers, _ in receiver.got} == {found["event_id"]}
        assert [each["number"] for each in found["log"]] == list(range(1, found["attempts"] + 1))
    assert runs >= 14


def test_a_failed_attempt_is_followed_by_the_next_wherever_the_process_dies(services, receiver):
    runs = 0
    for scenario in enumerated(services, receiver, [(500, {}, b"no")]):
        runs += 1
        found = scenario.delivery()
        assert found["status"] == "delivered"
        assert 2 <= len(receiver.got) <= 3
        assert [each["number"] for each in found["log"]] == list(range(1, found["attempts"] + 1))
    assert runs >= 14


def test_an_answer_of_gone_disables_once_wherever_the_process_dies(services, receiver):
    receiver.always = (410, {}, b"")
    for scenario in enumerated(services, receiver, []):
        assert scenario.delivery()["status"] == "canceled"
        assert scenario.owner.get(scenario.url).json["disabled_reason"] == "gone"
        with later(30 * MINUTE):
            events = scenario.owner.get("/v1/events?limit=100&type=webhook.disabled").json["data"]
        assert len(events) == scenario.begun


@pytest.mark.parametrize("planted", ["not recorded before it counts as dispatched", "recorded without an index entry"])
def test_a_design_that_loses_deliveries_is_found(services, receiver, monkeypatch, planted):
    if planted.startswith("not recorded"):
        monkeypatch.setattr(deliveries, "_begin", lambda _delivery: None)
    else:
        monkeypatch.setattr(store, "GRACE_MS", 10**10)
    with pytest.raises(AssertionError, match="recorded" if planted.startswith("not recorded") else "pending"):
        test_an_event_is_recorded_once_and_delivered_wherever_the_process_dies(services, receiver)
