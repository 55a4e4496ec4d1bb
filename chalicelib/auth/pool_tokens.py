"""Tokens of the Cognito user pool that a stage may trust, checked as AWS documents it.

https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html
"""

import threading
from typing import TYPE_CHECKING, Literal

from chalicelib.auth import cognito_gateway, jwts
from chalicelib.core import clock, log
from chalicelib.core.config import settings
from chalicelib.core.errors import UnavailableError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

REFRESH_MS = 3_600_000  # how long a key that the pool no longer publishes is believed
UNKNOWN_MS = 60_000  # how often a key we don't know may make us ask the pool
FAILED_MS = 5_000  # until the pool is asked again when it did not answer

_lock = threading.Lock()
_keys: dict[str, "RSAPublicKey"] = {}
_asked_at = 0
_ask_again_at = 0  # not before then


def is_trusted() -> bool:
    """Tell whether this stage's users come from a pool."""
    return bool(settings().cognito_issuer)


def read(token: str, use: Literal["access", "id"]) -> jwts.Claims | None:
    """Return the claims of a token of the pool, of one of our clients and for this use; None for anything else.

    Raises UnavailableError when the pool's keys are not known and cannot be had.
    """
    claims = jwts.checked(token, _verification_key, settings().cognito_issuer)
    if claims is None or claims["token_use"] != use or clock.now_s() >= claims["exp"]:
        return None
    client = claims.get("client_id" if use == "access" else "aud")
    return claims if isinstance(client, str) and client in settings().cognito_client_ids else None


def _verification_key(kid: str) -> "RSAPublicKey | None":
    """Return the pool's public key called `kid`. What is unknown has the keys fetched, at most once a minute."""
    now = clock.now_ms()
    with _lock:
        if (kid not in _keys or now - _asked_at > REFRESH_MS) and now >= _ask_again_at:
            _fetch(now)
        if not _keys:
            raise UnavailableError
        return _keys.get(kid)


def _fetch(now: int) -> None:
    global _keys, _asked_at, _ask_again_at
    try:
        published = cognito_gateway.fetch_keys(settings().cognito_jwks_url)
    except UnavailableError as exc:
        _ask_again_at = now + FAILED_MS
        log.warning("pool_keys_not_read", cause=type(exc.__cause__).__name__)
        return  # those that were read before go on being believed
    _asked_at, _ask_again_at = now, now + UNKNOWN_MS
    _keys = {key["kid"]: parsed for key in published if (parsed := jwts.public_key(key))}
