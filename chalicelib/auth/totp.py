"""Codes of a second factor: time-based ones (RFC 6238) and the recovery codes for who has lost the device."""

import base64
import hmac
import secrets
from typing import TYPE_CHECKING
from urllib.parse import quote

from chalicelib.core import clock, keyring

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

STEP_S, DIGITS = 30, 6  # what every authenticator app takes
DRIFT = 1  # steps that a device's clock may be off, either way
SECRET_BYTES = 20  # RFC 4226, section 4: 160 bits
RECOVERY_CODES = 10

_NONCE_BYTES = 12
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that look alike; twelve of them are 59 bits


def new_secret() -> bytes:
    """Return a new secret to share with a device."""
    return secrets.token_bytes(SECRET_BYTES)


def shown(secret: bytes) -> str:
    """Return a secret as people type it into an app."""
    return base64.b32encode(secret).decode()


def uri(secret: bytes, email: str) -> str:
    """Return the address behind the QR code that apps scan (Google Authenticator's Key URI format)."""
    options = f"secret={shown(secret)}&issuer=Parley&algorithm=SHA1&digits={DIGITS}&period={STEP_S}"
    return f"otpauth://totp/Parley:{quote(email)}?{options}"


def seal(user_id: str, secret: bytes) -> bytes:
    """Encrypt a secret for its user's row."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + _cipher().encrypt(nonce, secret, user_id.encode())


def unseal(user_id: str, sealed: bytes) -> bytes:
    """The inverse of `seal`."""
    return _cipher().decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], user_id.encode())


def _cipher() -> "AESGCM":
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - slow

    return AESGCM(keyring.keyed_hash("totp-secret"))


def step_of(secret: bytes, code: str, *, after: int) -> int | None:
    """Return the time step whose code this is, if it is near enough and later than `after`, the last one used."""
    from cryptography.hazmat.primitives.hashes import SHA1  # noqa: PLC0415 - slow
    from cryptography.hazmat.primitives.twofactor.totp import TOTP  # noqa: PLC0415 - slow

    device = TOTP(secret, DIGITS, SHA1(), STEP_S)  # noqa: S303 - what RFC 6238 and the apps use
    now, given, found = clock.now_s() // STEP_S, _plain(code), None
    for step in range(now - DRIFT, now + DRIFT + 1):
        if hmac.compare_digest(device.generate(step * STEP_S), given) and step > after:
            found = step
    return found


def new_recovery_codes() -> list[str]:
    """Return recovery codes to be shown once."""
    drawn = ["".join(secrets.choice(_LETTERS) for _ in range(12)) for _ in range(RECOVERY_CODES)]
    return ["-".join((code[:4], code[4:8], code[8:])) for code in drawn]


def recovery_hash(user_id: str, code: str) -> str:
    """Return what is kept of a recovery code, however it was typed."""
    return keyring.keyed_hash("recovery-code", user_id, _plain(code))[:16].hex()


def _plain(code: str) -> bytes:
    return "".join(code.split()).replace("-", "").lower().encode()
