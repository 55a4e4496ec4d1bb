"""What a subscription consists of: prices with quantities, their period, and prorations when they change."""

from datetime import UTC, datetime
from typing import Any

from local.stripe_double.account import Account
from local.stripe_double.amounts import amount_of, share_of
from local.stripe_double.catalogue import product_of
from local.stripe_double.errors import Refused, no_such, unsupported
from local.stripe_double.forms import Params, merged
from local.stripe_double.ledger import Object
from local.stripe_double.lines import Charge, put_aside
from local.stripe_double.usage import usage_of

MOST = 20


def chosen(account: Account, subscription_id: str, given: list[Params], now: int) -> list[Object]:
    """Return items for the first time. Raises Refused for prices that do not go together."""
    if not given:
        raise Refused("Missing required param: items.", code="parameter_missing", param="items")
    found = [_new(account, subscription_id, each, now, f"items[{number}]") for number, each in enumerate(given)]
    _check(found)
    return found


def period_of(subscription: Object) -> tuple[int, int]:
    item = subscription["items"]["data"][0]
    return item["current_period_start"], item["current_period_end"]


def set_period(items: list[Object], start: int, end: int) -> None:
    for item in items:
        item.update(current_period_start=start, current_period_end=end, _usage_from=start)


def move_period(subscription: Object, start: int, end: int) -> None:
    """Let another period be the current one; a subscription that is to end with it ends with that one."""
    set_period(subscription["items"]["data"], start, end)
    if subscription["cancel_at_period_end"]:
        subscription["cancel_at"] = end


def usage_from(item: Object) -> int:
    """Return since when an item's usage is to be billed: the period's beginning, or its own within the period."""
    return int(item["_usage_from"])


def licensed(subscription: Object) -> list[Object]:
    return [item for item in subscription["items"]["data"] if not item["price"]["recurring"]["meter"]]


def metered(subscription: Object) -> list[Object]:
    return [item for item in subscription["items"]["data"] if item["price"]["recurring"]["meter"]]


def has_pending(account: Account, subscription: Object) -> bool:
    return any(
        item["invoice"] is None and item["customer"] == subscription["customer"]
        for item in account.ledger.of_kind("invoiceitem")
    )


def change(account: Account, subscription: Object, given: list[Params], behaviour: str, moment: int) -> bool:
    """Change items, with prorations; tells whether the interval has changed, so that a new period begins."""
    before = {item["id"]: dict(item) for item in subscription["items"]["data"]}
    after = {item["id"]: item for item in subscription["items"]["data"]}
    period = period_of(subscription)
    for number, each in enumerate(given):
        where = f"items[{number}]"
        item_id = each.get("id")
        if item_id is None:
            made = _new(account, subscription["id"], each, moment, where)
            set_period([made], *period)
            made["_usage_from"] = moment
            after[made["id"]] = made
        elif item_id not in after:
            raise no_such("subscription item", item_id, f"{where}[id]")
        elif each.get("deleted"):
            del after[item_id]
        else:
            _update(account, after[item_id], each, where)
    found = list(after.values())
    _check(found)
    subscription["items"]["data"] = found
    subscription["items"]["total_count"] = len(found)
    if subscription["status"] == "trialing":
        return False
    begins_anew = _interval(found[0]) != _interval(next(iter(before.values())))
    prorated = behaviour != "none" and not begins_anew
    for item_id in {**before, **after}:
        _settle(account, subscription, before.get(item_id), after.get(item_id), moment, prorated=prorated)
    if begins_anew and behaviour != "none":
        _credit(account, subscription, list(before.values()), moment)
    return begins_anew


def credit_rest(account: Account, subscription: Object, moment: int) -> None:
    """Credit the time of the current period that is left."""
    _credit(account, subscription, subscription["items"]["data"], moment)


def _credit(account: Account, subscription: Object, items: list[Object], moment: int) -> None:
    for item in items:
        if not item["price"]["recurring"]["meter"]:
            _prorate(account, subscription, item, moment, credit=True)


def _settle(
    account: Account, subscription: Object, old: Object | None, new: Object | None, moment: int, *, prorated: bool
) -> None:
    """Bill what a changed item leaves behind: time not used, time that follows, usage until now."""
    if old and new and (old["price"]["id"], old.get("quantity")) == (new["price"]["id"], new.get("quantity")):
        return
    if old and old["price"]["recurring"]["meter"]:
        _bill_usage(account, subscription, old, moment)
        (new or {})["_usage_from"] = moment
    elif old and prorated:
        _prorate(account, subscription, old, moment, credit=True)
    if new and not new["price"]["recurring"]["meter"] and prorated:
        _prorate(account, subscription, new, moment, credit=False)


def _prorate(account: Account, subscription: Object, item: Object, moment: int, *, credit: bool) -> None:
    start, end = item["current_period_start"], item["current_period_end"]
    share = share_of(amount_of(item["price"], item["quantity"]), start, end, moment)
    what = f"{item['quantity']} × {product_of(account, item['price'])['name']}"
    text = f"Unused time on {what} after {_day(moment)}" if credit else f"Remaining time on {what} from {_day(moment)}"
    charge = Charge(
        -share if credit else share,
        item["price"]["currency"],
        text,
        (moment, end),
        quantity=item["quantity"],
        item=item,
        proration=True,
    )
    put_aside(account, subscription["customer"], subscription, charge)


def _bill_usage(account: Account, subscription: Object, item: Object, moment: int) -> None:
    period = (usage_from(item), moment)
    quantity = usage_of(account, subscription["customer"], item["price"]["recurring"]["meter"], *period)
    what = f"{quantity} × {product_of(account, item['price'])['name']}"
    amount = amount_of(item["price"], quantity)
    charge = Charge(amount, item["price"]["currency"], what, period, quantity=quantity, item=item)
    put_aside(account, subscription["customer"], subscription, charge)


def _new(account: Account, subscription_id: str, given: Params, now: int, where: str) -> Object:
    price = _price(account, given, where)
    item: Object = {
        "id": account.new_id("si", 14),
        "object": "subscription_item",
        "billed_until": None,
        "billing_thresholds": None,
        "created": now,
        "current_period_end": now,
        "current_period_start": now,
        "current_trial": None,
        "discounts": [],
        "metadata": merged({}, given.get("metadata", {})),
        "plan": plan_of(price),
        "price": price,
        "subscription": subscription_id,
        "tax_rates": [],
    }
    return _with_quantity(item, given, where)


def _update(account: Account, item: Object, given: Params, where: str) -> None:
    if given.get("price"):
        item["price"] = _price(account, given, where)
        item["plan"] = plan_of(item["price"])
    item["metadata"] = merged(item["metadata"], given.get("metadata", {}))
    _with_quantity(item, given, where)


def _with_quantity(item: Object, given: Params, where: str) -> Object:
    if item["price"]["recurring"]["meter"]:
        if "quantity" in given:
            raise Refused("You cannot set the quantity for metered plans.", param=f"{where}[quantity]")
        item.pop("quantity", None)
    else:
        item["quantity"] = given.get("quantity", item.get("quantity", 1))
    return item


def _price(account: Account, given: Params, where: str) -> Object:
    price = account.get("price", given.get("price"), f"{where}[price]")
    if not price["active"]:
        raise Refused(
            "The price specified is inactive. This field only accepts active prices.", param=f"{where}[price]"
        )
    if price["recurring"] is None:
        raise Refused(
            "The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`.",
            param=f"{where}[price]",
        )
    return dict(price)


def _check(items: list[Object]) -> None:
    if not items:
        raise Refused("A subscription must have at least one active plan.", code="parameter_missing", param="items")
    if len(items) > MOST:
        raise Refused(f"A subscription can have at most {MOST} items.", param="items")
    prices = [item["price"]["id"] for item in items]
    if len(set(prices)) < len(prices):
        raise Refused("Cannot add multiple subscription items with the same price.", param="items")
    if len({item["price"]["currency"] for item in items}) > 1:
        raise Refused("The currency of all prices must be the same.", param="items")
    if len({_interval(item) for item in items}) > 1:
        raise unsupported("subscriptions with several intervals", "items")


def _interval(item: Object) -> tuple[str, int]:
    recurring = item["price"]["recurring"]
    return recurring["interval"], recurring["interval_count"]


def _day(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%d %b %Y")


def plan_of(price: Object) -> dict[str, Any]:
    """Return a price in the older shape that an item still carries."""
    recurring = price["recurring"]
    return {
        "id": price["id"],
        "object": "plan",
        "active": price["active"],
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "billing_scheme": price["billing_scheme"],
        "created": price["created"],
        "currency": price["currency"],
        "interval": recurring["interval"],
        "interval_count": recurring["interval_count"],
        "livemode": False,
        "metadata": price["metadata"],
        "meter": recurring["meter"],
        "nickname": price["nickname"],
        "product": price["product"],
        "tiers_mode": price["tiers_mode"],
        "transform_usage": None,
        "trial_period_days": None,
        "usage_type": recurring["usage_type"],
    }
