"""Money and time as Stripe counts them: prices of quantities, shares of a period, and when a period ends."""

import calendar
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

HOUR = 3600
DAY = 24 * HOUR


def amount_of(price: dict[str, Any], quantity: int) -> int:
    """Return what a quantity costs, in cents."""
    if price["billing_scheme"] == "per_unit":
        return _cents(Decimal(price["unit_amount_decimal"]) * quantity)
    tiers = price["_tiers"]
    if price["tiers_mode"] == "volume":
        return _cents(_tier_amount(next(t for t in tiers if _reaches(t, quantity)), quantity))
    total, below = Decimal(0), 0
    for tier in tiers:
        top = quantity if tier["up_to"] is None else min(quantity, tier["up_to"])
        if top > below:
            total += _tier_amount(tier, top - below)
        below = max(below, top)
    return _cents(total)


def share_of(amount: int, start: int, end: int, moment: int) -> int:
    """Return the part of an amount that is for the time after a moment of the period."""
    if not start < end:
        return 0
    return _cents(Decimal(amount) * max(0, end - max(moment, start)) / (end - start))


def period_end(anchor: int, start: int, recurring: dict[str, Any]) -> int:
    """Return when the period ends that begins at `start`: whole intervals after the anchor, so the 31st comes back."""
    count, interval = recurring["interval_count"], recurring["interval"]
    number = 1
    while (end := _after(anchor, interval, count * number)) <= start:
        number += 1
    return end


def _after(anchor: int, interval: str, number: int) -> int:
    begun = datetime.fromtimestamp(anchor, UTC)
    if interval in {"day", "week"}:
        return int((begun + timedelta(days=number * (7 if interval == "week" else 1))).timestamp())
    months = begun.year * 12 + begun.month - 1 + number * (12 if interval == "year" else 1)
    year, month = divmod(months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return int(begun.replace(year=year, month=month + 1, day=min(begun.day, last)).timestamp())


def _tier_amount(tier: dict[str, Any], quantity: int) -> Decimal:
    return Decimal(tier["unit_amount_decimal"] or 0) * quantity + Decimal(tier["flat_amount_decimal"] or 0)


def _reaches(tier: dict[str, Any], quantity: int) -> bool:
    return tier["up_to"] is None or quantity <= tier["up_to"]


def _cents(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))
