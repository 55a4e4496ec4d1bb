"""The API's table: method, path, parameters, and what is done."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from local.stripe_double import (
    catalogue,
    checkout,
    customers,
    hooks,
    invoices,
    lines,
    portal,
    preview,
    refunds,
    subscriptions,
    usage,
)
from local.stripe_double.account import Account
from local.stripe_double.errors import Refused, no_such
from local.stripe_double.forms import Params, Reader, boolean, choice, form, many, text
from local.stripe_double.ledger import Object
from local.stripe_double.lists import listing, moment, page, within

Work = Callable[..., Any]  # with the account, the parameters, and the ids of the path


@dataclass(frozen=True)
class Operation:
    """One line of the API."""

    method: str
    path: re.Pattern[str]
    read: Reader
    work: Work


def find(method: str, path: str) -> tuple[Operation, tuple[str, ...]]:
    """Return the operation and the ids in the path. Raises Refused for a path that is not there."""
    for operation in OPERATIONS:
        if operation.method == method and (found := operation.path.fullmatch(path)):
            return operation, found.groups()
    raise Refused(f"Unrecognized request URL ({method}: {path}).", status=404)


def _operation(method: str, path: str, read: Reader, work: Work) -> Operation:
    return Operation(method, re.compile("/v1/" + path.replace("{}", "([^/]+)")), read, work)


def _retrieve(kind: str, noun: str = "") -> Work:
    def work(account: Account, _params: Params, object_id: str) -> Object:
        found = account.ledger.look(object_id)
        if found is None or found["object"] != kind or (found.get("deleted") and kind != "customer"):
            raise no_such(noun or kind, object_id)
        return {"id": object_id, "object": kind, "deleted": True} if found.get("deleted") else found

    return work


def _delete(
    kind: str, noun: str = "", event: str = "", before: Callable[[Account, Object], None] | None = None
) -> Work:
    def work(account: Account, _params: Params, object_id: str) -> Object:
        found = account.get(kind, object_id, noun=noun)
        if before:
            before(account, found)
        if event:
            account.emit(event, found)
        found["deleted"] = True
        return {"id": object_id, "object": kind, "deleted": True}

    return work


def _end_subscriptions(account: Account, customer: Object) -> None:
    for found in list(account.ledger.of_kind("subscription")):
        if found["customer"] == customer["id"] and found["status"] not in {"canceled", "incomplete_expired"}:
            subscriptions.cancel_subscription(account, {}, found["id"])


def _list(kind: str, noun: str = "", **fields: str) -> Work:
    """List a kind; `fields` are the filters that compare a field with a parameter, by the parameter's name."""

    def work(account: Account, params: Params) -> Object:
        found = [each for each in account.ledger.of_kind(kind) if not each.get("deleted") and matches(each, params)]
        return page(found, params, f"/v1/{_PLACES[kind]}", noun or kind)

    def matches(each: Object, params: Params) -> bool:
        if "created" in params and not within(each["created"], params["created"]):
            return False
        return all(_at(each, path) == params[name] for name, path in fields.items() if name in params)

    return work


def _at(found: Object, path: str) -> Any:  # noqa: ANN401 - a field
    value: Any = found
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _list_prices(account: Account, params: Params) -> Object:
    keys, product = params.get("lookup_keys"), params.get("product")
    found = [
        price
        for price in account.ledger.of_kind("price")
        if (keys is None or price["lookup_key"] in keys)
        and (product is None or price["product"] == product)
        and ("active" not in params or price["active"] == params["active"])
    ]
    return page(found, params, "/v1/prices", "price")


def _list_subscriptions(account: Account, params: Params) -> Object:
    wanted = params.get("status")
    found = [
        each
        for each in account.ledger.of_kind("subscription")
        if ("customer" not in params or each["customer"] == params["customer"])
        and ("price" not in params or any(i["price"]["id"] == params["price"] for i in each["items"]["data"]))
        and _has_status(each["status"], wanted)
    ]
    return page(found, params, "/v1/subscriptions", "subscription")


def _has_status(status: str, wanted: str | None) -> bool:
    if wanted == "all":
        return True
    if wanted == "ended":
        return status in {"canceled", "incomplete_expired"}
    return status == wanted if wanted else status != "canceled"


def _list_events(account: Account, params: Params) -> Object:
    types = params.get("types") or ([params["type"]] if "type" in params else None)
    found = [
        event
        for event in account.ledger.of_kind("event")
        if (types is None or _is_of(event["type"], types))
        and ("created" not in params or within(event["created"], params["created"]))
    ]
    return page(found, params, "/v1/events", "event")


def _is_of(event_type: str, types: list[str]) -> bool:
    return any(event_type == each or (each.endswith("*") and event_type.startswith(each[:-1])) for each in types)


def _list_lines(account: Account, params: Params, invoice_id: str) -> Object:
    invoice = account.get("invoice", invoice_id)
    return page(invoice["lines"]["data"], params, f"/v1/invoices/{invoice_id}/lines", "line item")


def _list_items(account: Account, params: Params) -> Object:
    subscription = account.get("subscription", params["subscription"], "subscription")
    return page(subscription["items"]["data"], params, "/v1/subscription_items", "subscription item")


def _list_session_lines(account: Account, params: Params, session_id: str) -> Object:
    session = account.get("checkout.session", session_id, noun="checkout session")
    return page(checkout.line_items(account, session), params, f"/v1/checkout/sessions/{session_id}/line_items", "item")


def _list_summaries(account: Account, params: Params, meter_id: str) -> Object:
    found = usage.list_summaries(account, params, meter_id)
    return page(found, params, f"/v1/billing/meters/{meter_id}/event_summaries", "meter event summary")


def _deactivate_meter(account: Account, _params: Params, meter_id: str) -> Object:
    meter = account.get("billing.meter", meter_id, noun="meter")
    meter.update(status="inactive", updated=account.now())
    meter["status_transitions"]["deactivated_at"] = account.now()
    account.emit("billing.meter.deactivated", meter)
    return meter


_PLACES = {
    "customer": "customers",
    "product": "products",
    "payment_method": "payment_methods",
    "invoice": "invoices",
    "invoiceitem": "invoiceitems",
    "refund": "refunds",
    "checkout.session": "checkout/sessions",
    "billing.meter": "billing/meters",
    "billing_portal.configuration": "billing_portal/configurations",
    "webhook_endpoint": "webhook_endpoints",
}
_NOTHING = form()
_STATUSES = ("active", "past_due", "unpaid", "canceled", "incomplete", "incomplete_expired", "trialing", "paused")


def _resource(
    place: str, kind: str, noun: str, new: tuple[Reader, Work], changed: tuple[Reader, Work]
) -> Iterator[Operation]:
    yield _operation("POST", place, *new)
    yield _operation("GET", f"{place}/{{}}", _NOTHING, _retrieve(kind, noun))
    yield _operation("POST", f"{place}/{{}}", *changed)


OPERATIONS = [
    *_resource(
        "customers",
        "customer",
        "customer",
        (customers.NEW_CUSTOMER, customers.create_customer),
        (customers.CHANGED_CUSTOMER, customers.update_customer),
    ),
    _operation("GET", "customers", listing(email=text, created=moment), _list("customer", email="email")),
    _operation(
        "DELETE", "customers/{}", _NOTHING, _delete("customer", event="customer.deleted", before=_end_subscriptions)
    ),
    _operation("POST", "payment_methods", customers.NEW_PAYMENT_METHOD, customers.create_payment_method),
    _operation(
        "GET",
        "payment_methods",
        listing(customer=text, type=choice("card")),
        _list("payment_method", customer="customer", type="type"),
    ),
    _operation("GET", "payment_methods/{}", _NOTHING, _retrieve("payment_method", "PaymentMethod")),
    _operation("POST", "payment_methods/{}/attach", customers.ATTACHED, customers.attach),
    _operation("POST", "payment_methods/{}/detach", _NOTHING, customers.detach),
    *_resource(
        "products",
        "product",
        "product",
        (catalogue.NEW_PRODUCT, catalogue.create_product),
        (catalogue.CHANGED_PRODUCT, catalogue.update_product),
    ),
    _operation("GET", "products", listing(active=boolean), _list("product", active="active")),
    *_resource(
        "prices",
        "price",
        "price",
        (catalogue.NEW_PRICE, catalogue.create_price),
        (catalogue.CHANGED_PRICE, catalogue.update_price),
    ),
    _operation("GET", "prices", listing(active=boolean, product=text, lookup_keys=many(text)), _list_prices),
    _operation("POST", "billing/meters", catalogue.NEW_METER, catalogue.create_meter),
    _operation(
        "GET",
        "billing/meters",
        listing(status=choice("active", "inactive")),
        _list("billing.meter", "meter", status="status"),
    ),
    _operation("GET", "billing/meters/{}", _NOTHING, _retrieve("billing.meter", "meter")),
    _operation("POST", "billing/meters/{}/deactivate", _NOTHING, _deactivate_meter),
    _operation("GET", "billing/meters/{}/event_summaries", usage.SUMMARIES, _list_summaries),
    _operation("POST", "billing/meter_events", usage.NEW_EVENT, usage.create_event),
    *_resource(
        "subscriptions",
        "subscription",
        "subscription",
        (subscriptions.NEW_SUBSCRIPTION, subscriptions.create_subscription),
        (subscriptions.CHANGED_SUBSCRIPTION, subscriptions.update_subscription),
    ),
    _operation(
        "GET",
        "subscriptions",
        listing(customer=text, price=text, status=choice("all", "ended", *_STATUSES)),
        _list_subscriptions,
    ),
    _operation("DELETE", "subscriptions/{}", subscriptions.CANCELED, subscriptions.cancel_subscription),
    _operation("POST", "subscriptions/{}/resume", form(billing_cycle_anchor=text), subscriptions.resume_subscription),
    _operation("GET", "subscription_items", listing(subscription=text), _list_items),
    _operation("POST", "invoices/create_preview", preview.PREVIEWED, preview.create_preview),
    *_resource(
        "invoices",
        "invoice",
        "invoice",
        (invoices.NEW_INVOICE, invoices.create_invoice),
        (invoices.CHANGED_INVOICE, invoices.update_invoice),
    ),
    _operation(
        "GET",
        "invoices",
        listing(
            customer=text,
            subscription=text,
            status=choice("draft", "open", "paid", "uncollectible", "void"),
            created=moment,
        ),
        _list("invoice", customer="customer", subscription="parent.subscription_details.subscription", status="status"),
    ),
    _operation("GET", "invoices/{}/lines", listing(), _list_lines),
    _operation("POST", "invoices/{}/finalize", invoices.FINALIZED, invoices.finalize_invoice),
    _operation("POST", "invoices/{}/pay", invoices.PAID, invoices.pay_invoice),
    _operation("POST", "invoices/{}/void", _NOTHING, invoices.void_invoice),
    _operation("POST", "invoices/{}/mark_uncollectible", _NOTHING, invoices.mark_uncollectible),
    _operation("POST", "refunds", refunds.NEW_REFUND, refunds.create_refund),
    _operation("GET", "refunds/{}", _NOTHING, _retrieve("refund")),
    _operation("GET", "refunds", listing(payment_intent=text), _list("refund", payment_intent="payment_intent")),
    _operation("POST", "invoiceitems", lines.NEW_ITEM, lines.create_item),
    _operation(
        "GET",
        "invoiceitems",
        listing(customer=text, invoice=text),
        _list("invoiceitem", "invoice item", customer="customer", invoice="invoice"),
    ),
    _operation("POST", "checkout/sessions", checkout.NEW_SESSION, checkout.create_session),
    _operation(
        "GET",
        "checkout/sessions",
        listing(customer=text, subscription=text, status=text),
        _list(
            "checkout.session", "checkout session", customer="customer", subscription="subscription", status="status"
        ),
    ),
    _operation("GET", "checkout/sessions/{}", _NOTHING, _retrieve("checkout.session", "checkout session")),
    _operation("POST", "checkout/sessions/{}/expire", _NOTHING, checkout.expire_session),
    _operation("GET", "checkout/sessions/{}/line_items", listing(), _list_session_lines),
    _operation("POST", "billing_portal/sessions", portal.NEW_SESSION, portal.create_session),
    *_resource(
        "billing_portal/configurations",
        "billing_portal.configuration",
        "portal configuration",
        (portal.NEW_CONFIGURATION, portal.create_configuration),
        (portal.CHANGED_CONFIGURATION, portal.update_configuration),
    ),
    _operation(
        "GET",
        "billing_portal/configurations",
        listing(active=boolean, is_default=boolean),
        _list("billing_portal.configuration", "portal configuration", active="active", is_default="is_default"),
    ),
    *_resource(
        "webhook_endpoints",
        "webhook_endpoint",
        "webhook endpoint",
        (hooks.NEW_ENDPOINT, hooks.create_endpoint),
        (hooks.CHANGED_ENDPOINT, hooks.update_endpoint),
    ),
    _operation("GET", "webhook_endpoints", listing(), _list("webhook_endpoint", "webhook endpoint")),
    _operation("DELETE", "webhook_endpoints/{}", _NOTHING, _delete("webhook_endpoint", "webhook endpoint")),
    _operation("GET", "events", listing(type=text, types=many(text), created=moment), _list_events),
    _operation("GET", "events/{}", _NOTHING, _retrieve("event")),
]
