"""However hooks come, what we know ends as what Stripe has."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.billing import store, stripe_gateway
from chalicelib.billing.models import Snapshot
from chalicelib.billing.sync import sync
from chalicelib.core.table import tenant_rows
from tests.support.stripe import Till, without_tickets
from tests.support.tenants import Organisation, new_tenant

HISTORIES, STEPS = 12, 5
DAY = 86_400


def known(tenant: Organisation) -> tuple[Any, ...]:
    account = store.find(tenant.id)
    assert account is not None
    return account.plan, account.status, account.quantity, account.cancel_at


def true(tenant: Organisation) -> tuple[Any, ...]:
    """What Stripe has."""
    account = store.find(tenant.id)
    assert account is not None
    assert account.customer_id is not None
    found = stripe_gateway.latest(account.customer_id)
    assert found is not None
    alive = found.status in {"active", "trialing", "past_due"}
    return (found.plan if alive else "free"), found.status, found.quantity, (found.cancel_at if alive else None)


def change_at_stripe(tenant: Organisation, wanted: dict[str, Any]) -> None:
    """Do what an owner does in the portal or an operator in the Dashboard."""
    account = store.find(tenant.id)
    assert account is not None
    stripe_gateway.client().subscriptions.update(account.subscription_id, wanted)


def applying_while_another_looks(tenant: Organisation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fetch; before that is applied, let the subscription change and another function apply the change."""
    latest = stripe_gateway.latest
    fetched: list[Snapshot | None] = []

    def slow(customer_id: str) -> Snapshot | None:
        found = latest(customer_id)
        if not fetched:
            fetched.append(found)
            change_at_stripe(tenant, {"cancel_at_period_end": False})
            sync(tenant.id)
        return found

    change_at_stripe(tenant, {"cancel_at_period_end": True})
    monkeypatch.setattr(stripe_gateway, "latest", slow)
    sync(tenant.id)


class TestTickets:
    def test_an_older_state_never_overwrites_a_newer_one(
        self, till: Till, tenant: Organisation, monkeypatch: pytest.MonkeyPatch
    ):
        till.subscribe(tenant, "starter")
        applying_while_another_looks(tenant, monkeypatch)
        assert known(tenant) == true(tenant)

    def test_without_tickets_it_does(self, till: Till, tenant: Organisation, monkeypatch: pytest.MonkeyPatch):
        till.subscribe(tenant, "starter")
        monkeypatch.setattr(store, "applying", without_tickets(store.applying))
        applying_while_another_looks(tenant, monkeypatch)
        assert known(tenant) != true(tenant)


ACTIONS: list[Callable[[Till, Organisation, random.Random], None]] = [
    lambda _till, tenant, _chance: change_at_stripe(tenant, {"cancel_at_period_end": True}),
    lambda _till, tenant, _chance: change_at_stripe(tenant, {"cancel_at_period_end": False}),
    lambda _till, tenant, chance: stripe_gateway.change_plan(
        _now(tenant), chance.choice(["starter", "pro", "business"]), key=str(chance.random())
    ),
    lambda till, _tenant, chance: till.pass_time(chance.choice([60, 3600, DAY])),
]


def _now(tenant: Organisation) -> Snapshot:
    account = store.find(tenant.id)
    assert account is not None
    found = stripe_gateway.latest(account.customer_id or "")
    assert found is not None
    return found


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_shuffled_doubled_and_dropped_hooks_end_in_stripes_state(till: Till, seed: int):
    chance, tenant = random.Random(seed), new_tenant()
    till.subscribe(tenant, "starter")
    waiting = []
    for _ in range(STEPS):
        chance.choice(ACTIONS)(till, tenant, chance)
        waiting += [hook for hook in till.double.hooks.take() for _ in range(chance.choice([0, 1, 1, 2]))]
        chance.shuffle(waiting)
        for hook in waiting[: chance.randrange(len(waiting) + 1)]:
            till.post(hook)
            waiting.remove(hook)
        if chance.random() < 0.5:
            till.work()
    till.pass_time(3700)
    till.reconcile()
    assert known(tenant) == true(tenant)


def test_with_every_hook_lost_one_look_heals_it(till: Till, tenant: Organisation):
    till.subscribe(tenant, "starter")
    change_at_stripe(tenant, {"cancel_at_period_end": True})
    till.double.hooks.take()
    assert known(tenant) != true(tenant)
    till.pass_time(3700)
    till.reconcile()
    assert known(tenant) == true(tenant)
    row = tenant_rows(tenant.id).get("billing", "state")
    assert row is not None
    assert row["p_pk"].startswith("S#")
