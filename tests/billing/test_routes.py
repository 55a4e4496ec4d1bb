"""`/v1/billing`: who may, what happens, and what is refused. Who may what is asked of every route in tests/matrix."""

from dataclasses import replace
from typing import Any
from unittest import mock

import pytest

from chalicelib.billing import plans, store, stripe_gateway
from chalicelib.core.table import run
from local.stripe_double.errors import Refused
from tests.support.client import Answer
from tests.support.faults import At, Crash, crash, injected
from tests.support.files import FILES
from tests.support.queues import drain
from tests.support.stripe import FAILING_CARD, URLS, Till
from tests.support.tenants import Organisation, anonymous, invite, new_key, new_member, new_tenant, signed_in_again
from tests.support.webhooks import PUBLIC_URL, WEBHOOKS

CHECKOUT = {"plan": "pro", **URLS}
WRITES = [
    ("POST", "checkout", CHECKOUT),
    ("POST", "portal", {"return_url": "https://app.test"}),
    ("PATCH", "subscription", {"plan": "pro"}),
    ("POST", "subscription/cancel", None),
    ("POST", "subscription/resume", None),
]
READS = ["plans", "subscription", "invoices", "usage"]
DAY = 86_400


def subscription(tenant: Organisation) -> Any:
    return tenant.owner.client.get("/v1/billing/subscription").json


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
class TestEveryChange:
    def test_it_needs_a_credential(self, till: Till, method: str, path: str, body: object):
        assert anonymous().send(method, f"/v1/billing/{path}", body).status == 401

    def test_an_admin_may_not(self, tenant: Organisation, method: str, path: str, body: object):
        admin = new_member(tenant, "admin")
        answer = admin.client.send(method, f"/v1/billing/{path}", body)
        assert (answer.status, answer.code) == (403, "insufficient_role")

    def test_a_key_that_may_only_read_may_not(self, tenant: Organisation, method: str, path: str, body: object):
        key = new_key(tenant, scopes=["billing:read"])
        assert key.send(method, f"/v1/billing/{path}", body).code == "insufficient_scope"

    def test_a_test_key_never_bills(self, tenant: Organisation, method: str, path: str, body: object):
        key = new_key(tenant, mode="test")
        assert key.send(method, f"/v1/billing/{path}", body).code == "test_mode"

    def test_a_second_one_has_to_wait_while_the_first_talks_to_stripe(
        self, tenant: Organisation, method: str, path: str, body: object
    ):
        run(store.locking(tenant.id, "somebody", 60))
        answer = tenant.owner.client.send(method, f"/v1/billing/{path}", body)
        assert (answer.status, answer.code) == (409, "billing_busy")

    def test_a_lock_whose_owner_died_runs_out(
        self, till: Till, tenant: Organisation, method: str, path: str, body: object
    ):
        run(store.locking(tenant.id, "somebody", 60))
        till.pass_time(61)
        assert code_or_status(tenant.owner.client.send(method, f"/v1/billing/{path}", body)) != "billing_busy"

    def test_when_stripe_does_not_answer_nothing_stays_locked(
        self, till: Till, tenant: Organisation, method: str, path: str, body: object
    ):
        till.subscribe(tenant, "starter")
        till.transport.failing = True
        answer = tenant.owner.client.send(method, f"/v1/billing/{path}", body)
        assert (answer.status, answer.code) == (503, "unavailable")
        till.transport.failing = False
        assert code_or_status(tenant.owner.client.send(method, f"/v1/billing/{path}", body)) != "billing_busy"


@pytest.mark.parametrize("path", READS)
class TestEveryRead:
    def test_an_admin_may_and_an_agent_may_not(self, tenant: Organisation, path: str):
        assert new_member(tenant, "admin").client.get(f"/v1/billing/{path}").status == 200
        assert new_member(tenant, "agent").client.get(f"/v1/billing/{path}").code == "insufficient_role"

    def test_a_strangers_is_not_there(self, tenant: Organisation, path: str):
        stranger = new_tenant().owner.client.using(X_Tenant_ID=tenant.id)
        assert stranger.get(f"/v1/billing/{path}").status == 404


class TestCheckout:
    def test_whoever_subscribes_has_the_plan_and_keeps_what_is_left_of_the_trial(
        self, till: Till, tenant: Organisation
    ):
        before = subscription(tenant)
        assert (before["plan"], before["status"]) == ("business", "trialing")
        till.subscribe(tenant)
        after = subscription(tenant)
        assert (after["plan"], after["status"], after["seats"]) == ("pro", "trialing", 1)
        assert after["trial_ends_at"] == before["trial_ends_at"]

    def test_after_the_trial_the_first_month_is_paid_at_once(self, till: Till, tenant: Organisation):
        tenant = pass_time(till, tenant, 15 * DAY)
        till.reconcile()
        assert (subscription(tenant)["plan"], subscription(tenant)["status"]) == ("free", "none")
        till.subscribe(tenant, "starter")
        assert (subscription(tenant)["plan"], subscription(tenant)["status"]) == ("starter", "active")
        invoices = tenant.owner.client.get("/v1/billing/invoices").json
        assert [(each["status"], each["total"]) for each in invoices["data"]] == [("paid", 1900)]

    def test_an_earlier_one_that_is_still_open_is_closed(self, till: Till, tenant: Organisation):
        first, second = (tenant.owner.client.post("/v1/billing/checkout", CHECKOUT).json["url"] for _ in range(2))
        with pytest.raises(Refused, match="expired"):
            till.complete(first)
        till.complete(second)
        till.deliver_hooks()
        assert subscription(tenant)["plan"] == "pro"

    def test_one_that_is_completed_in_between_counts(
        self, till: Till, tenant: Organisation, monkeypatch: pytest.MonkeyPatch
    ):
        url = tenant.owner.client.post("/v1/billing/checkout", CHECKOUT).json["url"]
        expire = stripe_gateway._expire

        def too_late(session_id: str) -> None:
            till.complete(url)
            expire(session_id)

        monkeypatch.setattr(stripe_gateway, "_expire", too_late)
        assert tenant.owner.client.post("/v1/billing/checkout", CHECKOUT).code == "already_subscribed"

    def test_who_asks_again_after_somebody_elses_attempt_died_has_the_same_customer(
        self, till: Till, tenant: Organisation
    ):
        other = new_member(tenant, "owner")
        with pytest.raises(Crash), injected(At(0, "before", crash, is_transaction)):
            tenant.owner.client.post("/v1/billing/checkout", CHECKOUT)
        till.pass_time(61)
        assert other.client.post("/v1/billing/checkout", CHECKOUT).status == 200
        (customer,) = till.double.account.ledger.of_kind("customer")
        assert (customer["name"], customer["email"]) == ("Acme", other.email)

    def test_a_repeated_key_gets_the_first_answer(self, till: Till, tenant: Organisation):
        first, again = (
            tenant.owner.client.post("/v1/billing/checkout", CHECKOUT, Idempotency_Key="once") for _ in range(2)
        )
        assert again.json == first.json
        assert again.headers["Idempotency-Replayed"] == "true"
        assert till.transport.calls.count("POST /v1/checkout/sessions") == 1

    def test_there_is_one_customer_however_often_it_is_tried(self, till: Till, tenant: Organisation):
        for _ in range(2):
            assert tenant.owner.client.post("/v1/billing/checkout", CHECKOUT).status == 200
        assert till.transport.calls.count("POST /v1/customers") == 1

    def test_who_has_a_subscription_changes_it_instead_even_if_its_hook_was_lost(
        self, till: Till, tenant: Organisation
    ):
        till.complete(tenant.owner.client.post("/v1/billing/checkout", CHECKOUT).json["url"])
        till.double.hooks.take()
        answer = tenant.owner.client.post("/v1/billing/checkout", CHECKOUT)
        assert (answer.status, answer.code) == (409, "already_subscribed")
        till.work()
        assert subscription(tenant)["plan"] == "pro"

    def test_a_plan_that_is_too_small_is_refused_with_what_to_free(self, till: Till, tenant: Organisation):
        for number in range(5):
            invite(tenant, f"a{number}@people.test")
        answer = tenant.owner.client.post("/v1/billing/checkout", {"plan": "starter", **URLS})
        assert (answer.status, answer.code) == (409, "plan_too_small")
        assert [(each["param"], each["code"]) for each in answer.json["error"]["errors"]] == [("seats", "over_limit")]
        assert "Remove 1 of 6 members" in answer.text

    @pytest.mark.parametrize(
        "url", ["ftp://x.test", "javascript:alert(1)", "nowhere", "https://", "https://a:b@x.test"]
    )
    def test_it_leads_back_to_the_web_only(self, till: Till, tenant: Organisation, url: str):
        answer = tenant.owner.client.post(
            "/v1/billing/checkout", {"plan": "pro", "success_url": url, "cancel_url": url}
        )
        assert (answer.status, answer.params) == (422, {"success_url", "cancel_url"})

    def test_bad_fields_are_all_listed(self, till: Till, tenant: Organisation):
        answer = tenant.owner.client.post("/v1/billing/checkout", {"plan": "gold", "colour": "red"})
        assert (answer.status, answer.params) == (422, {"plan", "success_url", "cancel_url", "colour"})

    def test_the_free_plan_is_not_bought(self, till: Till, tenant: Organisation):
        answer = tenant.owner.client.post("/v1/billing/checkout", {"plan": "free", **URLS})
        assert (answer.status, answer.params) == (422, {"plan"})


class TestChangePlan:
    def test_the_plan_changes_at_once(self, till: Till, tenant: Organisation):
        till.subscribe(tenant, "starter")
        answer = tenant.owner.client.patch("/v1/billing/subscription", {"plan": "business"})
        assert (answer.status, answer.json["plan"]) == (200, "business")
        assert subscription(tenant) == answer.json

    def test_a_smaller_plan_than_is_used_is_refused_and_nothing_changes(self, till: Till, tenant: Organisation):
        till.subscribe(tenant, "pro")
        for number in range(5):
            invite(tenant, f"b{number}@people.test")
        answer = tenant.owner.client.patch("/v1/billing/subscription", {"plan": "starter"})
        assert (answer.status, answer.code, answer.params) == (409, "plan_too_small", {"seats"})
        assert subscription(tenant)["plan"] == "pro"

    def test_everything_to_free_is_listed_and_once_it_is_free_the_plan_is_taken(self, till: Till, tenant: Organisation):
        till.subscribe(tenant, "pro")
        owner = tenant.owner.client
        invited = [invite(tenant, f"f{number}@people.test") for number in range(5)]
        hooks = [owner.post(WEBHOOKS, {"url": PUBLIC_URL, "events": ["*"]}).json["id"] for _ in range(7)]
        file_id = owner.upload(FILES, b"x" * 200).json["id"]
        drain(till.services)
        starter = plans.PLANS["starter"]
        small = replace(starter, limits=replace(starter.limits, storage=100))
        with mock.patch.dict(plans.PLANS, starter=small):
            answer = owner.patch("/v1/billing/subscription", {"plan": "starter"})
            assert (answer.status, answer.code) == (409, "plan_too_small")
            assert {each["param"]: each["message"] for each in answer.json["error"]["errors"]} == {
                "seats": "Remove 1 of 6 members or invitations. Starter allows 5.",
                "storage": "Delete files of 100 bytes altogether; 200 are stored. Starter allows 100.",
                "webhooks": "Delete 2 of 7 webhook endpoints. Starter allows 5.",
            }
            assert owner.delete(f"{tenant.url}/members/{invited[0]}").status == 204
            assert owner.delete(f"{FILES}/{file_id}").status == 204
            for each in hooks[:2]:
                assert owner.delete(f"{WEBHOOKS}/{each}").status == 204
            drain(till.services)
            assert owner.patch("/v1/billing/subscription", {"plan": "starter"}).json["plan"] == "starter"

    def test_without_a_subscription_there_is_nothing_to_change(self, till: Till, tenant: Organisation):
        answer = tenant.owner.client.patch("/v1/billing/subscription", {"plan": "pro"})
        assert (answer.status, answer.code) == (409, "not_subscribed")

    def test_an_old_version_is_refused(self, till: Till, tenant: Organisation):
        till.subscribe(tenant, "starter")
        tag = tenant.owner.client.get("/v1/billing/subscription").headers["ETag"]
        change = {"plan": "pro"}
        assert tenant.owner.client.patch("/v1/billing/subscription", change, If_Match=tag).status == 200
        assert tenant.owner.client.patch("/v1/billing/subscription", change, If_Match=tag).status == 412


class TestCancelAndResume:
    @pytest.mark.parametrize("action", ["cancel", "resume"])
    def test_an_old_version_is_refused(self, till: Till, tenant: Organisation, action: str):
        till.subscribe(tenant, "starter")
        before = subscription(tenant)
        answer = tenant.owner.client.post(f"/v1/billing/subscription/{action}", If_Match='"999"')
        assert (answer.status, answer.code) == (412, "precondition_failed")
        assert subscription(tenant) == before

    def test_it_ends_with_the_period_and_can_be_taken_back(self, till: Till, tenant: Organisation):
        till.subscribe(tenant, "starter")
        canceled = tenant.owner.client.post("/v1/billing/subscription/cancel").json
        assert canceled["plan"] == "starter"
        assert canceled["cancels_at"] == canceled["current_period_ends_at"]
        resumed = tenant.owner.client.post("/v1/billing/subscription/resume").json
        assert resumed["cancels_at"] is None

    def test_after_the_period_the_free_plan_follows_and_it_is_told(self, till: Till, tenant: Organisation):
        till.subscribe(tenant, "starter")
        tenant.owner.client.post("/v1/billing/subscription/cancel")
        tenant = pass_time(till, tenant, 32 * DAY)
        till.deliver_hooks()
        assert (subscription(tenant)["plan"], subscription(tenant)["status"]) == ("free", "canceled")
        assert "Acme: the subscription has ended" in subjects(till, tenant)

    def test_a_repeated_key_does_it_once(self, till: Till, tenant: Organisation):
        till.subscribe(tenant, "starter")
        first, again = (
            tenant.owner.client.post("/v1/billing/subscription/cancel", Idempotency_Key="c") for _ in range(2)
        )
        assert (again.json, again.headers["Idempotency-Replayed"]) == (first.json, "true")


class TestPortal:
    def test_it_opens_for_whoever_has_never_paid_too(self, till: Till, tenant: Organisation):
        answer = tenant.owner.client.post("/v1/billing/portal", {"return_url": "https://app.test"})
        assert answer.status == 200
        assert answer.json["url"].startswith("http")


class TestUsage:
    def test_it_says_how_much_of_how_much(self, till: Till, tenant: Organisation):
        till.subscribe(tenant, "starter")
        invite(tenant, "c@people.test")
        found = tenant.owner.client.get("/v1/billing/usage").json
        assert found["seats"] == {"used": 2, "limit": 5}
        assert found["webhooks"] == {"used": 0, "limit": 5}
        assert found["conversations"] == {"used": 0, "limit": None, "included": 1000}


class TestDunning:
    def test_a_failed_payment_is_told_and_the_plan_stays_until_stripe_gives_up(self, till: Till, tenant: Organisation):
        till.subscribe(tenant, "starter", FAILING_CARD)
        tenant = pass_time(till, tenant, 15 * DAY)
        till.deliver_hooks()
        assert (subscription(tenant)["plan"], subscription(tenant)["status"]) == ("starter", "past_due")
        assert "Acme: a payment failed" in subjects(till, tenant)
        tenant = pass_time(till, tenant, 60 * DAY)
        till.deliver_hooks()
        assert subscription(tenant)["status"] in {"canceled", "unpaid"}
        assert subscription(tenant)["plan"] == "free"

    def test_three_days_before_the_trial_ends_it_is_told_once(self, till: Till, tenant: Organisation):
        till.pass_time(11 * DAY + 60)
        till.reconcile()
        till.reconcile()
        told = [each for each in subjects(till, tenant) if "trial ends" in each]
        assert len(told) == 1


class TestTwoSubscriptions:
    """Two windows complete a checkout each: as if the first had not been closed when the second was begun."""

    @pytest.fixture
    def twice(self, till: Till, tenant: Organisation) -> Organisation:
        tenant = pass_time(till, tenant, 15 * DAY)
        till.reconcile()
        till.complete_twice(tenant, "starter", "pro")
        return tenant

    def kept(self, till: Till) -> list[str]:
        found = till.double.account.ledger.of_kind("subscription")
        return [each["items"]["data"][0]["price"]["lookup_key"] for each in found if each["status"] == "active"]

    def test_the_later_ends_at_once_and_is_paid_back_and_owners_are_told(self, till: Till, twice: Organisation):
        till.deliver_hooks()
        assert self.kept(till) == ["parley_starter_seat_1"]
        assert (subscription(twice)["plan"], subscription(twice)["status"]) == ("starter", "active")
        refunds = till.double.account.ledger.of_kind("refund")
        assert [(each["amount"], each["reason"]) for each in refunds] == [(4900, "duplicate")]
        told = [each for each in subjects(till, twice) if "second subscription" in each]
        assert told == ["Acme: a second subscription was canceled"]

    def test_with_every_hook_lost_the_next_look_does_it(self, till: Till, twice: Organisation):
        till.double.hooks.take()
        till.pass_time(25 * 3600)
        till.reconcile()
        assert self.kept(till) == ["parley_starter_seat_1"]

    def test_looking_again_changes_nothing(self, till: Till, twice: Organisation):
        for _ in range(2):
            till.deliver_hooks()
            till.pass_time(3700)
            till.reconcile()
        assert self.kept(till) == ["parley_starter_seat_1"]
        assert len(list(till.double.account.ledger.of_kind("refund"))) == 1
        assert len([each for each in subjects(till, twice) if "second subscription" in each]) == 1

    def test_one_that_was_made_in_the_dashboard_is_left_to_the_operator(self, till: Till, tenant: Organisation):
        till.subscribe(tenant, "starter")
        (ours,) = till.double.account.ledger.of_kind("subscription")
        items = [{"price": each["price"]["id"]} for each in ours["items"]["data"]]
        till.pass_time(5)
        made = stripe_gateway.client().subscriptions.create(
            {
                "customer": ours["customer"],
                "items": [{**items[0], "quantity": 1}, *items[1:]],
                "default_payment_method": ours["default_payment_method"],
            }
        )
        till.deliver_hooks()
        account = store.find(tenant.id)
        assert account is not None
        assert account.subscription_id == made.id
        alive = [each["status"] for each in till.double.account.ledger.of_kind("subscription")]
        assert "canceled" not in alive


class TestSeats:
    def test_whoever_joins_is_paid_for_and_whoever_leaves_no_more(self, till: Till, tenant: Organisation):
        till.subscribe(tenant, "starter")
        agent = new_member(tenant, "agent")
        till.work()
        assert subscription(tenant)["seats"] == 2
        tenant.owner.client.delete(f"{tenant.url}/members/{agent.user_id}")
        till.work()
        assert subscription(tenant)["seats"] == 1


class TestWithoutBilling:
    def test_there_is_nothing_to_pay_and_nothing_is_limited(self, services: object):
        tenant = new_tenant()
        assert tenant.owner.client.get("/v1/billing/subscription").code == "billing_off"
        assert anonymous().post("/hooks/stripe", {}).code == "billing_off"


def pass_time(till: Till, tenant: Organisation, seconds: int) -> Organisation:
    """Let time pass, and the owner sign in again."""
    till.pass_time(seconds)
    return signed_in_again(tenant)


def subjects(till: Till, tenant: Organisation) -> list[str]:
    mails = [mail for mail in till.services.mails if mail["Destination"]["ToAddresses"] == [tenant.owner.email]]
    return [mail["Content"]["Simple"]["Subject"]["Data"] for mail in mails]


def is_transaction(_service: str, operation: str) -> bool:
    return operation == "transact_write_items"


def code_or_status(answer: Answer) -> str:
    return answer.code if answer.status >= 400 else str(answer.status)
