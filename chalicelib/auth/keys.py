"""The signing keys inside the deployment's secret document: made, found, and rotated with an overlap."""

import base64
import secrets
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from chalicelib.core import clock, ids, keyring, log
from chalicelib.core.frozen import frozen

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

OVERLAP_MS = 600_000  # a new key is published this long before it signs: twice what a warm function may lag behind
ROTATE_AFTER_MS = 90 * 86_400_000
READABLE_MS = 181 * 86_400_000  # what a superseded key signed is read so long: see `visitor_tokens.read_for_resume`
REREAD_MS = 60_000  # how often a key we don't know may make us read the secret again

Stored = dict[str, Any]  # {"kid", "private_pem", "created_at", "active_from"}, times in milliseconds


@frozen
class SigningKey:
    """The key that signs now."""

    kid: str
    private: "RSAPrivateKey"


def new_key_set() -> dict[str, object]:
    """Return a fresh secret document: a pepper and one key, active at once."""
    pepper = base64.b64encode(secrets.token_bytes(32)).decode()
    return {"pepper": pepper, "signing_keys": [_new_key(active_from=clock.now_ms())]}


def signing_key() -> SigningKey:
    """Return the newest active key."""
    stored: list[Stored] = keyring.document()["signing_keys"]
    active = [key for key in stored if key["active_from"] <= clock.now_ms()] or stored[:1]
    newest = max(active, key=lambda key: key["active_from"])
    return SigningKey(newest["kid"], _parse(newest["private_pem"]))


def stored_keys() -> list[Stored]:
    """Return every signing key as the secret has it now."""
    found: list[Stored] = keyring.document(newer_than_ms=clock.now_ms())["signing_keys"]
    return found


def verification_key(kid: str) -> "RSAPublicKey | None":
    """Return the public key called `kid`; an unknown one has the secret read again, at most once a minute."""
    if not ids.is_id("sig", kid):
        return None  # another issuer's
    for newer_than_ms in (0, clock.now_ms() - REREAD_MS):
        for key in keyring.document(newer_than_ms=newer_than_ms)["signing_keys"]:
            if key["kid"] == kid:
                return _parse(key["private_pem"]).public_key()
    return None


def public_jwks() -> list[dict[str, str]]:
    """Return every key a token may be signed with, as RFC 7517 shows them."""
    return [_jwk(key) for key in keyring.document()["signing_keys"]]


def rotate_if_due() -> None:
    """Rotate when the newest key is 90 days old. Runs daily."""
    newest = max(key["created_at"] for key in keyring.document(newer_than_ms=clock.now_ms())["signing_keys"])
    if clock.now_ms() - newest >= ROTATE_AFTER_MS:
        rotate()


def rotate() -> None:
    """Add a key that signs once everybody knows it, and drop those whose last token nobody may read any more.

    Two rotations at once leave one new key: neither signs before all functions have read the secret again.
    """
    now = clock.now_ms()
    document = keyring.document(newer_than_ms=now)
    keys = sorted(document["signing_keys"], key=lambda key: key["active_from"])
    superseded_at = {old["kid"]: new["active_from"] for old, new in pairwise(keys)}
    kept = [key for key in keys if superseded_at.get(key["kid"], now) + READABLE_MS >= now]
    new = _new_key(active_from=now + OVERLAP_MS)
    keyring.replace({**document, "signing_keys": [*kept, new]})
    log.info("signing_keys_rotated", kid=new["kid"], kept=len(kept), dropped=len(keys) - len(kept))


def _new_key(active_from: int) -> Stored:
    # Imported here, as everywhere in this slice: most functions never need it, and it costs 50 ms.
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - slow
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415 - slow

    pem = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "kid": ids.new("sig"),
        "private_pem": pem.decode(),
        "created_at": clock.now_ms(),
        "active_from": active_from,
    }


@lru_cache(maxsize=16)
def _parse(pem: str) -> "RSAPrivateKey":
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415 - slow
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 - slow

    # The secret is ours, so its primes are not tested again at every cold start.
    key = load_pem_private_key(pem.encode(), None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError("the secret document holds a key that is not RSA")
    return key


def _jwk(key: Stored) -> dict[str, str]:
    numbers = _parse(key["private_pem"]).public_key().public_numbers()
    return {
        "kty": "RSA",
        "use": "sig",
        "alg": "RS256",
        "kid": key["kid"],
        "n": _base64url(numbers.n),
        "e": _base64url(numbers.e),
    }


def _base64url(number: int) -> str:
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
