"""Telling a tenant, once a month each, that its plan's conversations are nearly used up, and that they are."""

from chalicelib.billing import store, usage
from chalicelib.billing.plans import NEAR_PERCENT, PLANS
from chalicelib.core import clock
from chalicelib.core.table import ConditionFailedError, retrying
from chalicelib.events.models import SYSTEM
from chalicelib.tenants import service as tenants

_KEPT = 12  # of the newest notes of what was told


def warn_of_limits(tenant_id: str) -> None:
    """Record `plan.limit_near` or `plan.limit_reached`; a mail follows from the event. One read where none applies."""

    def attempt() -> None:
        account = store.find(tenant_id)
        limit = PLANS[account.plan].limits.conversations if account else None
        if account is None or limit is None:
            return
        month = usage.month_of(clock.now_ms())
        used = usage.count_opened(tenant_id, month)
        type_ = "plan.limit_reached" if used >= limit else "plan.limit_near"
        note = f"{type_}#{month}"
        if used * 100 < limit * NEAR_PERCENT or note in account.told:
            return
        shown = {"id": tenant_id, "plan": account.plan, "limit": "conversations", "used": used, "allowed": limit}
        told = frozenset(sorted(account.told | {note}, key=lambda each: each.rpartition("#")[2])[-_KEPT:])
        record = tenants.recording(tenant_id, SYSTEM, type_, shown)
        try:
            tenants.commit(tenant_id, [store.telling(account, told), *record])
        except ConditionFailedError:
            return  # another function has told them

    retrying(attempt)
