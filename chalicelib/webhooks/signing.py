"""Standard Webhooks: the signature of a delivery, https://www.standardwebhooks.com (specification 1.0.0)."""

import base64
import hashlib
import hmac
from collections.abc import Iterable

PREFIX = "whsec_"


def secret_of(key: bytes) -> str:
    """Return a key (24 to 64 bytes) as the receiver's library takes it."""
    return PREFIX + base64.b64encode(key).decode()


def headers(message_id: str, sent_at_s: int, body: bytes, with_secrets: Iterable[str]) -> dict[str, str]:
    """Return the three headers that let a receiver check who sent `body`, and when (epoch seconds).

    While a secret is being rotated there are two, and a signature with each: the receiver needs one that fits.
    """
    signed = f"{message_id}.{sent_at_s}.".encode() + body
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(sent_at_s),
        "webhook-signature": " ".join(_signature(secret, signed) for secret in with_secrets),
    }


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return f"v1,{base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()}"
