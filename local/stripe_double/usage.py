"""Usage: meter events as they are told, and what they add up to."""

from typing import Any

from local.stripe_double.account import Account
from local.stripe_double.amounts import DAY
from local.stripe_double.errors import Refused, no_such
from local.stripe_double.forms import Params, choice, form, integer, metadata, text
from local.stripe_double.ledger import Object

NEW_EVENT = form({"event_name": text, "payload": metadata}, identifier=text, timestamp=integer)
SUMMARIES = form(
    {"customer": text, "start_time": integer, "end_time": integer},
    value_grouping_window=choice("day", "hour"),
    limit=integer,
    starting_after=text,
    ending_before=text,
)
OLDEST = 35 * DAY
AHEAD = 300
REMEMBERED = DAY  # how long an identifier is known: the least that Stripe promises


def create_event(account: Account, params: Params) -> Object:
    """Take note of usage. An identifier that is known already is refused, and nothing is counted twice."""
    now = account.now()
    meter = _meter_named(account, params["event_name"])
    moment = params.get("timestamp", now)
    if moment < now - OLDEST:
        raise Refused("The timestamp is too far in the past.", code="timestamp_too_far_in_past", param="timestamp")
    if moment > now + AHEAD:
        raise Refused("The timestamp is too far in the future.", code="timestamp_in_future", param="timestamp")
    payload = params["payload"]
    customer_id, value = _read(payload, meter)
    if account.find("customer", customer_id) is None:
        raise no_such("customer", customer_id, f"payload[{meter['customer_mapping']['event_payload_key']}]")
    identifier = params.get("identifier") or account.new_id("me")
    key = f"_meter_event:{meter['event_name']}:{identifier}"
    known = account.ledger.look(key)
    if known and now - known["created"] < REMEMBERED:
        raise Refused(
            f"An event already exists with identifier {identifier}.", code="resource_already_exists", param="identifier"
        )
    shown = {
        "object": "billing.meter_event",
        "created": now,
        "event_name": meter["event_name"],
        "identifier": identifier,
        "livemode": False,
        "payload": payload,
        "timestamp": moment,
    }
    number = (known["_count"] + 1) if known else 1
    if known:  # forgotten by now: counted again, as Stripe would
        account.ledger.add(known | {"id": f"{key}:{number}"})
    account.ledger.add(
        shown | {"id": key, "_count": number, "_meter": meter["id"], "_customer": customer_id, "_value": value}
    )
    return shown


def list_summaries(account: Account, params: Params, meter_id: str) -> list[Object]:
    meter = account.get("billing.meter", meter_id, noun="meter")
    start, end = params["start_time"], params["end_time"]
    if start % 60 or end % 60:
        raise Refused("start_time and end_time must be aligned with minute boundaries.", param="start_time")
    window = {"hour": 3600, "day": DAY}.get(params.get("value_grouping_window", ""), max(1, end - start))
    found = []
    for begun in range(start, end, window):
        value = usage_of(account, params["customer"], meter["id"], begun, min(begun + window, end))
        found.append(
            {
                "id": f"mtrusg_{begun}_{meter['id'][-8:]}",
                "object": "billing.meter_event_summary",
                "aggregated_value": float(value),
                "start_time": begun,
                "end_time": min(begun + window, end),
                "livemode": False,
                "meter": meter["id"],
            }
        )
    return found[::-1]


def usage_of(account: Account, customer_id: str, meter_id: str, start: int, end: int) -> int:
    """Return what a customer has used from one moment until before another."""
    meter = account.ledger.look(meter_id)
    events = [
        event
        for event in account.ledger.of_kind("billing.meter_event")
        if event["_meter"] == meter_id and event["_customer"] == customer_id and start <= event["timestamp"] < end
    ]
    formula = meter["default_aggregation"]["formula"] if meter else "sum"
    if formula == "count":
        return len(events)
    if formula == "last":
        return int(max(events, key=lambda event: event["timestamp"])["_value"]) if events else 0
    return sum(int(event["_value"]) for event in events)


def _meter_named(account: Account, event_name: str) -> Object:
    for meter in account.ledger.of_kind("billing.meter"):
        if meter["event_name"] == event_name and meter["status"] == "active":
            return meter
    raise Refused(f"No active meter found for event name {event_name}", code="no_meter", param="event_name")


def _read(payload: dict[str, Any], meter: Object) -> tuple[str, int]:
    whose, how_much = meter["customer_mapping"]["event_payload_key"], meter["value_settings"]["event_payload_key"]
    for key in (whose, how_much):
        if not payload.get(key):
            raise Refused(f"Missing required param: payload[{key}].", code="parameter_missing", param=f"payload[{key}]")
    if not payload[how_much].isdigit():
        raise Refused(
            "Usage must be a whole number, zero or more.",
            code="meter_event_invalid_value",
            param=f"payload[{how_much}]",
        )
    return payload[whose], int(payload[how_much])
