"""`billing`: drift is told and healed, and a look without any changes nothing."""

import pytest

from chalicelib.billing import drift, store
from chalicelib.billing.models import Account
from chalicelib.core.table import run, tenant_rows
from tests.support.operator import parley
from tests.support.stripe import Till
from tests.support.tenants import new_tenant


@pytest.fixture
def till(services):
    found = Till(services)
    with found.open():
        yield found


@pytest.fixture
def tenant(till, engine):
    found = new_tenant()
    till.subscribe(found)
    return found


def held(tenant) -> Account:
    """What we hold."""
    found = store.find(tenant.id)
    assert found is not None
    return found


def spoil(tenant, **changed) -> None:
    """Change what we hold, as a bug or a lost hook would leave it."""
    run(tenant_rows(tenant.id).updating("billing", "state", set_=changed))


def fields(done) -> dict[str, tuple[object, object]]:
    return {row["field"]: (row["held"], row["true"]) for row in done.json["data"]}


class TestDrift:
    def test_without_any_it_says_so_and_writes_nothing(self, tenant, services):
        before = store.find(tenant.id)
        services.reset()
        done = parley("billing", "drift", "--tenant", tenant.id)
        assert done.out == "As Stripe has them: 1 of 1 tenants.\n"
        assert not {operation for _, operation in services.calls} - {"get_item", "query", "get_secret_value"}
        assert store.find(tenant.id) == before

    def test_each_field_that_differs_is_told_and_healed_when_wanted(self, tenant):
        spoil(tenant, plan="business", st="past_due", qty=7, ca=1)
        slug = tenant.created["slug"]
        done = parley("billing", "drift", "--tenant", slug, "--json", code=1)
        assert fields(done).keys() == {"plan", "status", "quantity", "cancel_at"}
        assert fields(done)["plan"] == ("business", "pro")
        parley("billing", "drift", "--tenant", slug, "--heal", code=2)  # asks, and nobody is there
        assert held(tenant).plan == "business"
        healed = parley("billing", "drift", "--tenant", slug, "--heal", "--yes", "--json")
        assert {row["healed"] for row in healed.json["data"]} == {True}
        assert (held(tenant).plan, held(tenant).quantity) == ("pro", 1)
        parley("billing", "drift", "--tenant", slug)

    def test_limits_that_are_not_the_plans_are_drift(self, tenant):
        run(tenant_rows(tenant.id).updating("tenant", "meta", set_={"lim": {"seats": 3}}))
        found = fields(parley("billing", "drift", "--tenant", tenant.id, "--json", code=1))
        assert found["limits.seats"] == (3, 50)

    def test_a_hook_lost_is_found_among_all(self, tenant, till):
        bystander = new_tenant()  # no customer
        quiet = new_tenant()
        till.subscribe(quiet)
        spoil(tenant, st="unpaid")
        listed = list(drift.list_customers())
        assert {tenant.id, quiet.id} <= set(listed)
        assert bystander.id not in listed
        done = parley("billing", "drift", "--json", code=None)
        assert [row["field"] for row in done.json["data"] if row["tenant_id"] == tenant.id] == ["status"]
        assert quiet.id not in done.out

    def test_what_is_right_at_the_second_look_is_no_drift(self, tenant, monkeypatch):
        spoil(tenant, qty=7)
        compare = drift._compare

        def and_then_the_hook_comes(tenant_id):
            found = compare(tenant_id)
            spoil(tenant, qty=1)
            return found

        monkeypatch.setattr(drift, "_compare", and_then_the_hook_comes)
        parley("billing", "drift", "--tenant", tenant.id)

    def test_when_stripe_does_not_answer_that_is_said(self, tenant, till):
        till.transport.failing = True
        done = parley("billing", "drift", "--tenant", tenant.id, "--json", code=3)
        assert done.json["unread"] == [tenant.id]
        assert "Stripe did not answer" in done.err

    def test_a_tenant_that_is_no_customer(self, till):
        assert "no customer" in parley("billing", "drift", "--tenant", new_tenant().id, code=1).err


def test_plans_are_made_once(till):
    assert parley("billing", "plans").out == "Stripe has all of them.\n"
    with Till(till.services).open():
        assert parley("billing", "plans", "--json").json == {"made": []}


def test_where_nobody_pays_it_says_so(services):
    assert "PARLEY_BILLING" in parley("billing", "drift", code=2).err
