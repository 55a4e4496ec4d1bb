"""Which rate limits a request counts against, and the headers that tell how much is left of them.

`RateLimit-Policy` and `RateLimit` follow draft-ietf-httpapi-ratelimit-headers-10; `X-RateLimit-*` are what clients
knew before it.
"""

from collections.abc import Callable

from chalicelib.core import clock
from chalicelib.core.config import settings
from chalicelib.core.errors import RateLimitedError
from chalicelib.core.http.call import Call
from chalicelib.core.http.principal import Kind, Principal
from chalicelib.core.leases import Leases, Policy, Standing

HEADERS = ("RateLimit-Policy", "RateLimit", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")

_CALLERS: dict[Kind, str] = {"user": "user", "api_key": "key", "visitor": "visitor"}
_WHOSE = {
    "user": "you",
    "key": "this API key",
    "visitor": "you",
    "tenant": "all users and keys of this tenant",
    "visitors": "all visitors of this site",
}
_leases = Leases()

SHARE_KEEPS_MS = 60_000  # how long another plan may stay unknown to a warm function
_MANY = 2000  # tenants remembered before all are forgotten
_shares: dict[str, tuple[int, int]] = {}  # percent, and when it was read, by tenant
_read_share: Callable[[str], int] | None = None


def share_with(read: Callable[[str], int]) -> None:
    """Let `read` say how many percent of a tenant's limit its plan allows. Called from app.py."""
    global _read_share
    _read_share = read


def count_caller(call: Call, caller: Principal) -> None:
    """Count the request for who makes it, whatever becomes of it. Raises RateLimitedError."""
    _count(call, _CALLERS[caller.kind], caller.id)


def count_tenant(call: Call, caller: Principal) -> None:
    """Count the request for the tenant it works on; test data has limits of its own. Raises RateLimitedError.

    Visitors have a limit apart from users and keys: a crowd on the site must not keep the agents from answering it.
    """
    if call.tenant_id:
        _count(call, "visitors" if caller.kind == "visitor" else "tenant", call.tenant_id)


def headers(standings: list[Standing]) -> dict[str, str]:
    """Return the headers of an answer: all limits that the request counted against, and the one that is nearest."""
    if not standings:
        return {}
    nearest = min(standings, key=lambda each: each.remaining / each.policy.limit)
    return {
        "RateLimit-Policy": ", ".join(
            f'"{each.policy.name}";q={each.policy.limit};w={each.policy.window_s}' for each in standings
        ),
        "RateLimit": ", ".join(f'"{each.policy.name}";r={each.remaining};t={each.reset_s}' for each in standings),
        "X-RateLimit-Limit": str(nearest.policy.limit),
        "X-RateLimit-Remaining": str(nearest.remaining),
        "X-RateLimit-Reset": str(nearest.reset_s),
    }


def _count(call: Call, name: str, subject: str) -> None:
    limit = _limit_of(name)
    if not limit:
        return
    if name == "tenant":
        limit = max(1, limit * _share_of(subject) // 100)
    policy = Policy(name, limit)
    standing = _leases.take(policy, subject)
    call.standings.append(standing)
    if not standing.admitted:
        message = f"Too many requests: {limit} in {policy.window_s} seconds are the limit for {_WHOSE[name]}."
        raise RateLimitedError(f"{message} Wait as long as Retry-After says.", retry_after=standing.reset_s)


def _share_of(tenant_id: str) -> int:
    """Return the percent that a tenant's plan allows; one read a minute in each process, where tenants pay."""
    if _read_share is None or not settings().billing:
        return 100
    now = clock.now_ms()
    share, read_at = _shares.get(tenant_id, (0, -SHARE_KEEPS_MS))
    if now - read_at >= SHARE_KEEPS_MS:
        if len(_shares) >= _MANY:
            _shares.clear()
        share = _read_share(tenant_id)
        _shares[tenant_id] = (share, now)
    return share


def _limit_of(name: str) -> int:
    """Return the requests a minute that a limit allows, 0 for any number."""
    known = settings()
    return {
        "user": known.user_requests,
        "key": known.key_requests,
        "visitor": known.visitor_requests,
        "tenant": known.tenant_requests,
        "visitors": known.tenant_visitor_requests,
    }[name]
