"""The only way to a Cognito user pool: one GET of its public keys, bounded in time and size."""

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from chalicelib.core.config import settings
from chalicelib.core.errors import UnavailableError

TIMEOUT_S = 3
LONGEST = 65_536  # bytes; a pool's two keys have about 1,000

_LOOPBACK = {"127.0.0.1", "::1"}


def fetch_keys(url: str) -> list[dict[str, Any]]:
    """Return the keys of a JWKS document (RFC 7517); raises UnavailableError. Follows no redirect."""
    parts = urlsplit(url)
    connection = _connection(parts.scheme, parts.hostname or "", parts.port)
    try:
        connection.request("GET", parts.path, headers={"Accept": "application/json"})
        answer = connection.getresponse()
        body = answer.read(LONGEST)
        if answer.status != 200:
            raise UnavailableError
        keys = json.loads(body)["keys"]
        return [key for key in keys if isinstance(key, dict)]
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as exc:
        raise UnavailableError from exc
    finally:
        connection.close()


def _connection(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S)
    if scheme == "http" and host in _LOOPBACK and settings().allow_loopback_domains:
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)  # the emulator of the local stack
    raise UnavailableError
