"""Putting the plans into Stripe: a product each, with a price for seats and one for conversations, and their meter."""

from typing import Any

from chalicelib.billing.plans import CURRENCY, METER, PAID, PLANS, Plan
from chalicelib.billing.stripe_gateway import calling, client


def offer_plans() -> list[str]:
    """Make what is missing and return what was made; what is there stays as it is."""
    with calling():
        meter_id, made = _meter()
        for name in PAID:
            made += _prices(PLANS[name], meter_id)
    return made


def _meter() -> tuple[str, list[str]]:
    known = client().billing.meters.list({"limit": 100, "status": "active"})
    for meter in known.data:
        if meter.event_name == METER:
            return str(meter.id), []
    params = {
        "display_name": "Conversations",
        "event_name": METER,
        "default_aggregation": {"formula": "sum"},
        "customer_mapping": {"type": "by_id", "event_payload_key": "stripe_customer_id"},
        "value_settings": {"event_payload_key": "value"},
    }
    return str(client().billing.meters.create(params).id), [METER]


def _create_product(plan: Plan) -> None:
    with calling(repeated_code="resource_already_exists"):
        client().products.create({"id": _product_id(plan), "name": f"Parley {plan.title}"})


def _prices(plan: Plan, meter_id: str) -> list[str]:
    seat: dict[str, Any] = {"unit_amount": plan.seat_cents, "recurring": {"interval": "month"}, "nickname": "Seat"}
    metered = {"interval": "month", "usage_type": "metered", "meter": meter_id}
    conversation = {"unit_amount": plan.conversation_cents, "recurring": metered, "nickname": "More conversations"}
    wanted = {plan.seat_key: seat, plan.conversation_key: conversation}
    known = {each.lookup_key for each in client().prices.list({"lookup_keys": list(wanted), "limit": 10}).data}
    missing = [key for key in wanted if key not in known]
    if missing:
        _create_product(plan)
    for key in missing:
        params = {**wanted[key], "product": _product_id(plan), "currency": CURRENCY, "lookup_key": key}
        client().prices.create(params)
    return missing


def _product_id(plan: Plan) -> str:
    return f"parley_{plan.name}"
