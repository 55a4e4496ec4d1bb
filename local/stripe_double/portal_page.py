"""The customer portal: plan, payment method, cancellation, invoices."""

from collections.abc import Callable
from html import escape
from typing import Any

from local.stripe_double.account import Account
from local.stripe_double.catalogue import product_of
from local.stripe_double.double import StripeDouble
from local.stripe_double.errors import Refused
from local.stripe_double.items import metered, period_of
from local.stripe_double.layout import alert, card_choice, day, frame, money, price_words, rows, status
from local.stripe_double.ledger import Object
from local.stripe_double.portal import Visit
from local.stripe_double.usage import usage_of
from local.stripe_double.web import Form, Page, Redirect


def show_portal(double: StripeDouble, _form: Form, session_id: str, *, wrong: str = "") -> Page:
    return double.act(lambda account: _portal(account, session_id, wrong))  # type: ignore[no-any-return]


def _portal(account: Account, session_id: str, wrong: str) -> Page:
    visit = Visit(account, session_id)
    customer, back = visit.customer, visit.session["return_url"]
    content = f'<p><a href="{escape(back)}">← Back</a></p>' if back else ""
    content += f"{alert(wrong)}<h1>{escape(customer['name'] or customer['email'] or 'Your account')}</h1>"
    found = visit.subscriptions()
    content += "".join(_subscription(account, visit, each) for each in found)
    if not found:
        content += "<section><p>No subscription at the moment.</p></section>"
    if visit.features["payment_method_update"]["enabled"]:
        content += _payment(account, customer, found)
    if visit.features["invoice_history"]["enabled"]:
        content += _invoices(account, customer)
    return Page(frame("Your subscription", content, shape="narrow", home=""), 402 if wrong else 200)


def _subscription(account: Account, visit: Visit, found: Object) -> str:
    lines = "".join(
        f'<p>{escape(_item(account, each))}</p><p class="dim">{escape(price_words(each["price"]))}</p>'
        for each in found["items"]["data"]
    )
    start, end = period_of(found)
    for item in metered(found):
        used = usage_of(account, found["customer"], item["price"]["recurring"]["meter"], start, end)
        lines += rows([("Used in this period", str(used))])
    when = {"trialing": "Trial until", "past_due": "Period until"}.get(found["status"], "Renews on")
    if found["cancel_at"] is not None:
        when, end = "Ends on", found["cancel_at"]
    content = f"<section><h2>{status(found['status'])}</h2>{lines}{rows([(when, day(end))])}"
    content += "".join(_choice(account, found, price) for price in visit.offers() if not _has(found, price))
    if found["cancel_at"] is not None:
        content += _button("keep", found, "Don’t cancel")
    elif visit.features["subscription_cancel"]["enabled"]:
        content += _button("cancel", found, "Cancel subscription")
    return content + "</section>"


def _item(account: Account, item: Object) -> str:
    name = str(product_of(account, item["price"])["name"])
    return f"{item['quantity']} × {name}" if "quantity" in item else name


def _has(found: Object, price: Object) -> bool:
    return any(each["price"]["id"] == price["id"] for each in found["items"]["data"])


def _choice(account: Account, found: Object, price: Object) -> str:
    name = product_of(account, price)["name"]
    hidden = f'<input type="hidden" name="price" value="{price["id"]}">'
    return _button("choose", found, f"Change to {name}: {price_words(price)}", hidden)


def _button(action: str, found: Object, text: str, hidden: str = "") -> str:
    hidden += f'<input type="hidden" name="subscription" value="{found["id"]}">'
    button = f'<button name="action" value="{action}">{escape(text)}</button>'
    return f'<form method="post"><p>{hidden}{button}</p></form>'


def _payment(account: Account, customer: Object, subscriptions: list[Object]) -> str:
    chosen = next((each["default_payment_method"] for each in subscriptions if each["default_payment_method"]), None)
    card = account.find("payment_method", chosen or customer["invoice_settings"]["default_payment_method"])
    now = f"{card['card']['brand'].title()} ending in {card['card']['last4']}" if card else "No card yet"
    return f"""<section><h2>Payment method</h2><p>{escape(now)}</p>
<details><summary>Change it</summary><form method="post">{card_choice()}
<button class="main" name="action" value="pay_with">Pay with this card</button></form></details></section>"""


def _invoices(account: Account, customer: Object) -> str:
    found = [each for each in account.ledger.of_kind("invoice") if each["customer"] == customer["id"]][:24]
    lines = "".join(
        f'<div class="row"><span>{day(each["created"])} · {_invoice_link(each)} · {status(each["status"])}</span>'
        f"<span>{money(each['total'], each['currency'])}</span></div>"
        for each in found
    )
    return f"<section><h2>Invoices</h2>{lines or '<p>None yet.</p>'}</section>"


def _invoice_link(invoice: Object) -> str:
    if not invoice["hosted_invoice_url"]:
        return "not final yet"
    return f'<a href="/_local/stripe/invoices/{invoice["id"]}">{escape(invoice["number"])}</a>'


_ACTIONS: dict[str, Callable[[Visit, Form], Any]] = {
    "choose": lambda visit, form: visit.choose(form.get("subscription", ""), form.get("price", "")),
    "cancel": lambda visit, form: visit.cancel(form.get("subscription", "")),
    "keep": lambda visit, form: visit.keep(form.get("subscription", "")),
    "pay_with": lambda visit, form: visit.pay_with(form.get("number", "")),
}


def submit_portal(double: StripeDouble, form: Form, session_id: str) -> Page | Redirect:
    """Do what the customer chose, and show the portal again."""
    work = _ACTIONS.get(form.get("action", ""))
    if work is None:
        raise Refused("There is no such action.", status=404)
    try:
        double.act(lambda account: work(Visit(account, session_id), form))
    except Refused as refused:
        if refused.status != 402:
            raise
        return show_portal(double, form, session_id, wrong=str(refused))
    return Redirect(f"/_local/stripe/portal/{session_id}")
