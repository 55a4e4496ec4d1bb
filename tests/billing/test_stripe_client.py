"""The plain client of the histories does what the official library does, in all that the gateway asks of either."""

import re
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest
import stripe

from chalicelib.billing import stripe_gateway
from chalicelib.core import clock
from chalicelib.core.errors import ApiError
from tests.support.aws import Services
from tests.support.stripe import URLS, Till
from tests.support.stripe_client import PlainClient

NOW_MS = 1_767_225_600_000
_ID = re.compile(r"\b[a-z]{2,6}(?:_test)?_[A-Za-z0-9]{14,}|\b[A-Z0-9]{8}(?=-\d{4})")


def transcript(services: Services, *, plain: bool) -> list[str]:
    """Have the gateway do everything, some of it wrongly, and return what came of each."""
    told: list[Any] = []

    def tell(act: Callable[[], Any]) -> Any:
        try:
            found = act()
        except (ApiError, stripe.StripeError) as exc:
            shown = getattr(exc, "errors", None), *(getattr(exc, each, None) for each in _SHOWN)
            told.append(
                (type(exc).__name__, str(exc.user_message if isinstance(exc, stripe.StripeError) else exc), shown)
            )
            return None
        told.append(found)
        return found

    with ExitStack() as standing_by:
        standing_by.enter_context(clock.reading(lambda: NOW_MS))
        till = Till(services)
        standing_by.enter_context(till.open())
        if plain:
            client = PlainClient(till.double)
            standing_by.enter_context(patch.object(stripe_gateway, "client", lambda: client))
        _do_everything(till, tell)
    numbers: dict[str, str] = {}
    return [_ID.sub(lambda found: numbers.setdefault(found[0], f"<{len(numbers)}>"), repr(each)) for each in told]


_SHOWN = ("code", "param", "http_status")


def _do_everything(till: Till, tell: Callable[[Callable[[], Any]], Any]) -> None:
    gateway, v1 = stripe_gateway, stripe_gateway.client()
    customer = tell(lambda: gateway.create_customer("tn_1", "Ärger & Co", "a@example.com"))
    tell(lambda: gateway.create_customer("tn_1", "Ärger & Co", "a@example.com"))
    tell(lambda: gateway.latest(customer))
    for key, trial_end, success_url in (
        ("k1", None, "https://app.test/?a=b&c"),
        ("k2", None, "nonsense"),
        ("k1", NOW_MS, "https://app.test/other"),
    ):
        more: Any = {"quantity": 2, "trial_end": trial_end, "key": key, **URLS, "success_url": success_url}
        tell(partial(gateway.start_checkout, "tn_1", customer, "pro", **more))
    till.complete(gateway.start_checkout("tn_1", customer, "pro", quantity=2, trial_end=None, key="k3", **URLS))
    found = tell(lambda: gateway.latest(customer))
    tell(lambda: gateway.change_plan(found, "starter", key="k4"))
    tell(lambda: gateway.set_quantity(found, 3, key="k5"))
    for cancel in (True, False, True):
        tell(partial(gateway.cancel_at_period_end, found, cancel=cancel, key=f"cancel{cancel}"))
        tell(lambda: gateway.latest(customer))
    for _ in range(2):
        tell(lambda: gateway.report_conversations(customer, 7, identifier="i1", at=NOW_MS))
    tell(lambda: gateway.list_invoices(customer, 10))
    tell(lambda: gateway.start_portal(customer, "https://app.test", key="k6"))
    tell(lambda: gateway.start_portal("cus_none", "https://app.test", key="k7"))
    tell(lambda: v1.subscriptions.update("sub_none", {"cancel_at_period_end": True}))
    tell(lambda: v1.payment_methods.attach("pm_card_chargeDeclined", {"customer": customer}).customer)
    tell(lambda: v1.customers.create({"name": "x"}, {"idempotency_key": "customer-tn_1"}))
    url = tell(lambda: gateway.start_checkout("tn_1", customer, "pro", quantity=2, trial_end=None, key="k8", **URLS))
    till.moved_s += 1
    till.complete(gateway.start_checkout("tn_1", customer, "pro", quantity=2, trial_end=None, key="k9", **URLS))
    (duplicate,) = tell(lambda: gateway.latest(customer)).duplicates
    for _ in range(2):
        tell(lambda: gateway.cancel_duplicate(duplicate))
    tell(lambda: [(each.amount, each.reason) for each in v1.refunds.list({"limit": 10}).data])
    for _ in range(2):
        tell(lambda: gateway.expire_checkouts(customer))
    tell(lambda: v1.checkout.sessions.expire(url.rpartition("/")[2]))
    tell(lambda: v1.subscriptions.cancel(found.id).status)
    tell(lambda: gateway.latest(customer))


@pytest.mark.usefixtures("engine")
def test_both_answer_alike(services: Services):
    plain, official = transcript(services, plain=True), transcript(services, plain=False)
    assert plain == official
    assert sum("Error" in each for each in official) >= 6
