"""The plans: what each costs and allows. `python -m parley billing plans` puts them into Stripe.

Prices are in cents of `CURRENCY`. A price that customers have is never changed in Stripe: give it another `VERSION`;
who has the old one keeps it.
"""

from typing import Literal, get_args

from chalicelib.core.frozen import frozen
from chalicelib.tenants.models import Limits

PlanName = Literal["free", "starter", "pro", "business"]
PaidPlanName = Literal["starter", "pro", "business"]

CURRENCY = "usd"
VERSION = "1"
METER = "parley_conversations"  # the event name of Stripe's meter
TRIAL_DAYS = 14  # from a tenant's creation, without a card; who subscribes meanwhile keeps what is left of them
TRIAL_PLAN: PlanName = "business"
NEAR_PERCENT = 80  # of a limit, from which a tenant is warned

_GB = 1_000_000_000


@frozen
class Plan:
    """A plan. One that costs something includes `conversations` a month, and each more is metered."""

    name: PlanName
    title: str
    seat_cents: int  # for each member, a month
    conversation_cents: int  # for each conversation beyond those included; 0: none is
    conversations: int  # a month
    limits: Limits

    @property
    def seat_key(self) -> str:
        """The lookup key of the price of a seat."""
        return f"parley_{self.name}_seat_{VERSION}"

    @property
    def conversation_key(self) -> str:
        """The lookup key of the price of a conversation."""
        return f"parley_{self.name}_conversation_{VERSION}"


FREE = Plan(
    "free", "Free", 0, 0, 100, Limits(seats=2, conversations=100, storage=_GB // 2, webhooks=1, request_share=10)
)
PLANS: dict[PlanName, Plan] = {
    "free": FREE,
    "starter": Plan(
        "starter", "Starter", 1900, 5, 1000, Limits(seats=5, storage=10 * _GB, webhooks=5, request_share=25)
    ),
    "pro": Plan("pro", "Pro", 4900, 3, 10_000, Limits(seats=50, storage=100 * _GB, webhooks=20, request_share=50)),
    "business": Plan("business", "Business", 9900, 2, 100_000, Limits(seats=500, storage=1000 * _GB, webhooks=50)),
}
PAID: tuple[PaidPlanName, ...] = get_args(PaidPlanName)


def plan_of_key(lookup_key: str | None) -> PlanName | None:
    """Return the plan that a price, of whatever version, belongs to; None for one that is not ours."""
    product, _, rest = (lookup_key or "").partition("_")
    name = rest.partition("_")[0]
    return next((each for each in PAID if product == "parley" and each == name), None)
