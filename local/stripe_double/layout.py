"""What all pages of the double have in common: the frame, its style, and how money and days are written."""

from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape
from typing import Any

from local.stripe_double.customers import CARDS

_STYLE = """
:root { color-scheme: light dark; --accent: #4f46e5; --on-accent: #fff; --page: #f6f7f9; --card: #fff; --ink: #1b1f24;
  --dim: #646c76; --line: #8883; --good: #15803d; --bad: #b91c1c; --warn: #a16207 }
@media (prefers-color-scheme: dark) { :root { --accent: #8b85ff; --on-accent: #14141c; --page: #14171b; --card: #1d2127;
  --ink: #e6e8eb; --dim: #9aa1a9; --good: #4ade80; --bad: #f87171; --warn: #facc15 } }
* { box-sizing: border-box }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif;
  overflow-wrap: anywhere }
header { background: var(--card); border-bottom: 1px solid var(--line); padding: .7rem 1rem; display: flex; gap: 1rem;
  align-items: baseline; flex-wrap: wrap }
header b { font-size: 1rem } header a { margin-left: auto }
header span { color: var(--dim); font-size: .85rem }
main { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem 4rem }
main.narrow { max-width: 34rem }
main.two { display: grid; gap: 2rem; grid-template-columns: 1fr 1fr }
@media (max-width: 46rem) { main.two { grid-template-columns: 1fr; gap: 1rem } }
h1 { font-size: 1.4rem; margin: 0 0 .5rem; line-height: 1.25 } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem }
p { margin: .3rem 0 } .dim { color: var(--dim); font-size: .875rem } .big { font-size: 2rem; font-weight: 650 }
.good { color: var(--good) } .bad { color: var(--bad) } .warn { color: var(--warn) }
section { background: var(--card); border: 1px solid var(--line); border-radius: .7rem; padding: 1rem 1.2rem;
  margin-bottom: 1rem }
section > :first-child { margin-top: 0 }
.row { display: flex; justify-content: space-between; gap: 1rem; padding: .35rem 0; border-top: 1px solid var(--line) }
.row:first-of-type { border-top: 0 } .row > :last-child { text-align: right; flex-shrink: 0; max-width: 60% }
.total { font-weight: 650 }
form { margin: 0 } form.line { display: flex; gap: .5rem; flex-wrap: wrap; align-items: end }
label { display: block; margin: .6rem 0 .2rem; font-size: .875rem; font-weight: 550 }
label.choice { display: flex; gap: .6rem; align-items: baseline; font-weight: 400; font-size: .95rem;
  padding: .55rem .7rem; border: 1px solid var(--line); border-radius: .5rem; margin: .4rem 0; cursor: pointer }
label.choice:has(:checked) { border-color: var(--accent); outline: 1px solid var(--accent) }
input:not([type=radio]), select { font: inherit; width: 100%; padding: .5rem .65rem; border: 1px solid var(--line);
  border-radius: .5rem; background: var(--page); color: var(--ink) }
.line input, .line select { width: auto } .line label { margin: 0 } .line label span { display: block }
.line input[type=number] { width: 5.5rem }
button, a.button { font: inherit; font-weight: 600; padding: .55rem 1rem; border-radius: .5rem; cursor: pointer;
  border: 1px solid var(--line); background: var(--card); color: var(--ink); text-decoration: none;
  display: inline-block }
button.main { background: var(--accent); color: var(--on-accent); border-color: transparent; width: 100%;
  padding: .7rem 1rem; margin-top: 1rem }
button.small { font-size: .8rem; padding: .2rem .6rem }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
a { color: var(--accent) } .alert { border-color: var(--bad); color: var(--bad) }
.wide { overflow-x: auto } table { border-collapse: collapse; width: 100%; font-size: .9rem }
th { text-align: left; font-weight: 600; color: var(--dim); font-size: .8rem }
th, td { padding: .4rem .8rem .4rem 0; white-space: nowrap; border-top: 1px solid var(--line); vertical-align: top }
tr:first-child th { border-top: 0 } .number { text-align: right; white-space: nowrap }
"""
_FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} – Stripe on this machine</title>
<style>{style}</style>
</head>
<body>
<header><b>{who}</b><span>a double of Stripe on this machine: no real card, no real money</span>{link}</header>
<main class="{shape}">
{content}
</main>
</body>
</html>
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
STATUS_WORDS = {
    "active": ("good", "Active"),
    "trialing": ("good", "Trial"),
    "past_due": ("bad", "Past due"),
    "unpaid": ("bad", "Unpaid"),
    "incomplete": ("warn", "Not paid yet"),
    "incomplete_expired": ("dim", "Never paid"),
    "paused": ("warn", "Paused"),
    "canceled": ("dim", "Canceled"),
    "paid": ("good", "Paid"),
    "open": ("warn", "Open"),
    "draft": ("dim", "Draft"),
    "void": ("dim", "Void"),
    "uncollectible": ("bad", "Given up"),
}
_SIGNS = {"usd": "$", "eur": "€", "gbp": "£"}
_CARD_WORDS = {
    "pays": "pays",
    "fails later": "is kept, and refused when it is charged",
    "declined": "is declined at once",
}


def frame(title: str, content: str, *, shape: str = "", who: str = "Stripe", home: str = "/_local/stripe") -> str:
    link = f'<a href="{escape(home)}">All of the account</a>' if home else ""
    return _FRAME.format(
        title=escape(title), style=_STYLE, who=escape(who), link=link, shape=shape or "wide-page", content=content
    )


def money(cents: int, currency: str) -> str:
    sign = _SIGNS.get(currency, currency.upper() + " ")
    return f"{'−' if cents < 0 else ''}{sign}{abs(cents) / 100:,.2f}"  # noqa: RUF001 - a minus


def day(moment: int | None) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%-d %b %Y") if moment is not None else "–"


def minute(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%-d %b %Y, %H:%M UTC")


def status(word: str) -> str:
    kind, text = STATUS_WORDS.get(word, ("dim", word))
    return f'<span class="{kind}">{escape(text)}</span>'


def rows(pairs: Iterable[tuple[str, str]]) -> str:
    """Pairs of a name and what it is, the latter as HTML."""
    return "".join(f'<div class="row"><span>{escape(name)}</span><span>{value}</span></div>' for name, value in pairs)


def alert(text: str) -> str:
    return f'<section class="alert" role="alert">{escape(text)}</section>' if text else ""


def card_choice(chosen: str = "") -> str:
    """Radio buttons of the test cards."""
    found = []
    for place, (number, (brand, behaviour)) in enumerate(CARDS.items()):
        checked = " checked" if number == chosen or (not chosen and place == 0) else ""
        shown = " ".join(number[at : at + 4] for at in range(0, 16, 4))
        words = f'{shown} <span class="dim">{brand.title()}, {_CARD_WORDS[behaviour]}</span>'
        radio = f'<input type="radio" name="number" value="{number}"{checked}>'
        found.append(f'<label class="choice">{radio}<span>{words}</span></label>')
    return "".join(found)


def price_words(price: dict[str, Any]) -> str:
    """What a price is, in words: `$19.00 each month`."""
    recurring, currency = price["recurring"], price["currency"]
    every = (
        recurring["interval"]
        if recurring["interval_count"] == 1
        else f"{recurring['interval_count']} {recurring['interval']}s"
    )
    if price["billing_scheme"] == "tiered":
        last = price["_tiers"][-1]
        return f"{_fine(last['unit_amount_decimal'] or '0', currency)} each, after what is included, every {every}"
    return f"{_fine(price['unit_amount_decimal'], currency)} each, every {every}"


def _fine(cents: str, currency: str) -> str:
    amount = float(cents)
    return (
        money(int(amount), currency) if amount == int(amount) else f"{_SIGNS.get(currency, currency)}{amount / 100:g}"
    )
