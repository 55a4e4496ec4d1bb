"""Hooks: signed so that Stripe's own library believes them, sent until they are taken, in any weather."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest
import stripe

from local.stripe_double.double import StripeDouble
from local.stripe_double.hooks import listen, signature
from local.stripe_double.sending import HookSender
from tests.support.stripe_double import DAY, World

SECRET = "whsec_test"
FOREVER = 10**10
URL = "https://parley.example/hooks/stripe"


@pytest.fixture
def heard(world):
    listen(world.double.account, URL, SECRET)
    return world


def types_of(hooks):
    return [json.loads(hook.body)["type"] for hook in hooks]


class TestSignatures:
    def test_the_library_believes_them(self, heard):
        heard.customer(card=None)
        (hook,) = heard.double.hooks.take()
        event = stripe.Webhook.construct_event(hook.body, hook.headers["Stripe-Signature"], SECRET, FOREVER)
        assert (event.type, event.data.object.email) == ("customer.created", "ada@example.com")

    def test_the_library_does_not_believe_another_body_or_secret(self, heard):
        heard.customer(card=None)
        (hook,) = heard.double.hooks.take()
        for body, secret in ((hook.body + b" ", SECRET), (hook.body, "whsec_other")):
            with pytest.raises(stripe.SignatureVerificationError):
                stripe.Webhook.construct_event(body, hook.headers["Stripe-Signature"], secret, FOREVER)

    def test_it_is_the_same_as_the_librarys_own(self):
        own = stripe.WebhookSignature.generate_signature_header("{}", SECRET, 5)
        assert signature(SECRET, 5, b"{}") == own


class TestOutbox:
    def test_everything_that_happens_is_told_in_order(self, heard):
        heard.subscribe(heard.customer(), heard.price())
        assert types_of(heard.double.hooks.take()) == heard.event_types()
        assert heard.double.hooks.take() == []

    def test_an_event_is_told_with_the_state_of_its_time(self, heard):
        customer = heard.customer(card=None)
        heard.v1.customers.update(customer.id, {"name": "Later"})
        first = heard.double.hooks.take()[0]
        assert json.loads(first.body)["data"]["object"]["name"] == "Ada"

    def test_only_what_was_asked_for_is_told(self, world):
        made = world.v1.webhook_endpoints.create({"url": URL, "enabled_events": ["product.created"]})
        assert made.secret.startswith("whsec_")
        assert "secret" not in world.v1.webhook_endpoints.retrieve(made.id)
        world.subscribe(world.customer(), world.price())
        assert types_of(world.double.hooks.take()) == ["product.created"]
        world.v1.webhook_endpoints.update(made.id, {"disabled": True})
        world.price()
        assert world.double.hooks.take() == []

    def test_what_is_not_taken_is_sent_again_later_and_later(self, heard):
        heard.customer(card=None)
        outbox, sent_at = heard.double.hooks, []
        for answer in (500, None, 302, 404, 204):
            while not (hooks := outbox.due()):
                heard.time += 1
            sent_at.append(heard.time)
            assert outbox.due() == []  # it is on its way
            outbox.answered(hooks[0], answer)
        assert [after - before for before, after in pairwise(sent_at)] == [1, 2, 5, 10]
        heard.time += DAY
        assert outbox.due() == []
        assert heard.v1.events.list().data[0].pending_webhooks == 0

    def test_what_is_under_way_when_the_process_dies_is_sent_again(self, heard):
        heard.customer(card=None)
        (hook,) = heard.double.hooks.due()
        heard.time += 60
        assert [each.event for each in heard.double.hooks.due()] == [hook.event]

    def test_a_person_can_have_one_sent_again(self, heard):
        heard.customer(card=None)
        (hook,) = heard.double.hooks.take()
        heard.double.hooks.send_again(hook.event)
        assert [each.body for each in heard.double.hooks.take()] == [
            hook.body.replace(b'"pending_webhooks": 1', b'"pending_webhooks": 0')
        ]


class TestWeather:
    @pytest.mark.parametrize(
        ("weather", "copies", "late"),
        [({}, 1, 0), ({"dropped": 1}, 0, 0), ({"duplicated": 1}, 2, 0), ({"delayed_s": 7}, 1, 7)],
    )
    def test_it_does_what_was_asked_for(self, heard, weather, copies, late):
        heard.double.account.set(weather=weather)
        heard.customer(card=None)
        (hook,) = heard.double.hooks.due()
        assert heard.double.hooks.spoil(hook) == ([hook] * copies, late)

    def test_a_stale_one_is_signed_right_but_too_long_ago(self, heard):
        heard.double.account.set(weather={"stale": 1})
        heard.customer(card=None)
        (hook,) = heard.double.hooks.due()
        ((stale,), _) = heard.double.hooks.spoil(hook)
        assert stale.headers["Stripe-Signature"] == signature(SECRET, heard.time - 600, hook.body)


class Ear:
    """An HTTP server that answers as it is told and keeps what it got."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.got: list[dict[str, Any]] = []
        self.enough = threading.Event()
        self.wanted = 1


@contextmanager
def listening(ear: Ear) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            stripe.WebhookSignature.verify_header(body, self.headers["Stripe-Signature"], SECRET, 300)
            ear.got.append(json.loads(body))
            self.send_response(ear.answers.pop(0) if ear.answers else 200)
            self.end_headers()
            if len(ear.got) >= ear.wanted:
                ear.enough.set()

        def log_message(self, *_args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/hooks/stripe"
        server.shutdown()
        thread.join()


def test_they_arrive_over_http_and_again_after_a_failure():
    double, ear = StripeDouble(), Ear()
    ear.answers, ear.wanted = [500], 2
    with listening(ear) as url:
        listen(double.account, url, SECRET)
        sender = HookSender(double)
        sender.start()
        double.api("POST", "/v1/customers", "name=Ada", {"Authorization": "Bearer sk_test_x"})
        assert ear.enough.wait(20)
        sender.stop()
    assert [event["type"] for event in ear.got] == ["customer.created"] * 2
    assert ear.got[0]["id"] == ear.got[1]["id"]


class TestPersistence:
    def test_a_killed_process_loses_nothing(self, tmp_path):
        file = tmp_path / "stripe.sqlite"
        world = World(file=file)
        listen(world.double.account, URL, SECRET)
        customer, price = world.customer(), world.price()
        subscription = world.subscribe(customer, price)
        world.v1.customers.create({"name": "Bob"}, {"idempotency_key": "k"})
        # No close: what SIGKILL leaves is what is in the file.
        again = World(file=file)
        assert again.v1.subscriptions.retrieve(subscription.id).to_dict() == subscription.to_dict()
        assert again.v1.customers.create({"name": "Bob"}, {"idempotency_key": "k"}).name == "Bob"
        assert len(again.v1.customers.list().data) == 2
        assert [each.event for each in again.double.hooks.take()] == [each.event for each in world.double.hooks.take()]
        again.time += 40 * DAY
        again.double.run_due()
        assert len(again.invoices(customer)) == 2
        world.double.close()
        again.double.close()

    def test_a_refused_request_leaves_nothing_behind(self, world):
        customer = world.customer(card=None)
        before = world.event_types()
        with pytest.raises(stripe.InvalidRequestError):
            world.v1.subscriptions.create({"customer": customer.id, "items": [{"price": "price_x"}]})
        assert world.event_types() == before

    def test_what_is_old_is_forgotten_at_the_next_start(self, tmp_path):
        file = tmp_path / "stripe.sqlite"
        world = World(file=file)
        world.v1.customers.create({"name": "Ada"}, {"idempotency_key": "k"})
        world.double.close()
        again = World(file=file)
        assert again.event_types() == ["customer.created"]
        again.double.close()
        later = World.__new__(World)
        later.time = world.time + 31 * DAY
        later.double = StripeDouble(file, wall=lambda: later.time)
        kinds = {
            each["object"]
            for kind in ("event", "_idempotency", "customer")
            for each in later.double.account.ledger.of_kind(kind)
        }
        assert kinds == {"customer"}
        later.double.close()


class TestClock:
    def test_moving_it_does_what_is_due_and_hooks_are_still_signed_now(self, heard):
        subscription = heard.subscribe(heard.customer(), heard.price(), trial_period_days=14)
        heard.double.hooks.take()
        heard.double.advance(heard.time + 15 * DAY)
        assert heard.status(subscription) == "active"
        hooks = heard.double.hooks.take()
        assert "customer.subscription.trial_will_end" in types_of(hooks)
        assert all(f"t={heard.time}," in hook.headers["Stripe-Signature"] for hook in hooks)
        created = [json.loads(hook.body)["created"] for hook in hooks]
        assert created == sorted(created)
        assert created[-1] > heard.time

    def test_it_does_not_move_back(self, world):
        with pytest.raises(ValueError, match="forward"):
            world.double.advance(world.time - 1)
