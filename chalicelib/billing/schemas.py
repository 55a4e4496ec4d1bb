"""What the routes of billing take and show."""

from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints

from chalicelib.billing.models import Account, Invoice, Status
from chalicelib.billing.plans import CURRENCY, PLANS, PaidPlanName, Plan, PlanName
from chalicelib.billing.usage import Usage
from chalicelib.core.http import Request, Response
from chalicelib.core.http.schema import Timestamp


def _web_address(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and not parts.username
    except ValueError:
        usable = False
    if not usable or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("give an http or https address")
    return url


WebAddress = Annotated[
    str, StringConstraints(max_length=2000), AfterValidator(_web_address), Field(json_schema_extra={"format": "uri"})
]


class StartCheckout(Request):
    """What to subscribe to, and where the browser goes afterwards."""

    plan: PlanName = Field(description="`free` needs no checkout: cancel the subscription instead.")
    success_url: WebAddress = Field(examples=["https://app.example.com/billing?done=1"])
    cancel_url: WebAddress = Field(examples=["https://app.example.com/billing"])


class StartPortal(Request):
    """Where the browser goes afterwards."""

    return_url: WebAddress = Field(examples=["https://app.example.com/billing"])


class ChangePlan(Request):
    """The plan to change to. To go back to `free`, cancel."""

    plan: PaidPlanName


class RedirectOut(Response):
    """Where to send the browser."""

    url: str = Field(examples=["https://checkout.stripe.com/c/pay/cs_test_a1"])


class LimitsOut(Response):
    """What a plan allows; null is any number."""

    seats: int | None = Field(description="Members, those invited included.")
    conversations: int | None = Field(description="A month (UTC). Visitors are always let through.")
    storage: int | None = Field(description="Bytes of files.")
    webhooks: int | None = Field(description="Webhook endpoints.")
    request_share: int = Field(description="Percent of the requests a minute that a tenant can have here.")

    @classmethod
    def of_plan(cls, plan: Plan) -> "LimitsOut":
        """Show a plan's limits."""
        return cls(**{name: getattr(plan.limits, name) for name in cls.model_fields})


class PlanOut(Response):
    """A plan, with prices a month in the smallest unit of the currency."""

    versioned: ClassVar[bool] = False

    name: PlanName
    title: str = Field(examples=["Starter"])
    currency: str = Field(examples=["usd"])
    seat_price: int = Field(description="For each member.", examples=[1900])
    conversation_price: int = Field(description="For each conversation beyond those included.", examples=[5])
    included_conversations: int = Field(description="A month.", examples=[1000])
    limits: LimitsOut

    @classmethod
    def of(cls, plan: Plan) -> "PlanOut":
        """Show a plan."""
        return cls(
            name=plan.name,
            title=plan.title,
            currency=CURRENCY,
            seat_price=plan.seat_cents,
            conversation_price=plan.conversation_cents,
            included_conversations=plan.conversations,
            limits=LimitsOut.of_plan(plan),
        )


class SubscriptionOut(Response):
    """A tenant's plan, and the subscription behind it."""

    plan: PlanName = Field(description="Whose limits apply now.")
    status: Status = Field(
        description="`none`: no subscription and no trial. `trialing`: also the trial that every tenant begins with. "
        "`past_due`: a payment failed and is tried again; the plan stays meanwhile. `unpaid`, `paused`, `incomplete` "
        "and `canceled` have the free plan's limits."
    )
    seats: int = Field(description="Seats paid for: as many as there are members.", examples=[3])
    trial_ends_at: Timestamp | None
    current_period_ends_at: Timestamp | None
    cancels_at: Timestamp | None = Field(description="When the subscription ends, if it was canceled.")
    limits: LimitsOut
    updated_at: Timestamp

    @classmethod
    def of(cls, account: Account) -> "SubscriptionOut":
        """Show an account."""
        trial = account.trial_end if account.subscription_id else account.trial_until
        return cls.model_validate(
            {
                "plan": account.plan,
                "status": account.status,
                "seats": account.quantity,
                "trial_ends_at": trial if account.status == "trialing" else None,
                "current_period_ends_at": account.period_end,
                "cancels_at": account.cancel_at,
                "limits": LimitsOut.of_plan(PLANS[account.plan]),
                "updated_at": account.updated_at,
            }
        )


class ChangedSubscriptionOut(SubscriptionOut):
    """A subscription in an event; the id is the tenant's."""

    id: str


class PlanLimitOut(Response):
    """What a month's use has come to; the id is the tenant's."""

    id: str
    plan: PlanName
    limit: Literal["conversations"]
    used: int
    allowed: int


class InvoiceOut(Response):
    """An invoice. Amounts are in the smallest unit of the currency."""

    versioned: ClassVar[bool] = False

    id: str = Field(examples=["in_1MtHbELkdIwHu7ixl4OzzPMv"])
    number: str | None = Field(examples=["0042-0001"])
    status: Literal["open", "paid", "uncollectible", "void"]
    currency: str = Field(examples=["usd"])
    total: int = Field(examples=[5700])
    amount_due: int = Field(examples=[0])
    created_at: Timestamp
    period_start: Timestamp
    period_end: Timestamp
    url: str | None = Field(description="Stripe's page, on which an open one can be paid.")
    pdf_url: str | None

    @classmethod
    def of(cls, invoice: Invoice) -> "InvoiceOut":
        """Show an invoice."""
        return cls.model_validate({name: getattr(invoice, name) for name in cls.model_fields})


class Used(Response):
    """How much is used of how much; a null limit is any number."""

    used: int
    limit: int | None


class ConversationsUsed(Used):
    """Conversations opened this month."""

    included: int = Field(description="In the plan's price; paid plans charge for each more.")


class UsageOut(Response):
    """What a tenant uses of its plan. Conversations opened in the last seconds may be missing."""

    versioned: ClassVar[bool] = False

    plan: PlanName
    period_start: Timestamp = Field(description="The month's beginning, UTC.")
    period_end: Timestamp
    seats: Used
    conversations: ConversationsUsed
    storage: Used
    webhooks: Used

    @classmethod
    def of(cls, found: tuple[Account, Usage]) -> "UsageOut":
        """Show what an account uses."""
        account, usage = found
        plan = PLANS[account.plan]
        return cls.model_validate(
            {
                "plan": plan.name,
                "period_start": usage.month_start,
                "period_end": usage.month_end,
                "conversations": {
                    "used": usage.conversations,
                    "limit": plan.limits.conversations,
                    "included": plan.conversations,
                },
                **{
                    name: {"used": getattr(usage, name), "limit": getattr(plan.limits, name)}
                    for name in ("seats", "storage", "webhooks")
                },
            }
        )


class ReceivedOut(Response):
    """A hook is taken."""

    versioned: ClassVar[bool] = False

    received: bool = True
