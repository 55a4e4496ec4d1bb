"""Nothing is lost and nothing doubled, whatever fails at whichever call; designs that lose or double are found out.

Every run asks again, sweeps, and delivers everything twice and shuffled, with indexes that lag; see
`tests/support/crashes.py`. `make crashes` tries every fault in every scenario and all ordered pairs.
"""

from collections.abc import Callable
from functools import partial

import pytest

from tests.crashes import billing, planted, planted_billing
from tests.crashes.billing import BILLING
from tests.crashes.scenarios import (
    CRASHED,
    SCENARIOS,
    agent_send,
    deliver_webhook,
    invite_by_mail,
    open_conversation,
    visitor_send,
)
from tests.support.crashes import AFTER, CRASHES, FAULTS, STRIPE_FAULTS, BrokenError, enumerated, fault_named, paired

Count = Callable[[int], None]
ALL_FAULTS = (*FAULTS, *STRIPE_FAULTS)
# What has had its effect and does not know it.
UNHEARD = [fault_named(f"{done} but timed out") for done in ("committed", "queued", "done at Stripe")]
PAIRED = (visitor_send, deliver_webhook, billing.take_hook)


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


@pytest.mark.parametrize("scenario", BILLING)
def test_a_crash_at_any_call_of_ours_or_stripes(services, count, scenario):
    runs = enumerated(partial(scenario, services), services, AFTER)
    assert runs >= 10
    count(runs)


@pytest.mark.parametrize("fault", [each for each in FAULTS if each not in CRASHES], ids=lambda each: each.name)
@pytest.mark.parametrize("scenario", [visitor_send, deliver_webhook])
def test_any_other_fault_at_any_call(services, count, scenario, fault):
    runs = enumerated(partial(scenario, services), services, fault)
    assert runs >= 1
    count(runs)


@pytest.mark.parametrize("scenario", [billing.take_hook, billing.begin_checkout])
def test_any_other_fault_of_ours_or_stripes(services, count, scenario):
    runs = enumerated(partial(scenario, services), services, *STRIPE_FAULTS, *UNHEARD)
    assert runs >= len(STRIPE_FAULTS) + len(UNHEARD)
    count(runs)


def test_two_crashes_while_a_visitor_writes(services, count):
    tally = paired(partial(visitor_send, services), services, CRASHES, CRASHES)
    assert tally.faults >= 12
    count(tally.faults)


@pytest.mark.parametrize(("scenario", "every"), [(visitor_send, 2), (deliver_webhook, 5), (billing.take_hook, 5)])
def test_a_sample_of_pairs_of_faults(services, count, scenario, every):
    tally = paired(partial(scenario, services), services, [AFTER, *UNHEARD], [AFTER, *UNHEARD], every=every)
    assert tally.first_states >= 2
    count(tally.faults)


@pytest.mark.crashes
@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: each.name)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_fault_at_any_call_of_everything(services, count, scenario, fault):
    count(enumerated(partial(scenario, services), services, fault))


@pytest.mark.crashes
@pytest.mark.parametrize("scenario", BILLING)
def test_every_fault_at_any_call_of_ours_or_stripes(services, count, scenario):
    count(enumerated(partial(scenario, services), services, *ALL_FAULTS))


@pytest.mark.crashes
@pytest.mark.parametrize("scenario", PAIRED)
def test_every_ordered_pair_of_faults(services, count, record_property, scenario):
    tally = paired(partial(scenario, services), services, ALL_FAULTS, ALL_FAULTS)
    count(tally.faults)
    record_property("states", tally.states)


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


PLANTED_BILLING = [
    (planted_billing.no_ticket_fence, billing.overtaken, "crash after", "written last"),
    (planted_billing.ticket_after_the_fetch, billing.overtaken, "crash after", "written last"),
    (planted_billing.acknowledged_before_it_is_stored, billing.take_hook, "crash before", "answered, and not stored"),
    (planted_billing.usage_under_random_identifiers, billing.report_usage, "crash after", r"\[2, 2\] == \[2\]"),
    (planted_billing.customer_without_a_key, billing.open_portal, "crash after", "customers are"),
    (planted_billing.checkouts_left_open, billing.begin_checkout, "crash after", "2 checkouts are open"),
    (planted_billing.canceled_before_it_is_paid_back, billing.two_windows, "crash after", r"\[\] == \[4900\]"),
    (planted_billing.no_reconcile, billing.take_hook, "crash after", "Stripe has"),
]


@pytest.mark.parametrize(
    ("design", "scenario", "fault", "found"),
    [*PLANTED, *PLANTED_BILLING],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_a_planted_design_is_found_out(services, design, scenario, fault, found):
    with design(), pytest.raises(BrokenError, match=found):
        enumerated(partial(scenario, services), services, fault_named(fault))
