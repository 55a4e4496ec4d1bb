"""Stripe's own library, talking to the double in this process."""

from typing import Any
from urllib.parse import urlsplit

import stripe

from local.stripe_double import checkout
from local.stripe_double.double import StripeDouble

KEY = "sk_test_example"
VISA, FAILS_LATER, DECLINED = "4242424242424242", "4000000000000341", "4000000000000002"
BEGUN = 1_767_225_600  # 2026-01-01, as good a day as any
HOUR, DAY = 3600, 86_400
MONTH = 31 * DAY


class InProcess(stripe.HTTPClient):
    """The library's transport, without a network."""

    name = "in process"

    def __init__(self, double: StripeDouble) -> None:
        super().__init__()
        self._double = double

    def request(
        self, method: str, url: str, headers: Any, post_data: Any = None, *, _usage: Any = None
    ) -> tuple[str, int, dict[str, str]]:
        parts = urlsplit(url)
        reply = self._double.api(method.upper(), parts.path, post_data or parts.query, headers)
        return reply.body.decode(), reply.status, reply.headers

    def close(self) -> None:
        pass


class World:
    """A double with a clock of its own, and Stripe's library."""

    def __init__(self, **options: Any) -> None:
        self.time = BEGUN
        self.double = StripeDouble(wall=lambda: self.time, seed=1, **options)
        self.client = stripe.StripeClient(
            KEY, http_client=InProcess(self.double), base_addresses={"api": "http://127.0.0.1"}
        )
        self.v1: Any = self.client.v1  # its argument types are of no use in a test of wrong arguments

    def pass_time(self, seconds: int) -> None:
        self.time += seconds
        self.double.run_due()

    def price(self, cents: int = 1900, interval: str = "month", **more: Any) -> Any:
        product = self.v1.products.create({"name": more.pop("name", "Starter")})
        wanted = {"product": product.id, "currency": "usd", "unit_amount": cents, "recurring": {"interval": interval}}
        return self.v1.prices.create(wanted | more)

    def metered(self, event_name: str = "conversations", *, included: int = 10, cents: int = 5) -> Any:
        known = [each for each in self.v1.billing.meters.list().data if each.event_name == event_name]
        meter = known[0] if known else self.meter(event_name)
        tiers = [{"up_to": included, "unit_amount": 0}, {"up_to": "inf", "unit_amount": cents}]
        return self.v1.prices.create(
            {
                "product_data": {"name": "Conversation"},
                "currency": "usd",
                "billing_scheme": "tiered",
                "tiers_mode": "graduated",
                "tiers": tiers,
                "recurring": {"interval": "month", "usage_type": "metered", "meter": meter.id},
            }
        )

    def meter(self, event_name: str = "conversations") -> Any:
        wanted = {"display_name": event_name, "event_name": event_name, "default_aggregation": {"formula": "sum"}}
        return self.v1.billing.meters.create(wanted)

    def use(self, customer: Any, number: int, event_name: str = "conversations", **more: Any) -> Any:
        payload = {"stripe_customer_id": customer.id, "value": str(number)}
        return self.v1.billing.meter_events.create({"event_name": event_name, "payload": payload, **more})

    def customer(self, card: str | None = "pm_card_visa") -> Any:
        made = self.v1.customers.create({"email": "ada@example.com", "name": "Ada"})
        return self.pay_with(made, card) if card else made

    def pay_with(self, customer: Any, card: str) -> Any:
        attached = self.v1.payment_methods.attach(card, {"customer": customer.id})
        return self.v1.customers.update(customer.id, {"invoice_settings": {"default_payment_method": attached.id}})

    def subscribe(self, customer: Any, *prices: Any, quantity: int = 1, **more: Any) -> Any:
        items = [
            {"price": price.id}
            if price.recurring.usage_type == "metered"
            else {"price": price.id, "quantity": quantity}
            for price in prices
        ]
        return self.v1.subscriptions.create({"customer": customer.id, "items": items, **more})

    def status(self, subscription: Any) -> str:
        return str(self.v1.subscriptions.retrieve(subscription.id).status)

    def invoices(self, customer: Any) -> list[Any]:
        """Oldest first."""
        return list(self.v1.invoices.list({"customer": customer.id, "limit": 100}).data)[::-1]

    def event_types(self) -> list[str]:
        """Oldest first."""
        return [event.type for event in self.v1.events.list({"limit": 100}).data][::-1]

    def check_out(self, session: Any, number: str = VISA) -> None:
        self.double.act(lambda account: checkout.complete(account, session.id, number=number))
