"""Stripe for tests: the local stack's double behind the official library, in this process, with a clock to move."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import stripe

import app
from chalicelib.billing import store, stripe_gateway, stripe_secret
from chalicelib.billing.offering import offer_plans
from chalicelib.billing.sync import new_account
from chalicelib.core import clock
from chalicelib.core.config import settings
from chalicelib.core.items import Item
from chalicelib.core.table import run, tenant_rows
from local.stripe_double import checkout
from local.stripe_double.cycles import Cycles
from local.stripe_double.double import StripeDouble
from local.stripe_double.hooks import Hook, listen
from tests.support.aws import Services
from tests.support.client import Answer
from tests.support.queues import deliver, drain, take
from tests.support.schedules import tick
from tests.support.settings import changed
from tests.support.stripe_client import PlainClient
from tests.support.tenants import Organisation, anonymous

GOOD_CARD, FAILING_CARD = "4242424242424242", "4000000000000341"  # the other is taken, and then never pays
HOOK_SECRET = "whsec_test"
STRIPE_SECRET = "parley-test-stripe"
URLS = {"success_url": "https://app.test/done", "cancel_url": "https://app.test/billing"}


class InProcess(stripe.HTTPClient):
    """Hands the library's requests to the double, and notes them; `fail` makes it answer nothing."""

    name = "in-process"

    def __init__(self, double: StripeDouble) -> None:
        super().__init__()
        self.double = double
        self.calls: list[str] = []
        self.failing = False

    def request(self, method: str, url: str, headers: Any, post_data: Any = None, **_more: Any) -> Any:
        parts = urlsplit(url)
        self.calls.append(f"{method.upper()} {parts.path}")
        if self.failing:
            raise stripe.APIConnectionError("no answer")
        reply = self.double.api(method.upper(), parts.path, post_data or parts.query, headers)
        return reply.body.decode(), reply.status, reply.headers

    def request_with_retries(
        self, method: str, url: str, headers: Any, post_data: Any = None, max_network_retries: Any = None, **_more: Any
    ) -> Any:
        return self.request(method, url, headers, post_data)

    def close(self) -> None:
        pass


class Till:
    """The double, and the app's side of it: hooks, the billing function and the schedule."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.moved_s = 0
        self.double = StripeDouble(wall=clock.now_s)
        self.transport = InProcess(self.double)
        listen(self.double.account, "https://api.test/hooks/stripe", HOOK_SECRET)
        with self.open():
            offer_plans()

    @contextmanager
    def open(self) -> Iterator[None]:
        """Let tenants pay inside the block, at the till's time."""
        keys = json.dumps({"api_key": "sk_test_parley", "webhook_secrets": [HOOK_SECRET]})
        self.services.secrets[STRIPE_SECRET] = keys
        before, read = stripe_gateway.transport, clock._read
        stripe_gateway.transport, stripe_secret._cached = self.transport, None
        stripe_gateway.forget()
        try:
            with (
                changed(BILLING="stripe", STRIPE_SECRET=STRIPE_SECRET),
                clock.reading(lambda: read() + self.moved_s * 1000),
            ):
                yield
        finally:
            stripe_gateway.transport, stripe_secret._cached = before, None
            stripe_gateway.forget()

    @contextmanager
    def open_plainly(self) -> Iterator[None]:
        """The same through a client that costs a tenth, and whose calls faults can be put around."""
        client = PlainClient(self.double)
        with self.open(), patch.object(stripe_gateway, "client", lambda: client):
            yield

    def state(self) -> tuple[Any, ...]:
        """Return what Stripe has, to be put back later."""
        account = self.double.account
        objects, kinds = account.ledger._objects, account.ledger._kinds
        return dict(objects), {kind: dict(ids) for kind, ids in kinds.items()}, account._random.getstate()

    def put_back(self, state: tuple[Any, ...]) -> None:
        """Let Stripe have what it had."""
        account = self.double.account
        objects, kinds, chance = state
        account.ledger._objects = dict(objects)
        account.ledger._kinds = {kind: dict(ids) for kind, ids in kinds.items()}
        account._random.setstate(chance)
        self.double._cycles = Cycles(account)

    def pass_time(self, seconds: int) -> None:
        """Let time pass at Stripe and here alike."""
        self.moved_s += seconds
        self.double.run_due()

    def post(self, hook: Hook) -> Answer:
        """Send a hook as Stripe does."""
        return anonymous().send("POST", "/hooks/stripe", hook.body, {**hook.headers})

    def deliver_hooks(self) -> None:
        """Send what Stripe has to send, once and in order, and let the billing function do its work."""
        for hook in self.double.hooks.take():
            assert self.post(hook).status == 200
        self.work()

    def work(self) -> None:
        """Let the queues run empty."""
        for _ in range(20):
            drain(self.services)
            waiting = dict.fromkeys(take(self.services, settings().billing_queue_url))
            if not waiting:
                return
            if ours := [named for named in waiting if self._knows(named)]:
                assert deliver(app.look_at_accounts, ours) == []
        raise AssertionError("the billing queue never ran empty")

    def _knows(self, named: str) -> bool:
        """Tell whether somebody is of this till: the table is shared with other tests, and theirs are due as well."""
        account = store.find(named) if named.startswith("tn_") else None
        customer_id = account.customer_id if account else named
        return customer_id is None or self.double.account.find("customer", customer_id) is not None

    def reconcile(self) -> None:
        """Look at every account that is due, as the schedule does."""
        tick(app.look_at_due_accounts)
        self.work()

    def act(self, work: Any) -> Any:
        """Do what a person does at Stripe."""
        return self.double.act(work)

    def subscribe(self, tenant: Organisation, plan: str = "pro", card: str = GOOD_CARD) -> None:
        """Choose a plan, pay, and come back."""
        answer = tenant.owner.client.post("/v1/billing/checkout", {"plan": plan, **URLS})
        assert answer.status == 200, answer.text
        self.complete(answer.json["url"], card)
        self.deliver_hooks()

    def complete_twice(self, tenant: Organisation, *plans: str) -> None:
        """Go through several checkouts, as if none had been closed when the next was begun."""
        with patch.object(stripe_gateway, "expire_checkouts", lambda _customer_id: None):
            answers = [tenant.owner.client.post("/v1/billing/checkout", {"plan": plan, **URLS}) for plan in plans]
        for answer in answers:
            self.complete(answer.json["url"])
            self.moved_s += 5  # so that there is a later one

    def complete(self, url: str, card: str = GOOD_CARD) -> None:
        """Go through a checkout's page."""
        session_id = urlsplit(url).path.rpartition("/")[2]
        self.act(lambda account: checkout.complete(account, session_id, number=card))


def till_with_account(services: Services, tenant: Organisation, plan: str = "") -> Till:
    """Return a till of its own where a tenant, whatever it had before, has a customer, and a plan if one is named."""
    till = Till(services)
    rows = tenant_rows(tenant.id)
    with till.open():
        for sk in ("state", "lock"):
            run(rows.deleting("billing", sk))
        run(store.creating(new_account(tenant.id, clock.now_ms()), None))
        assert tenant.owner.client.post("/v1/billing/portal", {"return_url": "https://app.test"}).status == 200
        if plan:
            till.subscribe(tenant, plan)
    return till


def without_tickets(applying: Callable[..., Any]) -> Callable[..., Any]:
    """Return the planted design: what was fetched is applied, whoever has fetched since."""

    def apply(before: Any, after: Any, due: int | None) -> Any:
        write = applying(before, after, due)
        write.params.pop("ConditionExpression")
        values: Item = write.params["ExpressionAttributeValues"]
        used = write.params["UpdateExpression"]
        for place in [place for place in values if place not in used.replace(",", " ").split()]:
            del values[place]
        names: Item = write.params["ExpressionAttributeNames"]
        for place in [place for place in names if place not in used.replace(",", " ").split()]:
            del names[place]
        return write

    return apply
