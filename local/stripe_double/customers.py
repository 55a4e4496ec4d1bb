"""Customers and the cards they pay with."""

from local.stripe_double.account import Account
from local.stripe_double.amounts import period_end
from local.stripe_double.catalogue import change
from local.stripe_double.errors import Refused, declined, no_such
from local.stripe_double.forms import Params, anything, boolean, choice, form, integer, many, merged, metadata, text
from local.stripe_double.ledger import Object

_SHARED = {
    "address": anything,
    "description": text,
    "email": text,
    "invoice_settings": form(default_payment_method=text, footer=text),
    "metadata": metadata,
    "name": text,
    "phone": text,
    "preferred_locales": many(text),
    "tax_exempt": choice("none", "exempt", "reverse"),
}
NEW_CUSTOMER = form(**_SHARED, payment_method=text, tax=anything)
CHANGED_CUSTOMER = form(**_SHARED, balance=integer, tax=anything)
ATTACHED = form({"customer": text})
NEW_PAYMENT_METHOD = form(
    {"type": choice("card")},
    card=form(number=text, exp_month=integer, exp_year=integer, cvc=text, token=text),
    billing_details=anything,
    metadata=metadata,
    allow_redisplay=choice("always", "limited", "unspecified"),
)
DELETED = form(confirm=boolean)

# What a card does, by the numbers of https://docs.stripe.com/testing.
CARDS = {
    "4242424242424242": ("visa", "pays"),
    "5555555555554444": ("mastercard", "pays"),
    "4000000000000341": ("visa", "fails later"),  # can be kept, and is then refused
    "4000000000000002": ("visa", "declined"),
}
_TOKENS = {
    "pm_card_visa": "4242424242424242",
    "pm_card_mastercard": "5555555555554444",
    "pm_card_chargeCustomerFail": "4000000000000341",
    "pm_card_visa_chargeDeclined": "4000000000000002",
}


def create_customer(account: Account, params: Params) -> Object:
    customer_id = account.new_id("cus", 14)
    customer = {
        "id": customer_id,
        "object": "customer",
        "address": params.get("address"),
        "balance": 0,
        "created": account.now(),
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": params.get("description"),
        "discount": None,
        "email": params.get("email"),
        "invoice_prefix": customer_id[-8:].upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": params.get("invoice_settings", {}).get("footer"),
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": merged({}, params.get("metadata", {})),
        "name": params.get("name"),
        "next_invoice_sequence": 1,
        "phone": params.get("phone"),
        "preferred_locales": params.get("preferred_locales", []),
        "shipping": None,
        "tax_exempt": params.get("tax_exempt", "none"),
        "test_clock": None,
    }
    account.add(customer)
    default = params.get("invoice_settings", {}).get("default_payment_method")
    for given in filter(None, {params.get("payment_method"), default}):
        attached = attach(account, {"customer": customer_id}, given)
        if given == default:
            customer["invoice_settings"]["default_payment_method"] = attached["id"]
    account.emit("customer.created", customer)
    return customer


def update_customer(account: Account, params: Params, customer_id: str) -> Object:
    customer = account.get("customer", customer_id)
    wanted = dict(params)
    settings = wanted.pop("invoice_settings", {})
    wanted.pop("tax", None)
    if settings.get("default_payment_method"):
        own_payment_method(
            account, customer_id, settings["default_payment_method"], "invoice_settings[default_payment_method]"
        )
    customer["invoice_settings"] = customer["invoice_settings"] | settings
    return change(customer, wanted)


def create_payment_method(account: Account, params: Params) -> Object:
    number = params.get("card", {}).get("number") or "4242424242424242"
    return new_card(account, number, merged({}, params.get("metadata", {})))


def attach(account: Account, params: Params, payment_method_id: str) -> Object:
    """Give a customer a card; the test tokens of the documentation make a new one."""
    customer = account.get("customer", params["customer"], "customer")
    if payment_method_id in _TOKENS:
        card = new_card(account, _TOKENS[payment_method_id], {})
    else:
        card = account.get("payment_method", payment_method_id, noun="PaymentMethod")
    if card["customer"] not in {None, customer["id"]}:
        raise Refused(
            "The payment method you provided has already been attached to a customer.", param="payment_method"
        )
    if CARDS[card["_number"]][1] == "declined":
        raise declined("Your card was declined.", "generic_decline")
    card["customer"] = customer["id"]
    account.emit("payment_method.attached", card)
    return card


def detach(account: Account, _params: Params, payment_method_id: str) -> Object:
    card = account.get("payment_method", payment_method_id, noun="PaymentMethod")
    customer = account.find("customer", card["customer"])
    if customer is None:
        raise Refused("The payment method you provided is not attached to a customer so detachment is impossible.")
    if customer["invoice_settings"]["default_payment_method"] == card["id"]:
        customer["invoice_settings"]["default_payment_method"] = None
    for found in list(account.ledger.of_kind("subscription")):
        if found["default_payment_method"] == card["id"]:
            account.working(found["id"])["default_payment_method"] = None
    card["customer"] = None
    account.emit("payment_method.detached", card)
    return card


def new_card(account: Account, number: str, given: dict[str, str]) -> Object:
    """Make a card that is nobody's yet. Raises Refused for a number that is not one of the test cards."""
    if number not in CARDS:
        raise Refused(
            "Your card number is incorrect.", status=402, kind="card_error", code="incorrect_number", param="number"
        )
    now = account.now()
    expires = period_end(now, now, {"interval": "year", "interval_count": 3})
    card = {
        "id": account.new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": {"address": None, "email": None, "name": None, "phone": None, "tax_id": None},
        "card": {
            "brand": CARDS[number][0],
            "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
            "country": "US",
            "exp_month": 12,
            "exp_year": 1970 + expires // 31_556_952,
            "fingerprint": f"double{number[-4:]}",
            "funding": "credit",
            "last4": number[-4:],
        },
        "created": now,
        "customer": None,
        "livemode": False,
        "metadata": given,
        "type": "card",
        "_number": number,
    }
    return account.add(card)


def own_payment_method(account: Account, customer_id: str, payment_method_id: str, param: str) -> Object:
    """Return a card of this customer; raises Refused for any other."""
    card = account.find("payment_method", payment_method_id)
    if card is None:
        raise no_such("PaymentMethod", payment_method_id, param)
    if card["customer"] != customer_id:
        raise Refused(
            "The customer does not have a payment method with the ID"
            f" {payment_method_id}. The payment method must be attached to the customer.",
            code="resource_missing",
            param=param,
        )
    return card


def payer(account: Account, customer: Object, subscription: Object | None) -> Object | None:
    """Return the card that an invoice is charged to: the subscription's, or else the customer's default."""
    chosen = (subscription or {}).get("default_payment_method") or customer["invoice_settings"][
        "default_payment_method"
    ]
    return account.find("payment_method", chosen)


def can_pay(card: Object | None) -> bool:
    return card is not None and CARDS[card["_number"]][1] == "pays"
