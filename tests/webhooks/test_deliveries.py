"""From an event to the receiver: signed, recorded, repeated on schedule, and given up in the end."""

import json

import pytest
from standardwebhooks.webhooks import Webhook

import app
from chalicelib.core import clock
from chalicelib.core.table import run, tenant_rows
from chalicelib.events import dispatcher
from chalicelib.webhooks import deliveries, store, workers
from chalicelib.webhooks.models import Attempt
from chalicelib.webhooks.schedule import WAITS_S, wait_ms
from chalicelib.webhooks.sending import Outcome
from tests.support.chats import dispatch_all, new_chat, new_site, reply
from tests.support.clocks import later
from tests.support.queues import drain
from tests.support.schedules import tick
from tests.support.tenants import Organisation, new_key, new_member
from tests.support.webhooks import WEBHOOKS, deliveries_of, delivery, new_webhook

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


@pytest.fixture
def tenant() -> Organisation:
    return new_site()


@pytest.fixture
def owner(tenant):
    """An API key: days go by here, and a session would end."""
    return new_key(tenant, name="all")


@pytest.fixture(autouse=True)
def _middle(monkeypatch):
    """Draw the middle of every range, so that times can be told."""
    monkeypatch.setattr(workers, "wait_ms", _wait)


def _wait(tries: int, after: str | None) -> int | None:
    return wait_ms(tries, after, draw=lambda low, high: (low + high) / 2)


def said(tenant: Organisation, services) -> str:
    """Have a conversation of one message, and everything that follows from it."""
    found = new_chat(tenant).begin("Is the tent waterproof?")
    drain(services)
    return found


class TestDelivery:
    def test_a_message_reaches_the_receiver_signed_and_once(self, services, tenant, owner, receiver):
        webhook = new_webhook(owner, receiver.url, ["message.created"])
        found = said(tenant, services)
        ((headers, body),) = receiver.got
        event = Webhook(webhook["secret"]).verify(body, headers)
        with later(MINUTE):
            (logged,) = owner.get("/v1/events?type=message.created").json["data"]
        assert event == logged
        assert headers["webhook-id"] == event["id"]
        assert headers["content-type"] == "application/json"
        assert event["data"]["conversation_id"] == found
        (row,) = deliveries_of(owner, webhook)
        assert (row["status"], row["attempts"], row["last_status"]) == ("delivered", 1, 200)
        assert row["next_attempt_at"] is None

    def test_only_what_the_endpoint_wants_is_sent(self, services, tenant, owner, receiver):
        new_webhook(owner, receiver.url, ["conversation.*", "visitor.created"])
        reply(owner, said(tenant, services))
        drain(services)
        assert sorted(receiver.types()) == ["conversation.created", "visitor.created"]

    def test_every_event_of_the_log_is_sent_where_all_are_wanted(self, services, tenant, owner, receiver):
        new_webhook(owner, receiver.url)
        found = said(tenant, services)
        owner.post(f"/v1/conversations/{found}/close")
        drain(services)
        with later(MINUTE):
            logged = {event["id"] for event in owner.get("/v1/events?limit=100").json["data"]}
        sent = [event["id"] for event in receiver.events]
        assert len(sent) == len(set(sent))
        assert {"webhook.created", "message.created", "conversation.closed"} <= set(receiver.types())
        assert set(sent) <= logged

    def test_an_event_dispatched_twice_is_sent_once(self, services, tenant, owner, receiver, monkeypatch):
        new_webhook(owner, receiver.url, ["message.created"])
        drain(services)
        subscribed = deliveries.on_events
        new_chat(tenant).begin()
        twice: list[object] = []

        def repeat(rows, events):
            twice.append(rows)
            subscribed(rows, events)
            return subscribed(rows, events)

        monkeypatch.setattr(dispatcher, "_batch_consumers", [repeat])
        drain(services)
        assert twice
        assert receiver.types() == ["message.created"]

    def test_many_at_a_time_are_recorded_bit_by_bit(self, services, tenant, owner, receiver, monkeypatch):
        new_webhook(owner, receiver.url, ["message.created"])
        drain(services)
        monkeypatch.setattr(deliveries, "MAX_SECONDS", -1.0)  # each event is all that there is time for
        chat = new_chat(tenant)
        found = chat.begin("0")
        for number in range(1, 7):
            chat.say(found, str(number))
        drain(services)
        texts = sorted(event["data"]["content"] for event in receiver.events)  # a batch is sent all at the same time
        assert texts == [str(number) for number in range(7)]

    def test_test_data_and_live_data_go_to_their_own_endpoints(self, services, tenant, owner, receiver):
        key = new_key(tenant, name="test", mode="test")
        new_webhook(key, receiver.url)
        said(tenant, services)
        assert receiver.types() == ["webhook.created"]  # its own
        key.post("/v1/contacts", {"name": "Kim"})
        drain(services)
        assert "contact.created" in receiver.types()

    def test_while_a_secret_is_rotated_both_verify_and_a_day_later_one(self, services, tenant, owner, receiver):
        old = new_webhook(owner, receiver.url, ["message.created"])
        new = owner.post(f"{WEBHOOKS}/{old['id']}/rotate-secret")
        assert (new.status, new.json["previous_secret_until"] is None) == (200, False)
        said(tenant, services)
        with later(DAY + MINUTE):
            said(tenant, services)
        assert [headers["webhook-signature"].count("v1,") for headers, _ in receiver.got] == [2, 1]
        headers, body = receiver.got[0]
        for secret in (old["secret"], new.json["secret"]):
            assert Webhook(secret).verify(body, headers)
        assert owner.get(f"{WEBHOOKS}/{old['id']}").json["previous_secret_until"] is not None


class TestRetries:
    def test_the_whole_schedule_is_kept_to_and_then_it_is_exhausted(self, services, tenant, owner, receiver):
        webhook = new_webhook(owner, receiver.url, ["message.created"])
        receiver.always = (500, {}, b"out of order")
        began = clock.now_ms()
        said(tenant, services)
        moments = [began]
        for wait in WAITS_S[1:]:
            due = moments[-1] + wait * 1000
            # Not a minute too early; and a minute's grace for the queue's own message, then the sweep's round.
            with later(due - 2_000 - clock.now_ms()):
                tick(app.sweep_deliveries)
                drain(services)
            assert len(receiver.got) == len(moments)
            with later(due + 2 * MINUTE - clock.now_ms()):
                tick(app.sweep_deliveries)
                drain(services)
                moments.append(clock.now_ms())
            assert len(receiver.got) == len(moments)
        with clock.reading(lambda: moments[-1] + 12 * HOUR):
            tick(app.sweep_deliveries)
            drain(services)
            (row,) = deliveries_of(owner, webhook)
            log = delivery(owner, webhook, row["id"])["log"]
        assert len(receiver.got) == len(WAITS_S) == len(log) == 8
        assert (row["status"], row["attempts"], row["last_status"]) == ("exhausted", 8, 500)
        assert [each["body"] for each in log] == ["out of order"] * 8
        assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
        assert len({body for _, body in receiver.got}) == 1
        assert len({headers["webhook-timestamp"] for headers, _ in receiver.got}) == 8
        assert 27 * HOUR < moments[-1] - began < 28 * HOUR

    def test_it_is_tried_again_after_five_seconds_by_the_queue(self, services, tenant, owner, receiver):
        webhook = new_webhook(owner, receiver.url, ["message.created"])
        receiver.answers = [(503, {}, b"")]
        said(tenant, services)
        assert 5 in services.delays
        (row,) = deliveries_of(owner, webhook)
        assert (row["status"], row["attempts"]) == ("pending", 1)
        with later(6_000):
            workers.send(f'["{tenant.id}#{webhook["id"]}", "d#{row["id"][4:]}", 0]')
            (row,) = deliveries_of(owner, webhook)
        assert (row["status"], row["attempts"]) == ("delivered", 2)

    def test_a_receiver_may_ask_for_more_time(self, services, tenant, owner, receiver):
        webhook = new_webhook(owner, receiver.url, ["message.created"])
        receiver.answers = [(429, {"Retry-After": "7200"}, b"")]
        with later(0):
            now = clock.now_ms()
            said(tenant, services)
            (row,) = deliveries_of(owner, webhook)
            assert row["next_attempt_at"] == clock.rfc3339(now + 2 * HOUR)

    def test_an_endpoint_that_is_gone_is_disabled(self, services, tenant, owner, receiver):
        webhook = new_webhook(owner, receiver.url, ["message.created"])
        receiver.always = (410, {}, b"")
        said(tenant, services)
        found = owner.get(f"{WEBHOOKS}/{webhook['id']}").json
        assert (found["status"], found["disabled_reason"]) == ("disabled", "gone")
        (row,) = deliveries_of(owner, webhook)
        assert row["status"] == "canceled"
        said(tenant, services)
        assert len(receiver.got) == 1

    def test_after_five_days_of_failure_it_is_disabled(self, services, tenant, owner, receiver):
        webhook = new_webhook(owner, receiver.url, ["message.created"])
        receiver.always = (500, {}, b"")
        began = clock.now_ms()
        for day in range(5):
            with later(day * DAY):
                said(tenant, services)
        assert owner.get(f"{WEBHOOKS}/{webhook['id']}").json["status"] == "enabled"
        with clock.reading(lambda: began + 5 * DAY + HOUR):
            said(tenant, services)
            found = owner.get(f"{WEBHOOKS}/{webhook['id']}").json
            assert (found["status"], found["disabled_reason"]) == ("disabled", "failing")
            answer = owner.patch(f"{WEBHOOKS}/{webhook['id']}", {"status": "enabled"})
            assert (answer.status, answer.json["disabled_reason"]) == (200, None)
            said(tenant, services)  # its failures are forgotten
            assert owner.get(f"{WEBHOOKS}/{webhook['id']}").json["status"] == "enabled"

    def test_owners_and_admins_are_told_on_the_first_and_fourth_day_and_in_the_end(
        self, services, tenant, owner, receiver
    ):
        admin, _agent = new_member(tenant, "admin"), new_member(tenant, "agent")
        webhook = new_webhook(owner, receiver.url, ["message.created"])
        drain(services)
        services.mails.clear()
        receiver.always = (500, {}, b"")
        began, told = clock.now_ms(), []
        for hours in (0, 23, 25, 30, 80, 97, 100, 121):
            with clock.reading(lambda hours=hours: began + hours * HOUR):  # type: ignore[misc]
                said(tenant, services)
                told.append(len(services.mails))
        assert told == [0, 0, 2, 2, 2, 4, 4, 6]
        everybody = {tenant.owner.email, admin.email}
        subjects = [mail["Content"]["Simple"]["Subject"]["Data"] for mail in services.mails]
        for day in (0, 2, 4):
            assert {mail["Destination"]["ToAddresses"][0] for mail in services.mails[day : day + 2]} == everybody
        assert [subject.rpartition(" ")[2] for subject in subjects] == ["arrive"] * 4 + ["disabled"] * 2
        text = services.mails[0]["Content"]["Simple"]["Body"]["Text"]["Data"]
        assert webhook["id"] in text
        assert clock.rfc3339(began) in text

    def test_test_data_mails_nobody(self, services, tenant, receiver):
        key = new_key(tenant, name="test", mode="test")
        webhook = new_webhook(key, receiver.url, ["webhook.failing"])
        drain(services)
        services.mails.clear()
        receiver.always = (410, {}, b"")
        key.post(f"{WEBHOOKS}/{webhook['id']}/test")
        drain(services)
        assert key.get(f"{WEBHOOKS}/{webhook['id']}").json["disabled_reason"] == "gone"
        assert services.mails == []

    def test_one_success_begins_the_count_anew(self, services, tenant, owner, receiver):
        webhook = new_webhook(owner, receiver.url, ["message.created"])
        receiver.always = (500, {}, b"")
        began = clock.now_ms()
        said(tenant, services)
        with clock.reading(lambda: began + 4 * DAY):
            receiver.answers = [(200, {}, b"")]
            said(tenant, services)
        with clock.reading(lambda: began + 6 * DAY):
            said(tenant, services)
            assert owner.get(f"{WEBHOOKS}/{webhook['id']}").json["status"] == "enabled"

    def test_one_that_fails_again_and_again_is_left_alone_for_a_while(self, services, tenant, owner, receiver):
        webhook = new_webhook(owner, receiver.url, ["message.created"])
        receiver.always = (500, {}, b"")
        chat, moment = new_chat(tenant), clock.now_ms()
        found = chat.begin()
        with clock.reading(lambda: moment):
            for number in range(workers.BREAKS_AFTER + 5):
                chat.say(found, str(number))
                drain(services)
            assert len(receiver.got) == workers.BREAKS_AFTER
            untried = [row for row in deliveries_of(owner, webhook) if row["last_status"] is None]
            assert len(untried) == 6
            assert {row["last_error"] for row in untried} == {"not tried: it failed too often before"}
            assert {row["attempts"] for row in untried} == {1}
        with clock.reading(lambda: moment + 11_000):
            receiver.always = (200, {}, b"")
            chat.say(found, "better?")
            drain(services)
        assert receiver.events[-1]["data"]["content"] == "better?"

    def test_one_that_has_failed_too_often_is_tried_with_one_at_a_time(self, services, tenant, owner, receiver):
        webhook = new_webhook(owner, receiver.url, ["message.created"])
        rows, now = tenant_rows(tenant.id), clock.now_ms()
        half_open = {"fails": workers.BREAKS_AFTER, "since": now, "open": now - 1, "k0": now + MINUTE}
        run(rows.updating(webhook["id"], "state", set_=half_open))
        chat = new_chat(tenant)
        chat.begin()
        dispatch_all(services)
        (nudge,) = services.queues["webhooks"]
        services.queues["webhooks"].clear()
        workers.send(nudge)
        assert receiver.got == []
        run(rows.updating(webhook["id"], "state", set_={"k0": None}))
        workers.send(nudge)
        assert len(receiver.got) == 1
        assert "fails" not in (rows.get(webhook["id"], "state") or {})


class TestAnswers:
    def test_the_first_64_kb_of_an_answer_are_kept_as_text(self, services, tenant, owner, receiver):
        webhook = new_webhook(owner, receiver.url, ["message.created"])
        receiver.always = (500, {}, b"\x00\xff" + "ü".encode() + b"x" * 100_000)
        said(tenant, services)
        (row,) = deliveries_of(owner, webhook)
        (attempt,) = delivery(owner, webhook, row["id"])["log"]
        assert attempt["body"].startswith("\ufffd\ufffdüxxx")
        assert 65_530 <= len(attempt["body"].encode()) <= 65_536

    def test_the_largest_log_fits_into_an_answer_of_lambda(self, services, tenant, owner, receiver):
        webhook = new_webhook(owner, receiver.url, ["message.created"])
        said(tenant, services)
        (row,) = deliveries_of(owner, webhook)
        found = store.find_delivery(tenant.id, webhook["id"], row["id"][4:])
        assert found is not None
        for number in range(2, 31):
            run(store.putting_attempt(found, Attempt(number, clock.now_ms(), 500, 15_000, None, '"' * 65_536)))
        answer = owner.get(f"{WEBHOOKS}/{webhook['id']}/deliveries/{row['id']}")
        assert [each["number"] for each in answer.json["log"]] == list(range(11, 31))
        assert answer.json["has_more"]
        assert len(json.dumps(answer.text)) < 6 * 1024**2
        older = owner.get(f"{WEBHOOKS}/{webhook['id']}/deliveries/{row['id']}?before=11").json
        assert ([each["number"] for each in older["log"]], older["has_more"]) == (list(range(1, 11)), False)

    def test_a_log_is_walked_from_the_newest_attempt_to_the_first(self, services, tenant, owner, receiver):
        webhook = new_webhook(owner, receiver.url, ["message.created"])
        said(tenant, services)
        (row,) = deliveries_of(owner, webhook)
        found = store.find_delivery(tenant.id, webhook["id"], row["id"][4:])
        assert found is not None
        for number in range(2, 42):
            run(store.putting_attempt(found, Attempt(number, clock.now_ms(), 500, 15, None, "")))
        url, query = f"{WEBHOOKS}/{webhook['id']}/deliveries/{row['id']}", ""
        seen: list[list[int]] = []
        more: list[bool] = []
        for _ in range(3):
            page = owner.get(url + query).json
            seen.append([each["number"] for each in page["log"]])
            more.append(page["has_more"])
            query = f"?before={seen[-1][0]}"
        assert seen == [list(range(22, 42)), list(range(2, 22)), [1]]
        assert more == [True, True, False]
        assert owner.get(f"{url}?before=1").params == {"before"}


class TestLostAndDoubled:
    def test_a_lost_message_is_made_good_by_the_minutes_sweep(self, services, tenant, owner, receiver):
        new_webhook(owner, receiver.url, ["message.created"])
        found = new_chat(tenant)
        drain(services)
        found.begin()
        dispatch_all(services)
        services.queues.clear()
        assert receiver.got == []
        with later(3 * MINUTE):
            tick(app.sweep_deliveries)
            drain(services)
            tick(app.sweep_deliveries)
            drain(services)
        assert receiver.types() == ["message.created"]

    def test_a_message_that_comes_twice_sends_once(self, services, tenant, owner, receiver):
        new_webhook(owner, receiver.url, ["message.created"])
        found = new_chat(tenant)
        drain(services)
        found.begin()
        dispatch_all(services)
        (nudge,) = services.queues["webhooks"]
        for _ in range(5):
            workers.send(nudge)
        assert len(receiver.got) == 1

    def test_a_slot_is_freed_and_there_are_no_more_than_ten(self, services, tenant, owner, receiver):
        webhook = new_webhook(owner, receiver.url, ["message.created"])
        rows = tenant_rows(tenant.id)
        far = clock.now_ms() + MINUTE
        for number in range(workers.SLOTS):
            run(rows.updating(webhook["id"], "state", set_={f"k{number}": far}))
        chat = new_chat(tenant)
        chat.begin()
        dispatch_all(services)
        (nudge,) = services.queues["webhooks"]
        services.queues["webhooks"].clear()
        workers.send(nudge)
        assert receiver.got == []
        (again,) = services.queues["webhooks"]  # comes back soon
        assert again == nudge.replace(", 0]", ", 1]")
        with later(2 * MINUTE):
            workers.send(nudge)  # whoever had them has crashed
        assert len(receiver.got) == 1
        assert sum(name.startswith("k") for name in rows.get(webhook["id"], "state") or {}) == workers.SLOTS - 1

    @pytest.mark.parametrize("status", [200, 500])
    def test_nothing_is_left_for_good_of_an_endpoint_that_is_deleted_during_an_attempt(
        self, services, tenant, owner, receiver, monkeypatch, status
    ):
        webhook = new_webhook(owner, receiver.url, ["message.created"])

        def deleting(*_what):
            assert owner.delete(f"{WEBHOOKS}/{webhook['id']}").status == 204
            return Outcome(status, 1)

        monkeypatch.setattr(workers, "post", deleting)
        said(tenant, services)
        left = tenant_rows(tenant.id).query(webhook["id"]).items
        assert left
        assert all("exp" in row for row in left)


class TestReplay:
    def test_one_delivery_is_sent_again_with_its_own_id(self, services, tenant, owner, receiver):
        webhook = new_webhook(owner, receiver.url, ["message.created"])
        said(tenant, services)
        (row,) = deliveries_of(owner, webhook)
        answer = owner.post(f"{WEBHOOKS}/{webhook['id']}/deliveries/{row['id']}/replay")
        assert (answer.status, answer.json["status"]) == (200, "pending")
        drain(services)
        first, second = receiver.got
        assert first[1] == second[1]
        assert first[0]["webhook-id"] == second[0]["webhook-id"]
        (row,) = deliveries_of(owner, webhook)
        assert (row["status"], row["attempts"]) == ("delivered", 2)

    def test_a_range_is_sent_again_by_a_job(self, services, tenant, owner, receiver):
        old = new_webhook(owner, receiver.url, ["message.created"])
        since = clock.rfc3339(clock.now_ms() - 1000)
        chat = new_chat(tenant)
        found = chat.begin("0")
        for number in range(1, 40):
            chat.say(found, str(number))
        drain(services)
        new = new_webhook(owner, receiver.url, ["message.*"])
        receiver.got.clear()
        with later(MINUTE):
            until = clock.rfc3339(clock.now_ms())
            begun = [
                owner.post(f"{WEBHOOKS}/{webhook['id']}/replay", {"since": since, "until": until})
                for webhook in (old, new)
            ]
            assert [answer.status for answer in begun] == [202, 202]
            drain(services)
        jobs = [owner.get(f"/v1/jobs/{answer.json['id']}").json for answer in begun]
        assert [(job["status"], job["progress"]["done"]) for job in jobs] == [("completed", 40)] * 2
        # An attempt that a busy machine was too slow for is made again some minutes later.
        for passed in (4, 14):
            with later(passed * MINUTE):
                tick(app.sweep_deliveries)
                drain(services)
        texts = [event["data"]["content"] for event in receiver.events]
        assert sorted(texts) == sorted([str(number) for number in range(40)] * 2)

    def test_what_has_failed_and_waits_when_its_range_is_sent_again_is_sent(self, services, tenant, owner, receiver):
        webhook = new_webhook(owner, receiver.url, ["message.created"])
        since = clock.rfc3339(clock.now_ms() - 1000)
        chat = new_chat(tenant)
        found = chat.begin("0")
        for number in range(1, 4):
            chat.say(found, str(number))
        receiver.answers = [(503, {}, b"")] * 3
        drain(services)
        receiver.got.clear()
        with later(MINUTE):
            asked = {"since": since, "until": clock.rfc3339(clock.now_ms())}
            begun = owner.post(f"{WEBHOOKS}/{webhook['id']}/replay", asked)
            drain(services)
            job = owner.get(f"/v1/jobs/{begun.json['id']}").json
        with later(4 * MINUTE):
            tick(app.sweep_deliveries)
            drain(services)
        assert (job["status"], job["progress"]["done"]) == ("completed", 1), "the others were waiting for their turn"
        assert sorted(event["data"]["content"] for event in receiver.events) == ["0", "1", "2", "3"]
        assert {row["status"] for row in deliveries_of(owner, webhook)} == {"delivered"}

    def test_a_test_event_is_sent_whatever_is_wanted(self, services, owner, receiver):
        webhook = new_webhook(owner, receiver.url, ["message.created"])
        answer = owner.post(f"{WEBHOOKS}/{webhook['id']}/test")
        assert (answer.status, answer.json["type"]) == (200, "webhook.test")
        drain(services)
        assert receiver.types() == ["webhook.test"]
        assert delivery(owner, webhook, answer.json["id"])["payload"] == receiver.events[0]

    def test_a_repeated_test_with_its_key_is_sent_once(self, services, owner, receiver):
        webhook = new_webhook(owner, receiver.url, ["message.created"])
        first, again = (owner.post(f"{WEBHOOKS}/{webhook['id']}/test", Idempotency_Key="once") for _ in range(2))
        assert (first.status, again.status, again.json) == (200, 200, first.json)
        drain(services)
        assert receiver.types() == ["webhook.test"]

    @pytest.mark.parametrize("what", ["test", "replay", "one"])
    def test_a_disabled_endpoint_is_sent_nothing(self, services, tenant, owner, receiver, what):
        webhook = new_webhook(owner, receiver.url, ["message.created"])
        said(tenant, services)
        (row,) = deliveries_of(owner, webhook)
        owner.patch(f"{WEBHOOKS}/{webhook['id']}", {"status": "disabled"})
        url = {"test": "/test", "replay": "/replay", "one": f"/deliveries/{row['id']}/replay"}[what]
        body = {"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"} if what == "replay" else None
        answer = owner.post(f"{WEBHOOKS}/{webhook['id']}{url}", body)
        assert (answer.status, answer.code) == (409, "webhook_disabled")
