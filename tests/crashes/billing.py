"""What is done about money under faults, at Stripe's double: what we hold is then what it has, and nothing is doubled.

Each is a scene with a till; see `tests/support/stripe_audit.py` for what is compared. To add one, put it into BILLING.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import replace
from unittest.mock import patch

import app
from chalicelib.billing import plans, service, store, stripe_gateway
from chalicelib.billing.models import Snapshot
from chalicelib.core import clock
from chalicelib.core.errors import UnavailableError
from local.stripe_double import subscriptions
from local.stripe_double.hooks import signature
from local.stripe_double.ledger import Object
from tests.support.aws import Services
from tests.support.chats import HOST, new_chat, unique
from tests.support.client import Answer
from tests.support.permissions import running
from tests.support.queues import deliver, drain
from tests.support.schedules import tick
from tests.support.stripe import FAILING_CARD, GOOD_CARD, HOOK_SECRET, URLS, Till
from tests.support.tenants import (
    Organisation,
    anonymous,
    invitation_token,
    invite,
    new_tenant,
    new_user,
    signed_in_again,
)
from tests.support.worlds import BrokenError, Scenario

DAY = 86_400
Scene = Callable[[Services], AbstractContextManager[Scenario]]


@contextmanager
def _till(services: Services) -> Iterator[Till]:
    till = Till(services)
    with till.open_plainly():
        yield till


def _after_trial(till: Till) -> Organisation:
    tenant = new_tenant(domain=HOST)
    till.pass_time(15 * DAY)
    till.reconcile()
    return signed_in_again(tenant)


def _subscribed(till: Till, plan: str = "starter", card: str = GOOD_CARD) -> Organisation:
    tenant = _after_trial(till)
    till.subscribe(tenant, plan, card)
    return tenant


def _objects(till: Till, kind: str) -> list[Object]:
    return list(till.double.account.ledger.of_kind(kind))


def _hooked(till: Till, tenant: Organisation, type_: str, check: Callable[[], None], *, mails: int) -> Scenario:
    """A scene in which Stripe sends the newest hook of a type until it is answered 200; the others are lost."""
    hook = [hook for hook in till.double.hooks.take() if json.loads(hook.body)["type"] == type_][-1]
    answered: list[int] = []

    def act() -> Answer | None:
        if 200 in answered:
            return None
        signed = {"Stripe-Signature": signature(HOOK_SECRET, clock.now_s(), hook.body)}
        answer = till.post(replace(hook, headers={**hook.headers, **signed}))
        answered.append(answer.status)
        return answer

    def recall(held: list[int]) -> None:
        answered[:] = held

    def checked() -> None:
        check()
        assert store.STRIPE.get(hook.event, "-", consistent=True), "a hook was answered, and not stored"

    return Scenario(tenant.id, act, checked, mails=mails, till=till, remember=answered.copy, recall=recall)


@contextmanager
def take_hook(services: Services) -> Iterator[Scenario]:
    """Stripe says that somebody has subscribed."""
    with _till(services) as till:
        tenant = _after_trial(till)
        url = tenant.owner.client.post("/v1/billing/checkout", {"plan": "pro", **URLS}).json["url"]
        till.double.hooks.take()
        till.complete(url)

        def check() -> None:
            account = store.find(tenant.id)
            assert account is not None
            assert (account.plan, account.status) == ("pro", "active")

        yield _hooked(till, tenant, "customer.subscription.created", check, mails=0)


@contextmanager
def dunning(services: Services) -> Iterator[Scenario]:
    """Stripe says that a payment has failed: owners get one mail."""
    with _till(services) as till:
        tenant = new_tenant()
        till.subscribe(tenant, "starter", FAILING_CARD)
        till.pass_time(14 * DAY + 7200)
        tenant = signed_in_again(tenant)
        yield _hooked(till, tenant, "invoice.payment_failed", lambda: None, mails=1)


@contextmanager
def two_windows(services: Services) -> Iterator[Scenario]:
    """Two checkouts were completed: one subscription stays, the other is paid back, and one mail tells of it."""
    with _till(services) as till:
        tenant = _after_trial(till)
        till.complete_twice(tenant, "starter", "pro")

        def check() -> None:
            found = {str(each["status"]): each["id"] for each in _objects(till, "subscription")}
            assert found.keys() == {"active", "canceled"}
            assert [each["amount"] for each in _objects(till, "refund")] == [4900]

        yield _hooked(till, tenant, "checkout.session.completed", check, mails=1)


@contextmanager
def begin_checkout(services: Services) -> Iterator[Scenario]:
    """An owner begins a subscription, with an Idempotency-Key; the tenant is nobody at Stripe yet."""
    with _till(services) as till:
        tenant, key, answers = new_tenant(), unique(), list[Answer]()

        def act() -> Answer:
            body = {"plan": "pro", **URLS}
            answers.append(tenant.owner.client.post("/v1/billing/checkout", body, Idempotency_Key=key))
            return answers[-1]

        def recall(held: list[Answer]) -> None:
            answers[:] = held

        def check() -> None:
            still_open = {each["url"] for each in _objects(till, "checkout.session") if each["status"] == "open"}
            assert {answer.json["url"] for answer in answers if answer.status == 200} == still_open

        yield Scenario(tenant.id, act, check, till=till, remember=answers.copy, recall=recall)


@contextmanager
def open_portal(services: Services) -> Iterator[Scenario]:
    """An owner opens the portal; the tenant is nobody at Stripe yet."""
    with _till(services) as till:
        tenant, key = new_tenant(), unique()
        body = {"return_url": "https://app.test"}

        def act() -> Answer:
            return tenant.owner.client.post("/v1/billing/portal", body, Idempotency_Key=key)

        yield Scenario(tenant.id, act, till=till)


@contextmanager
def change_plan(services: Services) -> Iterator[Scenario]:
    """An owner takes another plan."""
    with _till(services) as till:
        tenant = _subscribed(till)

        def act() -> Answer:
            return tenant.owner.client.patch("/v1/billing/subscription", {"plan": "business"})

        def check() -> None:
            account = store.find(tenant.id)
            assert account is not None
            assert account.plan == "business"
            prorated = sum(each["amount"] for each in _objects(till, "invoiceitem"))
            assert 7900 <= prorated <= 8000, "what the larger plan costs more until the period ends, once"

        yield Scenario(tenant.id, act, check, till=till)


@contextmanager
def cancel(services: Services) -> Iterator[Scenario]:
    """An owner cancels, with an Idempotency-Key."""
    with _till(services) as till:
        tenant, key = _subscribed(till), unique()

        def act() -> Answer:
            return tenant.owner.client.post("/v1/billing/subscription/cancel", Idempotency_Key=key)

        def check() -> None:
            account = store.find(tenant.id)
            assert account is not None
            assert account.cancel_at == account.period_end

        yield Scenario(tenant.id, act, check, till=till)


@contextmanager
def report_usage(services: Services) -> Iterator[Scenario]:
    """The clock has an account looked at that has used more than its plan includes: it is reported, each once."""
    small = replace(plans.PLANS["starter"], conversations=1)
    with ExitStack() as standing_by:
        standing_by.enter_context(patch.dict(plans.PLANS, starter=small))
        till = standing_by.enter_context(_till(services))
        tenant = _subscribed(till)
        chat = new_chat(tenant)
        for _ in range(3):
            chat.begin()
        drain(services)
        till.pass_time(60)

        def check() -> None:
            assert [each["_value"] for each in _objects(till, "billing.meter_event")] == [2]
            account = store.find(tenant.id)
            assert account is not None
            assert [*account.reported.values()] == [2]

        yield Scenario(tenant.id, lambda: service.ask_to_look(tenant.id), check, till=till)


@contextmanager
def reconcile(services: Services) -> Iterator[Scenario]:
    """Every hook was lost, of a change of plan and a cancellation: the hourly look finds out."""
    with _till(services) as till:
        tenant = _subscribed(till)
        account = store.find(tenant.id)
        assert account is not None
        found = stripe_gateway.latest(account.customer_id or "")
        assert found is not None
        stripe_gateway.change_plan(found, "business", key=unique())
        stripe_gateway.cancel_at_period_end(found, cancel=True, key=unique())
        till.double.hooks.take()
        till.pass_time(3700)

        def check() -> None:
            account = store.find(tenant.id)
            assert account is not None
            assert (account.plan, account.cancel_at) == ("business", account.period_end)

        yield Scenario(tenant.id, lambda: tick(app.look_at_due_accounts), check, till=till)


@contextmanager
def overtaken(services: Services) -> Iterator[Scenario]:
    """While one function looks at Stripe, a cancellation is taken back there, and another function is faster."""
    with _till(services) as till:
        tenant, latest = _subscribed(till), stripe_gateway.latest
        (subscription,) = _objects(till, "subscription")

        def cancel_there(*, cancel: bool) -> None:
            wanted = {"cancel_at_period_end": cancel}
            till.act(lambda account: subscriptions.update_subscription(account, wanted, subscription["id"]))

        def act() -> None:
            done = list[bool]()

            def overtaking(customer_id: str) -> Snapshot | None:
                found = latest(customer_id)
                if not done:
                    done.append(False)
                    with running(""):
                        cancel_there(cancel=False)
                        done[0] = deliver(app.look_at_accounts, [tenant.id]) == []
                return found

            cancel_there(cancel=True)
            with patch.object(stripe_gateway, "latest", overtaking):
                done.append(deliver(app.look_at_accounts, [tenant.id]) == [])
            account = None
            with suppress(UnavailableError):  # this read is under the fault too
                account = store.find(tenant.id)
            if all(done) and account and account.cancel_at:
                raise BrokenError("what was read first was written last")

        yield Scenario(tenant.id, act, till=till)


@contextmanager
def pay_for_members(services: Services) -> Iterator[Scenario]:
    """Somebody joins, and is paid for."""
    with _till(services) as till:
        tenant, someone = _subscribed(till), new_user()
        token = invitation_token(tenant, invite(tenant, someone.email))
        till.work()

        def act() -> Answer:
            return anonymous().post("/v1/auth/accept-invite", {"token": token})

        def check() -> None:
            account = store.find(tenant.id)
            assert account is not None
            assert account.quantity == 2

        yield Scenario(tenant.id, act, check, frozenset({200, 409}), till=till)


BILLING: tuple[Scene, ...] = (
    *(take_hook, dunning, two_windows, begin_checkout, open_portal),
    *(change_plan, cancel, report_usage, reconcile, overtaken, pay_for_members),
)
