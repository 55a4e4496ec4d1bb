"""Bringing what we know of a subscription up to date with Stripe, however hooks came, and giving the plan's limits.

Each look takes a ticket before it fetches, and what it fetched counts only while that ticket is the newest: so an older
state never overwrites a newer one, in whatever order functions run. See docs/decisions/billing-tickets.md.
"""

from dataclasses import replace
from typing import Any

from chalicelib.billing import store, stripe_gateway, usage
from chalicelib.billing.models import LIVE, Account, Snapshot, Status
from chalicelib.billing.plans import FREE, PLANS, TRIAL_DAYS, TRIAL_PLAN
from chalicelib.billing.schemas import SubscriptionOut
from chalicelib.core import clock, ids, log
from chalicelib.core.table import ConditionFailedError, StaleError, retrying, run
from chalicelib.events.models import SYSTEM, NewEvent
from chalicelib.tenants import service as tenants
from chalicelib.tenants.models import Tenant

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
TRIAL_MS = TRIAL_DAYS * DAY_MS
WARN_MS = 3 * DAY_MS  # before a trial's end


def new_account(tenant_id: str, created_at: int, *, trial: bool = True) -> Account:
    """Return the account of a tenant that has never subscribed."""
    until = created_at + TRIAL_MS if trial else created_at
    account = Account(tenant_id, created_at, created_at, until, FREE.name, "none")
    return _without_subscription(account, created_at)


def due_at(account: Account, now: int) -> int | None:
    """Return when to look at an account again: each hour while it is paid, each day otherwise, or never."""
    if account.live:
        return now + HOUR_MS
    moments = [now + DAY_MS] if account.customer_id else []  # who may have subscribed, unheard
    if account.subscription_id is None and now < account.trial_until:
        warning = account.trial_until - WARN_MS
        moments.append(warning if now < warning else account.trial_until)
    return min(moments, default=None)


def sync(tenant_id: str, *, heard: bool = True) -> Account:
    """Fetch a tenant's subscription and apply it; end its duplicates; pay for as many seats as there are members.

    `heard`: a hook, or our own change, is why we look. Otherwise nothing should be new at Stripe, and what is new is
    told as drift: its hook was lost. Raises NotFoundError for a tenant that is gone, UnavailableError when Stripe does
    not answer.
    """

    def attempt() -> Account:
        account = store.take_ticket(tenant_id)
        tenant = tenants.get_tenant(tenant_id)
        found = stripe_gateway.latest(account.customer_id) if account.customer_id else None
        after = _apply(account, found, tenant)
        if found and not heard and _terms(account) != _terms(after):
            log.error("billing_drift", metrics={"BillingDrift": 1}, tenant=tenant_id, status=after.status)
        for duplicate in found.duplicates if found else ():  # told already: who dies here is followed by another look
            log.warning("duplicate_subscription", tenant=tenant_id, subscription=duplicate)
            stripe_gateway.cancel_duplicate(duplicate)
        if found and found.status in LIVE and _adjust_seats(found, tenant):
            raise StaleError  # look again: another function may have adjusted them to what was true before
        return store.find(tenant_id) or account

    return retrying(attempt)


def _apply(account: Account, found: Snapshot | None, tenant: Tenant) -> Account:
    now = clock.now_ms()
    after = expected(account, found, now)
    events = _events(account, after, now)
    if after.live and (after.plan, after.subscription_id) != (account.plan, account.subscription_id):
        after = _with_baseline(after, now)
    if any(event.type == "subscription.trial_ending" for event in events):
        after = replace(after, told=after.told | {_warning(after)})
    if untold := {f"duplicate#{each}" for each in (found.duplicates if found else ())} - after.told:
        after = replace(after, told=after.told | untold)
        events.append(NewEvent("subscription.duplicate_canceled", {"id": tenant.id, **_shown(after)}, SYSTEM))
    if _shown(account) != _shown(after):
        after = replace(after, version=account.version + 1, updated_at=now)
    write = store.applying(account, replace(after, synced_at=now), due_at(after, now))
    limits = PLANS[after.plan].limits
    try:
        if events or tenant.limits != limits:
            tenants.commit(tenant.id, [write, *tenants.changing_limits(tenant, limits, events)])
        else:
            run(write)
    except ConditionFailedError:
        raise StaleError from None  # a newer ticket was taken: what was fetched may be old
    return after


def _terms(account: Account) -> tuple[object, ...]:
    return account.plan, account.status, account.subscription_id


def expected(account: Account, found: Snapshot | None, now: int) -> Account:
    """Return what an account should be, given what Stripe has of its customer."""
    return _following(account, found, now) if found else _without_subscription(account, now)


def _following(account: Account, found: Snapshot, now: int) -> Account:
    status = _status(found.status)
    plan = found.plan or account.plan
    if found.plan is None:
        log.error("unknown_price", tenant=account.tenant_id, subscription=found.id)
    if status == "incomplete":  # nothing is paid yet: what was before goes on
        plan = _without_subscription(account, now).plan
    elif status not in LIVE:
        plan = FREE.name
    return replace(
        account,
        plan=plan,
        status=status,
        subscription_id=found.id,
        quantity=found.quantity,
        period_end=found.period_end,
        trial_end=found.trial_end,
        cancel_at=found.cancel_at if status in LIVE else None,
    )


def _without_subscription(account: Account, now: int) -> Account:
    trial = now < account.trial_until
    return replace(
        account,
        plan=TRIAL_PLAN if trial else FREE.name,
        status="trialing" if trial else "none",
        subscription_id=None,
        quantity=0,
        period_end=None,
        trial_end=None,
        cancel_at=None,
    )


def _status(stripes: str) -> Status:
    if stripes == "incomplete_expired":
        return "canceled"
    known: Any = stripes
    return known  # type: ignore[no-any-return]  # Stripe's other statuses are ours


def _with_baseline(after: Account, now: int) -> Account:
    """Meter only what is opened from now on: what another plan, or none, allowed has been paid, or was free."""
    month = usage.month_of(now)
    before = usage.overage(after.plan, usage.count_opened(after.tenant_id, month))
    return replace(after, reported={**after.reported, month: max(after.reported.get(month, 0), before)})


def _adjust_seats(found: Snapshot, tenant: Tenant) -> bool:
    wanted = tenants.count_members(tenant.id)
    if found.seat_item is None or found.quantity == wanted:
        return False
    stripe_gateway.set_quantity(found, wanted, key=f"seats-{ids.new_ulid()}")
    return True


def _events(before: Account, after: Account, now: int) -> list[NewEvent]:
    old, new = _shown(before), _shown(after)
    previous = {name: value for name, value in old.items() if new[name] != value and name != "updated_at"}
    shown = {"id": after.tenant_id, **new}
    events = [NewEvent("subscription.updated", shown, SYSTEM, previous)] if previous else []
    ending = after.trial_end if after.subscription_id else after.trial_until
    if after.status == "trialing" and ending and 0 < ending - now <= WARN_MS and _warning(after) not in after.told:
        events.append(NewEvent("subscription.trial_ending", shown, SYSTEM))
    return events


def _warning(account: Account) -> str:
    return f"trial_ending#{account.subscription_id or '-'}"


def _shown(account: Account) -> dict[str, Any]:
    return SubscriptionOut.of(account).model_dump(mode="json")
