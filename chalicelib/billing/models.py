"""An account: what we know of a tenant's subscription; and what can be refused."""

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from chalicelib.billing.plans import PlanName
from chalicelib.core.errors import ConflictError
from chalicelib.core.frozen import frozen

# `none`: neither subscribed nor on trial. The others but `trialing`, which needs no subscription here, are Stripe's.
Status = Literal["none", "trialing", "active", "past_due", "unpaid", "paused", "incomplete", "canceled"]
LIVE: frozenset[Status] = frozenset({"trialing", "active", "past_due"})  # what a plan is given for


@frozen
class Snapshot:
    """A subscription as Stripe has just shown it."""

    id: str
    status: str  # Stripe's
    plan: PlanName | None  # None: its price is none of ours
    seat_item: str | None
    metered_item: str | None
    quantity: int
    created: int  # times are milliseconds
    period_end: int | None
    trial_end: int | None
    cancel_at: int | None  # when it ends, if somebody has canceled it
    duplicates: tuple[str, ...] = ()  # others that checkouts began beside it


@frozen
class Report:
    """Metered conversations that are being told to Stripe: a step is repeated as it is until it is known to be done."""

    month: str
    first: int  # how many had been told before
    last: int  # …and are after this
    at: int  # milliseconds


@frozen
class Account:
    """A tenant's billing as of the last look at Stripe. Times are milliseconds."""

    tenant_id: str
    created_at: int
    updated_at: int
    trial_until: int  # of the trial that needs no card
    plan: PlanName
    status: Status
    customer_id: str | None = None
    subscription_id: str | None = None
    quantity: int = 0  # seats that are paid for
    period_end: int | None = None
    trial_end: int | None = None
    cancel_at: int | None = None
    version: int = 1
    ticket: int = 0  # of the newest look at Stripe
    synced_at: int | None = None
    told: frozenset[str] = frozenset()  # what the tenant has been told of, each once
    reported: Mapping[str, int] = field(default_factory=dict)  # metered conversations that Stripe knows of, by month
    report: Report | None = None

    @property
    def live(self) -> bool:
        """Whether there is a subscription that gives a plan."""
        return self.subscription_id is not None and self.status in LIVE


@frozen
class Invoice:
    """An invoice as Stripe has it. Amounts are in the smallest unit of the currency, times milliseconds."""

    id: str
    number: str | None
    status: str
    currency: str
    total: int
    amount_due: int
    created_at: int
    period_start: int
    period_end: int
    url: str | None
    pdf_url: str | None


class BillingOffError(ConflictError):
    code = "billing_off"
    default_message = "This installation does not bill: there is nothing to pay, and nothing is limited."


class BillingBusyError(ConflictError):
    code = "billing_busy"
    default_message = "Another change of the subscription is being made. Try again in a minute."


class AlreadySubscribedError(ConflictError):
    code = "already_subscribed"
    default_message = "There is a subscription already. Change its plan with PATCH /v1/billing/subscription."


class NotSubscribedError(ConflictError):
    code = "not_subscribed"
    default_message = "There is no subscription. Begin one with POST /v1/billing/checkout."


class PlanTooSmallError(ConflictError):
    code = "plan_too_small"
    default_message = "You use more than that plan allows. `errors` lists what to free."
