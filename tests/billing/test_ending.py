"""A tenant that is erased pays nothing any more, and the erasing waits until Stripe knows it."""

import app
from chalicelib.billing import stripe_gateway
from chalicelib.billing.models import LIVE
from chalicelib.core.table import GUARDS
from tests.support.queues import deliver, drain, take
from tests.support.stripe import Till
from tests.support.tables import everything_of


def erase(tenant):
    return tenant.owner.client.send("DELETE", tenant.url, {"confirm": tenant.created["slug"]})


def customer_of(tenant):
    (row,) = [row for row in everything_of(tenant.id) if row["pk"].endswith("#billing") and row["sk"] == "state"]
    return row["cus"]


def test_its_subscription_ends_at_once_and_its_customer_is_forgotten(till: Till, tenant, services):
    till.subscribe(tenant)
    customer = customer_of(tenant)
    before = stripe_gateway.latest(customer)
    assert before
    assert before.status in LIVE
    assert erase(tenant).status == 202
    drain(services)
    found = stripe_gateway.latest(customer)
    assert found is None or found.status == "canceled"
    assert GUARDS.get(f"stripe#{customer}", "-") is None
    assert everything_of(tenant.id) == []


def test_while_stripe_does_not_answer_nothing_is_erased(till: Till, tenant, services):
    till.subscribe(tenant)
    assert erase(tenant).status == 202
    before = len(everything_of(tenant.id))
    till.transport.failing = True
    left = deliver(app.dispatch_events, take(services, "events"))
    assert left
    assert len(everything_of(tenant.id)) >= before
    till.transport.failing = False
    services.queues["events"].extend(left)
    drain(services)
    assert everything_of(tenant.id) == []


def test_what_a_hook_still_says_of_it_changes_nothing(till: Till, tenant, services):
    till.subscribe(tenant)
    erase(tenant)
    drain(services)
    till.deliver_hooks()
    till.work()
    drain(services)
    assert everything_of(tenant.id) == []
