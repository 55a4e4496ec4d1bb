"""Passwords: what we accept, and how we keep and check them."""

import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

from chalicelib.core.errors import InvalidError

if TYPE_CHECKING:
    from argon2 import PasswordHasher

# OWASP's minimum for argon2id: 19 MiB, two passes, one lane. About 25 ms.
MEMORY_KIB, PASSES, LANES = 19_456, 2, 1
MIN_LENGTH, MAX_LENGTH = 8, 128

# Of the most common ones, those that are long enough to be tried. No composition rules, as NIST SP 800-63B advises.
_COMMON_WORDS = (
    "password password1 password12 password123 passw0rd p@ssword p@ssw0rd passwort 12345678 123456789 1234567890 "
    "0123456789 0987654321 87654321 987654321 11111111 111111111 00000000 88888888 12341234 123123123 12344321 "
    "qwertyui qwertyuiop qwerty12 qwerty123 qwertzui qwertzuiop 1q2w3e4r 1q2w3e4r5t 1qaz2wsx q1w2e3r4 zaq12wsx "
    "asdfghjk asdfghjkl zxcvbnm1 abcd1234 abc12345 a1b2c3d4 iloveyou iloveyou1 sunshine princess football baseball "
    "superman batman123 starwars trustno1 letmein1 letmein123 welcome1 welcome123 whatever dragon123 monkey123 "
    "michelle jennifer computer internet administrator admin123 admin1234 changeme changeme1 secret123 test1234 "
    "testtest default1 master123 shadow123 liverpool chocolate butterfly"
)
_COMMON = frozenset(_COMMON_WORDS.split())


def check_policy(password: str, email: str, param: str = "password") -> None:
    """Raise InvalidError for a password that is anybody's first guess. Its length is the request model's matter."""
    folded = password.casefold()
    if folded in _COMMON:
        raise InvalidError.field(
            param, "This is one of the most common passwords. Choose another.", "password_too_common"
        )
    if folded == email.casefold():
        raise InvalidError.field(param, "Choose something other than your e-mail address.", "password_is_email")


def hashed(password: str) -> str:
    """Return the argon2id hash, its parameters and salt inside."""
    return _hasher().hash(_normal(password))


def matches(password: str, stored: str | None) -> bool:
    """Tell whether `password` is the one of `stored`; without one, do the same work and say no."""
    from argon2.exceptions import VerifyMismatchError  # noqa: PLC0415 - slow

    if stored is None:
        hashed(password)
        return False
    try:
        return _hasher().verify(stored, _normal(password))
    except VerifyMismatchError:
        return False


def _normal(password: str) -> str:
    """Return the password as any keyboard would have written it (NIST SP 800-63B 5.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


@lru_cache(maxsize=1)
def _hasher() -> "PasswordHasher":
    from argon2 import PasswordHasher  # noqa: PLC0415 - slow

    return PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
