"""The tokens in our mails' links: stateless, so that nothing secret is stored, and single-use by what they name.

A verification names a registration and a new address the request for it, which their use deletes. A reset names the
versions of the password and the address, so that it ends with either.
"""

from chalicelib.auth.models import InvalidTokenError, User
from chalicelib.core import clock, ids
from chalicelib.core.frozen import frozen
from chalicelib.core.sealed import opened, seal

VERIFY_S = 86_400
RESET_S = 3_600

CHANGE_S = 3_600

_VERIFY, _RESET, _CHANGE = "parley_ev_", "parley_pr_", "parley_ec_"


@frozen
class Reset:
    """Whose password may be set, which version of it that replaces, and to which of their addresses the link went."""

    user_id: str
    password_version: int
    email_version: int

    @classmethod
    def of(cls, user: User) -> "Reset":
        """Return what a link to the user may do now."""
        return cls(user.id, user.password_version, user.email_version)


def for_registration(registration_id: str, expires_at_s: int) -> str:
    """Return the token that verifies a registration's address."""
    return seal(_VERIFY, ids.to_bytes(registration_id), expires_at_s.to_bytes(4, "big"))


def read_registration(token: str) -> str:
    """Return the registration's id; raises InvalidTokenError."""
    identifier, expiry = _opened(_VERIFY, token, 16, 4)
    _check_time(expiry)
    return ids.from_bytes("reg", identifier)


def for_reset(reset: Reset, expires_at_s: int) -> str:
    """Return the token that sets a new password."""
    versions = [version.to_bytes(4, "big") for version in (reset.password_version, reset.email_version)]
    return seal(_RESET, ids.to_bytes(reset.user_id), *versions, expires_at_s.to_bytes(4, "big"))


def read_reset(token: str) -> Reset:
    """Return what the token allows; raises InvalidTokenError."""
    identifier, password, email, expiry = _opened(_RESET, token, 16, 4, 4, 4)
    _check_time(expiry)
    versions = int.from_bytes(password, "big"), int.from_bytes(email, "big")
    return Reset(ids.from_bytes("usr", identifier), *versions)


def for_email_change(change_id: str, expires_at_s: int) -> str:
    """Return the token that moves an account to a new address."""
    return seal(_CHANGE, ids.to_bytes(change_id), expires_at_s.to_bytes(4, "big"))


def read_email_change(token: str) -> str:
    """Return the id of the request for a new address; raises InvalidTokenError."""
    identifier, expiry = _opened(_CHANGE, token, 16, 4)
    _check_time(expiry)
    return ids.from_bytes("chg", identifier)


def _opened(prefix: str, token: str, *lengths: int) -> tuple[bytes, ...]:
    parts = opened(prefix, token, *lengths)
    if parts is None:
        raise InvalidTokenError
    return parts


def _check_time(expiry: bytes) -> None:
    if int.from_bytes(expiry, "big") <= clock.now_s():
        raise InvalidTokenError
