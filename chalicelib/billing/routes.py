"""`/v1/billing`, and `/hooks/stripe`. Owners change, admins look; paying works whatever a plan allows."""

from chalicelib.billing import hooks, service
from chalicelib.billing.hooks import SignatureError
from chalicelib.billing.models import (
    Account,
    AlreadySubscribedError,
    BillingBusyError,
    BillingOffError,
    Invoice,
    NotSubscribedError,
    PlanTooSmallError,
)
from chalicelib.billing.plans import Plan
from chalicelib.billing.schemas import (
    ChangePlan,
    InvoiceOut,
    PlanOut,
    ReceivedOut,
    RedirectOut,
    StartCheckout,
    StartPortal,
    SubscriptionOut,
    UsageOut,
)
from chalicelib.billing.usage import Usage
from chalicelib.core.errors import MalformedRequestError
from chalicelib.core.http import Api, Call, Page, PageQuery, Role

api = Api("Billing", live_only=True, fresh=True, before=service.require_billing, errors=(BillingOffError,))
hooks_api = Api("Billing", before=service.require_billing, errors=(BillingOffError,))


@api.get("/v1/billing/plans", role=Role.ADMIN, scope="billing:read", query=PageQuery, answer=PlanOut, paged=True)
def list_plans(call: Call, query: PageQuery) -> Page[Plan]:
    """List the plans, the smallest first, with what each costs and allows."""
    return service.list_plans(call.tenant_id, query)


@api.get("/v1/billing/subscription", role=Role.ADMIN, scope="billing:read", answer=SubscriptionOut)
def get_subscription(call: Call) -> Account:
    """Retrieve the tenant's plan and its subscription. A change at Stripe shows here within seconds."""
    return service.get_account(call.tenant_id)


@api.patch(
    "/v1/billing/subscription",
    role=Role.OWNER,
    scope="billing:write",
    body=ChangePlan,
    answer=SubscriptionOut,
    errors=(NotSubscribedError, PlanTooSmallError, BillingBusyError),
)
def change_plan(call: Call, body: ChangePlan) -> Account:
    """Change the plan, at once; the difference is on the next invoice.

    A plan that allows less than is used is refused, and `errors` lists what to free.
    """
    return service.change_plan(call.tenant_id, body.plan, expected_version=call.if_match)


@api.post(
    "/v1/billing/subscription/cancel",
    role=Role.OWNER,
    scope="billing:write",
    answer=SubscriptionOut,
    errors=(NotSubscribedError, BillingBusyError),
)
def cancel_subscription(call: Call) -> Account:
    """Cancel the subscription: it ends with the period that is paid, and the free plan follows. Nothing is deleted."""
    return service.cancel(call.tenant_id, _key(call), expected_version=call.if_match)


@api.post(
    "/v1/billing/subscription/resume",
    role=Role.OWNER,
    scope="billing:write",
    answer=SubscriptionOut,
    errors=(NotSubscribedError, BillingBusyError),
)
def resume_subscription(call: Call) -> Account:
    """Take a cancellation back, as long as the period has not ended."""
    return service.resume(call.tenant_id, _key(call), expected_version=call.if_match)


@api.post(
    "/v1/billing/checkout",
    role=Role.OWNER,
    scope="billing:write",
    body=StartCheckout,
    answer=RedirectOut,
    errors=(AlreadySubscribedError, PlanTooSmallError, BillingBusyError),
)
def start_checkout(call: Call, body: StartCheckout) -> RedirectOut:
    """Begin a subscription: send the browser to `url`. What is left of the trial stays free.

    A checkout that was begun before and not completed is closed.
    """
    return service.start_checkout(call.tenant_id, call.principal, body.plan, body.success_url, body.cancel_url)


@api.post(
    "/v1/billing/portal",
    role=Role.OWNER,
    scope="billing:write",
    body=StartPortal,
    answer=RedirectOut,
    errors=(BillingBusyError,),
)
def start_portal(call: Call, body: StartPortal) -> RedirectOut:
    """Open the portal, where payment method, invoices and cancellation are: send the browser to `url`."""
    return service.start_portal(call.tenant_id, call.principal, body.return_url, _key(call))


@api.get("/v1/billing/invoices", role=Role.ADMIN, scope="billing:read", query=PageQuery, answer=InvoiceOut, paged=True)
def list_invoices(call: Call, query: PageQuery) -> Page[Invoice]:
    """List the invoices, newest first; the newest hundred at most. Older ones are in the portal."""
    return service.list_invoices(call.tenant_id, query)


@api.get("/v1/billing/usage", role=Role.ADMIN, scope="billing:read", answer=UsageOut)
def get_usage(call: Call) -> tuple[Account, Usage]:
    """Show what is used of what the plan allows."""
    return service.get_usage(call.tenant_id)


@hooks_api.post("/hooks/stripe", public=True, answer=ReceivedOut, errors=(SignatureError, MalformedRequestError))
def take_hook(call: Call) -> ReceivedOut:
    """Take an event from Stripe, which signs it. Nobody else calls this."""
    hooks.take_hook(call.headers.get("stripe-signature", ""), call.raw_body)
    return ReceivedOut()


def _key(call: Call) -> str:
    """Return what names this request when it is repeated; empty where nothing does."""
    key = call.headers.get("idempotency-key", "")
    return f"{call.principal.id}#{key}" if key else ""
