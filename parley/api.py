"""Parley's HTTP API, for what it offers: an operator sees there what a tenant's own people see."""

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from parley.errors import CommandError, Exit

Json = dict[str, Any]
_SECONDS = 30
_ATTEMPTS = 4
_LONGEST_WAIT = 60


def read_key(file: Path | None, demo: Json | None) -> str:
    """Return the API key from a file, the environment or, last, the local stack's demo data. Raises CommandError."""
    if file is not None:
        return file.read_text().strip()
    if key := os.environ.get("PARLEY_API_KEY", ""):
        return key.strip()
    if demo:
        return str(demo["tenants"][0]["api_key"])
    raise CommandError("Put the tenant's API key into PARLEY_API_KEY, or into a file and say --key-file.", Exit.USAGE)


@dataclass(frozen=True)
class Api:
    """The API of one installation, with one tenant's key."""

    base_url: str
    key: str

    def get(self, path: str, **query: object) -> Json:
        """Read something. Raises CommandError."""
        asked = {name: value for name, value in query.items() if value is not None}
        return self._send("GET", f"{path}?{urlencode(asked)}" if asked else path, None)

    def has(self, path: str) -> bool:
        """Tell whether there is something. Raises CommandError where that can't be told."""
        try:
            self.get(path)
        except CommandError as exc:
            if exc.exit_code is not Exit.NO or "(404 " not in str(exc):
                raise
            return False
        return True

    def post(self, path: str, body: Json | None = None) -> Json:
        """Do something. Raises CommandError."""
        return self._send("POST", path, body or {})

    def delete(self, path: str) -> None:
        """Delete something. Raises CommandError."""
        self._send("DELETE", path, None)

    def rows(self, path: str, *, limit: int | None = None, **query: object) -> Iterator[Json]:
        """Yield a list's rows, page by page, up to `limit`."""
        cursor, left = None, limit
        while left is None or left > 0:
            page = self.get(path, limit=min(100, left or 100), cursor=cursor, **query)
            yield from page["data"]
            left = None if left is None else left - len(page["data"])
            cursor = page["pagination"]["next_cursor"]
            if cursor is None:
                return

    def _send(self, method: str, path: str, body: Json | None) -> Json:
        if not self.base_url.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
            raise CommandError(f"A key is sent over https only, not to {self.base_url}.", Exit.USAGE)
        sent = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json", "User-Agent": "parley-cli"}
        data = None if body is None else json.dumps(body).encode()
        for attempt in range(1, _ATTEMPTS + 1):
            request = urllib.request.Request(self.base_url + path, data, sent, method=method)  # noqa: S310 - as above
            try:
                with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310 - as above
                    found: Json = json.loads(answer.read() or b"{}")
                    return found
            except urllib.error.HTTPError as exc:
                wait = _wait(exc, method) if attempt < _ATTEMPTS else None
                if wait is None:
                    raise _refused(exc) from None
                time.sleep(wait)
            except OSError as exc:
                reason = getattr(exc, "reason", exc)
                raise CommandError(f"{self.base_url} does not answer: {reason}", Exit.FAILED) from None
        raise AssertionError


def _wait(exc: urllib.error.HTTPError, method: str) -> float | None:
    """Return how many seconds to wait before asking again; None where that would not help, or might do it twice."""
    if exc.code == 429 or (exc.code in {502, 503, 504} and method == "GET"):
        return min(_LONGEST_WAIT, float(exc.headers.get("Retry-After") or 1))
    return None


def _refused(exc: urllib.error.HTTPError) -> CommandError:
    text = exc.read()
    try:
        error = json.loads(text)["error"]
        message, code = error["message"], error["code"]
    except (ValueError, KeyError, TypeError):
        message, code = f"an answer that is not the API's, {text[:100]!r}", "unknown"
    request_id = exc.headers.get("X-Request-Id")
    quoted = f", request {request_id}" if request_id and exc.code >= 500 else ""
    return CommandError(f"{message} ({exc.code} {code}{quoted})", Exit.FAILED if exc.code >= 500 else Exit.NO)
