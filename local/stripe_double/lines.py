"""What stands on an invoice, and what is pending for the next one."""

from dataclasses import dataclass

from local.stripe_double.account import Account
from local.stripe_double.amounts import amount_of
from local.stripe_double.catalogue import change, product_of
from local.stripe_double.forms import Params, form, metadata, text
from local.stripe_double.ledger import Object
from local.stripe_double.usage import usage_of

NEW_ITEM = form(
    {"customer": text},
    amount=lambda node, _name: int(str(node)),
    currency=text,
    description=text,
    metadata=metadata,
    subscription=text,
)


def licensed_line(
    account: Account, subscription: Object, item: Object, period: tuple[int, int], *, free: bool = False
) -> Object:
    """A period of an item that is paid in advance; nothing for a trial."""
    price, quantity = item["price"], item["quantity"]
    name = product_of(account, price)["name"]
    amount = 0 if free else amount_of(price, quantity)
    what = f"Trial period for {name}" if free else f"{quantity} × {name}"
    return line(account, price, quantity, amount, what, period, _of_subscription(subscription, item["id"]))


def metered_line(account: Account, subscription: Object, item: Object, period: tuple[int, int]) -> Object:
    """What was used of an item in a period that is over."""
    quantity = usage_of(account, subscription["customer"], item["price"]["recurring"]["meter"], *period)
    name = product_of(account, item["price"])["name"]
    parent = _of_subscription(subscription, item["id"])
    return line(
        account, item["price"], quantity, amount_of(item["price"], quantity), f"{quantity} × {name}", period, parent
    )


def line_of_item(account: Account, item: Object) -> Object:
    """The line that a pending item becomes."""
    details = (item["parent"] or {}).get("subscription_details")
    parent: Object
    if details:
        parent = _of_subscription(
            {"id": details["subscription"]}, details["subscription_item"], item=item["id"], proration=item["proration"]
        )
    else:
        parent = {
            "type": "invoice_item_details",
            "subscription_item_details": None,
            "invoice_item_details": {
                "invoice_item": item["id"],
                "proration": False,
                "proration_details": None,
                "subscription": None,
            },
        }
    period = (item["period"]["start"], item["period"]["end"])
    price = account.ledger.look(item["pricing"]["price_details"]["price"]) if item["pricing"] else None
    made = line(account, price, item["quantity"], item["amount"], item["description"], period, parent)
    return made | {"currency": item["currency"]}


def line(
    account: Account,
    price: Object | None,
    quantity: int,
    amount: int,
    description: str | None,
    period: tuple[int, int],
    parent: Object,
) -> Object:
    return {
        "id": account.new_id("il"),
        "object": "line_item",
        "amount": amount,
        "currency": price["currency"] if price else "",
        "description": description,
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "invoice": None,
        "livemode": False,
        "metadata": {},
        "parent": parent,
        "period": {"start": period[0], "end": period[1]},
        "pretax_credit_amounts": [],
        "pricing": _pricing(price),
        "quantity": quantity,
        "quantity_decimal": str(quantity),
        "subscription": (parent["subscription_item_details"] or {}).get("subscription"),
        "subtotal": amount,
        "taxes": [],
    }


def _of_subscription(
    subscription: Object, item_id: str | None, *, item: str | None = None, proration: bool = False
) -> Object:
    details = {
        "invoice_item": item,
        "proration": proration,
        "proration_details": None,
        "subscription": subscription["id"],
        "subscription_item": item_id,
    }
    return {"type": "subscription_item_details", "invoice_item_details": None, "subscription_item_details": details}


@dataclass(frozen=True)
class Charge:
    """What is to be on the next invoice; less than zero is a credit."""

    amount: int
    currency: str
    description: str | None
    period: tuple[int, int]
    quantity: int = 1
    item: Object | None = None  # of the subscription
    proration: bool = False


def create_item(account: Account, params: Params) -> Object:
    """Put something on the customer's next invoice."""
    customer = account.get("customer", params["customer"], "customer")
    wanted = params.get("subscription")
    subscription = account.get("subscription", wanted, "subscription") if wanted else None
    currency, now = params.get("currency") or customer["currency"] or "usd", account.now()
    charge = Charge(params.get("amount", 0), currency, params.get("description"), (now, now))
    return change(put_aside(account, customer["id"], subscription, charge), {"metadata": params.get("metadata", {})})


def put_aside(account: Account, customer_id: str, subscription: Object | None, charge: Charge) -> Object:
    """Keep a charge for the next invoice of the subscription, or of the customer."""
    details = subscription and {
        "subscription": subscription["id"],
        "subscription_item": charge.item["id"] if charge.item else None,
    }
    item = {
        "id": account.new_id("ii"),
        "object": "invoiceitem",
        "amount": charge.amount,
        "currency": charge.currency,
        "customer": customer_id,
        "date": account.now(),
        "description": charge.description,
        "discountable": not charge.proration,
        "discounts": [],
        "invoice": None,
        "livemode": False,
        "metadata": {},
        "net_amount": charge.amount,
        "parent": details and {"type": "subscription_details", "subscription_details": details},
        "period": {"start": charge.period[0], "end": charge.period[1]},
        "pricing": _pricing(charge.item["price"] if charge.item else None),
        "proration": charge.proration,
        "proration_details": None,
        "quantity": charge.quantity,
        "quantity_decimal": str(charge.quantity),
        "tax_rates": [],
        "test_clock": None,
    }
    return account.add(item, "invoiceitem.created")


def _pricing(price: Object | None) -> Object | None:
    return price and {
        "type": "price_details",
        "price_details": {"price": price["id"], "product": price["product"]},
        "unit_amount_decimal": price["unit_amount_decimal"],
    }
