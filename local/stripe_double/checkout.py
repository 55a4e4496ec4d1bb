"""Checkout sessions: a page on which a customer subscribes, and what comes of it."""

from urllib.parse import urlsplit

from local.stripe_double import subscriptions
from local.stripe_double.account import Account
from local.stripe_double.amounts import DAY, HOUR, amount_of
from local.stripe_double.catalogue import product_of
from local.stripe_double.customers import attach, create_customer, new_card
from local.stripe_double.errors import Refused
from local.stripe_double.forms import Params, anything, boolean, choice, form, integer, many, merged, metadata, text
from local.stripe_double.ledger import Object

NEW_SESSION = form(
    {
        "mode": choice("subscription"),
        "line_items": many(form({"price": text}, quantity=integer, adjustable_quantity=anything)),
    },
    customer=text,
    customer_email=text,
    success_url=text,
    cancel_url=text,
    client_reference_id=text,
    metadata=metadata,
    expires_at=integer,
    locale=text,
    ui_mode=choice("hosted_page"),
    payment_method_types=many(choice("card")),
    payment_method_collection=choice("always", "if_required"),
    subscription_data=form(
        trial_period_days=integer,
        trial_end=integer,
        metadata=metadata,
        description=text,
        trial_settings=subscriptions.TRIAL_SETTINGS,
        billing_mode=form({"type": choice("flexible")}),
    ),
    allow_promotion_codes=boolean,
    automatic_tax=anything,
    billing_address_collection=text,
    tax_id_collection=anything,
    customer_update=anything,
    custom_text=anything,
    saved_payment_method_options=anything,
)
ID_PLACE = "{CHECKOUT_SESSION_ID}"


def create_session(account: Account, params: Params) -> Object:
    if not params.get("success_url"):
        raise Refused("Missing required param: success_url.", code="parameter_missing", param="success_url")
    for name in ("success_url", "cancel_url"):
        _check_url(params.get(name), name)
    if params.get("customer"):
        account.get("customer", params["customer"], "customer")
    if params.get("customer") and params.get("customer_email"):
        raise Refused("You may only specify one of these parameters: customer, customer_email.", param="customer")
    now = account.now()
    expires = params.get("expires_at", now + DAY)
    if not now + HOUR // 2 <= expires <= now + DAY:
        raise Refused(
            "The `expires_at` timestamp must be between 30 minutes and 24 hours from now.", param="expires_at"
        )
    total, currency = _total(account, params)
    trial = bool(params.get("subscription_data", {}).keys() & {"trial_end", "trial_period_days"})
    session_id = f"cs_test_{account.new_id('', 58)[1:]}"
    session = {
        "id": session_id,
        "object": "checkout.session",
        "amount_subtotal": 0 if trial else total,
        "amount_total": 0 if trial else total,
        "cancel_url": params.get("cancel_url"),
        "client_reference_id": params.get("client_reference_id"),
        "created": now,
        "currency": currency,
        "customer": params.get("customer"),
        "customer_details": None,
        "customer_email": params.get("customer_email"),
        "expires_at": expires,
        "invoice": None,
        "livemode": False,
        "locale": params.get("locale"),
        "metadata": merged({}, params.get("metadata", {})),
        "mode": "subscription",
        "payment_method_collection": params.get("payment_method_collection", "always"),
        "payment_method_types": params.get("payment_method_types", ["card"]),
        "payment_status": "unpaid",
        "status": "open",
        "subscription": None,
        "success_url": params["success_url"],
        "ui_mode": "hosted_page",
        "url": f"{account.pages_url}/checkout/{session_id}",
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "custom_fields": [],
        "custom_text": {
            "after_submit": None,
            "shipping_address": None,
            "submit": None,
            "terms_of_service_acceptance": None,
        },
        "shipping_options": [],
        "_line_items": params["line_items"],
        "_subscription_data": params.get("subscription_data", {}),
    }
    return account.add(session)


def _total(account: Account, params: Params) -> tuple[int, str]:
    if not params["line_items"]:
        raise Refused("Missing required param: line_items.", code="parameter_missing", param="line_items")
    total, currency = 0, ""
    for number, item in enumerate(params["line_items"]):
        where = f"line_items[{number}]"
        price = account.get("price", item["price"], f"{where}[price]")
        if not price["active"] or price["recurring"] is None:
            message = f"Checkout in `subscription` mode needs active prices that recur, not {price['id']}."
            raise Refused(message, param=f"{where}[price]")
        if price["recurring"]["meter"]:
            if "quantity" in item:
                raise Refused("You cannot set the quantity for metered plans.", param=f"{where}[quantity]")
        elif "quantity" not in item:
            raise Refused("Quantity is required. Add `quantity` to this line item.", param=f"{where}[quantity]")
        else:
            total += amount_of(price, item["quantity"])
        currency = price["currency"]
    return total, currency


def expire_session(account: Account, _params: Params, session_id: str) -> Object:
    session = account.get("checkout.session", session_id, noun="checkout session")
    if session["status"] != "open":
        message = 'Only Checkout Sessions with a status in ["open"] can be expired.'
        raise Refused(f"{message} This Checkout Session has a status of `{session['status']}`.")
    return expire(account, session)


def expire(account: Account, session: Object) -> Object:
    session.update(status="expired", url=None)
    account.emit("checkout.session.expired", session)
    return session


def complete(account: Account, session_id: str, *, number: str, email: str = "", name: str = "") -> Object:
    """What the customer does on the page: give a card, and subscribe. Raises Refused for a card that does not pay."""
    session = account.get("checkout.session", session_id, noun="checkout session")
    if session["status"] != "open":
        raise Refused(f"This Checkout Session is {session['status']}.")
    if session["customer"] is None:
        customer = create_customer(account, {"email": email or session["customer_email"], "name": name or None})
        session["customer"] = customer["id"]
    customer = account.get("customer", session["customer"])
    card = attach(account, {"customer": customer["id"]}, new_card(account, number, {})["id"])
    asked = dict(session["_subscription_data"])
    subscription = subscriptions.create_subscription(
        account,
        asked
        | {
            "customer": customer["id"],
            "items": [{k: v for k, v in item.items() if k in {"price", "quantity"}} for item in session["_line_items"]],
            "default_payment_method": card["id"],
            "payment_behavior": "error_if_incomplete",
        },
    )
    paid = session["amount_total"] > 0
    session.update(
        status="complete",
        url=None,
        subscription=subscription["id"],
        invoice=subscription["latest_invoice"],
        payment_status="paid" if paid else "no_payment_required",
        customer_details={
            "email": customer["email"],
            "name": customer["name"],
            "address": None,
            "phone": None,
            "tax_exempt": "none",
            "tax_ids": [],
            "business_name": None,
            "individual_name": None,
        },
    )
    account.emit("checkout.session.completed", session)
    return session


def line_items(account: Account, session: Object) -> list[Object]:
    """Return what the page shows."""
    found = []
    for number, given in enumerate(session["_line_items"]):
        price = account.get("price", given["price"])
        amount = 0 if price["recurring"]["meter"] else amount_of(price, given["quantity"])
        line = {
            "id": f"li_{session['id'][-20:]}{number}",
            "object": "item",
            "amount_subtotal": amount,
            "amount_total": amount,
        }
        shown = {"currency": price["currency"], "description": product_of(account, price)["name"], "price": price}
        found.append(line | shown | {"amount_discount": 0, "amount_tax": 0, "quantity": given.get("quantity")})
    return found


def return_url(session: Object) -> str:
    return str(session["success_url"]).replace(ID_PLACE, session["id"])


def _check_url(url: str | None, name: str) -> None:
    if url is not None and (urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).netloc):
        raise Refused("Not a valid URL", code="url_invalid", param=name)
