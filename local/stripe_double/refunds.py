"""Refunds: what was paid for an invoice goes back, whole."""

from local.stripe_double.account import Account
from local.stripe_double.errors import Refused, no_such
from local.stripe_double.forms import Params, choice, form, merged, metadata, text
from local.stripe_double.ledger import Object

NEW_REFUND = form(
    {"payment_intent": text}, reason=choice("duplicate", "fraudulent", "requested_by_customer"), metadata=metadata
)


def create_refund(account: Account, params: Params) -> Object:
    intent = params["payment_intent"]
    payment = _payment(account, intent)
    if any(found["payment_intent"] == intent for found in account.ledger.of_kind("refund")):
        raise Refused("Charge has already been refunded.", code="charge_already_refunded")
    refund = {
        "id": account.new_id("re"),
        "object": "refund",
        "amount": payment["amount_paid"],
        "balance_transaction": None,
        "charge": None,
        "created": account.now(),
        "currency": payment["currency"],
        "metadata": merged({}, params.get("metadata", {})),
        "payment_intent": intent,
        "reason": params.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
    }
    return account.add(refund, "refund.created")


def _payment(account: Account, intent: str) -> Object:
    for invoice in account.ledger.of_kind("invoice"):
        for payment in invoice["payments"]["data"]:
            if payment["payment"]["payment_intent"] == intent:
                found: Object = payment
                return found
    raise no_such("payment_intent", intent, "payment_intent")
