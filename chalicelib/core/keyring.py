"""The deployment's secret document: the pepper of every keyed hash, and the signing keys `auth` reads from it."""

import base64
import hashlib
import hmac
import json
import threading
from typing import Any

from chalicelib.core import aws, clock, log
from chalicelib.core.config import settings
from chalicelib.core.errors import UnavailableError

REFRESH_MS = 300_000  # how long a rotated key may stay unknown to a warm function
RETRY_MS = 60_000  # until the secret is asked for again when it could not be read

_lock = threading.Lock()
_cached: tuple[int, dict[str, Any]] | None = None  # when it was read, and what
_ask_again_at = 0


def document(*, newer_than_ms: int = 0) -> dict[str, Any]:
    """Return the secret document, at most five minutes old, and read after `newer_than_ms` if that is given.

    While Secrets Manager does not answer, an older one goes on being used, unless the caller asked for a newer one.
    """
    global _cached, _ask_again_at
    now = clock.now_ms()
    with _lock:
        if _cached and now < _ask_again_at and _cached[0] >= newer_than_ms:
            return _cached[1]
        try:
            text = aws.read_secret(settings().keys_secret)
        except UnavailableError as exc:
            log.error("secret_not_read", exc=exc, cause=type(exc.__cause__).__name__)
            if _cached is None or _cached[0] < newer_than_ms:
                raise
            _ask_again_at = now + RETRY_MS
            return _cached[1]
        _cached, _ask_again_at = (now, json.loads(text)), now + REFRESH_MS
        return _cached[1]


def replace(new: dict[str, Any]) -> None:
    """Store a new document; warm functions take it up within five minutes."""
    global _cached
    text = json.dumps(new)
    aws.call("secretsmanager", "put_secret_value", {"SecretId": settings().keys_secret, "SecretString": text})
    with _lock:
        _cached = None


def keyed_hash(purpose: str, *parts: str | bytes) -> bytes:
    """Return HMAC-SHA256 (32 bytes) of `parts` under the pepper; `purpose` keeps two uses from colliding."""
    mac = hmac.new(base64.b64decode(document()["pepper"]), purpose.encode(), hashlib.sha256)
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        mac.update(len(raw).to_bytes(4, "big") + raw)
    return mac.digest()
