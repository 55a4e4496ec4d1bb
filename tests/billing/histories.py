"""Made-up histories of a tenant's subscription, and what must be known of it at their end.

A history is a list of steps: what an owner does here, in the portal and at checkout, what an operator does in the
Dashboard, what time does; and between those, hooks that come late, twice, in any order, with an old signature, or
never, and looks of the billing function that others come between. What Stripe has is read from the double's own ledger.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any
from unittest.mock import patch

import stripe
from hypothesis import strategies as st

import app
from chalicelib.billing import hooks, metering, service, store, stripe_gateway, warnings
from chalicelib.billing.models import Account, Snapshot
from chalicelib.billing.plans import PAID, PLANS
from chalicelib.core import clock, ids
from chalicelib.core.config import settings
from chalicelib.core.errors import ApiError
from chalicelib.core.table import Key
from chalicelib.tenants import service as tenants
from local.stripe_double import checkout
from local.stripe_double.errors import Refused
from local.stripe_double.hooks import Hook, signature
from local.stripe_double.ledger import Object
from tests.support.aws import Services
from tests.support.faults import injected
from tests.support.ledger import Ledger
from tests.support.permissions import running
from tests.support.queues import deliver, take
from tests.support.schedules import tick
from tests.support.stripe import FAILING_CARD, GOOD_CARD, HOOK_SECRET, URLS, Till
from tests.support.stripe_audit import LIVE, counting, truth
from tests.support.tenants import Organisation, new_tenant

Step = tuple[Any, ...]
BEGUN_MS = 1_767_225_600_000  # 2026-01-01
HOUR, DAY = 3600, 86_400
STALE_S = 600
# One change brings about ten, which all say the same; these are enough, and each costs a write.
HOOKS = [*(f"customer.subscription.{what}" for what in ("created", "updated", "deleted")), "invoice.payment_failed"]
ROUNDS = 20

_plans = st.sampled_from(PAID)
_changes = st.one_of(
    st.tuples(st.just("subscribe"), _plans, st.sampled_from([GOOD_CARD, GOOD_CARD, FAILING_CARD])),
    st.tuples(st.just("change_plan_here"), _plans),
    st.tuples(st.just("change_plan_there"), _plans),
    st.tuples(st.just("buy_seats"), st.integers(2, 4)),
    st.tuples(st.sampled_from(["cancel", "resume", "cancel_now", "pay"])),
    st.tuples(st.just("use_card"), st.sampled_from(["pm_card_visa", "pm_card_chargeCustomerFail"])),
    st.tuples(st.just("pass_time"), st.sampled_from([60, HOUR, DAY, 3 * DAY, 12 * DAY, 31 * DAY])),
)
_fates = st.sampled_from(["arrives", "arrives", "arrives twice", "is stale", "is lost"])
_some_hooks = st.tuples(st.just("send"), st.lists(st.tuples(st.integers(0, 20), _fates), min_size=1, max_size=6))
_all_hooks = st.just(("send_all",))
_look: st.SearchStrategy[Step] = st.just(("look", []))
# Between what one function reads at Stripe and what it writes, something changes, and another function is faster.
_overtaken = st.tuples(st.just("look"), st.tuples(_changes, _all_hooks, _look).map(list))
# The same, and what it read is undone by then: so the other finds what was known already, and writes no event.
_undone: st.SearchStrategy[Step] = st.just(
    ("in_turn", [("cancel",), ("look", [("resume",), ("send_all",), ("look", [])])])
)
# A card that does not pay, at the end of what is paid for.
_unpaid: st.SearchStrategy[Step] = st.just(
    ("in_turn", [("use_card", "pm_card_chargeCustomerFail"), ("pass_time", 31 * DAY), ("pass_time", 2 * HOUR)])
)
_begun = st.tuples(st.just("subscribe"), _plans, st.sampled_from([GOOD_CARD, GOOD_CARD, FAILING_CARD]))
# Most begin once the trial without a card is over, and pay at once.
FIRST = st.tuples(st.sampled_from([0, 13 * DAY, 15 * DAY]).map(lambda seconds: ("pass_time", seconds)), _begun).map(
    list
)
STEPS = st.lists(st.one_of(_changes, _unpaid, _some_hooks, _look, _overtaken, _undone), min_size=1, max_size=5)
HISTORIES = st.tuples(FIRST, STEPS).map(lambda drawn: [*drawn[0], *drawn[1]])
CHANGES = st.tuples(FIRST, st.lists(st.one_of(_changes, _unpaid), max_size=5)).map(lambda drawn: [*drawn[0], *drawn[1]])


class World:
    """A tenant with a customer at Stripe and nothing else; every history begins there."""

    def __init__(self, till: Till, tenant: Organisation, account: Account, ledger: Ledger) -> None:
        self.till, self.tenant, self.ledger = till, tenant, ledger
        self.customer_id, self.trial_until = account.customer_id or "", account.trial_until
        self.client = stripe_gateway.client()
        self.waiting: list[Hook] = []
        self.lost = False  # whether a hook was, since when only a reconcile helps
        self.between: list[Step] = []  # what happens once the next look has read
        self._rows = ledger.raw()
        self._stripe = till.state()

    @staticmethod
    @contextmanager
    def of(services: Services) -> Iterator["World"]:
        """Set the scene, at a time that stands still but for `pass_time`."""
        with ExitStack() as standing_by:
            standing_by.enter_context(clock.reading(lambda: BEGUN_MS))
            till, ledger = Till(services), Ledger()
            standing_by.enter_context(till.open_plainly())
            standing_by.enter_context(injected(ledger))
            with till.double.account.transaction():
                (endpoint,) = till.double.account.ledger.of_kind("webhook_endpoint")
                till.double.account.working(endpoint["id"])["enabled_events"] = HOOKS
            tenant = new_tenant()
            opened = tenant.owner.client.post("/v1/billing/portal", {"return_url": "https://app.test"})
            assert opened.status == 200, opened.text
            till.deliver_hooks()
            account = store.find(tenant.id)
            assert account is not None
            world = World(till, tenant, account, ledger)
            standing_by.enter_context(patch.object(stripe_gateway, "latest", world._latest(stripe_gateway.latest)))
            standing_by.enter_context(patch.object(store, "pending_keys", world._pending_keys))
            # No history opens a conversation, and asking for how many there are is half of a look's calls.
            standing_by.enter_context(patch.object(metering, "report_usage", lambda _tenant_id: None))
            standing_by.enter_context(patch.object(warnings, "warn_of_limits", lambda _tenant_id: None))
            yield world

    def run(self, history: Sequence[Step]) -> None:
        """Go through a history, let what is on its way arrive, compare; lose all else, reconcile, compare again."""
        self._put_back()
        for step in history:
            self.do(step)
        self._arrive()
        if self.lost:
            self._reconcile()
        self._compare(time_too=self.lost)

    def run_without_hooks(self, history: Sequence[Step]) -> None:
        """Go through a history of which we are told nothing; compare after one reconcile."""
        self._put_back()
        for step in history:
            self.do(step)
        self._reconcile()
        self._compare(time_too=True)

    def do(self, step: Step) -> None:
        """Take one step; what Stripe or we refuse at this point of the history does not happen."""
        name, *arguments = step
        with suppress(stripe.StripeError, Refused, ApiError):
            getattr(self, f"_{name}")(*arguments)
        self.waiting += self.till.double.hooks.take()

    def _put_back(self) -> None:
        self.ledger.put_back(self._rows)
        self.ledger.keys = dict.fromkeys(self._rows)
        self.till.moved_s, self.lost = 0, False
        self.till.services.queues.clear()
        self.till.services.calls.clear()
        self.waiting.clear()
        self.between.clear()
        self.till.put_back(self._stripe)

    def _in_turn(self, steps: Sequence[Step]) -> None:
        for step in steps:
            self.do(step)

    # What people and time do.

    def _subscribe(self, plan: Any, card: str) -> None:
        if not self._subscription() or self._truth()["status"] not in LIVE:
            self.till.moved_s += 1  # so that there is a newest
            ahead = self.trial_until > clock.now_ms() + service.TRIAL_MARGIN_MS
            url = stripe_gateway.start_checkout(
                self.tenant.id,
                self.customer_id,
                plan,
                quantity=1,
                trial_end=self.trial_until if ahead and not self._subscription() else None,
                key=ids.new_ulid(),
                **URLS,
            )
            session_id = url.rpartition("/")[2]
            self.till.act(lambda account: checkout.complete(account, session_id, number=card))

    def _change_plan_here(self, plan: Any) -> None:
        service.change_plan(self.tenant.id, plan)

    def _change_plan_there(self, plan: str) -> None:
        items = self._chosen()["items"]["data"]
        prices = self.till.double.account.ledger.of_kind("price")
        price = next(each for each in prices if each["lookup_key"] == PLANS[plan].seat_key)  # type: ignore[index]
        seat = next(each for each in items if each["price"]["recurring"]["usage_type"] == "licensed")
        self._update({"items": [{"id": seat["id"], "price": price["id"], "quantity": seat["quantity"]}]})

    def _buy_seats(self, quantity: int) -> None:
        items = self._chosen()["items"]["data"]
        seat = next(each for each in items if each["price"]["recurring"]["usage_type"] == "licensed")
        self._update({"items": [{"id": seat["id"], "quantity": quantity}]})

    def _cancel(self) -> None:
        self._update({"cancel_at_period_end": True})

    def _resume(self) -> None:
        self._update({"cancel_at_period_end": False})

    def _cancel_now(self) -> None:
        self.client.subscriptions.cancel(self._chosen()["id"])

    def _use_card(self, token: str) -> None:
        card = self.client.payment_methods.attach(token, {"customer": self.customer_id})
        self._update({"default_payment_method": card.id})

    def _pay(self) -> None:
        for invoice in self.client.invoices.list({"customer": self.customer_id, "status": "open"}):
            self.client.invoices.pay(invoice.id)

    def _pass_time(self, seconds: int) -> None:
        self.till.pass_time(seconds)

    def _update(self, wanted: dict[str, Any]) -> None:
        self.client.subscriptions.update(self._chosen()["id"], wanted)

    # What becomes of hooks and of those who look.

    def _send(self, fates: Sequence[tuple[int, str]]) -> None:
        for place, fate in fates:
            if not self.waiting:
                return
            hook = self.waiting[place % len(self.waiting)]
            if fate == "is stale":  # refused, and sent again some time
                self._refuse(hook)
                continue
            self.waiting.remove(hook)
            self.lost |= fate == "is lost"
            for _ in range({"arrives": 1, "arrives twice": 2}.get(fate, 0)):
                self._take(hook)

    def _send_all(self) -> None:
        self.waiting += self.till.double.hooks.take()
        while self.waiting:
            self._take(self.waiting.pop())

    def _look(self, between: Sequence[Step]) -> None:
        self.between[:] = between
        named = [*dict.fromkeys(take(self.till.services, settings().billing_queue_url))] or [self.customer_id]
        assert deliver(app.look_at_accounts, named) == []

    @staticmethod
    def _take(hook: Hook) -> None:
        hooks.take_hook(signature(HOOK_SECRET, clock.now_s(), hook.body), hook.body)

    @staticmethod
    def _refuse(hook: Hook) -> None:
        try:
            hooks.take_hook(signature(HOOK_SECRET, clock.now_s() - STALE_S, hook.body), hook.body)
        except hooks.SignatureError:
            return
        raise AssertionError("a stale hook was taken")

    def _arrive(self) -> None:
        queue = settings().billing_queue_url
        for _ in range(ROUNDS):
            self._send_all()
            if not self.till.services.queues.get(queue):
                return
            self._look([])
        raise AssertionError("looking never ends")

    def _reconcile(self) -> None:
        self._pass_time(DAY + HOUR)
        take(self.till.services, settings().billing_queue_url)
        tick(app.look_at_due_accounts)
        named = take(self.till.services, settings().billing_queue_url)
        assert named == [self.tenant.id], "nobody looks at it within a day"
        assert deliver(app.look_at_accounts, named) == []

    def _latest(self, read: Any) -> Any:
        def latest(customer_id: str) -> Snapshot | None:
            found: Snapshot | None = read(customer_id)
            steps, self.between = self.between, []
            with running(""):  # other functions, and people
                for step in steps:
                    self.do(step)
            return found

        return latest

    def _pending_keys(self, partition: str, before: str, _limit: int) -> list[Key]:
        """Answer the schedule, which asks 16 partitions, from the one row there is."""
        key = Key(f"{self.tenant.id}#{store.PK}", "state")
        row = self.ledger.rows().get(key, {}) if partition == f"{store.DUE_PARTITION}0" else {}
        return [key] if row.get("p_pk") and row["p_sk"] <= before else []

    # What is true, and what is known.

    def _subscription(self) -> Object:
        return counting(self.till.double.account.ledger)

    def _chosen(self) -> Object:
        if not (found := self._subscription()):
            raise Refused("There is nothing to change.")
        return found

    def _truth(self) -> dict[str, Any]:
        return truth(self._subscription())

    def _compare(self, *, time_too: bool = False) -> None:
        account, tenant = store.find(self.tenant.id), tenants.get_tenant(self.tenant.id)
        assert account is not None
        truth = self._truth()
        known: dict[str, Any] = {"subscription": account.subscription_id}
        if truth["subscription"]:
            names = ("status", "plan", "quantity", "period_end", "trial_end", "cancel_at")
            known |= {name: getattr(account, name) for name in names}
        elif time_too:
            trial = clock.now_ms() < account.trial_until
            truth |= {"status": "trialing" if trial else "none", "plan": "business" if trial else "free"}
            known |= {"status": account.status, "plan": account.plan}
        assert known == truth
        assert tenant.limits == PLANS[account.plan].limits
        if account.live:
            assert account.quantity == tenant.members
