"""The one door to Stripe. The library is imported when it is first used: it takes as long as half a cold start."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from chalicelib.billing.models import Invoice, Snapshot
from chalicelib.billing.plans import METER, PLANS, PaidPlanName, Plan, plan_of_key
from chalicelib.billing.stripe_secret import stripe_keys
from chalicelib.core import clock, log
from chalicelib.core.config import settings
from chalicelib.core.errors import InvalidError, UnavailableError

if TYPE_CHECKING:
    from stripe import StripeClient

TIMEOUT_S = 8
RETRIES = 1
TENANT = "tenant_id"  # in the metadata of what we make
_ALIVE = ("active", "trialing", "past_due")

transport: Any = None  # an HTTP client as the library has them; None: its own


@lru_cache(maxsize=4)
def _client_of(api_key: str, url: str, http_client: Any) -> "StripeClient":  # noqa: ANN401 - see `transport`
    import stripe  # noqa: PLC0415 - see above

    stripe.enable_telemetry = False
    return stripe.StripeClient(
        api_key,
        http_client=http_client or stripe.RequestsClient(timeout=TIMEOUT_S),
        base_addresses={"api": url} if url else {},
        max_network_retries=RETRIES,
    )


def client() -> Any:  # noqa: ANN401 - the library's argument types are dictionaries too deep to be of use here
    """Return the client of this installation's account."""
    return _client_of(stripe_keys().api_key, settings().stripe_api_url, transport).v1


def forget() -> None:
    """Forget which prices there are, after another account is used or plans were offered anew."""
    _known_price_ids.cache_clear()


def create_customer(tenant_id: str, name: str, email: str | None) -> str:
    """Make a tenant's customer and return its id; a second time the same one, for a day, whoever asks then.

    What its idempotency key stands for must not depend on who asks, nor on what the tenant is called by then.
    """
    shown = {"name": name, **({"email": email} if email else {})}
    with calling():
        customer = client().customers.create(
            {"metadata": {TENANT: tenant_id}}, {"idempotency_key": f"customer-{tenant_id}"}
        )
        client().customers.update(customer.id, shown)
    return str(customer.id)


def latest(customer_id: str) -> Snapshot | None:
    """Return the customer's subscription that counts: the newest that is alive, else the newest. None without any.

    One that a checkout began while there was another is its duplicate, and does not count.
    """
    with calling():
        found = client().subscriptions.list({"customer": customer_id, "status": "all", "limit": 100})
    alive = sorted((each for each in found.data if each.status in _ALIVE), key=_age)
    duplicates = [each.id for each in alive[1:] if TENANT in each.metadata]
    counting = [each for each in alive if each.id not in duplicates]
    if len(counting) > 1:
        log.error("several_subscriptions", customer=customer_id, subscriptions=[each.id for each in counting])
    newest = max(counting or found.data, key=_age, default=None)
    return _snapshot(newest, tuple(duplicates)) if newest else None


def cancel_duplicate(subscription_id: str) -> None:
    """Pay back what was paid for a subscription, then end it. Repeated, it does what is left to do."""
    with calling():
        paid = client().invoices.list(
            {"subscription": subscription_id, "status": "paid", "limit": 100, "expand": ["data.payments"]}
        )
    for invoice in paid.data:
        for each in invoice.payments.data:
            if each.payment.type == "payment_intent":
                _refund(each.payment.payment_intent)
    with calling(repeated_code="resource_missing"):
        client().subscriptions.cancel(subscription_id)


def _refund(payment_intent: str) -> None:
    params = {"payment_intent": payment_intent, "reason": "duplicate"}
    with calling(repeated_code="charge_already_refunded"):
        client().refunds.create(params, {"idempotency_key": f"refund-{payment_intent}"})


def expire_checkouts(customer_id: str) -> None:
    """Close the checkouts that a customer has open, so that none can be completed beside another."""
    with calling():
        for each in client().checkout.sessions.list({"customer": customer_id, "status": "open", "limit": 100}).data:
            _expire(each.id)


def _expire(session_id: str) -> None:
    import stripe  # noqa: PLC0415 - see above

    try:
        client().checkout.sessions.expire(session_id)
    except stripe.InvalidRequestError:
        log.info("checkout_not_open", session=session_id)  # completed meanwhile: whoever asks for `latest` sees it


def start_checkout(
    tenant_id: str,
    customer_id: str,
    plan: PaidPlanName,
    *,
    quantity: int,
    success_url: str,
    cancel_url: str,
    trial_end: int | None,
    key: str,
) -> str:
    """Return the address at which a customer subscribes. `trial_end` is in milliseconds, two days ahead or more."""
    seat, conversation = _price_ids(PLANS[plan])
    subscription: dict[str, Any] = {"metadata": {TENANT: tenant_id}}
    if trial_end:
        subscription["trial_end"] = trial_end // 1000
    params = {
        "mode": "subscription",
        "customer": customer_id,
        "client_reference_id": tenant_id,
        "line_items": [{"price": seat, "quantity": quantity}, {"price": conversation}],
        "success_url": success_url,
        "cancel_url": cancel_url,
        "subscription_data": subscription,
    }
    with calling():
        return str(client().checkout.sessions.create(params, {"idempotency_key": key}).url)


def start_portal(customer_id: str, return_url: str, *, key: str) -> str:
    """Return the address at which a customer sees invoices, changes the payment method, cancels and resumes."""
    params = {"customer": customer_id, "return_url": return_url}
    with calling():
        return str(client().billing_portal.sessions.create(params, {"idempotency_key": key}).url)


def change_plan(found: Snapshot, plan: PaidPlanName, *, key: str) -> None:
    """Move a subscription to another plan's prices; the difference is prorated on the next invoice."""
    seat, conversation = _price_ids(PLANS[plan])
    metered = {"id": found.metered_item} if found.metered_item else {}
    items = [{"id": found.seat_item, "price": seat, "quantity": found.quantity}, {**metered, "price": conversation}]
    _update(found.id, {"items": items, "proration_behavior": "create_prorations"}, key)


def set_quantity(found: Snapshot, quantity: int, *, key: str) -> None:
    """Pay for so many seats from now on."""
    items = [{"id": found.seat_item, "quantity": quantity}]
    _update(found.id, {"items": items, "proration_behavior": "create_prorations"}, key)


def cancel_at_period_end(found: Snapshot, *, cancel: bool, key: str) -> None:
    """Let a subscription end with its period, or not after all."""
    _update(found.id, {"cancel_at_period_end": cancel}, key)


def delete_customer(customer_id: str) -> None:
    """Forget a customer, which ends its subscriptions at once; again is the same. Its invoices stay."""
    with calling(repeated_code="resource_missing"):
        client().customers.delete(customer_id)


def list_invoices(customer_id: str, limit: int) -> tuple[list[Invoice], bool]:
    """Return a customer's newest invoices, and whether there are more."""
    with calling():
        found = client().invoices.list({"customer": customer_id, "limit": limit})
    return [_invoice(each) for each in found.data if each.status != "draft"], bool(found.has_more)


def report_conversations(customer_id: str, number: int, *, identifier: str, at: int) -> None:
    """Tell of metered conversations. Stripe takes an identifier once, within 24 hours at least."""
    params = {
        "event_name": METER,
        "payload": {"stripe_customer_id": customer_id, "value": str(number)},
        "identifier": identifier,
        "timestamp": at // 1000,
    }
    with calling(repeated_code="resource_already_exists"):
        client().billing.meter_events.create(params, {"idempotency_key": identifier})


def _update(subscription_id: str, params: Mapping[str, Any], key: str) -> None:
    with calling():
        client().subscriptions.update(subscription_id, dict(params), {"idempotency_key": key})


@lru_cache(maxsize=16)
def _known_price_ids(_api_key: str, keys: tuple[str, ...], _hour: int) -> tuple[str, ...]:
    with calling():
        found = {each.lookup_key: each.id for each in client().prices.list({"lookup_keys": list(keys), "limit": 10})}
    if missing := set(keys) - set(found):
        log.error("prices_missing", lookup_keys=sorted(missing))
        raise UnavailableError
    return tuple(found[key] for key in keys)


def _price_ids(plan: Plan) -> tuple[str, ...]:
    keys = (plan.seat_key, plan.conversation_key)
    return _known_price_ids(stripe_keys().api_key, keys, clock.now_s() // 3600)


def _age(found: Any) -> tuple[int, str]:  # noqa: ANN401 - a subscription
    return found.created, found.id


def _snapshot(found: Any, duplicates: tuple[str, ...]) -> Snapshot:  # noqa: ANN401 - a subscription
    items = found["items"].data
    metered = next((each for each in items if _is_metered(each)), None)
    seat = next((each for each in items if not _is_metered(each)), None)
    plans = [plan for each in items if (plan := plan_of_key(each.price.lookup_key))]
    period_end = seat.current_period_end if seat else None
    cancel_at = found.cancel_at or (period_end if found.cancel_at_period_end else None)
    return Snapshot(
        id=found.id,
        status=found.status,
        plan=plans[0] if plans else None,
        seat_item=seat.id if seat else None,
        metered_item=metered.id if metered else None,
        quantity=(seat.quantity or 0) if seat else 0,
        created=found.created * 1000,
        period_end=_ms(period_end),
        trial_end=_ms(found.trial_end),
        cancel_at=_ms(cancel_at),
        duplicates=duplicates,
    )


def _is_metered(item: Any) -> bool:  # noqa: ANN401 - an item of a subscription
    return bool(item.price.recurring and item.price.recurring.usage_type == "metered")


def _invoice(found: Any) -> Invoice:  # noqa: ANN401 - an invoice
    return Invoice(
        id=found.id,
        number=found.number,
        status=found.status,
        currency=found.currency,
        total=found.total,
        amount_due=found.amount_remaining,
        created_at=found.created * 1000,
        period_start=found.period_start * 1000,
        period_end=found.period_end * 1000,
        url=found.hosted_invoice_url,
        pdf_url=found.invoice_pdf,
    )


def _ms(seconds: int | None) -> int | None:
    return None if seconds is None else seconds * 1000


@contextmanager
def calling(*, repeated_code: str = "") -> Iterator[None]:
    """Turn the library's errors into ours: what the caller gave is his, all else is Stripe's or the operator's."""
    import stripe  # noqa: PLC0415 - see above

    try:
        yield
    except stripe.InvalidRequestError as exc:
        if repeated_code and exc.code == repeated_code:
            return
        if exc.param in {"success_url", "cancel_url", "return_url"}:
            raise InvalidError.field(exc.param, exc.user_message or "Stripe does not take this address.") from exc
        log.error("stripe_refused", code=exc.code, param=exc.param, request=exc.request_id)
        raise UnavailableError from exc
    except stripe.StripeError as exc:
        log.warning("stripe_failed", kind=type(exc).__name__, code=exc.code, request=exc.request_id)
        raise UnavailableError from exc
