"""Subscriptions: beginning, changing and ending them."""

from typing import Any

from local.stripe_double import billing, items, standing
from local.stripe_double.account import Account
from local.stripe_double.amounts import DAY, period_end
from local.stripe_double.catalogue import change
from local.stripe_double.customers import can_pay, own_payment_method, payer
from local.stripe_double.errors import Refused, declined, no_such, unsupported
from local.stripe_double.forms import (
    Params,
    anything,
    boolean,
    choice,
    either,
    form,
    integer,
    many,
    merged,
    metadata,
    text,
    unsettable,
)
from local.stripe_double.ledger import Object

PRORATION = choice("create_prorations", "always_invoice", "none")
MISSING_CARD = choice("cancel", "create_invoice", "pause")
TRIAL_SETTINGS = form({"end_behavior": form({"missing_payment_method": MISSING_CARD})})
_ITEM = {"price": text, "quantity": integer, "metadata": metadata}
_SHARED = {
    "default_payment_method": text,
    "description": unsettable(text),
    "metadata": metadata,
    "cancel_at_period_end": boolean,
    "cancel_at": unsettable(integer),
    "proration_behavior": PRORATION,
    "trial_settings": TRIAL_SETTINGS,
    "payment_settings": anything,
    "off_session": boolean,
    "automatic_tax": anything,
    "collection_method": choice("charge_automatically"),
}
NEW_SUBSCRIPTION = form(
    {"customer": text, "items": many(form(**_ITEM))},
    **_SHARED,
    payment_behavior=choice("allow_incomplete", "default_incomplete", "error_if_incomplete"),
    trial_end=either("now", integer),
    trial_period_days=integer,
    billing_mode=form({"type": choice("flexible")}),
)
CHANGED_SUBSCRIPTION = form(
    **_SHARED,
    items=many(form(**_ITEM, id=text, deleted=boolean, clear_usage=boolean)),
    payment_behavior=choice("allow_incomplete", "error_if_incomplete"),
    proration_date=integer,
    billing_cycle_anchor=form({"type": choice("now", "unchanged")}),
    trial_end=either("now", integer),
    cancellation_details=form(comment=text, feedback=text),
)
CANCELED = form(invoice_now=boolean, prorate=boolean, cancellation_details=form(comment=text, feedback=text))
MAX_TRIAL_DAYS = 730


def create_subscription(account: Account, params: Params) -> Object:
    customer = account.get("customer", params["customer"], "customer")
    now = account.now()
    subscription_id = account.new_id("sub")
    trial_end = _trial_end(now, params)
    begun = items.chosen(account, subscription_id, params["items"], now)
    recurring = begun[0]["price"]["recurring"]
    end = trial_end or period_end(now, now, recurring)
    items.set_period(begun, now, end)
    if params.get("default_payment_method"):
        own_payment_method(account, customer["id"], params["default_payment_method"], "default_payment_method")
    subscription: Object = {
        "id": subscription_id,
        "object": "subscription",
        "billing_cycle_anchor": trial_end or now,
        "cancel_at": None,
        "cancel_at_period_end": False,
        "canceled_at": None,
        "cancellation_details": {"comment": None, "feedback": None, "reason": None},
        "created": now,
        "currency": begun[0]["price"]["currency"],
        "customer": customer["id"],
        "default_payment_method": params.get("default_payment_method"),
        "description": params.get("description"),
        "ended_at": None,
        "items": {
            "object": "list",
            "data": begun,
            "has_more": False,
            "total_count": len(begun),
            "url": f"/v1/subscription_items?subscription={subscription_id}",
        },
        "latest_invoice": None,
        "livemode": False,
        "metadata": merged({}, params.get("metadata", {})),
        "start_date": now,
        "status": "trialing" if trial_end else "active",
        "trial_end": trial_end,
        "trial_start": now if trial_end else None,
        "trial_settings": params.get("trial_settings", {"end_behavior": {"missing_payment_method": "create_invoice"}}),
        **_SAME_FOR_ALL,
        "_will_end_told": False,
    }
    account.add(subscription)
    billing.bill_first(account, subscription, params.get("payment_behavior", "allow_incomplete"))
    _set_end(subscription, params, now)
    account.emit("customer.subscription.created", subscription)
    return subscription


# What the double has no notion of.
_SAME_FOR_ALL: dict[str, Any] = {
    "application": None,
    "application_fee_percent": None,
    "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
    "billing_cycle_anchor_config": None,
    "billing_mode": {"type": "flexible", "flexible": {"proration_discounts": "included"}},
    "billing_schedules": [],
    "billing_thresholds": None,
    "collection_method": "charge_automatically",
    "days_until_due": None,
    "default_source": None,
    "default_tax_rates": [],
    "discounts": [],
    "invoice_settings": {
        "account_tax_ids": None,
        "custom_fields": None,
        "description": None,
        "footer": None,
        "issuer": {"type": "self"},
    },
    "next_pending_invoice_item_invoice": None,
    "on_behalf_of": None,
    "pause_collection": None,
    "payment_settings": {
        "payment_method_options": None,
        "payment_method_types": None,
        "save_default_payment_method": "off",
    },
    "pending_invoice_item_interval": None,
    "pending_setup_intent": None,
    "pending_update": None,
    "schedule": None,
    "status_details": None,
    "test_clock": None,
    "transfer_data": None,
}


def _trial_end(now: int, params: Params) -> int | None:
    if "trial_end" in params and "trial_period_days" in params:
        raise Refused("You may only specify one of these parameters: trial_end, trial_period_days.", param="trial_end")
    if params.get("trial_period_days", 0) > MAX_TRIAL_DAYS:
        raise Refused(f"The maximum number of trial period days is {MAX_TRIAL_DAYS}.", param="trial_period_days")
    if days := params.get("trial_period_days"):
        return int(now + days * DAY)
    moment = params.get("trial_end")
    if moment in {None, "now"}:
        return None
    if moment <= now:
        raise Refused("Invalid timestamp: must be an integer Unix timestamp in the future.", param="trial_end")
    return int(moment)


def update_subscription(account: Account, params: Params, subscription_id: str) -> Object:
    subscription = account.get("subscription", subscription_id)
    if subscription["status"] in standing.ENDED:
        if params.keys() - {"metadata", "cancellation_details", "expand"}:
            raise Refused("A canceled subscription can only update its cancellation_details and metadata.", param="id")
        return _plain(subscription, params)
    now = account.now()
    if params.get("default_payment_method"):
        own_payment_method(
            account, subscription["customer"], params["default_payment_method"], "default_payment_method"
        )
    _plain(subscription, params)
    _set_end(subscription, params, now)
    moment = params.get("proration_date", now)
    start, end = items.period_of(subscription)
    if not start <= moment <= end:
        raise Refused("Cannot specify proration_date outside of current subscription period.", param="proration_date")
    behaviour = params.get("proration_behavior", "create_prorations")
    credited = "items" in params and items.change(account, subscription, params["items"], behaviour, moment)
    begins_anew = credited
    if params.get("billing_cycle_anchor", {}).get("type") == "now":
        begins_anew = True
    if "trial_end" in params:
        begins_anew |= _move_trial(subscription, params["trial_end"], now)
    strict = params.get("payment_behavior") == "error_if_incomplete"
    if begins_anew:
        billing.begin_anew(account, subscription, credit=behaviour != "none" and not credited, strict=strict)
    elif behaviour == "always_invoice":
        billing.bill_pending(account, subscription, strict=strict)
    return subscription


def _plain(subscription: Object, params: Params) -> Object:
    """Apply what only needs to be written down."""
    names = ("metadata", "description", "default_payment_method", "trial_settings")
    change(subscription, {name: params[name] for name in names if name in params})
    subscription["cancellation_details"] |= params.get("cancellation_details", {})
    return subscription


def _set_end(subscription: Object, params: Params, now: int) -> None:
    if "cancel_at" in params and params.get("cancel_at_period_end"):
        raise Refused(
            "You may only specify one of these parameters: cancel_at, cancel_at_period_end.", param="cancel_at"
        )
    if "cancel_at" in params:
        moment = params["cancel_at"]
        if moment is not None and moment <= now:
            raise Refused("Invalid timestamp: must be an integer Unix timestamp in the future.", param="cancel_at")
        _end_at(subscription, moment, now, period_end=False)
    elif "cancel_at_period_end" in params:
        wanted = params["cancel_at_period_end"]
        _end_at(subscription, items.period_of(subscription)[1] if wanted else None, now, period_end=wanted)


def _end_at(subscription: Object, moment: int | None, now: int, *, period_end: bool) -> None:
    subscription.update(cancel_at=moment, cancel_at_period_end=period_end, canceled_at=None if moment is None else now)
    subscription["cancellation_details"]["reason"] = None if moment is None else "cancellation_requested"


def _move_trial(subscription: Object, moment: int | str, now: int) -> bool:
    """Let the trial end at another moment; tells whether it ends now."""
    if moment == "now":
        return bool(subscription["status"] == "trialing")
    if not isinstance(moment, int) or moment <= now:
        raise Refused("Invalid timestamp: must be an integer Unix timestamp in the future.", param="trial_end")
    if subscription["status"] != "trialing":
        raise unsupported("a trial for a subscription that is paid for already", "trial_end")
    subscription.update(trial_end=moment, billing_cycle_anchor=moment, _will_end_told=False)
    items.move_period(subscription, items.period_of(subscription)[0], moment)
    return False


def cancel_subscription(account: Account, params: Params, subscription_id: str) -> Object:
    """End it now."""
    subscription = account.get("subscription", subscription_id)
    if subscription["status"] in standing.ENDED:
        raise no_such("subscription", subscription_id)
    subscription["cancellation_details"] |= params.get("cancellation_details", {})
    now = account.now()
    if params.get("prorate") and subscription["status"] != "trialing":
        items.credit_rest(account, subscription, now)
    if params.get("invoice_now"):
        billing.bill_last(account, subscription, "subscription_update")
    standing.end(account, subscription, "cancellation_requested")
    return subscription


def resume_subscription(account: Account, _params: Params, subscription_id: str) -> Object:
    """Go on after a pause: a new period begins, and is paid for."""
    subscription = account.get("subscription", subscription_id)
    if subscription["status"] != "paused":
        raise Refused(f"This subscription is {subscription['status']}, so it cannot be resumed.", param="id")
    customer = account.get("customer", subscription["customer"])
    if not can_pay(payer(account, customer, subscription)):
        raise declined("Your card was declined.", "generic_decline")
    subscription.update(status="active", status_details=None)
    billing.begin_anew(account, subscription, credit=False)
    account.emit("customer.subscription.resumed", subscription, own=False)
    return subscription
