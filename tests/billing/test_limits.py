"""What each plan's limits refuse, and what they never do."""

from collections.abc import Iterator
from dataclasses import replace
from unittest import mock

import pytest

from chalicelib.billing import plans
from chalicelib.core import ids
from tests.support.chats import HOST, new_chat, reply
from tests.support.files import FILES
from tests.support.queues import drain
from tests.support.settings import changed
from tests.support.stripe import Till
from tests.support.tenants import Organisation, invitation_token, invite, new_tenant, new_user, signed_in_again
from tests.support.webhooks import PUBLIC_URL, WEBHOOKS

DAY = 86_400
WEBHOOK = {"url": PUBLIC_URL, "events": ["*"]}


@pytest.fixture(autouse=True)
def _small() -> Iterator[None]:
    limits = replace(plans.FREE.limits, conversations=2, storage=100)
    with mock.patch.dict(plans.PLANS, free=replace(plans.FREE, limits=limits)):
        yield


@pytest.fixture
def free(till: Till) -> Organisation:
    """A tenant whose trial is over."""
    tenant = new_tenant(domain=HOST)
    till.pass_time(15 * DAY)
    till.reconcile()
    return signed_in_again(tenant)


class TestSeats:
    def test_the_one_too_many_is_not_invited(self, free: Organisation):
        invite(free, "a@people.test")
        answer = free.owner.client.post(f"{free.url}/members", {"email": "b@people.test", "role": "viewer"})
        assert (answer.status, answer.code) == (402, "plan_limit_reached")
        assert answer.json["error"]["type"] == "payment_error"
        assert "2 seats" in answer.text
        assert "/v1/billing/checkout" in answer.text

    def test_whoever_was_invited_before_the_plan_became_smaller_waits(self, till: Till):
        tenant = new_tenant()
        till.pass_time(14 * DAY - 3600)
        tenant = signed_in_again(tenant)
        guests = [new_user() for _ in range(3)]
        tokens = [invitation_token(tenant, invite(tenant, guest.email)) for guest in guests]
        till.pass_time(3601)
        till.reconcile()
        answer = guests[0].client.post("/v1/auth/accept-invite", {"token": tokens[0]})
        assert (answer.status, answer.code) == (402, "plan_limit_reached")

    def test_a_larger_plan_makes_room_at_once(self, till: Till, free: Organisation):
        till.subscribe(free, "starter")
        for number in range(4):
            invite(free, f"c{number}@people.test")


class TestWebhooks:
    def test_the_one_too_many_is_not_made(self, free: Organisation):
        assert free.owner.client.post(WEBHOOKS, WEBHOOK).status == 201
        answer = free.owner.client.post(WEBHOOKS, WEBHOOK)
        assert (answer.status, answer.code) == (402, "plan_limit_reached")


class TestStorage:
    def test_an_upload_beyond_it_is_refused_and_a_visitors_is_taken(self, till: Till, free: Organisation):
        chat = new_chat(free)
        assert free.owner.client.upload(FILES, b"x" * 90).status == 201
        drain(till.services)
        assert free.owner.client.upload(FILES, b"x" * 20).code == "plan_limit_reached"
        start = {"name": "a.txt", "content_type": "text/plain", "size": 20}
        assert free.owner.client.post(f"{FILES}/uploads", start).status == 402
        assert chat.client.upload("/widget/v1/files", b"y" * 20).status == 201


class TestConversations:
    def test_visitors_are_let_through_and_agents_wait_for_the_next_month(self, till: Till, free: Organisation):
        chat = new_chat(free)
        begun = [chat.begin() for _ in range(3)]
        reply(free.owner.client, begun[1], "here you are")
        held = f"/v1/conversations/{begun[2]}"
        assert free.owner.client.get(held).status == 200
        answer = free.owner.client.post(f"{held}/messages", {"content": "hello"})
        assert (answer.status, answer.code) == (402, "plan_limit_reached")
        assert free.owner.client.post(f"{held}/messages", {"content": "note", "private": True}).status == 201
        assert chat.client.post(f"/widget/v1{held[3:]}/messages", {"content": "anybody?"}).status == 201
        till.pass_time(31 * DAY)
        again = signed_in_again(free)
        assert again.owner.client.post(f"{held}/messages", {"content": "sorry"}).status == 201

    def test_what_a_visitor_is_refused_uses_nothing_up(self, free: Organisation):
        chat, file_id = new_chat(free), ids.new("fil")
        for _ in range(3):
            body = {"message": {"content": "Hi", "attachments": [file_id]}}
            assert chat.client.post("/widget/v1/conversations", body).status == 422
        with changed(VISITOR_BURST="1", VISITOR_RATE="0.001"):
            first = chat.begin()
            for _ in range(3):
                assert chat.client.post("/widget/v1/conversations", {"message": {"content": "Hi"}}).status == 429
        second = new_chat(free).begin()
        assert [reply(free.owner.client, each).status for each in (first, second)] == [201, 201]

    def test_an_agent_opens_no_more_than_the_plan_allows(self, free: Organisation):
        chat = new_chat(free)
        new = {"visitor_id": chat.visitor_id}
        answers = [free.owner.client.post("/v1/conversations", new).status for _ in range(3)]
        assert answers == [201, 201, 402]

    def test_a_larger_plan_frees_what_was_held(self, till: Till, free: Organisation):
        chat = new_chat(free)
        begun = [chat.begin() for _ in range(3)]
        till.subscribe(free, "starter")
        reply(free.owner.client, begun[2], "here you are")

    def test_owners_hear_of_it_once(self, till: Till, free: Organisation):
        chat = new_chat(free)
        for _ in range(4):
            chat.begin()
            till.work()
        till.work()
        mails = [mail for mail in till.services.mails if mail["Destination"]["ToAddresses"] == [free.owner.email]]
        subjects = [mail["Content"]["Simple"]["Subject"]["Data"] for mail in mails]
        assert [each for each in subjects if "used up" in each] == ["Acme: this month's conversations are used up"]


class TestRequests:
    def test_a_plans_share_of_the_limit_is_what_counts(self, till: Till, free: Organisation):
        with changed(TENANT_REQUESTS="1000"):
            answer = free.owner.client.get("/v1/contacts")
        assert '"tenant";q=100;' in answer.headers["RateLimit-Policy"]


class TestMetering:
    @pytest.fixture(autouse=True)
    def _metered(self) -> Iterator[None]:
        with mock.patch.dict(plans.PLANS, starter=replace(plans.PLANS["starter"], conversations=1)):
            yield

    def reported(self, till: Till) -> list[int]:
        events = till.double.account.ledger.of_kind("billing.meter_event")
        return sorted(int(each["payload"]["value"]) for each in events)

    def test_each_conversation_beyond_those_included_is_reported_once(self, till: Till, free: Organisation):
        till.subscribe(free, "starter")
        chat = new_chat(free)
        for _ in range(3):
            chat.begin()
        drain(till.services)
        till.pass_time(3700)
        for _ in range(3):
            till.reconcile()
        assert self.reported(till) == [2]
        chat.begin()
        drain(till.services)
        till.pass_time(3700)
        till.reconcile()
        assert self.reported(till) == [1, 2]

    def test_what_was_opened_before_the_subscription_is_not(self, till: Till, free: Organisation):
        chat = new_chat(free)
        for _ in range(5):
            chat.begin()
        drain(till.services)
        till.subscribe(free, "starter")
        till.pass_time(3700)
        till.reconcile()
        assert self.reported(till) == []
