"""The visitor's side: every operation of `/widget/v1`, and all that a visitor must not see or do."""

import json
from typing import Any

import pytest

from chalicelib.core import clock, ids
from chalicelib.core.config import settings
from tests.support.answers import rows, without_request_id
from tests.support.chats import (
    ORIGIN,
    Chat,
    chat_of,
    conversation,
    messages_of,
    new_chat,
    new_site,
    new_test_site,
    reply,
    start_session,
    unique,
)
from tests.support.client import Answer
from tests.support.clocks import later
from tests.support.faults import injected
from tests.support.queues import drain
from tests.support.settings import changed
from tests.support.tenants import Organisation, anonymous, new_key, new_tenant
from tests.support.threads import at_once

URL = "/widget/v1/conversations"
ALLOW = "Access-Control-Allow-Origin"

OF_THE_VISITOR: list[tuple[str, str, Any]] = [
    ("GET", URL, None),
    ("POST", URL, {"message": {"content": "Hi"}}),
    ("PUT", "/widget/v1/context", {"context": {"plan": "pro"}}),
    ("POST", "/widget/v1/identify", {"name": "Ada"}),
    ("POST", "/widget/v1/page-views", {"url": ORIGIN}),
]
OF_ONE: list[tuple[str, str, Any]] = [
    ("GET", URL + "/{id}", None),
    ("GET", URL + "/{id}/messages", None),
    ("POST", URL + "/{id}/messages", {"content": "Hi"}),
    ("POST", URL + "/{id}/read", None),
    ("POST", URL + "/{id}/rate", {"score": 5}),
    ("GET", URL + "/{id}/transcript", None),
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


def refused_origin(answer: Answer) -> bool:
    return (answer.status, answer.code, answer.headers.get(ALLOW)) == (403, "origin_not_allowed", None)


class TestEveryOperation:
    @pytest.mark.parametrize(("method", "path", "body"), OF_THE_VISITOR + OF_ONE)
    def test_anonymous_users_and_keys_are_refused(self, tenant, found, method, path, body):
        path = path.replace("{id}", found)
        assert anonymous().send(method, path, body, {"Origin": ORIGIN}).status == 401
        for caller in (tenant.owner.client, new_key(tenant)):
            answer = caller.send(method, path, body, {"Origin": ORIGIN})
            assert (answer.status, answer.code, answer.headers.get(ALLOW)) == (403, "wrong_credential", None)

    @pytest.mark.parametrize(("method", "path", "body"), OF_THE_VISITOR + OF_ONE)
    def test_an_origin_that_is_missing_or_another_is_refused_and_not_echoed(self, chat, found, method, path, body):
        path = path.replace("{id}", found)
        for origin in (
            "",
            "https://evil.test",
            "null",
            ORIGIN + ".evil.test",
            ORIGIN.upper(),
            "http://www.example.com",
        ):
            assert refused_origin(chat.client.send(method, path, body, {"Origin": origin})), origin

    @pytest.mark.parametrize(("method", "path", "body"), OF_THE_VISITOR + OF_ONE)
    def test_the_allowed_origin_is_echoed_also_on_refusals(self, chat, found, method, path, body):
        good = chat.client.send(method, path.replace("{id}", found), body)
        assert good.status in {200, 201}
        bad = chat.client.send(method, path.replace("{id}", found) + "?x=1", b"{")
        missing = chat.client.send(method, path.replace("{id}", ids.new("conv")), body)
        for answer in (good, bad, missing):
            assert answer.headers[ALLOW] == ORIGIN
            assert answer.headers["Vary"] == "Origin"
            assert "ETag" not in answer.headers

    @pytest.mark.parametrize(("method", "path", "body"), OF_ONE)
    def test_another_visitors_conversation_is_like_a_missing_one(self, tenant, chat, found, method, path, body):
        before = tenant.owner.client.get(f"/v1/conversations/{found}").text
        neighbour, stranger = new_chat(tenant), new_chat(new_site())
        missing = neighbour.client.send(method, path.replace("{id}", ids.new("conv")), body)
        assert missing.status == 404
        for other in (neighbour, stranger):
            for conversation_id in (found, chat.visitor_id, "x"):
                answer = other.client.send(method, path.replace("{id}", conversation_id), body)
                assert without_request_id(answer) == without_request_id(missing)
        assert tenant.owner.client.get(f"/v1/conversations/{found}").text == before


class TestSession:
    def test_a_new_visitor_gets_a_token_and_the_widget(self, tenant):
        answer = start_session(tenant, page_url="https://www.example.com/", locale="de")
        assert answer.status == 201
        assert set(answer.json) == {"token", "visitor", "widget"}
        assert answer.headers[ALLOW] == ORIGIN
        assert answer.json["visitor"]["locale"] == "de"
        assert "ip" not in answer.json["visitor"]

    def test_an_earlier_token_resumes_also_after_it_expired(self, tenant):
        first = start_session(tenant)
        for days in (0, 2, 179):
            with later(days * 86_400_000):
                again = start_session(tenant, visitor_token=first.json["token"])
            assert again.json["visitor"]["id"] == first.json["visitor"]["id"]
        with later(2 * 86_400_000):
            expired = anonymous().using(first.json["token"], Origin=ORIGIN).get(URL)
        assert expired.status == 401

    @pytest.mark.parametrize("token", ["x", "", "a.b.c", None])
    def test_a_token_that_is_none_begins_anew(self, tenant, token):
        assert start_session(tenant, visitor_token=token).status == 201

    def test_tokens_of_another_tenant_or_of_a_user_begin_anew(self, tenant):
        strange = start_session(new_site()).json
        for token in (strange["token"], tenant.owner.client.token):
            answer = start_session(tenant, visitor_token=token)
            assert answer.json["visitor"]["id"] != strange["visitor"]["id"]

    def test_an_origin_that_is_missing_or_foreign_is_refused_and_not_echoed(self, tenant):
        body = {"client_token": tenant.created["default_widget"]["client_token"]}
        for origin in ("", "null", "https://evil.test", "http://www.example.com", ORIGIN + ":444", ORIGIN + "/"):
            assert refused_origin(anonymous().post("/widget/v1/sessions", body, Origin=origin)), origin
        answer = new_tenant()
        body = {"client_token": answer.created["default_widget"]["client_token"]}
        assert refused_origin(anonymous().post("/widget/v1/sessions", body, Origin=ORIGIN))

    def test_bad_input_names_every_field(self):
        answer = anonymous().post("/widget/v1/sessions", {"page_url": "x" * 2001, "id": 1}, Origin=ORIGIN)
        assert (answer.status, answer.params) == (422, {"client_token", "page_url", "id"})
        assert ALLOW not in answer.headers

    def test_a_mistyped_client_token_is_not_found(self, tenant):
        token = tenant.created["default_widget"]["client_token"]
        for wrong in (token[:-1], token + "x", "x", token[:-1] + ("0" if token[-1] != "0" else "1")):
            assert anonymous().post("/widget/v1/sessions", {"client_token": wrong}, Origin=ORIGIN).status == 404

    def test_one_address_gets_so_many_new_visitors_a_minute(self, tenant):
        caller = anonymous()
        caller.source_ip = "198.51.100.9"
        body = {"client_token": tenant.created["default_widget"]["client_token"]}
        start = clock.now_ms() // 60_000 * 60_000 + 600_000
        with changed(SESSIONS_PER_ADDRESS="3"), clock.reading(lambda: start + 20_000):
            answers = [caller.post("/widget/v1/sessions", body, Origin=ORIGIN) for _ in range(4)]
            assert [answer.status for answer in answers] == [201, 201, 201, 429]
            assert answers[-1].headers["Retry-After"] == "40"
            assert answers[-1].headers[ALLOW] == ORIGIN
            resumed = caller.post(
                "/widget/v1/sessions", body | {"visitor_token": answers[0].json["token"]}, Origin=ORIGIN
            )
            assert resumed.status == 201
            caller.source_ip = "198.51.100.10"
            assert caller.post("/widget/v1/sessions", body, Origin=ORIGIN).status == 201
        caller.source_ip = "198.51.100.9"
        with changed(SESSIONS_PER_ADDRESS="3"), clock.reading(lambda: start + 60_000):
            assert caller.post("/widget/v1/sessions", body, Origin=ORIGIN).status == 201


class TestWithdrawal:
    """A token outlives neither its site nor its widget."""

    def test_a_domain_that_is_removed_ends_the_tokens_of_its_pages(self, tenant, chat, found):
        owner = tenant.owner.client
        domain_id = owner.get("/v1/domains").json["data"][0]["id"]
        assert chat.say(found).status == 201
        assert owner.delete(f"/v1/domains/{domain_id}").status == 204
        assert chat.say(found).status == 401
        assert chat.client.get("/widget/v1/conversations").status == 401

    def test_a_widget_that_is_deleted_ends_its_tokens(self, tenant, chat, found):
        widget_id = tenant.created["default_widget"]["id"]
        assert tenant.owner.client.delete(f"/v1/widgets/{widget_id}").status == 204
        assert chat.say(found).status == 401


class TestBegin:
    def test_it_answers_the_conversation_and_the_message(self, chat):
        answer = chat.client.post(URL, {"message": {"content": "Hi", "client_msg_id": "c"}})
        assert answer.status == 201
        shown, message = answer.json["conversation"], answer.json["message"]
        assert (shown["status"], shown["last_message"], shown["unread_count"]) == ("open", "Hi", 0)
        assert (message["seq"], message["conversation_id"], message["client_msg_id"]) == (1, shown["id"], "c")
        assert message["author"] == {"type": "visitor", "id": chat.visitor_id, "name": None}
        assert chat.own(shown["id"]) == shown

    def test_it_belongs_to_the_widget_where_it_was_begun(self, tenant):
        first = start_session(tenant)
        other = tenant.owner.client.post("/v1/widgets", {"name": "Second"}).json
        body = {"client_token": other["client_token"], "visitor_token": first.json["token"]}
        resumed = chat_of(anonymous().post("/widget/v1/sessions", body, Origin=ORIGIN))
        assert resumed.visitor_id == first.json["visitor"]["id"]
        assert conversation(tenant.owner.client, resumed.begin())["widget_id"] == other["id"]

    def test_a_client_msg_id_begins_one_for_a_day(self, chat):
        key = unique()
        found = chat.begin("Hi", key)
        assert chat.begin("Hi again", key) == found
        with later(86_400_000 - 60_000):
            assert chat.begin("Hi", key) == found

    def test_the_same_idempotency_key_begins_one_even_32_at_once(self, chat):
        body = {"message": {"content": "Hi"}}
        answers = at_once(32, lambda: chat.client.post(URL, body, Idempotency_Key="k"))
        assert {answer.status for answer in answers} == {201}
        assert len({answer.text for answer in answers}) == 1
        assert len(chat.client.get(URL).json["data"]) == 1

    @pytest.mark.parametrize(
        ("body", "params"),
        [
            ({}, {"message"}),
            ({"message": "Hi"}, {"message"}),
            ({"message": {"content": ""}}, {"message.content"}),
            ({"message": {"content": "x", "private": True}}, {"message.private"}),
            ({"message": {"content": "x"}, "status": "closed"}, {"status"}),
        ],
    )
    def test_bad_input_names_every_field(self, chat, body, params):
        answer = chat.client.post(URL, body)
        assert (answer.status, answer.params) == (422, params)


class TestNotes:
    def test_a_visitor_notices_nothing_of_a_note(self, tenant, chat, found):
        reply(tenant.owner.client, found, "public")

        def sees() -> list[str]:
            urls = (URL, f"{URL}/{found}", f"{URL}/{found}/messages", f"{URL}/{found}/messages?after_seq=2")
            return [f"{chat.client.get(url).headers.get('ETag')} {chat.client.get(url).text}" for url in urls]

        before = sees()
        reply(tenant.owner.client, found, "SECRET", private=True)
        assert sees() == before

    @pytest.mark.parametrize("limit", [1, 2, 100])
    def test_any_number_of_notes_between_messages_hides_none_of_them(self, tenant, chat, found, limit, monkeypatch):
        monkeypatch.setattr("chalicelib.messages.service.SEARCH_BACK", 2)
        public = ["0"]
        for number in range(1, 25):
            private = 2 <= number <= 18 or number > 22
            reply(tenant.owner.client, found, str(number), private=private)
            if not private:
                public.append(str(number))
        first = "Hi, I have a question about pricing."
        listed = rows(chat.client, f"{URL}/{found}/messages?limit={limit}")
        assert [row["content"] for row in listed] == [first, *public[1:]]
        assert all("private" not in row for row in listed)

    def test_notes_at_the_end_are_no_more_to_come(self, tenant, chat, found):
        reply(tenant.owner.client, found, "SECRET", private=True)
        for limit in (1, 2):
            page = chat.client.get(f"{URL}/{found}/messages?limit={limit}").json["pagination"]
            assert (page["has_more"], page["next_cursor"], page["total"]) == (False, None, 1)

    def test_a_note_first(self, tenant, chat):
        opened = tenant.owner.client.post("/v1/conversations", {"visitor_id": chat.visitor_id}).json["id"]
        reply(tenant.owner.client, opened, "SECRET", private=True)
        assert chat.heard(opened) == []
        assert chat.own(opened)["last_message"] is None
        assert "SECRET" not in chat.client.get(URL).text


class TestList:
    def test_own_conversations_newest_activity_first(self, tenant, chat):
        first, second = chat.begin(), chat.begin()
        new_chat(tenant).begin()
        with later(1000):
            chat.say(first)
        assert [row["id"] for row in rows(chat.client, f"{URL}?limit=1")] == [first, second]
        answer = chat.client.get(f"{URL}?status=open")
        assert (answer.status, answer.params) == (422, {"status"})

    def test_nothing_internal_is_shown(self, tenant, chat, found):
        body = {
            "tags": ["INTERNAL"],
            "summary": "INTERNAL",
            "subject": "INTERNAL",
            "custom_attributes": {"INTERNAL": 1},
        }
        tenant.owner.client.patch(f"/v1/conversations/{found}", body)
        assert "INTERNAL" not in chat.client.get(URL).text + chat.client.get(f"{URL}/{found}").text


class TestMessages:
    def test_what_came_after_a_seq(self, tenant, chat, found):
        reply(tenant.owner.client, found, "two")
        chat.say(found, "three")
        assert chat.heard(found, 1) == ["two", "three"]
        assert chat.heard(found, 3) == chat.heard(found, 10**15) == []

    def test_bad_input_names_every_field(self, chat, found):
        answer = chat.client.get(f"{URL}/{found}/messages?after_seq=x&limit=0&cursor=x{'x' * 500}&before_seq=1")
        assert (answer.status, answer.params) == (422, {"after_seq", "limit", "cursor", "before_seq"})
        answer = chat.client.get(f"{URL}/{found}/messages?cursor=x")
        assert (answer.status, answer.params) == (422, {"cursor"})

    def test_a_visitor_may_say_so_much_at_once_and_then_so_much_a_second(self, chat, found):
        start = clock.now_ms() + 10_000
        with changed(VISITOR_BURST="3", VISITOR_RATE="0.5"):
            with clock.reading(lambda: start + 3_600_000):
                assert [chat.say(found).status for _ in range(4)] == [201, 201, 201, 429]
                limited = chat.say(found)
                assert limited.headers["Retry-After"] == "2"
                assert limited.headers[ALLOW] == ORIGIN
            with clock.reading(lambda: start + 3_601_900):
                assert chat.say(found).status == 429
            with clock.reading(lambda: start + 3_602_000):
                assert [chat.say(found).status for _ in range(2)] == [201, 429]

    def test_a_repeated_message_costs_nothing_of_it(self, chat, found):
        start = clock.now_ms() + 3_600_000
        with changed(VISITOR_BURST="1", VISITOR_RATE="0.001"), clock.reading(lambda: start):
            assert [chat.say(found, client_msg_id="c").status for _ in range(3)] == [201, 201, 201]
            assert chat.say(found, client_msg_id="d").status == 429

    def test_beginning_conversations_is_limited_too(self, chat):
        with changed(VISITOR_BURST="2", VISITOR_RATE="1"), clock.reading(lambda: 4_000_000_000_000):
            body = {"message": {"content": "Hi"}}
            fresh = chat.client.using(_token_at(chat))
            assert [fresh.post(URL, body).status for _ in range(3)] == [201, 201, 429]

    def test_agents_are_not_limited(self, tenant, found):
        with changed(VISITOR_BURST="1", VISITOR_RATE="0.001"):
            assert [reply(tenant.owner.client, found).status for _ in range(3)] == [201] * 3

    def test_the_same_idempotency_key_says_it_once(self, chat, found):
        first, again = (
            chat.client.post(f"{URL}/{found}/messages", {"content": "x"}, Idempotency_Key="k") for _ in range(2)
        )
        assert (again.text, again.headers["Idempotency-Replayed"]) == (first.text, "true")
        other = chat.client.post(f"{URL}/{found}/messages", {"content": "y"}, Idempotency_Key="k")
        assert other.json["error"]["errors"][0]["code"] == "idempotency_key_reused"

    @pytest.mark.parametrize("merged", [False, True])
    def test_a_conversation_that_goes_while_it_is_read_is_no_error(self, services, tenant, chat, merged):
        owner, found, other = tenant.owner.client, chat.begin(), chat.begin()
        url, gone = f"/v1/conversations/{found}", list[int]()

        def meanwhile(_service, operation, params, proceed):
            # The conversation has been read, its messages have not.
            if operation == "query" and "m#0000000001" in str(params) and not gone:
                gone.append(owner.post(f"{url}/merge", {"into": other}).status if merged else owner.delete(url).status)
                drain(services)
            return proceed()

        with injected(meanwhile):
            answer = chat.client.get(f"/widget/v1/conversations/{found}/messages")
        assert gone == [202 if merged else 204]
        assert (answer.status, answer.json["data"]) == (200, [])


def _token_at(chat: Chat) -> str:
    """Return a token of the visitor that is good at the time the clock shows."""
    from chalicelib.auth import jwts, visitor_tokens

    claims = jwts.read(chat.client.token, visitor_tokens.USE, expired_for_s=10**10)
    assert claims is not None
    known = visitor_tokens.from_claims(claims)
    return visitor_tokens.issue(known.tenant_space, known.visitor_id, known.widget_id, known.origin)


class TestRate:
    def test_a_second_rating_replaces_the_first(self, tenant, chat, found):
        url = f"{URL}/{found}/rate"
        assert chat.client.post(url, {"score": 2, "comment": "slow"}).json["rating"]["score"] == 2
        answer = chat.client.post(url, {"score": 5}, Idempotency_Key="k")
        assert chat.client.post(url, {"score": 5}, Idempotency_Key="k").text == answer.text
        rating = conversation(tenant.owner.client, found)["rating"]
        assert (rating["score"], rating["comment"]) == (5, None)

    @pytest.mark.parametrize("score", [0, 6, "x", None, 2.5, 10**30, -1])
    def test_bad_input_names_the_field(self, chat, found, score):
        body = json.dumps({"score": score}).encode()
        answer = chat.client.post(f"{URL}/{found}/rate", body)
        assert answer.status in {400, 422}
        assert answer.status == 400 or answer.params == {"score"}


class TestRead:
    def test_it_counts_for_the_visitor_only(self, tenant, chat, found):
        reply(tenant.owner.client, found)
        chat.say(found)
        reply(tenant.owner.client, found)
        answer = chat.client.post(f"{URL}/{found}/read", Idempotency_Key="k")
        assert answer.json["unread_count"] == 0
        assert messages_of(tenant.owner.client, found)[-1]["seq"] == 4
        assert chat.client.post(f"{URL}/{found}/read", Idempotency_Key="k").text == answer.text


class TestContext:
    def test_it_replaces_and_drops_where_somebody_is(self, tenant, chat):
        context = {"plan": "pro", "big": 12345678901234567890, "geo": {"x": 1}, "user": {"Country": "AT", "age": 3}}
        answer = chat.client.put("/widget/v1/context", {"context": context, "page_url": "https://www.example.com/b"})
        kept = {"plan": "pro", "big": 12345678901234567890, "user": {"age": 3}}
        assert (answer.status, answer.json["context"]) == (200, kept)
        shown = tenant.owner.client.get(f"/v1/visitors/{chat.visitor_id}").json
        assert (shown["context"], shown["page_url"]) == (kept, "https://www.example.com/b")
        chat.client.put("/widget/v1/context", {"context": {"a": 1}})
        assert tenant.owner.client.get(f"/v1/visitors/{chat.visitor_id}").json["context"] == {"a": 1}

    @pytest.mark.parametrize("context", [None, [], "x", 1, {"x": "y" * 9000}])
    def test_bad_input_names_the_field(self, chat, context):
        answer = chat.client.put("/widget/v1/context", {"context": context})
        assert (answer.status, answer.params) == (422, {"context"})


class TestIdentify:
    def test_a_claim_opens_nobodys_history(self, tenant, chat, found):
        chat.client.post("/widget/v1/identify", {"name": "Ada", "email": "ada@example.com"})
        impostor = new_chat(tenant)
        answer = impostor.client.post("/widget/v1/identify", {"name": "Ada", "email": "ADA@example.com"})
        assert (answer.status, answer.json["email"]) == (200, "ada@example.com")
        assert impostor.client.get(URL).json["data"] == []
        assert impostor.client.get(f"{URL}/{found}").status == 404

    def test_an_idempotency_key_replays(self, chat):
        first = chat.client.post("/widget/v1/identify", {"name": "Ada"}, Idempotency_Key="k")
        chat.client.post("/widget/v1/identify", {"name": "Eve"})
        again = chat.client.post("/widget/v1/identify", {"name": "Ada"}, Idempotency_Key="k")
        assert again.headers["Idempotency-Replayed"] == "true"
        assert again.json == first.json | {"token": None}

    @pytest.mark.parametrize("body", [{"email": "x"}, {"email": "a@b"}, {"email": "a\n@b.co"}])
    def test_bad_input_names_the_field(self, chat, body):
        answer = chat.client.post("/widget/v1/identify", body)
        assert (answer.status, answer.params) == (422, {"email"})


class TestTestMode:
    def test_a_test_visitor_cannot_reach_live_data(self, tenant, found):
        _, tester = new_test_site(tenant)
        assert tester.client.get(URL).json["data"] == []
        assert tester.client.get(f"{URL}/{found}").status == 404
        assert tester.say(found).status == 404


def test_the_defaults_are_generous():
    assert (settings().visitor_burst, settings().visitor_rate) == (60, 1.0)
