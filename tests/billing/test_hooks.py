"""`POST /hooks/stripe`: what is taken, and what is not."""

import json

import pytest
import stripe

import app
from chalicelib.billing import signatures, store
from chalicelib.core import aws, clock
from chalicelib.core.errors import UnavailableError
from local.stripe_double.hooks import signature
from tests.support.client import Answer
from tests.support.queues import deliver, take
from tests.support.stripe import HOOK_SECRET, Till
from tests.support.tenants import Organisation, anonymous

BODY = json.dumps(
    {"id": "evt_1", "type": "customer.updated", "data": {"object": {"object": "customer", "id": "cus_1"}}}
)


def post(body: str = BODY, *, secret: str = HOOK_SECRET, ago: int = 0, header: str | None = None) -> Answer:
    given = signature(secret, clock.now_s() - ago, body.encode()) if header is None else header
    return anonymous().send("POST", "/hooks/stripe", body.encode(), {"Stripe-Signature": given})


class TestSignature:
    def test_stripes_own_is_taken(self, till: Till):
        assert post().json == {"received": True}

    @pytest.mark.parametrize("ago", [-300, 299, 300])
    def test_it_may_be_five_minutes_old(self, till: Till, ago: int):
        assert post(ago=ago).status == 200

    @pytest.mark.parametrize("ago", [-302, 301, 86_400])
    def test_an_older_or_newer_one_is_refused(self, till: Till, ago: int):
        assert (post(ago=ago).status, post(ago=ago).code) == (400, "invalid_signature")

    @pytest.mark.parametrize(
        "header", ["", "t=1", "v1=abc", "t=,v1=", "t=x,v1=y", "t=1,t=2,v1=a", "nonsense", "t=1,v1=ä", "t=²,v1=a"]
    )
    def test_what_is_none_is_refused(self, till: Till, header: str):
        assert post(header=header).code == "invalid_signature"

    def test_another_secrets_is_refused(self, till: Till):
        assert post(secret="whsec_other").code == "invalid_signature"

    def test_one_changed_byte_is_refused(self, till: Till):
        given = signature(HOOK_SECRET, clock.now_s(), BODY.encode())
        assert post(BODY.replace("cus_1", "cus_2"), header=given).code == "invalid_signature"

    def test_it_is_what_the_official_library_takes(self, till: Till):
        now, body = clock.now_s(), BODY.encode()
        header = signature(HOOK_SECRET, now, body)
        assert stripe.WebhookSignature.verify_header(BODY, header, HOOK_SECRET, None)
        assert signatures.is_signed(header, body, [HOOK_SECRET], now)
        both = f"{signature('whsec_old', now, body)},v1={header.rpartition('=')[2]},v0=abc"
        assert signatures.is_signed(both, body, [HOOK_SECRET], now)


class TestBody:
    @pytest.mark.parametrize("body", ["", "[]", "null", "{}", '{"id": 1, "type": "x"}', "not json", '{"id": "evt_1"}'])
    def test_what_is_no_event_is_refused(self, till: Till, body: str):
        assert post(body).status in {400, 422}

    @pytest.mark.parametrize(
        "found", [None, [], {}, {"object": "charge"}, {"customer": 7}, {"customer": "a\nb"}, {"customer": {"id": []}}]
    )
    def test_what_concerns_no_customer_is_taken_and_left(self, till: Till, found: object):
        take(till.services, "billing")
        assert post(json.dumps({"id": "evt_2", "type": "x", "data": {"object": found}})).status == 200
        assert take(till.services, "billing") == []


class TestTaking:
    def test_a_repeated_one_is_noted_once_and_looked_at_again(self, till: Till):
        take(till.services, "billing")
        assert post().status == post().status == 200
        assert take(till.services, "billing") == ["cus_1", "cus_1"]
        assert (store.STRIPE.get("evt_1", "-") or {})["cus"] == "cus_1"

    def test_one_that_the_queue_does_not_take_is_refused_so_that_stripe_sends_it_again(
        self, till: Till, monkeypatch: pytest.MonkeyPatch
    ):
        def broken(_url: str, _body: str) -> None:
            raise UnavailableError

        with monkeypatch.context() as patched:
            patched.setattr(aws, "send", broken)
            assert post().status == 503
        assert post().status == 200
        assert "cus_1" in take(till.services, "billing")

    def test_a_customer_of_another_region_is_left_alone(self, till: Till):
        assert deliver(app.look_at_accounts, ["cus_of_another_region"]) == []
        assert not [call for call in till.transport.calls if "cus_of_another" in call]

    def test_it_makes_no_call_to_stripe(self, till: Till, tenant: Organisation):
        before = len(till.transport.calls)
        assert post().status == 200
        assert len(till.transport.calls) == before
