"""What a tenant uses of its plan. Conversations are counted from their events, each exactly once."""

from collections.abc import Callable
from datetime import UTC, datetime

from chalicelib.billing.plans import PLANS, Plan, PlanName
from chalicelib.core import clock
from chalicelib.core.errors import FieldError
from chalicelib.core.frozen import frozen
from chalicelib.core.table import tenant_rows
from chalicelib.events import counters
from chalicelib.events.models import opened_in
from chalicelib.tenants import service as tenants

Measure = Callable[[str], int]

_measures: dict[str, Measure] = {}
_FREE = {
    "seats": "Remove {over} of {used} members or invitations.",
    "storage": "Delete files of {over} bytes altogether; {used} are stored.",
    "webhooks": "Delete {over} of {used} webhook endpoints.",
}


@frozen
class Usage:
    """What is used now; conversations, since the month began (UTC)."""

    seats: int
    conversations: int
    storage: int  # bytes
    webhooks: int
    month: str  # as in 2026-11
    month_start: int  # milliseconds, as the next one
    month_end: int


def measure_with(name: str, measure: Measure) -> None:
    """Say how `storage` or `webhooks` of a tenant is measured. Called from app.py, because slices above know it."""
    _measures[name] = measure


def month_of(ms: int) -> str:
    """Return the month, UTC, of a time in milliseconds, as in 2026-11."""
    return clock.rfc3339(ms)[:7]


def count_opened(tenant_id: str, month: str) -> int:
    """Return how many conversations were opened in a month. One read."""
    return counters.read_total(tenant_rows(tenant_id), opened_in(month))


def read_usage(tenant_id: str) -> Usage:
    """Return what a tenant uses. Four reads. Raises NotFoundError for no such tenant."""
    month = month_of(clock.now_ms())
    year, number = int(month[:4]), int(month[5:])
    following = datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)
    return Usage(
        seats=tenants.get_tenant(tenant_id).members,
        conversations=count_opened(tenant_id, month),
        storage=_measures["storage"](tenant_id),
        webhooks=_measures["webhooks"](tenant_id),
        month=month,
        month_start=clock.to_ms(datetime(year, number, 1, tzinfo=UTC)),
        month_end=clock.to_ms(following),
    )


def excess(usage: Usage, plan: Plan) -> list[FieldError]:
    """Return what stands in the way of a plan: what is kept, not what has happened in a month."""
    found = []
    for name, advice in _FREE.items():
        used, limit = getattr(usage, name), getattr(plan.limits, name)
        if limit is not None and used > limit:
            message = advice.format(over=used - limit, used=used) + f" {plan.title} allows {limit}."
            found.append(FieldError(name, "over_limit", message))
    return found


def overage(plan: PlanName, opened: int) -> int:
    """Return how many of a month's conversations are metered."""
    return max(0, opened - PLANS[plan].conversations) if PLANS[plan].conversation_cents else 0
