"""The operator's page: the clock, the weather that hooks travel in, customers, and what was told."""

from html import escape

from local.stripe_double.account import Account
from local.stripe_double.amounts import DAY
from local.stripe_double.double import StripeDouble
from local.stripe_double.errors import Refused
from local.stripe_double.hooks import Outbox
from local.stripe_double.layout import day, frame, minute, money, status
from local.stripe_double.ledger import Object
from local.stripe_double.paths import PATH
from local.stripe_double.portal import create_session
from local.stripe_double.standing import AFTER_RETRIES
from local.stripe_double.web import Form, Page, Redirect

HOME = PATH
SHOWN = 50
_WEATHER = (
    ("dropped", "Lost", "share, 0 to 1", "0.05"),
    ("duplicated", "Sent twice", "share, 0 to 1", "0.05"),
    ("stale", "Signed 10 minutes ago", "share, 0 to 1", "0.05"),
    ("delayed_s", "Late by", "seconds", "1"),
    ("shuffled_s", "Shuffled within", "seconds", "1"),
)


def show(double: StripeDouble, _form: Form) -> Page:
    return double.act(lambda account: Page(_page(account, double)))  # type: ignore[no-any-return]


def _page(account: Account, double: StripeDouble) -> str:
    content = f"<h1>The account</h1>{_clock(account, double)}{_customers(account)}{_weather(account, double.hooks)}"
    return frame("The account", content + _events(account), home="")


def _clock(account: Account, double: StripeDouble) -> str:
    ahead = account.settings["clock_offset"]
    where = f"{ahead // DAY} days ahead of this machine’s clock" if ahead else "as this machine’s clock"
    due = double.next_due()
    buttons = "".join(
        f'<button name="seconds" value="{seconds}">{text}</button>'
        for seconds, text in ((DAY, "A day later"), (7 * DAY, "A week later"), (31 * DAY, "A month later"))
    )
    if due is not None:
        buttons += f'<button name="until" value="{due}">To {minute(due)}: the next thing that is due</button>'
    return f"""<section><h2>Clock</h2><p>{minute(account.now())} <span class="dim">({where})</span></p>
<form class="line" method="post" action="{HOME}/clock">{buttons}</form>
<p class="dim">Trials end, periods are renewed and refused cards are tried again on the way. It does not move back.</p>
</section>"""


def _customers(account: Account) -> str:
    found = [each for each in account.ledger.of_kind("customer") if not each.get("deleted")][:SHOWN]
    lines = "".join(_customer(account, each) for each in found)
    head = "<tr><th>Customer<th>Subscription<th>Period until<th>Newest invoice<td></tr>"
    return f'<section><h2>Customers</h2><div class="wide"><table>{head}{lines}</table></div></section>'


def _customer(account: Account, customer: Object) -> str:
    mine = [each for each in account.ledger.of_kind("subscription") if each["customer"] == customer["id"]]
    bills = (each for each in account.ledger.of_kind("invoice") if each["customer"] == customer["id"])
    newest, invoice = (mine[0] if mine else None), next(bills, None)
    state = status(newest["status"]) if newest else '<span class="dim">none</span>'
    if newest and newest["cancel_at"] is not None and newest["status"] != "canceled":
        state += f' <span class="dim">ends {day(newest["cancel_at"])}</span>'
    until = day(newest["items"]["data"][0]["current_period_end"]) if newest else "–"
    bill = f"{money(invoice['total'], invoice['currency'])} {status(invoice['status'])}" if invoice else "–"
    address = f'<span class="dim">{escape(customer["email"] or "")}<br>{customer["id"]}</span>'
    who, visit = f"{escape(customer['name'] or '')} {address}", _small("visit", "customer", customer["id"], "Portal")
    return f"<tr><td>{who}<td>{state}<td>{until}<td>{bill}<td>{visit}</tr>"


def _weather(account: Account, outbox: Outbox) -> str:
    weather = outbox.weather()
    fields = "".join(
        f'<label><span>{text} <span class="dim">({unit})</span></span>'
        f'<input type="number" min="0" max="{3600 if step == "1" else 1}" step="{step}" name="{name}"'
        f' value="{getattr(weather, name):g}"></label>'
        for name, text, unit, step in _WEATHER
    )
    chosen = account.settings.get("after_retries", AFTER_RETRIES[0])
    options = "".join(f"<option{' selected' if each == chosen else ''}>{each}</option>" for each in AFTER_RETRIES)
    select = f'<label><span>After the last retry</span><select name="after_retries">{options}</select></label>'
    return f"""<section><h2>How hooks travel, and what becomes of who never pays</h2>
<form class="line" method="post" action="{HOME}/weather">{fields}{select}<button>Keep</button></form></section>"""


def _events(account: Account) -> str:
    deliveries: dict[str, Object] = {}
    for each in account.ledger.of_kind("_delivery"):
        deliveries.setdefault(each["event"], each)
    lines = []
    for number, event in enumerate(account.ledger.of_kind("event")):
        if number == SHOWN:
            break
        lines.append(_event(event, deliveries.get(event["id"])))
    head = "<tr><th>Event<th>About<th>Told<td></tr>"
    return f'<section><h2>Events</h2><div class="wide"><table>{head}{"".join(lines)}</table></div></section>'


def _event(event: Object, delivery: Object | None) -> str:
    about = event["data"]["object"].get("id", "")
    about = about if len(about) < 36 else f"{about[:32]}…"
    told, again = '<span class="dim">nobody asked</span>', ""
    if delivery:
        answer = f", {delivery['answer'] or 'no answer'}" if delivery["attempts"] or delivery["answer"] else ""
        kind = {"delivered": "good", "failed": "bad"}.get(delivery["state"], "warn")
        told = f'<span class="{kind}">{delivery["state"]}{answer}</span>'
        again = _small("again", "event", event["id"], "Send again")
    what = f'{event["type"]}<br><span class="dim">{minute(event["created"])}</span>'
    return f"<tr><td>{what}<td><span class=dim>{escape(about)}</span><td>{told}<td>{again}</tr>"


def _small(action: str, name: str, value: str, text: str) -> str:
    button = f'<button class="small" name="{name}" value="{escape(value)}">{text}</button>'
    return f'<form method="post" action="{HOME}/{action}">{button}</form>'


def move_clock(double: StripeDouble, form: Form) -> Redirect:
    """Let time pass."""
    now = double.account.now()
    moment = _number(form, "until") if form.get("until") else now + _number(form, "seconds")
    if not now <= moment <= now + 400 * DAY:
        raise Refused("The clock moves forward, by 400 days at most.")
    double.advance(moment)
    return Redirect(HOME)


def keep_weather(double: StripeDouble, form: Form) -> Redirect:
    """Keep how hooks travel from now on."""
    found: dict[str, float] = {}
    for name, *_ in _WEATHER:
        try:
            value = float(form.get(name) or 0)
        except ValueError:
            raise Refused(f"{name} is not a number.") from None
        whole = name.endswith("_s")
        if not 0 <= value <= (3600 if whole else 1):
            raise Refused(f"{name} is out of range.")
        found[name] = int(value) if whole else value
    chosen = form.get("after_retries", AFTER_RETRIES[0])
    if chosen not in AFTER_RETRIES:
        raise Refused("There is no such way.")
    double.account.set(weather=found, after_retries=chosen)
    return Redirect(HOME)


def visit(double: StripeDouble, form: Form) -> Redirect:
    """Open the portal of a customer, as he would from the shop."""
    session = double.act(
        lambda account: create_session(account, {"customer": form.get("customer"), "return_url": account.pages_url})
    )
    return Redirect(f"{HOME}/portal/{session['id']}")


def send_again(double: StripeDouble, form: Form) -> Redirect:
    double.hooks.send_again(form.get("event", ""))
    double.account.news.set()
    return Redirect(HOME)


def _number(form: Form, name: str) -> int:
    text = form.get(name, "")
    if not text.isdigit() or len(text) > 12:
        raise Refused(f"{name} is not a number.")
    return int(text)
