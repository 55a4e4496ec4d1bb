"""Stripe's signature of a hook, checked without Stripe's library: https://docs.stripe.com/webhooks/signature."""

import hashlib
import hmac
from collections.abc import Iterable

TOLERANCE_S = 300


def is_signed(header: str, body: bytes, secrets: Iterable[str], now_s: int) -> bool:
    """Tell whether `Stripe-Signature` is one of this body, made with one of the secrets within five minutes of now."""
    pairs = [part.strip().partition("=")[::2] for part in header.split(",")]
    times = [value for name, value in pairs if name == "t"]
    given = [value for name, value in pairs if name == "v1"]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdigit() and len(times[0]) < 16):
        return False
    if abs(now_s - int(times[0])) > TOLERANCE_S:
        return False
    signed = times[0].encode() + b"." + body
    wanted = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode() for secret in secrets]
    return any(hmac.compare_digest(one, each.encode()) for one in wanted for each in given)
