"""JSON Web Tokens as we issue and read them: RS256, one issuer, a known key, and the clock that tests can set."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from chalicelib.auth import keys
from chalicelib.core import clock
from chalicelib.core.config import settings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

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
    claims = checked(token, keys.verification_key, settings().api_url)
    if claims is None:
        return None
    fits = claims["token_use"] in uses and clock.now_s() < claims["exp"] + expired_for_s
    return claims if fits else None


def checked(token: str, key_called: Callable[[str], "RSAPublicKey | None"], issuer: str) -> Claims | None:
    """Return the claims of a token that the issuer has signed with one of its keys; its use and end are not checked."""
    import jwt  # noqa: PLC0415 - slow to import

    # The expiry is checked with our own clock; the audience is only the id token's, and depends on the issuer.
    options: Any = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False}
    options["require"] = ["iss", "sub", "iat", "exp", "token_use"]
    try:
        kid = jwt.get_unverified_header(token).get("kid")
        key = key_called(kid) if isinstance(kid, str) else None
        if key is None:
            return None
        claims: Claims = jwt.decode(token, key, algorithms=["RS256"], issuer=issuer, options=options)
    except (jwt.PyJWTError, ValueError):
        return None
    return claims


def claimed_issuer(token: str) -> object:
    """Return who a token says has issued it, which anybody can write; None for what is no token."""
    import jwt  # noqa: PLC0415 - slow to import

    try:
        return jwt.decode(token, options={"verify_signature": False}).get("iss")
    except (jwt.PyJWTError, ValueError):
        return None


def public_key(jwk: Mapping[str, object]) -> "RSAPublicKey | None":
    """Read a published RSA key that signs (RFC 7517); None for another kind."""
    import jwt  # noqa: PLC0415 - slow to import
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # noqa: PLC0415 - slow

    if jwk.get("kty") != "RSA" or jwk.get("use", "sig") != "sig" or not isinstance(jwk.get("kid"), str):
        return None
    try:
        key = jwt.PyJWK.from_dict(dict(jwk), algorithm="RS256").key
    except (jwt.PyJWTError, ValueError):
        return None
    return key if isinstance(key, RSAPublicKey) else None
