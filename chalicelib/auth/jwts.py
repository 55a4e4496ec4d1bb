"""JSON Web Tokens as we issue them: RS256, our issuer, a known key, and the clock that tests can set."""

from collections.abc import Mapping
from typing import Any

from chalicelib.auth import keys
from chalicelib.core import clock
from chalicelib.core.config import settings

Claims = dict[str, Any]


def sign(claims: Mapping[str, object], lifetime_s: int) -> str:
    """Return a token with `claims`, our issuer, and an expiry `lifetime_s` from now."""
    import jwt  # noqa: PLC0415 - slow to import

    key, now = keys.signing_key(), clock.now_s()
    payload = {**claims, "iss": settings().api_url, "iat": now, "exp": now + lifetime_s}
    return jwt.encode(payload, key.private, algorithm="RS256", headers={"kid": key.kid})


def read(token: str, *uses: str, expired_for_s: int = 0) -> Claims | None:
    """Return the claims of a token of ours for one of these uses, or None for anything else.

    It may have expired less than `expired_for_s` ago.
    """
    import jwt  # noqa: PLC0415 - slow to import

    # The expiry is checked below with our own clock; the audience is only the id token's, which is refused by its use.
    options: Any = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False}
    options["require"] = ["iss", "sub", "iat", "exp", "token_use"]
    try:
        kid = jwt.get_unverified_header(token).get("kid")
        key = keys.verification_key(kid) if isinstance(kid, str) else None
        if key is None:
            return None
        claims: Claims = jwt.decode(token, key, algorithms=["RS256"], issuer=settings().api_url, options=options)
    except (jwt.PyJWTError, ValueError):
        return None
    fits = claims["token_use"] in uses and clock.now_s() < claims["exp"] + expired_for_s
    return claims if fits else None
