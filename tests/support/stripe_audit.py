"""What Stripe has, read from its double's own ledger, and whether we hold the same: no more, no less, nothing twice."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from chalicelib.billing.plans import PLANS
from chalicelib.core import clock
from chalicelib.core.items import Item
from chalicelib.core.table import Key
from local.stripe_double.ledger import Ledger, Object

LIVE = {"trialing", "active", "past_due"}
LIMITS = ("seats", "conversations", "storage", "webhooks", "request_share")
_FIELDS = {"subscription": "sub", "status": "st", "plan": "plan", "quantity": "qty", "period_end": "pe",
           "trial_end": "te", "cancel_at": "ca"}  # fmt: skip


def counting(ledger: Ledger) -> Object:
    """Return the subscription that counts, where there is one customer: the newest that is alive, else the newest."""
    found = list(ledger.of_kind("subscription"))
    return next((each for each in found if each["status"] in LIVE), found[0] if found else {})


def truth(found: Object) -> dict[str, Any]:
    """Return what must be known of a subscription."""
    if not found:
        return {"subscription": None}
    seat = next(each for each in found["items"]["data"] if each["price"]["recurring"]["usage_type"] == "licensed")
    live = found["status"] in LIVE
    return {
        "subscription": found["id"],
        "status": found["status"],
        "plan": seat["price"]["lookup_key"].split("_")[1] if live else "free",
        "quantity": seat["quantity"],
        "period_end": seat["current_period_end"] * 1000,
        "trial_end": found["trial_end"] and found["trial_end"] * 1000,
        "cancel_at": found["cancel_at"] * 1000 if live and found["cancel_at"] else None,
    }


def audit_stripe(tenant_id: str, rows: dict[Key, Item], ledger: Ledger) -> Iterator[str]:
    """Yield what differs, of a tenant that is the only one with a customer."""
    state = rows[Key(f"{tenant_id}#billing", "state")]
    yield from _one_of_each(state, rows, ledger)
    yield from _known(tenant_id, state, rows, ledger)
    yield from _metered(state, ledger)
    if "p_pk" not in state:
        yield "nobody will look at this account again"
    lock = rows.get(Key(f"{tenant_id}#billing", "lock"))
    if lock and lock["exp"] > clock.now_s():
        yield f"still locked by {lock['by']}"


def _one_of_each(state: Item, rows: dict[Key, Item], ledger: Ledger) -> Iterator[str]:
    customers = [each["id"] for each in ledger.of_kind("customer")]
    if customers != [state["cus"]] or not rows.get(Key(f"G#stripe#{state['cus']}", "-")):
        yield f"customers are {customers}, known is {state.get('cus')}"
    alive = [each["id"] for each in ledger.of_kind("subscription") if each["status"] in LIVE]
    if len(alive) > 1:
        yield f"{len(alive)} subscriptions are alive"
    checkouts = [each for each in ledger.of_kind("checkout.session") if each["status"] == "open"]
    if len(checkouts) > 1 or (checkouts and alive):
        yield f"{len(checkouts)} checkouts are open beside {len(alive)} subscriptions"


def _known(tenant_id: str, state: Item, rows: dict[Key, Item], ledger: Ledger) -> Iterator[str]:
    wanted = truth(counting(ledger))
    known = {name: state.get(_FIELDS[name]) for name in wanted}
    if known != wanted:
        yield f"known is {known}, Stripe has {wanted}"
    tenant = rows[Key(f"{tenant_id}#tenant", "meta")]
    limits = PLANS[state["plan"]].limits
    allowed = {name: tenant.get("lim", {}).get(name) for name in LIMITS}
    if allowed != {name: getattr(limits, name) for name in LIMITS}:
        yield f"the plan is {state['plan']}, allowed is {allowed}"


def _metered(state: Item, ledger: Ledger) -> Iterator[str]:
    if "rp" in state:
        yield f"a report is still on its way: {state['rp']}"
    events = list(ledger.of_kind("billing.meter_event"))
    doubled = [each for each, count in Counter(event["identifier"] for event in events).items() if count > 1]
    if doubled:
        yield f"reported twice: {doubled}"
