"""Every object against the types of Stripe's own library: no field that it does not know, none missing, right kinds."""

import inspect
import json
import types
import typing
from decimal import Decimal
from typing import Any, ForwardRef

import pytest
import stripe
from stripe import billing, billing_portal, checkout

from local.stripe_double import API_VERSION
from tests.support.stripe_double import DAY, MONTH, World

# Classes that a forward reference in the library's own modules may name.
NAMES: dict[str, Any] = {
    name: found
    for module in (stripe, billing, billing_portal, checkout)
    for name, found in vars(module).items()
    if inspect.isclass(found)
}
KINDS: dict[str, Any] = {
    "customer": stripe.Customer,
    "product": stripe.Product,
    "price": stripe.Price,
    "plan": stripe.Plan,
    "payment_method": stripe.PaymentMethod,
    "subscription": stripe.Subscription,
    "subscription_item": stripe.SubscriptionItem,
    "invoice": stripe.Invoice,
    "line_item": stripe.InvoiceLineItem,
    "invoiceitem": stripe.InvoiceItem,
    "invoice_payment": stripe.InvoicePayment,
    "refund": stripe.Refund,
    "event": stripe.Event,
    "webhook_endpoint": stripe.WebhookEndpoint,
    "checkout.session": checkout.Session,
    "item": stripe.LineItem,
    "billing_portal.session": billing_portal.Session,
    "billing_portal.configuration": billing_portal.Configuration,
    "billing.meter": billing.Meter,
    "billing.meter_event": billing.MeterEvent,
    "billing.meter_event_summary": billing.MeterEventSummary,
}


def hints_of(cls: type) -> dict[str, Any]:
    """A class's fields with their types, nested classes and names of the library resolved."""
    module = vars(inspect.getmodule(cls))
    names = {**NAMES, **vars(typing), **module, **vars(cls)}
    found = {}
    for name, annotation in cls.__annotations__.items():
        if name.startswith("_") or name == "OBJECT_NAME":
            continue
        found[name] = annotation if not isinstance(annotation, str) else eval(annotation, names)  # noqa: S307 - Stripe's
    return found


def problems(value: Any, wanted: Any, path: str, cls: type) -> list[str]:
    """What is wrong with a value of a type; what is not understood of a type is let pass."""
    if isinstance(wanted, str | ForwardRef):
        name = wanted if isinstance(wanted, str) else wanted.__forward_arg__
        wanted = vars(cls).get(name) or NAMES.get(name)
    origin, args = typing.get_origin(wanted), typing.get_args(wanted)
    if origin in {typing.Union, types.UnionType}:
        tried = [problems(value, each, path, cls) for each in args]
        return [] if [] in tried else min(tried, key=len)
    if origin is typing.Literal:
        return [] if value in args else [f"{path}: {value!r} is none of {args}"]
    if origin is list:
        return each_problem(value, args[0], path, cls)
    if inspect.isclass(origin) and issubclass(origin, stripe.ListObject):
        is_list = isinstance(value, dict) and value.get("object") == "list"
        return each_problem(value["data"] if is_list else None, args[0], path, cls)
    return [] if origin is not None else plain_problems(value, wanted, path)


def each_problem(value: Any, wanted: Any, path: str, cls: type) -> list[str]:
    if not isinstance(value, list):
        return [f"{path}: not a list"]
    return [found for n, each in enumerate(value) for found in problems(each, wanted, f"{path}[{n}]", cls)]


def plain_problems(value: Any, wanted: Any, path: str) -> list[str]:
    kinds: dict[Any, Any] = {type(None): type(None), Decimal: str, float: (int, float), int: int, str: str, bool: bool}
    if wanted in kinds:
        right = isinstance(value, kinds[wanted]) and (wanted is bool or not isinstance(value, bool))
        return [] if right else [f"{path}: {value!r} is not {wanted.__name__}"]
    if inspect.isclass(wanted) and issubclass(wanted, stripe.StripeObject):
        return shape_problems(value, wanted, path)
    return []


def shape_problems(value: Any, cls: type, path: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{path}: not an object"]
    hints = hints_of(cls)
    if not hints:
        return []
    found = [f"{path}.{name}: Stripe has no such field" for name in value.keys() - hints.keys()]
    for name, wanted in hints.items():
        if name in value:
            found += problems(value[name], wanted, f"{path}.{name}", cls)
        elif type(None) not in typing.get_args(wanted):
            found.append(f"{path}.{name}: missing")
    return found


def checked(content: Any) -> list[str]:
    """Problems of an object, told by its `object`."""
    if content["object"] == "list":
        return [found for each in content["data"] for found in checked(each)]
    return shape_problems(content, KINDS[content["object"]], content["object"])


@pytest.fixture
def full(world: World) -> World:
    """A world in which everything has happened once."""
    customer, price, metered = world.customer(), world.price(), world.metered()
    session = {"mode": "subscription", "customer": customer.id, "success_url": "https://x.example/",
               "line_items": [{"price": price.id, "quantity": 2}, {"price": metered.id}]}  # fmt: skip
    world.check_out(world.v1.checkout.sessions.create(session | {"subscription_data": {"trial_period_days": 7}}))
    world.v1.billing_portal.sessions.create({"customer": customer.id, "return_url": "https://x.example/"})
    (subscription,) = world.v1.subscriptions.list({"customer": customer.id}).data
    world.pass_time(8 * DAY)
    world.use(customer, 20)
    world.v1.subscriptions.update(subscription.id, {"items": [{"id": subscription["items"].data[0].id, "quantity": 5}]})
    world.v1.invoice_items.create({"customer": customer.id, "amount": 500, "currency": "usd"})
    world.pay_with(customer, "pm_card_chargeCustomerFail")
    world.v1.subscriptions.update(subscription.id, {"default_payment_method": ""})
    world.pass_time(MONTH)
    paid = world.v1.invoices.list({"customer": customer.id, "status": "paid"})
    (payment,) = [payment for invoice in paid.data for payment in invoice.payments.data][:1]
    world.v1.refunds.create({"payment_intent": payment.payment.payment_intent, "reason": "duplicate"})
    world.v1.webhook_endpoints.create({"url": "https://x.example/", "enabled_events": ["*"]})
    world.v1.subscriptions.cancel(subscription.id)
    return world


PLACES = ["customers", "products", "prices?expand[]=data.tiers", "payment_methods", "subscriptions?status=all",
          "invoices", "invoiceitems", "checkout/sessions", "billing_portal/configurations", "billing/meters", "refunds",
          "webhook_endpoints", "events?limit=100"]  # fmt: skip


class TestShapes:
    @pytest.mark.parametrize("place", PLACES)
    def test_what_is_listed_has_the_shape_of_the_library(self, full, place):
        path, _, query = place.partition("?")
        reply = full.double.api("GET", f"/v1/{path}", query, {"Authorization": "Bearer sk_test_x"})
        content = json.loads(reply.body)
        assert content["data"], "nothing to look at"
        assert checked(content) == []

    def test_what_is_inside_an_event_has_it_too(self, full):
        events = full.v1.events.list({"limit": 100}).data
        found = {event.type: json.loads(json.dumps(event.data.object.to_dict(), default=str)) for event in events}
        assert {name: problems for name, content in found.items() if (problems := checked(content))} == {}
        assert {event.api_version for event in events} == {API_VERSION}

    def test_a_wrong_shape_is_noticed(self, full):
        content = json.loads(json.dumps(full.v1.customers.list().data[0].to_dict(), default=str))
        assert checked(content) == []
        for change in ({"surprise": 1}, {"created": "now"}, {"created": None}, {"tax_exempt": 5}):
            assert len(checked({**content, **change})) == 1
        del content["created"]
        assert len(checked(content)) == 1

    def test_the_version_is_the_librarys(self):
        assert stripe.api_version == API_VERSION
