"""Stripe's keys, from Secrets Manager: `{"api_key": "sk_…", "webhook_secrets": ["whsec_…"]}`.

While a signing secret is rotated there are two, and a hook signed with either is taken.
"""

import json

from chalicelib.core import aws, clock
from chalicelib.core.config import settings
from chalicelib.core.errors import UnavailableError
from chalicelib.core.frozen import frozen

REFRESH_MS = 300_000  # how long a new secret may stay unknown to a warm function


@frozen
class StripeKeys:
    """What proves us to Stripe, and Stripe to us."""

    api_key: str
    webhook_secrets: tuple[str, ...]


_cached: tuple[int, str, StripeKeys] | None = None  # when it was read, which secret, and what was in it


def stripe_keys() -> StripeKeys:
    """Return the keys, at most five minutes old. Raises UnavailableError where there are none that can be read."""
    global _cached
    now, name = clock.now_ms(), settings().stripe_secret
    if _cached is None or _cached[1] != name or not _cached[0] <= now < _cached[0] + REFRESH_MS:
        try:
            found = json.loads(aws.read_secret(name))
            keys = StripeKeys(found["api_key"], tuple(found["webhook_secrets"]))
        except (KeyError, TypeError, ValueError) as exc:
            raise UnavailableError from exc
        _cached = (now, name, keys)
    return _cached[2]
