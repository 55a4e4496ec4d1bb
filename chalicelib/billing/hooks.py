"""What Stripe tells: only that something about a customer has changed. What it is now is fetched."""

from contextlib import suppress
from typing import Any

from chalicelib.billing import store
from chalicelib.billing.signatures import is_signed
from chalicelib.billing.stripe_secret import stripe_keys
from chalicelib.core import aws, clock, strictjson
from chalicelib.core.config import settings
from chalicelib.core.errors import ApiError, MalformedRequestError
from chalicelib.core.table import ConditionFailedError, run

_LONGEST_ID = 255


class SignatureError(ApiError):
    code = "invalid_signature"
    status = 400
    default_message = "This was not signed by Stripe, or more than five minutes ago."


def take_hook(signature: str, body: bytes) -> None:
    """Take note of an event and have its customer looked at. One write and one queue send, and no call to Stripe.

    An event that is sent again is noted once and looked at again. Raises SignatureError and MalformedRequestError;
    UnavailableError lets Stripe send it again.
    """
    if not is_signed(signature, body, stripe_keys().webhook_secrets, clock.now_s()):
        raise SignatureError
    event = strictjson.loads(body)
    event_id, type_ = _text(event, "id"), _text(event, "type")
    if not event_id or not type_:
        raise MalformedRequestError("This is no event of Stripe's.")
    customer_id = _customer_of(event)
    if not customer_id:
        return
    with suppress(ConditionFailedError):  # sent again, perhaps because we died here: then nobody has been told
        run(store.keeping_event(event_id, type_, customer_id))
    aws.send(settings().billing_queue_url, customer_id)


def _customer_of(event: Any) -> str:  # noqa: ANN401 - JSON
    found = event.get("data")
    found = found.get("object") if isinstance(found, dict) else None
    if not isinstance(found, dict):
        return ""
    if found.get("object") == "customer":
        return _text(found, "id")
    customer = found.get("customer")
    return _text(customer, "id") if isinstance(customer, dict) else _text(found, "customer")


def _text(value: Any, name: str) -> str:  # noqa: ANN401 - JSON
    found = value.get(name) if isinstance(value, dict) else None
    usable = isinstance(found, str) and len(found) <= _LONGEST_ID and found.isascii() and found.isprintable()
    return found if usable and isinstance(found, str) else ""
