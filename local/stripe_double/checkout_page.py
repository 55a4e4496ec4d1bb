"""The hosted pages of a customer who pays: checkout, and an invoice."""

from html import escape

from local.stripe_double import checkout, invoices
from local.stripe_double.account import Account
from local.stripe_double.customers import new_card
from local.stripe_double.double import StripeDouble
from local.stripe_double.errors import Refused
from local.stripe_double.layout import alert, card_choice, day, frame, money, price_words, rows, status
from local.stripe_double.ledger import Object
from local.stripe_double.web import Form, Page, Redirect


def show_checkout(
    double: StripeDouble, _form: Form, session_id: str, *, wrong: str = "", form: Form | None = None
) -> Page:
    """The page on which a customer subscribes."""
    return double.act(lambda account: _checkout(account, session_id, wrong, form or {}))  # type: ignore[no-any-return]


def _checkout(account: Account, session_id: str, wrong: str, form: Form) -> Page:
    session = account.get("checkout.session", session_id, noun="checkout session")
    if session["status"] != "open":
        done = "is complete. There is nothing left to pay" if session["status"] == "complete" else "has expired"
        return Page(frame("Checkout", f"<section><h1>This checkout {done}.</h1></section>", shape="narrow"), 410)
    customer = account.find("customer", session["customer"])
    trial = session["_subscription_data"].get("trial_period_days")
    trial_end = session["_subscription_data"].get("trial_end") or (trial and account.now() + trial * 86400)
    back = f'<p><a href="{escape(session["cancel_url"])}">← Back</a></p>' if session["cancel_url"] else ""
    email = escape((customer or {}).get("email") or session["customer_email"] or form.get("email", ""))
    known = " readonly" if customer else ""
    summary = f"""<div>{back}<section><p class="dim">{"Free until " + day(trial_end) if trial_end else "Subscribe"}</p>
<p class="big">{money(session["amount_total"], session["currency"])}</p>
<p class="dim">{"today, then as below" if trial_end else "today, and every period from then on"}</p>
{_lines(account, session)}</section></div>"""
    pay = f"""<div>{alert(wrong)}<section><h1>Pay</h1><form method="post">
<label for="email">E-mail</label><input id="email" name="email" type="email" required value="{email}"{known}>
<label>Card</label>{card_choice(form.get("number", ""))}
<label for="name">Name on the card</label><input id="name" name="name" autocomplete="cc-name"
 value="{escape(form.get("name", "") or (customer or {}).get("name") or "")}">
<button class="main">{"Start trial" if trial_end else "Subscribe"}</button></form></section></div>"""
    return Page(frame("Checkout", summary + pay, shape="two", home=""), 402 if wrong else 200)


def _lines(account: Account, session: Object) -> str:
    found = []
    for each in checkout.line_items(account, session):
        name = f"{each['quantity']} × {each['description']}" if each["quantity"] else each["description"]
        amount = money(each["amount_total"], each["currency"]) if each["quantity"] else "by use"
        found.append((name, f"{amount}"))
        found.append((f"   {price_words(each['price'])}", ""))
    return "".join(
        f'<div class="row"><span>{escape(name)}</span><span>{value}</span></div>'
        if value
        else f'<p class="dim">{escape(name)}</p>'
        for name, value in found
    )


def submit_checkout(double: StripeDouble, form: Form, session_id: str) -> Page | Redirect:
    """Subscribe, and go back to the shop."""
    number, email, name = (form.get(key, "") for key in ("number", "email", "name"))
    try:
        session = double.act(
            lambda account: checkout.complete(account, session_id, number=number, email=email, name=name)
        )
    except Refused as refused:
        if refused.status != 402:
            raise
        return show_checkout(double, form, session_id, wrong=str(refused), form=form)
    return Redirect(checkout.return_url(session))


def show_invoice(double: StripeDouble, _form: Form, invoice_id: str, *, wrong: str = "") -> Page:
    """An invoice, to read or to pay."""
    return double.act(lambda account: _invoice(account, invoice_id, wrong))  # type: ignore[no-any-return]


def _invoice(account: Account, invoice_id: str, wrong: str) -> Page:
    invoice = account.get("invoice", invoice_id)
    currency = invoice["currency"]
    lines = rows((each["description"] or "", money(each["amount"], currency)) for each in invoice["lines"]["data"])
    credit = invoice["total"] - invoice["amount_due"]
    sums = [("Total", money(invoice["total"], currency))]
    if credit and invoice["status"] != "draft":
        sums.append(("From credit" if credit > 0 else "To credit", money(-credit, currency)))
    sums.append(("Due" if invoice["status"] != "paid" else "Paid", money(invoice["amount_due"], currency)))
    whose = escape(invoice["customer_name"] or invoice["customer_email"] or "")
    content = f"""{alert(wrong)}<section><h1>Invoice {escape(invoice["number"] or "(draft)")}</h1>
<p class="big">{money(invoice["amount_due"], currency)}</p>
<p>{status(invoice["status"])} · {day(invoice["created"])} · {whose}</p>
</section><section>{lines}<div class="total">{rows(sums)}</div></section>"""
    if invoice["status"] == "open":
        content += f"""<section><h2>Pay now</h2><form method="post">{card_choice()}
<button class="main">Pay {money(invoice["amount_due"], currency)}</button></form></section>"""
    return Page(frame("Invoice", content, shape="narrow", home=""), 402 if wrong else 200)


def submit_invoice(double: StripeDouble, form: Form, invoice_id: str) -> Page | Redirect:
    """Pay an invoice with a card that is used this once."""

    def pay(account: Account) -> None:
        invoice = account.get("invoice", invoice_id)
        card = new_card(account, form.get("number", ""), {})
        card["customer"] = invoice["customer"]
        invoices.pay_invoice(account, {"payment_method": card["id"]}, invoice_id)

    try:
        double.act(pay)
    except Refused as refused:
        if refused.status != 402:
            raise
        return show_invoice(double, form, invoice_id, wrong=str(refused))
    return Redirect(f"/_local/stripe/invoices/{invoice_id}")
