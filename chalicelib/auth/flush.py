"""Emptying the authorizer's cache, so that what was revoked is refused before the cache's minute is over."""

from chalicelib.core import aws, clock, log
from chalicelib.core.config import settings
from chalicelib.core.table import LIMITS, run
from chalicelib.events.models import Event

REVOCATIONS = frozenset(
    {
        "session.revoked",
        "user.password_changed",
        "user.sessions_revoked",
        "api_key.updated",
        "api_key.rotated",
        "api_key.revoked",
        "member.removed",
        "member.role_changed",
        "domain.deleted",
        "tenant.erasing",
        "tenant.resumed",
        "tenant.suspended",
        "widget.deleted",
    }
)
COMMIT_MS = 10_000  # an event commits at most this long after its `at`, retries of its transaction included
KEEP_S = 3_600


def on_event(event: Event) -> None:
    """Consume an event. A flush that fails is only delay: the cache forgets by itself after 60 s."""
    if event.type not in REVOCATIONS or not settings().rest_api_id:
        return
    try:
        if not _covered(event):
            _flush()
    except Exception as exc:  # noqa: BLE001 - whatever it is, it must not hold up the event's other consumers
        log.warning("flush_failed", exc_name=type(exc).__name__)


def _covered(event: Event) -> bool:
    """Tell whether a flush began after the event: everybody's cache is emptied each time, so one serves many."""
    row = LIMITS.get("flush", "-", consistent=True)
    return row is not None and row["at"] > event.at + COMMIT_MS


def _flush() -> None:
    began = clock.now_ms()
    target = {"restApiId": settings().rest_api_id, "stageName": settings().rest_api_stage}
    aws.call("apigateway", "flush_stage_authorizers_cache", target)
    run(LIMITS.putting("flush", "-", {"at": began, "exp": began // 1000 + KEEP_S}))
