"""What an owner does about the tenant's plan. Every change is made at Stripe; what it has become is then fetched."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from chalicelib.billing import store, stripe_gateway, usage
from chalicelib.billing.models import (
    LIVE,
    Account,
    AlreadySubscribedError,
    BillingBusyError,
    BillingOffError,
    Invoice,
    NotSubscribedError,
    PlanTooSmallError,
    Snapshot,
)
from chalicelib.billing.plans import NEAR_PERCENT, PLANS, PaidPlanName, Plan, PlanName
from chalicelib.billing.schemas import RedirectOut
from chalicelib.billing.sync import HOUR_MS, new_account, sync
from chalicelib.billing.usage import Usage, excess, read_usage
from chalicelib.core import aws, clock, ids
from chalicelib.core.config import settings
from chalicelib.core.errors import InvalidError, NotFoundError, PreconditionFailedError, UnavailableError
from chalicelib.core.http import Page, PageQuery, Principal
from chalicelib.core.http.pages import page_of
from chalicelib.core.log import warning
from chalicelib.core.table import ConditionFailedError, run, transact
from chalicelib.events.models import Event
from chalicelib.tenants import service as tenants
from chalicelib.tenants.models import Tenant
from chalicelib.tenants.service import Started

Result = TypeVar("Result")

LOCK_S = 60  # longer than a function of the API can take
TRIAL_MARGIN_MS = 49 * HOUR_MS  # Stripe takes a trial's end that is more than two days ahead
MAX_INVOICES = 100
_SEATS_CHANGE = {"member.joined", "member.removed"}


def require_billing() -> None:
    """Refuse what is about money where this installation takes none."""
    if not settings().billing:
        raise BillingOffError


def start_tenant(tenant: Tenant, _domain: str | None) -> Started:
    """Begin a new tenant's trial, where tenants pay. Called through `tenants.also_create`."""
    if not settings().billing or not tenant.owners:  # the canary's has none
        return Started([])
    account = new_account(tenant.id, tenant.created_at)
    due = account.trial_until
    return Started([store.creating(account, due)], limits=PLANS[account.plan].limits)


def list_plans(tenant_id: str, query: PageQuery) -> Page[Plan]:
    """List the plans, the smallest first."""
    plans = list(PLANS.values())
    return page_of(plans, query, tenant_id, "plans", lambda plan: f"{plan.seat_cents:09d}", newest_first=False)


def get_account(tenant_id: str) -> Account:
    """Return a tenant's account as it was last seen. One read, and one more for a tenant older than billing here."""
    return store.find(tenant_id) or new_account(tenant_id, tenants.get_tenant(tenant_id).created_at, trial=False)


def get_usage(tenant_id: str) -> tuple[Account, Usage]:
    """Return what a tenant uses of its plan. Five reads."""
    return get_account(tenant_id), read_usage(tenant_id)


def list_invoices(tenant_id: str, query: PageQuery) -> Page[Invoice]:
    """List the newest hundred invoices, newest first. One read and one call to Stripe."""
    account, found = get_account(tenant_id), list[Invoice]()
    if account.customer_id:
        found, _ = stripe_gateway.list_invoices(account.customer_id, MAX_INVOICES)
    return page_of(found, query, tenant_id, "invoices", lambda each: f"{each.created_at:013d}#{each.id}")


def start_checkout(tenant_id: str, actor: Principal, plan: PlanName, success_url: str, cancel_url: str) -> RedirectOut:
    """Return where to subscribe; checkouts begun before are closed.

    Raises AlreadySubscribedError, PlanTooSmallError and BillingBusyError.
    """
    if plan == "free":
        raise InvalidError.field("plan", "This plan costs nothing. To go back to it, cancel the subscription.")
    wanted: PaidPlanName = plan

    def start() -> RedirectOut:
        account = _with_customer(tenant_id, actor)
        customer_id = _customer_of(account)
        stripe_gateway.expire_checkouts(customer_id)  # first: one that is completed meanwhile is seen now
        found = stripe_gateway.latest(customer_id)
        if found and found.status in LIVE:
            ask_to_look(tenant_id)  # we may not know it yet
            raise AlreadySubscribedError
        _require_room(tenant_id, PLANS[wanted])
        keeps_trial = found is None and account.trial_until > clock.now_ms() + TRIAL_MARGIN_MS
        url = stripe_gateway.start_checkout(
            tenant_id,
            customer_id,
            wanted,
            quantity=tenants.count_members(tenant_id),
            success_url=success_url,
            cancel_url=cancel_url,
            trial_end=account.trial_until if keeps_trial else None,
            # Of this attempt alone: a repeated request has just closed the checkout that its first attempt left.
            key=_key("", tenant_id),
        )
        return RedirectOut(url=url)

    return _alone(tenant_id, start)


def start_portal(tenant_id: str, actor: Principal, return_url: str, key: str) -> RedirectOut:
    """Return where invoices, payment method and cancellation are. Raises BillingBusyError."""

    def start() -> RedirectOut:
        customer_id = _customer_of(_with_customer(tenant_id, actor))
        url = stripe_gateway.start_portal(customer_id, return_url, key=_key(key, tenant_id, return_url))
        return RedirectOut(url=url)

    return _alone(tenant_id, start)


def change_plan(tenant_id: str, plan: PaidPlanName, *, expected_version: int | None = None) -> Account:
    """Change a subscription's plan, at once. Raises NotSubscribedError, PlanTooSmallError and BillingBusyError."""

    def change(found: Snapshot) -> None:
        _require_room(tenant_id, PLANS[plan])
        stripe_gateway.change_plan(found, plan, key=_key("", tenant_id, plan))

    return _change(tenant_id, change, expected_version)


def cancel(tenant_id: str, key: str, *, expected_version: int | None = None) -> Account:
    """Let a subscription end with the period that is paid. Raises NotSubscribedError and BillingBusyError."""
    name = _key(key, tenant_id, "cancel")
    return _change(
        tenant_id, lambda found: stripe_gateway.cancel_at_period_end(found, cancel=True, key=name), expected_version
    )


def resume(tenant_id: str, key: str, *, expected_version: int | None = None) -> Account:
    """Take a cancellation back before the period ends. Raises NotSubscribedError and BillingBusyError."""
    name = _key(key, tenant_id, "resume")
    return _change(
        tenant_id, lambda found: stripe_gateway.cancel_at_period_end(found, cancel=False, key=name), expected_version
    )


def on_event(event: Event) -> None:
    """Pay for another number of seats when members come or go. Subscribed in app.py."""
    if event.type in _SEATS_CHANGE and settings().billing:
        ask_to_look(event.tenant_id)


def warn_when_near(tenant_id: str, used: int, allowed: int) -> None:
    """Have a tenant warned when a month's conversations come near what its plan allows, and when they reach it."""
    if used in {-(-allowed * NEAR_PERCENT // 100), allowed}:
        ask_to_look(tenant_id)


def ask_to_look(tenant_id: str) -> None:
    """Have a tenant's account looked at soon. A failure is only delay: it is looked at each hour."""
    try:
        aws.send(settings().billing_queue_url, tenant_id)
    except UnavailableError:
        warning("billing_queue_failed", tenant=tenant_id)


def _change(tenant_id: str, change: Callable[[Snapshot], None], expected_version: int | None) -> Account:
    def act() -> Account:
        account = get_account(tenant_id)
        if expected_version not in {None, account.version}:
            raise PreconditionFailedError
        found = stripe_gateway.latest(account.customer_id) if account.customer_id else None
        if found is None or found.status not in LIVE:
            raise NotSubscribedError
        change(found)
        return sync(tenant_id)

    return _alone(tenant_id, act)


def _alone(tenant_id: str, act: Callable[[], Result]) -> Result:
    """Let one request at a time change a subscription; its answer is kept for a repeated Idempotency-Key."""
    owner = ids.new_ulid()
    try:
        run(store.locking(tenant_id, owner, LOCK_S))
    except ConditionFailedError:
        raise BillingBusyError from None
    with _released_on_failure(tenant_id, owner):
        result = act()
        transact([store.unlocking(tenant_id, owner)], result=result)
    return result


@contextmanager
def _released_on_failure(tenant_id: str, owner: str) -> Iterator[None]:
    try:
        yield
    except Exception:
        with suppress(ConditionFailedError):  # it has run out
            run(store.unlocking(tenant_id, owner))
        raise


def _with_customer(tenant_id: str, actor: Principal) -> Account:
    """Return the account with a customer at Stripe, made now if there is none."""
    account, tenant = store.find(tenant_id), tenants.get_tenant(tenant_id)
    if account is None:
        account = new_account(tenant_id, tenant.created_at, trial=False)
        try:
            run(store.creating(account, None))
        except ConditionFailedError:
            account = get_account(tenant_id)
    if account.customer_id:
        return account
    customer_id = stripe_gateway.create_customer(tenant_id, tenant.name, _email_of(actor))
    with suppress(ConditionFailedError):  # linked by a function that was thought dead, to what Stripe gave us too
        transact(store.linking_customer(account, customer_id, clock.now_ms() + HOUR_MS))
    return get_account(tenant_id)


def _customer_of(account: Account) -> str:
    if account.customer_id is None:
        raise UnavailableError
    return account.customer_id


def _email_of(actor: Principal) -> str | None:
    if actor.kind != "user":
        return None
    try:
        return tenants.get_person(actor.id).email
    except NotFoundError:
        return None


def _require_room(tenant_id: str, plan: Plan) -> None:
    if found := excess(usage.read_usage(tenant_id), plan):
        raise PlanTooSmallError(errors=found)


def _key(given: str, *parts: str) -> str:
    """Return Stripe's Idempotency-Key: of our request's own, or of this one request alone."""
    unique = given or ids.new_ulid()
    return hashlib.sha256("\x00".join((unique, *parts)).encode()).hexdigest()
