"""The tokens in our mails' links: stateless, so that nothing secret is stored, and single-use by what they name.

A verification names a registration, which its use deletes. A reset names the password's version, which its use raises.
"""

import hmac
from dataclasses import dataclass

from chalicelib.auth.models import InvalidTokenError
from chalicelib.core import clock, ids, keyring, tokens

VERIFY_S = 86_400
RESET_S = 3_600

_VERIFY, _RESET = "parley_ev_", "parley_pr_"
_MAC_BYTES = 16


@dataclass(frozen=True)
class Reset:
    """Whose password may be set, and which version of it that replaces."""

    user_id: str
    password_version: int


def for_registration(registration_id: str, expires_at_s: int) -> str:
    """Return the token that verifies a registration's address."""
    return _sealed(_VERIFY, ids.to_bytes(registration_id), expires_at_s.to_bytes(4, "big"))


def read_registration(token: str) -> str:
    """Return the registration's id; raises InvalidTokenError."""
    identifier, expiry = _opened(_VERIFY, token, 16, 4)
    _check_time(expiry)
    return ids.from_bytes("reg", identifier)


def for_reset(reset: Reset, expires_at_s: int) -> str:
    """Return the token that sets a new password."""
    version = reset.password_version.to_bytes(4, "big")
    return _sealed(_RESET, ids.to_bytes(reset.user_id), version, expires_at_s.to_bytes(4, "big"))


def read_reset(token: str) -> Reset:
    """Return what the token allows; raises InvalidTokenError."""
    identifier, version, expiry = _opened(_RESET, token, 16, 4, 4)
    _check_time(expiry)
    return Reset(ids.from_bytes("usr", identifier), int.from_bytes(version, "big"))


def _sealed(prefix: str, *parts: bytes) -> str:
    return tokens.pack(prefix, *parts, keyring.keyed_hash(prefix, *parts)[:_MAC_BYTES])


def _opened(prefix: str, token: str, *lengths: int) -> tuple[bytes, ...]:
    found = tokens.unpack(prefix, token, *lengths, _MAC_BYTES)
    if found is None:
        raise InvalidTokenError
    *parts, mac = found
    if not hmac.compare_digest(keyring.keyed_hash(prefix, *parts)[:_MAC_BYTES], mac):
        raise InvalidTokenError
    return tuple(parts)


def _check_time(expiry: bytes) -> None:
    if int.from_bytes(expiry, "big") <= clock.now_s():
        raise InvalidTokenError
