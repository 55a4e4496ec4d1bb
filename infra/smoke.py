"""Does a stack that was just deployed work? Asked over HTTP, as its users do."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable

from chalicelib.core.version import VERSION

_SECONDS = 29  # API Gateway's own limit: a first start may take a while
# A deploy that has ended is not everywhere at once: the gateway's stage, a new role's rights and the functions' code
# take some seconds to spread. Going back for that would undo, or delete, what works.
_ROUNDS = 7
_PAUSE_S = 10.0


def failures(base_url: str, *, emulated: bool = False, pause: Callable[[float], None] = time.sleep) -> list[str]:
    """Return what is still wrong after a minute, nothing as soon as all is well.

    An emulator's gateway has no answers of our own.
    """
    for _ in range(_ROUNDS - 1):
        if not (found := _failures(base_url, emulated=emulated)):
            return found
        pause(_PAUSE_S)
    return _failures(base_url, emulated=emulated)


def _failures(base_url: str, *, emulated: bool) -> list[str]:
    found = [
        *_expect(f"{base_url}/health", 200, lambda found: found["version"] == VERSION),
        *_expect(f"{base_url}/health/ready", 200, lambda found: found["status"] == "ok"),
        *_expect(f"{base_url}/.well-known/jwks.json", 200, lambda found: bool(found["keys"])),
    ]
    if emulated:
        return found
    return [
        *found,
        *_expect(f"{base_url}/v1/conversations", 401, lambda found: found["error"]["code"] == "unauthenticated"),
        *_expect(f"{base_url}/v1/nothing-here", 404, lambda found: found["error"]["code"] == "route_not_found"),
    ]


def _expect(url: str, status: int, holds: Callable[[dict], bool]) -> list[str]:  # type: ignore[type-arg]  # free JSON
    try:
        got, text = _fetch(url)
    except OSError as exc:
        return [f"GET {url}: {exc}"]
    try:
        good = got == status and holds(json.loads(text))
    except (ValueError, KeyError, TypeError):
        good = False
    return [] if good else [f"GET {url}: {got} {text[:300]!r}, not what is expected with {status}"]


def _fetch(url: str) -> tuple[int, str]:
    if not url.startswith(("https://", "http://127.0.0.1:")):
        raise OSError("only https is asked")
    try:
        with urllib.request.urlopen(url, timeout=_SECONDS) as answer:  # noqa: S310 - the scheme is checked above
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as exc:
        return exc.code, exc.read().decode()
