"""Conversations: list, retrieve, update, close, reopen, snooze, rate, assign, read."""

import re
from typing import Any

import pytest

from chalicelib.core import clock, ids
from tests.support.answers import without_request_id
from tests.support.aws import Services
from tests.support.chats import Chat, conversation, dispatch_all, new_chat, new_site, new_test_site, reply
from tests.support.clocks import later
from tests.support.faults import IndexLag, injected
from tests.support.schedules import tick
from tests.support.tenants import Organisation, anonymous, new_key, new_member, new_tenant
from tests.support.threads import at_once

URL = "/v1/conversations"
TOMORROW = "2199-01-01T00:00:00Z"

READS: list[tuple[str, str, Any]] = [("GET", "/{id}", None)]
WRITES: list[tuple[str, str, Any]] = [
    ("PATCH", "/{id}", {"subject": "New"}),
    ("POST", "/{id}/close", None),
    ("POST", "/{id}/reopen", None),
    ("POST", "/{id}/snooze", {"until": TOMORROW}),
    ("POST", "/{id}/rate", {"score": 4}),
    ("POST", "/{id}/assign", {"assigned_to": None}),
    ("POST", "/{id}/read", None),
]


@pytest.fixture
def tenant() -> Organisation:
    return new_site()


@pytest.fixture
def chat(tenant: Organisation) -> Chat:
    return new_chat(tenant)


@pytest.fixture
def found(chat: Chat) -> str:
    return chat.begin()


def at(path: str, conversation_id: str) -> str:
    return URL + path.replace("{id}", conversation_id)


class TestEveryOperation:
    @pytest.mark.parametrize(("method", "path", "body"), [("GET", "", None), *READS, *WRITES])
    def test_anonymous_and_visitors_are_refused(self, chat, found, method, path, body):
        assert anonymous().send(method, at(path, found), body).status == 401
        answer = chat.client.send(method, at(path, found), body)
        assert (answer.status, answer.code) == (403, "wrong_credential")

    @pytest.mark.parametrize(("method", "path", "body"), READS + WRITES)
    def test_another_tenants_is_like_a_missing_one(self, found, method, path, body):
        stranger = new_tenant().owner.client
        foreign = stranger.send(method, at(path, found), body)
        missing = stranger.send(method, at(path, ids.new("conv")), body)
        odd = stranger.send(method, at(path, "%C3%A9%00'x"), body)
        assert foreign.status == 404
        assert without_request_id(foreign) == without_request_id(missing) == without_request_id(odd)

    @pytest.mark.parametrize(("method", "path", "body"), WRITES)
    def test_viewers_and_reading_keys_cannot_write(self, tenant, found, method, path, body):
        viewer = new_member(tenant, "viewer").client
        key = new_key(tenant, scopes=["conversations:read"])
        assert viewer.get(at("/{id}", found)).status == key.get(at("/{id}", found)).status == 200
        assert viewer.send(method, at(path, found), body).code == "insufficient_role"
        assert key.send(method, at(path, found), body).code == "insufficient_scope"

    @pytest.mark.parametrize(("method", "path", "body"), [("GET", "", None), *READS])
    def test_a_key_without_the_scope_cannot_read(self, tenant, found, method, path, body):
        key = new_key(tenant, scopes=["messages:read"])
        assert key.send(method, at(path, found), body).code == "insufficient_scope"

    @pytest.mark.parametrize(("method", "path", "body"), WRITES)
    def test_an_agent_and_a_writing_key_can(self, tenant, found, method, path, body):
        agent = new_member(tenant, "agent").client
        key = new_key(tenant, scopes=["conversations:write"])
        for caller in (agent, key):
            answer = caller.send(method, at(path, found), body)
            assert (answer.status, answer.json["id"]) == (200, found)


class TestList:
    def test_the_seeds_example_request_gives_the_seeds_fields_in_the_seeds_formats(self, services, tenant, chat, found):
        reply(tenant.owner.client, found, "Of course.")
        dispatch_all(services)
        answer = tenant.owner.client.get(f"{URL}?status=open&limit=10", Content_Type="application/json")
        (row,) = answer.json["data"]
        time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
        assert row["id"] == found
        assert row["id"].startswith("conv_")
        assert row["status"] == "open"
        assert row["visitor_id"] == chat.visitor_id
        assert row["visitor_id"].startswith("vis_")
        assert row["assigned_to"] is None
        assert row["last_message"] == "Of course."
        assert re.fullmatch(time, row["last_message_at"])
        assert re.fullmatch(time, row["created_at"])
        seeds = {"total": 1, "limit": 10, "offset": 0, "has_more": False}
        assert {name: answer.json["pagination"][name] for name in seeds} == seeds

    def test_it_is_empty_at_first_and_never_another_tenants(self, found):
        answer = new_tenant().owner.client.get(URL)
        assert answer.json["data"] == []
        assert answer.json["pagination"]["total"] == 0

    def test_newest_activity_comes_first(self, tenant, chat):
        first, second = chat.begin("first"), chat.begin("second")
        with later(120_000):
            chat.say(first)
        listed = [row["id"] for row in tenant.owner.client.get(URL).json["data"]]
        assert listed == [first, second]

    @pytest.mark.parametrize(
        ("query", "params"),
        [
            ("status=done", {"status"}),
            ("limit=0", {"limit"}),
            ("limit=101", {"limit"}),
            ("limit=1e400", {"limit"}),
            ("limit=" + "9" * 5000, {"limit"}),
            ("offset=-1", {"offset"}),
            ("offset=10001", {"offset"}),
            ("offset=" + "9" * 400, {"offset"}),
            ("cursor=nonsense", {"cursor"}),
            ("cursor=%C3%A9", {"cursor"}),
            ("cursor=" + "x" * 600, {"cursor"}),
            ("since=yesterday", {"since"}),
            ("since=2025-10-12T14:32:00", {"since"}),
            ("since=1e400", {"since"}),
            ("until=99999999999999999999", {"until"}),
            ("tag=", {"tag"}),
            ("tag=%00", {"tag"}),
            ("tag=" + "x" * 100_000, {"tag"}),
            ("status=open&status=closed", {"status"}),
            ("nothing=1&priority=some", {"nothing", "priority"}),
            ("sort=id", {"sort"}),
        ],
    )
    def test_bad_input_names_every_field(self, query, params, tenant):
        answer = tenant.owner.client.get(f"{URL}?{query}")
        assert (answer.status, answer.params) == (422, params)

    @pytest.mark.parametrize(
        "query",
        ["tag=%23%23", "visitor_id=%23", "assigned_to=-", "since=0001-01-01T00:00:00Z", "until=0001-01-01T00:00:00Z"],
    )
    def test_odd_values_match_nothing_they_should_not(self, query, tenant, found):
        answer = tenant.owner.client.get(f"{URL}?{query}")
        assert answer.status == 200
        assert [row["id"] for row in answer.json["data"]] == ([found] if query.startswith("since") else [])

    def test_a_time_in_the_far_future_bounds_nothing(self, tenant, found):
        answer = tenant.owner.client.get(f"{URL}?until=9999-12-31T23:59:59Z")
        assert [row["id"] for row in answer.json["data"]] == [found]


class TestRetrieve:
    def test_it_shows_what_the_contract_names(self, tenant, chat, found):
        answer = tenant.owner.client.get(f"{URL}/{found}")
        assert answer.headers["ETag"] == '"2"'
        named = (
            "id number status subject visitor_id contact_id company_id widget_id assigned_to team_id tags priority "
            "channel page_url referrer_url user_agent visitor_ip is_read unread_count message_count last_message "
            "last_message_at rating summary snoozed_until trust_uploads custom_attributes created_at updated_at "
            "closed_at"
        )
        assert set(answer.json) == set(named.split())
        assert (
            answer.json
            | {
                "number": 1,
                "status": "open",
                "widget_id": tenant.created["default_widget"]["id"],
                "channel": "widget",
                "visitor_ip": "203.0.113.7",
                "is_read": False,
                "unread_count": 1,
                "message_count": 1,
                "closed_at": None,
            }
            == answer.json
        )

    def test_numbers_count_up_in_each_tenant(self, tenant, chat):
        assert [conversation(tenant.owner.client, chat.begin())["number"] for _ in range(3)] == [1, 2, 3]
        other = new_site()
        assert conversation(other.owner.client, new_chat(other).begin())["number"] == 1

    def test_an_unchanged_one_is_not_sent_again(self, tenant, found):
        tag = tenant.owner.client.get(f"{URL}/{found}").headers["ETag"]
        assert tenant.owner.client.get(f"{URL}/{found}", If_None_Match=tag).status == 304

    def test_the_preview_is_cut_between_characters(self, tenant, chat):
        shown = conversation(tenant.owner.client, chat.begin("😀" * 300))["last_message"]
        assert shown == "😀" * 70
        assert conversation(tenant.owner.client, chat.begin("a" * 300))["last_message"] == "a" * 200


class TestUpdate:
    def test_all_at_once(self, tenant, found):
        agent = new_member(tenant, "agent")
        body = {
            "status": "pending",
            "assigned_to": agent.user_id,
            "priority": "high",
            "subject": "Prices",
            "summary": "Wants a quote",
            "tags": ["Sales", "sales", "VIP "],
            "custom_attributes": {"n": 12345678901234567890, "deep": [{"é": None}], "x": 0.1},
        }
        answer = agent.client.patch(f"{URL}/{found}", body)
        assert answer.status == 200
        assert answer.json == answer.json | body | {"tags": ["sales", "vip"]}
        assert answer.headers["ETag"] != '"2"'
        assert conversation(agent.client, found) == answer.json

    def test_what_is_not_given_stays_and_null_clears(self, tenant, found):
        client = tenant.owner.client
        client.patch(f"{URL}/{found}", {"subject": "Prices", "priority": "low", "tags": ["a"]})
        answer = client.patch(f"{URL}/{found}", {"priority": None})
        assert (answer.json["subject"], answer.json["priority"], answer.json["tags"]) == ("Prices", None, ["a"])

    def test_tags_are_added_removed_and_replaced(self, tenant, found):
        client = tenant.owner.client

        def tagged(**body: list[str]) -> list[str]:
            answer = client.patch(f"{URL}/{found}", body)
            assert answer.status == 200, answer.text
            tags: list[str] = answer.json["tags"]
            listed = {tag for tag in "abcd" if client.get(f"{URL}?tag={tag.upper()}").json["data"]}
            assert listed == set(tags)
            return tags

        assert tagged(add_tags=["a", "b"]) == ["a", "b"]
        assert tagged(add_tags=["c", "A"], remove_tags=["b", "d"]) == ["a", "c"]
        assert tagged(tags=["d", "a"]) == ["d", "a"]
        assert tagged(tags=["b"], add_tags=["c"], remove_tags=["b"]) == ["c"]
        assert tagged(tags=[]) == []

    def test_there_are_at_most_twenty_tags(self, tenant, found):
        client = tenant.owner.client
        assert client.patch(f"{URL}/{found}", {"tags": [f"t{n}" for n in range(20)]}).status == 200
        answer = client.patch(f"{URL}/{found}", {"add_tags": ["one more"]})
        assert (answer.status, answer.params) == (422, {"tags"})
        assert client.patch(f"{URL}/{found}", {"tags": [f"n{n}" for n in range(20)]}).status == 200

    def test_nothing_to_change_changes_nothing(self, services, tenant, found):
        before = conversation(tenant.owner.client, found)
        services.queues.clear()
        answer = tenant.owner.client.patch(f"{URL}/{found}", {"status": "open", "subject": None})
        assert answer.json == before
        assert not services.queues

    def test_only_members_can_be_assigned(self, tenant, found):
        for stranger in (new_tenant().owner.user_id, ids.new("usr"), "", "x", "-", "a#b"):
            answer = tenant.owner.client.patch(f"{URL}/{found}", {"assigned_to": stranger})
            assert (answer.status, answer.code) == (422, "not_a_member")
        assert conversation(tenant.owner.client, found)["assigned_to"] is None

    def test_if_match_is_honoured(self, tenant, found):
        client = tenant.owner.client
        tag = client.get(f"{URL}/{found}").headers["ETag"]
        second = client.patch(f"{URL}/{found}", {"subject": "mine"}, If_Match=tag)
        assert second.status == 200
        for stale in (tag, '"99"', "nonsense", '"-1"', 'W/"x"'):
            answer = client.patch(f"{URL}/{found}", {"subject": "theirs"}, If_Match=stale)
            assert (answer.status, answer.code) == (412, "precondition_failed")
        assert client.patch(f"{URL}/{found}", {"subject": "mine"}, If_Match="*").status == 200
        assert conversation(client, found)["subject"] == "mine"

    @pytest.mark.parametrize(
        ("body", "params"),
        [
            ({"status": "done", "priority": "some", "id": "x"}, {"status", "priority", "id"}),
            ({"status": None}, {"status"}),
            ({"tags": None}, {"tags"}),
            ({"tags": ["a#b"]}, {"tags.0"}),
            ({"add_tags": [""]}, {"add_tags.0"}),
            ({"tags": ["x" * 51]}, {"tags.0"}),
            ({"subject": "x" * 201}, {"subject"}),
            ({"custom_attributes": []}, {"custom_attributes"}),
            ({"custom_attributes": None}, {"custom_attributes"}),
            ({"custom_attributes": {"x": "y" * 9000}}, {"custom_attributes"}),
        ],
    )
    def test_bad_input_names_every_field(self, tenant, found, body, params):
        answer = tenant.owner.client.patch(f"{URL}/{found}", body)
        assert (answer.status, answer.params) == (422, params)


class TestStatus:
    def test_closing_and_reopening_again_changes_nothing(self, services, tenant, found):
        client = tenant.owner.client
        closed = client.post(f"{URL}/{found}/close")
        assert closed.json["status"] == "closed"
        assert closed.json["closed_at"] is not None
        with later(5_000):
            assert client.post(f"{URL}/{found}/close").text == closed.text
        opened = client.post(f"{URL}/{found}/reopen")
        assert (opened.json["status"], opened.json["closed_at"]) == ("open", None)
        assert client.post(f"{URL}/{found}/reopen").text == opened.text
        dispatch_all(services)
        assert client.get(URL).json["pagination"]["total"] == 1

    @pytest.mark.parametrize("status", ["closed", "pending", "snoozed"])
    def test_a_visitors_message_opens_it_again(self, services, tenant, chat, found, status):
        client = tenant.owner.client
        client.patch(f"{URL}/{found}", {"status": status})
        reply(client, found, "Just so you know")
        assert conversation(client, found)["status"] == status
        assert chat.own(found)["status"] == status
        chat.say(found)
        shown = conversation(client, found)
        assert (shown["status"], shown["closed_at"], shown["snoozed_until"]) == ("open", None, None)
        assert [row["id"] for row in client.get(f"{URL}?status=open").json["data"]] == [found]
        assert client.get(f"{URL}?status={status}").json["data"] == []

    def test_a_note_opens_nothing(self, tenant, found):
        tenant.owner.client.post(f"{URL}/{found}/close")
        reply(tenant.owner.client, found, "Done.", private=True)
        assert conversation(tenant.owner.client, found)["status"] == "closed"


class TestSnooze:
    def snooze(self, tenant: Organisation, conversation_id: str, ms: int) -> None:
        until = clock.rfc3339(clock.now_ms() + ms)
        answer = tenant.owner.client.post(f"{URL}/{conversation_id}/snooze", {"until": until})
        assert (answer.status, answer.json["status"], answer.json["snoozed_until"]) == (200, "snoozed", until)

    def test_it_wakes_when_its_time_has_come_and_not_before(self, tenant, found):
        from app import wake_conversations

        self.snooze(tenant, found, 3_600_000)
        with later(3_500_000):
            tick(wake_conversations)
        assert conversation(tenant.owner.client, found)["status"] == "snoozed"
        with later(3_700_000):
            tick(wake_conversations)
            tick(wake_conversations)
        shown = conversation(tenant.owner.client, found)
        assert (shown["status"], shown["snoozed_until"]) == ("open", None)

    def test_two_that_run_at_once_wake_it_once(self, tenant, found):
        from app import wake_conversations

        key = new_key(tenant)
        self.snooze(tenant, found, 3_600_000)
        with later(3_700_000):
            at_once(4, lambda: tick(wake_conversations))
        with later(3_800_000):
            woken = key.get("/v1/events?type=conversation.reopened").json["data"]
        assert [each["data"]["id"] for each in woken] == [found]

    def test_a_later_time_replaces_the_first(self, tenant, found):
        from app import wake_conversations

        self.snooze(tenant, found, 3_600_000)
        self.snooze(tenant, found, 7_200_000)
        with later(3_700_000):
            tick(wake_conversations)
        assert conversation(tenant.owner.client, found)["status"] == "snoozed"

    def test_an_index_that_lags_wakes_nothing_early(self, tenant, found):
        from app import wake_conversations

        self.snooze(tenant, found, 3_600_000)
        with injected(IndexLag()):
            self.snooze(tenant, found, 7_200_000)
            with later(3_700_000):
                tick(wake_conversations)
        assert conversation(tenant.owner.client, found)["status"] == "snoozed"

    @pytest.mark.parametrize("leave", ["close", "reopen"])
    def test_what_left_meanwhile_is_not_woken(self, tenant, found, leave):
        from app import wake_conversations

        self.snooze(tenant, found, 3_600_000)
        after = tenant.owner.client.post(f"{URL}/{found}/{leave}").text
        with later(3_700_000):
            tick(wake_conversations)
        assert tenant.owner.client.get(f"{URL}/{found}").text == after

    def test_one_that_cannot_be_woken_does_not_hold_up_the_others(self, services, tenant, chat, monkeypatch):
        from app import wake_conversations
        from chalicelib.conversations import service
        from chalicelib.core.errors import ContentionError

        both = [chat.begin(), chat.begin()]
        for each in both:
            self.snooze(tenant, each, 3_600_000)
        change = service._change

        def stuck(tenant_id, conversation_id, *rest):
            if conversation_id == both[0]:
                raise ContentionError
            return change(tenant_id, conversation_id, *rest)

        monkeypatch.setattr(service, "_change", stuck)
        with later(3_700_000):
            tick(wake_conversations)
        assert [conversation(tenant.owner.client, each)["status"] for each in both] == ["snoozed", "open"]

    @pytest.mark.parametrize(
        "until",
        ["2020-01-01T00:00:00Z", "2199-01-01T00:00:00", "9999-12-31T23:59:59-12:00", "2300-01-01T00:00:00Z", "x", None],
    )
    def test_bad_input_names_the_field(self, tenant, found, until):
        answer = tenant.owner.client.post(f"{URL}/{found}/snooze", {"until": until})
        assert (answer.status, answer.params) == (422, {"until"})


class TestRate:
    def test_it_is_the_rating_that_the_visitor_sees_too(self, tenant, chat, found):
        chat.client.post(f"/widget/v1/conversations/{found}/rate", {"score": 2})
        answer = tenant.owner.client.post(f"{URL}/{found}/rate", {"score": 5, "comment": "On the phone: all good"})
        assert (answer.status, answer.json["rating"]["score"]) == (200, 5)
        own = chat.client.get(f"/widget/v1/conversations/{found}").json
        assert (own["rating"]["score"], own["rating"]["comment"]) == (5, "On the phone: all good")

    def test_whoever_comes_too_late_changes_nothing(self, tenant, chat, found):
        old = tenant.owner.client.get(f"{URL}/{found}").headers["ETag"]
        chat.client.post(f"/widget/v1/conversations/{found}/rate", {"score": 2})
        assert tenant.owner.client.post(f"{URL}/{found}/rate", {"score": 5}, If_Match=old).status == 412
        assert conversation(tenant.owner.client, found)["rating"]["score"] == 2

    @pytest.mark.parametrize("score", [0, 6, "x", None, 2.5])
    def test_bad_input_names_the_field(self, tenant, found, score):
        answer = tenant.owner.client.post(f"{URL}/{found}/rate", {"score": score})
        assert (answer.status, answer.params) == (422, {"score"})


class TestAssign:
    def test_to_a_member_and_to_nobody(self, tenant, found):
        agent = new_member(tenant, "agent")
        answer = tenant.owner.client.post(f"{URL}/{found}/assign", {"assigned_to": agent.user_id})
        assert answer.json["assigned_to"] == agent.user_id
        assert [row["id"] for row in agent.client.get(f"{URL}?assigned_to=me").json["data"]] == [found]
        assert agent.client.get(f"{URL}?assigned_to=unassigned").json["data"] == []
        tenant.owner.client.post(f"{URL}/{found}/assign", {"assigned_to": None})
        assert agent.client.get(f"{URL}?assigned_to=me").json["data"] == []
        assert [row["id"] for row in agent.client.get(f"{URL}?assigned_to=unassigned").json["data"]] == [found]

    @pytest.mark.parametrize("body", [{}, {"assigned_to": 5}, {"assigned_to": "x" * 41}])
    def test_bad_input_names_the_field(self, tenant, found, body):
        answer = tenant.owner.client.post(f"{URL}/{found}/assign", body)
        assert (answer.status, answer.params) == (422, {"assigned_to"})

    def test_a_stranger_is_refused(self, tenant, found):
        answer = tenant.owner.client.post(f"{URL}/{found}/assign", {"assigned_to": new_tenant().owner.user_id})
        assert (answer.status, answer.code) == (422, "not_a_member")

    @pytest.mark.parametrize(("method", "end"), [("POST", "/assign"), ("PATCH", "")])
    def test_a_viewer_is_refused_until_he_may_answer(self, tenant, found, method, end):
        client, viewer = tenant.owner.client, new_member(tenant, "viewer")
        body = {"assigned_to": viewer.user_id}
        answer = client.send(method, f"{URL}/{found}{end}", body)
        assert (answer.status, answer.code, answer.params) == (422, "viewer_cannot_be_assigned", {"assigned_to"})
        assert conversation(client, found)["assigned_to"] is None
        assert client.patch(f"{tenant.url}/members/{viewer.user_id}", {"role": "agent"}).status == 200
        assert client.send(method, f"{URL}/{found}{end}", body).status == 200


class TestRead:
    def test_both_sides_count_what_they_have_not_read(self, tenant, chat, found):
        client = tenant.owner.client
        chat.say(found)
        assert conversation(client, found)["unread_count"] == 2
        answer = client.post(f"{URL}/{found}/read")
        assert (answer.json["unread_count"], answer.json["is_read"]) == (0, True)
        reply(client, found)
        reply(client, found, "A note", private=True)
        assert chat.own(found)["unread_count"] == 1
        assert conversation(client, found)["unread_count"] == 0
        assert chat.client.post(f"/widget/v1/conversations/{found}/read").json["unread_count"] == 0
        chat.say(found)
        reply(client, found)
        assert conversation(client, found)["unread_count"] == 0


class TestTestMode:
    def test_test_data_and_live_data_never_mix(self, tenant, found):
        key, chat = new_test_site(tenant)
        live = new_key(tenant)
        tested = chat.begin("only a test")
        assert [row["id"] for row in key.get(URL).json["data"]] == [tested]
        assert [row["id"] for row in live.get(URL).json["data"]] == [found]
        assert conversation(key, tested)["number"] == 1
        for caller, other in ((key, found), (live, tested), (tenant.owner.client, tested)):
            assert caller.get(f"{URL}/{other}").status == 404
            assert caller.post(f"{URL}/{other}/close").status == 404
            assert caller.get(f"{URL}/{other}/messages").status == 404
            assert caller.get(f"{URL}/{other}/thread").status == 404

    def test_a_member_can_be_assigned_in_test_data_too(self, tenant):
        key, chat = new_test_site(tenant)
        answer = key.post(f"{URL}/{chat.begin()}/assign", {"assigned_to": tenant.owner.user_id})
        assert answer.status == 200


class TestIdempotencyKey:
    @pytest.mark.parametrize(("method", "path", "body"), [each for each in WRITES if each[0] == "POST"])
    def test_a_repeated_action_replays_its_first_answer(
        self, services: Services, tenant, chat, found, method, path, body
    ):
        client = tenant.owner.client
        if path.endswith("/reopen"):
            client.post(at("/{id}/close", found))
        if path.endswith("/assign"):
            body = {"assigned_to": tenant.owner.user_id}
        first = client.post(at(path, found), body, Idempotency_Key="k")
        chat.say(found, "meanwhile")
        services.queues.clear()
        again = client.post(at(path, found), body, Idempotency_Key="k")
        assert (again.text, again.headers["Idempotency-Replayed"]) == (first.text, "true")
        assert again.headers["ETag"] == first.headers["ETag"]
        assert not services.queues
        other = client.post(at(path, found), {"other": 1}, Idempotency_Key="k")
        assert (other.status, other.code) == (422, "invalid")
        assert other.json["error"]["errors"][0]["code"] == "idempotency_key_reused"
