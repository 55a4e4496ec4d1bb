"""A client of Stripe's double that costs a tenth of the official library's: for tests of thousands of histories.

It has what the gateway uses, answers with the same attributes and raises the library's own errors;
tests/billing/test_stripe_client.py holds both to that, function by function. Faults can be put around its calls.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import stripe

from local.stripe_double.double import StripeDouble
from tests.support.faults import exposed

_KEY = {"Authorization": "Bearer sk_test_parley"}
_ERRORS: dict[int, Any] = {401: stripe.AuthenticationError, 429: stripe.RateLimitError}


class Shown(dict[str, Any]):
    """An object of Stripe's: its fields are attributes."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class Listed(Shown):
    """A page of a list."""

    def __iter__(self) -> Iterator[Any]:
        return iter(self["data"])


class PlainClient:
    """The part of `StripeClient.v1` that the product and its tests use."""

    def __init__(self, double: StripeDouble) -> None:
        self._double = double
        self.customers = _Resource(self, "customers")
        self.invoices = _Resource(self, "invoices")
        self.payment_methods = _Resource(self, "payment_methods")
        self.prices = _Resource(self, "prices")
        self.refunds = _Resource(self, "refunds")
        self.subscriptions = _Resource(self, "subscriptions")
        self.checkout = Shown(sessions=_Resource(self, "checkout/sessions"))
        self.billing_portal = Shown(sessions=_Resource(self, "billing_portal/sessions"))
        self.billing = Shown(meter_events=_Resource(self, "billing/meter_events"))

    def ask(self, method: str, path: str, params: Mapping[str, Any], options: Mapping[str, str]) -> Any:
        """Send one request, once. Raises stripe.StripeError as the library does."""
        headers = _KEY | ({"Idempotency-Key": options["idempotency_key"]} if options else {})
        content = urlencode(list(_flat(params)))
        reply = exposed("stripe", f"{method} {path}", lambda: self._double.api(method, f"/v1/{path}", content, headers))
        found = json.loads(reply.body, object_hook=_shown)
        if reply.status < 400:
            return found
        raise _error(reply.status, found["error"])


class _Resource:
    def __init__(self, client: PlainClient, path: str) -> None:
        self._client, self._path = client, path

    def list(self, params: Mapping[str, Any]) -> Any:
        return self._client.ask("GET", self._path, params, {})

    def create(self, params: Mapping[str, Any], options: Mapping[str, str] | None = None) -> Any:
        return self._client.ask("POST", self._path, params, options or {})

    def update(self, each: str, params: Mapping[str, Any], options: Mapping[str, str] | None = None) -> Any:
        return self._client.ask("POST", f"{self._path}/{each}", params, options or {})

    def cancel(self, each: str) -> Any:
        return self._client.ask("DELETE", f"{self._path}/{each}", {}, {})

    def attach(self, each: str, params: Mapping[str, Any]) -> Any:
        return self._client.ask("POST", f"{self._path}/{each}/attach", params, {})

    def expire(self, each: str) -> Any:
        return self._client.ask("POST", f"{self._path}/{each}/expire", {}, {})

    def pay(self, each: str) -> Any:
        return self._client.ask("POST", f"{self._path}/{each}/pay", {}, {})


def _shown(found: dict[str, Any]) -> Shown:
    return Listed(found) if found.get("object") == "list" else Shown(found)


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Write parameters as Stripe's form has them: `items[0][price]`."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _flat(each, f"{name}[{key}]" if name else key)
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _flat(each, f"{name}[{number}]")
    else:
        yield name, str(value).lower() if isinstance(value, bool) else str(value)


def _error(status: int, error: Mapping[str, Any]) -> stripe.StripeError:
    given: dict[str, Any] = {"code": error.get("code"), "http_status": status, "json_body": {"error": dict(error)}}
    if error["type"] == "idempotency_error":
        return stripe.IdempotencyError(error["message"], **given)
    if status == 402:
        return stripe.CardError(error["message"], error.get("param"), **given)
    if status in {400, 404}:
        return stripe.InvalidRequestError(error["message"], error.get("param"), **given)
    found: stripe.StripeError = _ERRORS.get(status, stripe.APIError)(error["message"], **given)
    return found
