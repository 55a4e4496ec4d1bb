"""Invoices: what is on them, when they become final, and how they are paid or not."""

from typing import Any

from local.stripe_double import standing
from local.stripe_double.account import Account
from local.stripe_double.amounts import amount_of
from local.stripe_double.catalogue import change, product_of
from local.stripe_double.customers import can_pay, own_payment_method, payer
from local.stripe_double.errors import Refused, declined
from local.stripe_double.forms import Params, boolean, choice, form, metadata, text, unsettable
from local.stripe_double.ledger import Object
from local.stripe_double.lines import line_of_item
from local.stripe_double.usage import usage_of

NEW_INVOICE = form(
    {"customer": text},
    auto_advance=boolean,
    description=text,
    metadata=metadata,
    subscription=text,
    collection_method=choice("charge_automatically"),
    pending_invoice_items_behavior=choice("include", "exclude"),
)
CHANGED_INVOICE = form(
    auto_advance=boolean, description=unsettable(text), metadata=metadata, default_payment_method=text
)
PAID = form(payment_method=text, paid_out_of_band=boolean, off_session=boolean, forgive=boolean)
FINALIZED = form(auto_advance=boolean)
NOTHING = form()


def draft(
    account: Account,
    customer: Object,
    reason: str,
    lines: list[Object],
    *,
    subscription: Object | None = None,
    period: tuple[int, int] | None = None,
) -> Object:
    """Make a draft with these lines and what is pending for the customer, or for the subscription."""
    now = account.now()
    invoice_id = account.new_id("in")
    start, end = period or (now, now)
    invoice: Object = {
        "id": invoice_id,
        "object": "invoice",
        "created": now,
        "customer": customer["id"],
        "currency": "",
        "billing_reason": reason,
        "collection_method": "charge_automatically",
        "status": "draft",
        "auto_advance": True,
        "automatically_finalizes_at": None,
        "description": None,
        "metadata": {},
        "number": None,
        "period_start": start,
        "period_end": end,
        "parent": None,
        "default_payment_method": None,
        "livemode": False,
        "lines": {"object": "list", "data": [], "has_more": False, "url": f"/v1/invoices/{invoice_id}/lines"},
        "payments": {"object": "list", "data": [], "has_more": False, "url": "/v1/invoice_payments"},
        "status_transitions": {
            "finalized_at": None,
            "marked_uncollectible_at": None,
            "paid_at": None,
            "voided_at": None,
        },
        "attempt_count": 0,
        "attempted": False,
        "next_payment_attempt": None,
        "hosted_invoice_url": None,
        "invoice_pdf": None,
        "starting_balance": customer["balance"],
        "ending_balance": None,
        "amount_paid": 0,
        **_SAME_FOR_ALL,
        "account_name": "Parley on this machine",
        "customer_address": customer["address"],
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "customer_phone": customer["phone"],
        "customer_tax_exempt": customer["tax_exempt"],
    }
    if subscription:
        details = {
            "metadata": subscription["metadata"],
            "subscription": subscription["id"],
            "subscription_proration_date": None,
        }
        invoice["parent"] = {"type": "subscription_details", "quote_details": None, "subscription_details": details}
    for found in list(account.ledger.of_kind("invoiceitem")):
        if found["customer"] == customer["id"] and found["invoice"] is None and not found.get("deleted"):
            of = (found["parent"] or {}).get("subscription_details", {}).get("subscription")
            if of in {None, subscription["id"] if subscription else None}:
                item = account.working(found["id"])
                item["invoice"] = invoice_id
                lines.append(line_of_item(account, item))
    invoice["currency"] = (
        lines[0]["currency"] if lines else subscription["currency"] if subscription else customer["currency"] or "usd"
    )
    customer["currency"] = invoice["currency"]
    _put_lines(invoice, lines)
    return account.add(invoice, "invoice.created")


# What the double has no notion of: taxes, discounts, shipping, accounts connected to this one.
_SAME_FOR_ALL: dict[str, Any] = {
    "account_country": "DE",
    "account_tax_ids": None,
    "amount_overpaid": 0,
    "amount_shipping": 0,
    "application": None,
    "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None, "provider": None, "status": None},
    "custom_fields": None,
    "customer_shipping": None,
    "customer_tax_ids": [],
    "default_source": None,
    "default_tax_rates": [],
    "discounts": [],
    "due_date": None,
    "effective_at": None,
    "footer": None,
    "from_invoice": None,
    "issuer": {"type": "self"},
    "last_finalization_error": None,
    "latest_revision": None,
    "on_behalf_of": None,
    "payment_settings": {"default_mandate": None, "payment_method_options": None, "payment_method_types": None},
    "post_payment_credit_notes_amount": 0,
    "pre_payment_credit_notes_amount": 0,
    "receipt_number": None,
    "rendering": None,
    "shipping_cost": None,
    "shipping_details": None,
    "statement_descriptor": None,
    "test_clock": None,
    "total_discount_amounts": [],
    "total_pretax_credit_amounts": [],
    "total_taxes": [],
    "webhooks_delivered_at": None,
}


def _put_lines(invoice: Object, lines: list[Object]) -> None:
    for line in lines:
        line["invoice"] = invoice["id"]
    invoice["lines"]["data"] = lines
    total = sum(line["amount"] for line in lines)
    due = max(0, total + invoice["starting_balance"]) if total > 0 else 0
    invoice.update(
        subtotal=total,
        subtotal_excluding_tax=total,
        total=total,
        total_excluding_tax=total,
        amount_due=due,
        amount_remaining=due,
    )


def finalize(account: Account, invoice: Object) -> None:
    """Give it its number and make it due; what the customer has in credit is used up first."""
    customer = account.get("customer", invoice["customer"])
    now = account.now()
    lines = invoice["lines"]["data"]
    for each in lines:  # usage that was told late is still counted
        price = each["pricing"] and account.ledger.look(each["pricing"]["price_details"]["price"])
        if price and price["recurring"] and price["recurring"]["meter"] and not _is_proration(each):
            quantity = usage_of(
                account, customer["id"], price["recurring"]["meter"], each["period"]["start"], each["period"]["end"]
            )
            amount, name = amount_of(price, quantity), product_of(account, price)["name"]
            each.update(
                quantity=quantity,
                quantity_decimal=str(quantity),
                amount=amount,
                subtotal=amount,
                description=f"{quantity} × {name}",
            )
    invoice["starting_balance"] = customer["balance"]
    _put_lines(invoice, lines)
    balance = customer["balance"] + invoice["total"]
    customer["balance"] = invoice["ending_balance"] = min(0, balance)
    number = f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04}"
    customer["next_invoice_sequence"] += 1
    invoice.update(
        status="open",
        number=number,
        automatically_finalizes_at=None,
        effective_at=now,
        hosted_invoice_url=f"{account.pages_url}/invoices/{invoice['id']}",
    )
    invoice["status_transitions"]["finalized_at"] = now
    account.emit("invoice.finalized", invoice)
    if invoice["amount_due"] == 0:
        _settled(account, invoice, None)


def attempt(account: Account, invoice: Object, card: Object | None = None) -> bool:
    """Try to charge an open invoice and tell whether that worked."""
    customer = account.get("customer", invoice["customer"])
    card = card or payer(account, customer, standing.subscription_of(account, invoice))
    invoice.update(attempted=True, attempt_count=invoice["attempt_count"] + 1)
    if can_pay(card):
        _settled(account, invoice, card)
        return True
    standing.refused(account, invoice)
    account.emit("invoice.payment_failed", invoice)
    return False


def _settled(account: Account, invoice: Object, card: Object | None) -> None:
    now = account.now()
    invoice.update(
        status="paid", amount_paid=invoice["amount_due"], amount_remaining=0, next_payment_attempt=None, attempted=True
    )
    invoice["status_transitions"]["paid_at"] = now
    if card:
        invoice["payments"]["data"].append(_payment(account, invoice, now))
    standing.paid(account, invoice)
    account.emit("invoice.paid", invoice)
    account.emit("invoice.payment_succeeded", invoice)


def _payment(account: Account, invoice: Object, now: int) -> Object:
    return {
        "id": account.new_id("inpay"),
        "object": "invoice_payment",
        "amount_paid": invoice["amount_due"],
        "amount_requested": invoice["amount_due"],
        "created": now,
        "currency": invoice["currency"],
        "invoice": invoice["id"],
        "is_default": True,
        "livemode": False,
        "payment": {"type": "payment_intent", "payment_intent": account.new_id("pi")},
        "status": "paid",
        "status_transitions": {"canceled_at": None, "paid_at": now},
    }


def create_invoice(account: Account, params: Params) -> Object:
    """Bill what is pending, now."""
    customer = account.get("customer", params["customer"], "customer")
    subscription = (
        account.get("subscription", params["subscription"], "subscription") if params.get("subscription") else None
    )
    invoice = draft(account, customer, "manual", [], subscription=subscription)
    return change(invoice, {key: params[key] for key in ("auto_advance", "description", "metadata") if key in params})


def update_invoice(account: Account, params: Params, invoice_id: str) -> Object:
    return change(account.get("invoice", invoice_id), params)


def finalize_invoice(account: Account, params: Params, invoice_id: str) -> Object:
    invoice = account.get("invoice", invoice_id)
    _require(invoice, "draft", "finalized")
    finalize(account, invoice)
    return change(invoice, params)


def pay_invoice(account: Account, params: Params, invoice_id: str) -> Object:
    """Charge it now. Raises Refused, and keeps the attempt, where the card is refused."""
    invoice = account.get("invoice", invoice_id)
    if invoice["status"] == "draft":
        finalize(account, invoice)
    if invoice["status"] == "paid":
        raise Refused("Invoice is already paid", code="invoice_already_paid")
    if invoice["status"] not in {"open", "uncollectible"}:
        raise Refused("This invoice can no longer be paid.", code="invoice_not_editable")
    if params.get("paid_out_of_band"):
        _settled(account, invoice, None)
        return invoice
    chosen = params.get("payment_method")
    card = own_payment_method(account, invoice["customer"], chosen, "payment_method") if chosen else None
    customer = account.get("customer", invoice["customer"])
    if card is None and payer(account, customer, standing.subscription_of(account, invoice)) is None:
        raise Refused(
            "There is no `default_payment_method` set on this Customer or Invoice. Please set one.", code="missing"
        )
    if not attempt(account, invoice, card):
        raise Kept("Your card was declined.")
    return invoice


class Kept(Exception):
    """A card was refused, but the attempt counts: what was changed is kept."""

    def refused(self) -> Refused:
        return declined(str(self), "generic_decline")


def void_invoice(account: Account, _params: Params, invoice_id: str) -> Object:
    invoice = account.get("invoice", invoice_id)
    _require(invoice, "open", "voided")
    return void(account, invoice)


def void(account: Account, invoice: Object) -> Object:
    invoice.update(status="void", auto_advance=False, next_payment_attempt=None)
    invoice["status_transitions"]["voided_at"] = account.now()
    account.emit("invoice.voided", invoice)
    return invoice


def mark_uncollectible(account: Account, _params: Params, invoice_id: str) -> Object:
    invoice = account.get("invoice", invoice_id)
    _require(invoice, "open", "marked uncollectible")
    invoice.update(status="uncollectible", auto_advance=False, next_payment_attempt=None)
    invoice["status_transitions"]["marked_uncollectible_at"] = account.now()
    account.emit("invoice.marked_uncollectible", invoice)
    return invoice


def _require(invoice: Object, status: str, done: str) -> None:
    if invoice["status"] != status:
        message = f"This invoice can't be {done}: it is {invoice['status']}, not {status}."
        raise Refused(message, code="invoice_not_editable")


def _is_proration(line: Object) -> bool:
    details = line["parent"]["subscription_item_details"] or line["parent"]["invoice_item_details"]
    return bool(details["proration"] or details["invoice_item"])
