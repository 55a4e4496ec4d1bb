"""Nothing is lost and nothing doubled, whatever fails at whichever call; designs that lose or double are found out.

Every run asks again, sweeps, and delivers everything twice and shuffled, with indexes that lag; see
`tests/support/crashes.py`. `make crashes` tries every fault in every scenario and all ordered pairs.
"""

from collections.abc import Callable
from functools import partial

import pytest

from tests.crashes import planted
from tests.crashes.scenarios import (
    CRASHED,
    PAIRED,
    SCENARIOS,
    agent_send,
    deliver_webhook,
    invite_by_mail,
    open_conversation,
    visitor_send,
)
from tests.support.crashes import CRASHES, FAULTS, BrokenError, enumerated, fault_named, paired

Count = Callable[[int], None]


@pytest.fixture
def count(record_property) -> Count:
    """Let the summary say how many runs there were."""
    return partial(record_property, "runs")


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chalicelib.core.dynamodb.pause", lambda _attempt: None)


@pytest.mark.parametrize("scenario", CRASHED)
def test_a_crash_at_any_call(services, count, scenario):
    runs = enumerated(partial(scenario, services), services)
    assert runs >= 12
    count(runs)


@pytest.mark.parametrize("fault", [each for each in FAULTS if each not in CRASHES], ids=lambda each: each.name)
@pytest.mark.parametrize("scenario", PAIRED)
def test_any_other_fault_at_any_call(services, count, scenario, fault):
    runs = enumerated(partial(scenario, services), services, fault)
    assert runs >= 1
    count(runs)


@pytest.mark.parametrize("first", CRASHES, ids=lambda each: each.name)
@pytest.mark.parametrize("second", CRASHES, ids=lambda each: each.name)
def test_two_crashes_while_a_visitor_writes(services, count, first, second):
    runs = paired(partial(visitor_send, services), services, first, second)
    assert runs >= 12
    count(runs)


@pytest.mark.crashes
@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: each.name)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_fault_at_any_call_of_everything(services, count, scenario, fault):
    count(enumerated(partial(scenario, services), services, fault))


@pytest.mark.crashes
@pytest.mark.parametrize("second", FAULTS, ids=lambda each: each.name)
@pytest.mark.parametrize("first", FAULTS, ids=lambda each: each.name)
@pytest.mark.parametrize("scenario", PAIRED)
def test_every_ordered_pair_of_faults(services, count, scenario, first, second):
    count(paired(partial(scenario, services), services, first, second))


PLANTED = [
    (planted.no_outbox, visitor_send, "crash after", "not dispatched"),
    (planted.apply_then_record, agent_send, "crash after", "'once', 'once'"),
    (planted.random_ids_for_effects, invite_by_mail, "crash after", "2 mails"),
    (planted.nudge_before_commit, visitor_send, "throttled twice", "not dispatched"),
    (planted.counters_outside_the_transaction, open_conversation, "crash after", "counter conv_open is 0, counted 1"),
    (planted.counters_before_moving_on, open_conversation, "crash after", "counter conv_open is 2, counted 1"),
    (planted.rows_one_by_one, visitor_send, "crash after", "its messages are|its events are"),
    (planted.forgotten_client_msg_ids, visitor_send, "crash after", "was said 2 times"),
    (planted.webhooks_after_moving_on, deliver_webhook, "crash after", "was never recorded"),
    (planted.webhooks_with_ids_of_their_own, deliver_webhook, "crash after", "which are no events"),
    (planted.webhooks_done_before_they_are_sent, deliver_webhook, "crash before", "0 webhooks received"),
]


@pytest.mark.parametrize(
    ("design", "scenario", "fault", "found"), PLANTED, ids=lambda each: getattr(each, "__name__", "")
)
def test_a_planted_design_is_found_out(services, design, scenario, fault, found):
    with design(), pytest.raises(BrokenError, match=found):
        enumerated(partial(scenario, services), services, fault_named(fault))
