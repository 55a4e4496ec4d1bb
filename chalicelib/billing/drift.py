"""Whether what we hold of a tenant's subscription is what Stripe has, for operators."""

from collections.abc import Iterator

from chalicelib.billing import store, stripe_gateway
from chalicelib.billing.models import LIVE, Account
from chalicelib.billing.plans import PLANS
from chalicelib.billing.sync import expected
from chalicelib.core import clock
from chalicelib.core.errors import NotFoundError
from chalicelib.core.frozen import frozen
from chalicelib.tenants import service as tenants

_COMPARED = ("plan", "status", "subscription_id", "quantity", "period_end", "trial_end", "cancel_at")


@frozen
class Difference:
    """A field that is not as it should be. Times are milliseconds."""

    field: str
    held: object
    true: object


def list_customers() -> Iterator[str]:
    """Yield every tenant that is a customer at Stripe: each has a time at which it is looked at next."""
    seen = set()
    for shard in range(store.DUE_SHARDS):
        for tenant_id in store.list_due(shard):
            if tenant_id not in seen:  # a look meanwhile moves it on in the index
                seen.add(tenant_id)
                account = store.find(tenant_id)
                if account and account.customer_id:
                    yield tenant_id


def find_differences(tenant_id: str) -> list[Difference]:
    """Return what differs now, and did a moment ago: a hook that is just being worked on is no drift.

    Raises NotFoundError for a tenant that is no customer, UnavailableError when Stripe does not answer.
    """
    found = _compare(tenant_id)
    return [each for each in _compare(tenant_id) if each in found] if found else []


def _compare(tenant_id: str) -> list[Difference]:
    account, tenant = _customer(tenant_id), tenants.get_tenant(tenant_id)
    subscription = stripe_gateway.latest(str(account.customer_id))
    true = expected(account, subscription, clock.now_ms())
    pairs = {name: (getattr(account, name), getattr(true, name)) for name in _COMPARED}
    limits = PLANS[true.plan].limits
    pairs |= {
        f"limits.{name}": (getattr(tenant.limits, name), getattr(limits, name))
        for name in ("seats", "conversations", "storage", "webhooks", "request_share")
    }
    if subscription and subscription.status in LIVE:
        pairs["members"] = (tenants.count_members(tenant_id), subscription.quantity)
    return [Difference(name, held, true) for name, (held, true) in pairs.items() if held != true]


def _customer(tenant_id: str) -> Account:
    account = store.find(tenant_id)
    if account is None or account.customer_id is None:
        raise NotFoundError(f"{tenant_id} is no customer at Stripe.")
    return account
