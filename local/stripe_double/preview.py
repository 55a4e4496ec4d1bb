"""What an invoice would be: the change is really made, and then forgotten."""

from local.stripe_double import billing, subscriptions
from local.stripe_double.account import Account
from local.stripe_double.errors import Refused
from local.stripe_double.forms import Params, boolean, choice, form, integer, many, text, unsettable
from local.stripe_double.ledger import Object

PREVIEWED = form(
    customer=text,
    subscription=text,
    subscription_details=form(
        items=many(form(id=text, price=text, quantity=integer, deleted=boolean)),
        proration_behavior=subscriptions.PRORATION,
        proration_date=integer,
        cancel_at_period_end=boolean,
        cancel_at=unsettable(integer),
    ),
    preview_mode=choice("next"),
)


class Preview(Exception):
    """Carries the invoice out of a transaction that must not be kept."""

    def __init__(self, invoice: Object) -> None:
        super().__init__()
        self.invoice = invoice


def create_preview(account: Account, params: Params) -> Object:
    """Return the next invoice of a subscription, after a change if one is given."""
    if not params.get("subscription"):
        raise Refused("This double previews subscriptions only.", code="parameter_missing", param="subscription")
    subscription = account.get("subscription", params["subscription"], "subscription")
    details = params.get("subscription_details", {})
    if details:
        subscriptions.update_subscription(account, details, subscription["id"])
    made = subscription["latest_invoice"] and account.ledger.look(subscription["latest_invoice"])
    if not (made and made["created"] == account.now() and made["billing_reason"] == "subscription_update"):
        if subscription["cancel_at"] is not None or subscription["status"] in {"canceled", "incomplete_expired"}:
            raise Refused("No upcoming invoices for customer", code="invoice_upcoming_none", status=404)
        made = billing.renew(account, subscription, after_trial=subscription["status"] == "trialing")
    raise Preview(made | {"id": f"upcoming_{made['id']}", "status": "draft", "number": None})
