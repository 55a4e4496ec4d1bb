"""Messages: open a conversation, send, list, thread."""

import json
from typing import Any

import pytest

from chalicelib.core import ids
from tests.support.answers import pages, rows, without_request_id
from tests.support.chats import (
    Chat,
    conversation,
    dispatch_all,
    messages_of,
    new_chat,
    new_site,
    new_test_site,
    reply,
    unique,
)
from tests.support.tenants import Organisation, anonymous, new_key, new_member, new_tenant
from tests.support.threads import at_once

URL = "/v1/conversations"

READS: list[tuple[str, str, Any]] = [("GET", "/{id}/messages", None), ("GET", "/{id}/thread", None)]
WRITES: list[tuple[str, str, Any]] = [("POST", "/{id}/messages", {"content": "Hello"})]


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
    @pytest.mark.parametrize(("method", "path", "body"), READS + WRITES)
    def test_anonymous_and_visitors_are_refused(self, chat, found, method, path, body):
        assert anonymous().send(method, at(path, found), body).status == 401
        answer = chat.client.send(method, at(path, found), body)
        assert (answer.status, answer.code) == (403, "wrong_credential")

    @pytest.mark.parametrize(("method", "path", "body"), READS + WRITES)
    def test_another_tenants_is_like_a_missing_one(self, chat, found, method, path, body):
        stranger = new_tenant().owner.client
        foreign = stranger.send(method, at(path, found), body)
        others = [stranger.send(method, at(path, each), body) for each in (ids.new("conv"), "x", chat.visitor_id)]
        assert foreign.status == 404
        assert {without_request_id(each) for each in others} == {without_request_id(foreign)}

    @pytest.mark.parametrize(("method", "path", "body"), READS + WRITES)
    def test_what_is_no_conversation_is_not_found(self, tenant, chat, method, path, body):
        for other in (chat.visitor_id, tenant.created["default_widget"]["id"], "n", "%ED%A0%80"):
            assert tenant.owner.client.send(method, at(path, other), body).status == 404

    @pytest.mark.parametrize(("method", "path", "body"), WRITES)
    def test_viewers_and_reading_keys_cannot_write(self, tenant, found, method, path, body):
        viewer, key = new_member(tenant, "viewer").client, new_key(tenant, scopes=["messages:read"])
        assert viewer.get(at("/{id}/messages", found)).status == key.get(at("/{id}/thread", found)).status == 200
        assert viewer.send(method, at(path, found), body).code == "insufficient_role"
        assert key.send(method, at(path, found), body).code == "insufficient_scope"

    @pytest.mark.parametrize(("method", "path", "body"), READS)
    def test_a_key_without_the_scope_cannot_read(self, tenant, found, method, path, body):
        key = new_key(tenant, scopes=["conversations:read", "messages:write"])
        assert key.send(method, at(path, found), body).code == "insufficient_scope"


class TestOpen:
    def test_anonymous_visitors_viewers_and_reading_keys_are_refused(self, tenant, chat):
        body = {"visitor_id": chat.visitor_id}
        assert anonymous().post(URL, body).status == 401
        assert chat.client.post(URL, body).code == "wrong_credential"
        assert new_member(tenant, "viewer").client.post(URL, body).code == "insufficient_role"
        assert new_key(tenant, scopes=["conversations:read"]).post(URL, body).code == "insufficient_scope"

    def test_with_a_first_message(self, tenant, chat):
        agent = new_member(tenant, "agent")
        body = {"visitor_id": chat.visitor_id, "message": {"content": " Hello "}, "subject": "Prices", "tags": ["A"]}
        answer = agent.client.post(URL, body)
        assert answer.status == 201
        shown = answer.json
        assert (shown["last_message"], shown["subject"], shown["tags"]) == ("Hello", "Prices", ["a"])
        assert (shown["message_count"], shown["unread_count"], shown["channel"]) == (1, 0, "api")
        assert conversation(agent.client, shown["id"]) == shown
        (message,) = messages_of(agent.client, shown["id"])
        assert (message["seq"], message["content"]) == (1, "Hello")
        assert message["author"]["type"] == "agent"
        assert message["author"]["id"] == agent.user_id
        assert chat.own(shown["id"])["unread_count"] == 1
        assert chat.heard(shown["id"]) == ["Hello"]

    def test_without_a_message(self, tenant, chat):
        answer = tenant.owner.client.post(URL, {"visitor_id": chat.visitor_id})
        assert answer.json["last_message"] is None
        assert answer.json["last_message_at"] is None
        assert [row["id"] for row in tenant.owner.client.get(URL).json["data"]] == [answer.json["id"]]

    def test_a_client_msg_id_opens_one(self, tenant, chat):
        key = unique()
        body = {"visitor_id": chat.visitor_id, "message": {"content": "Hello", "client_msg_id": key}}
        first, again = (tenant.owner.client.post(URL, body) for _ in range(2))
        assert first.json["id"] == again.json["id"]
        other = new_chat(tenant)
        assert tenant.owner.client.post(URL, body | {"visitor_id": other.visitor_id}).json["id"] != first.json["id"]

    def test_another_tenants_visitor_is_like_a_missing_one(self, tenant, found):
        strange = new_chat(new_site())
        answers = [
            tenant.owner.client.post(URL, {"visitor_id": each})
            for each in (strange.visitor_id, ids.new("vis"), "", "x", found, "conv_x")
        ]
        assert {answer.status for answer in answers} == {422}
        assert len({without_request_id(answer) for answer in answers}) == 1
        assert answers[0].params == {"visitor_id"}

    def test_bad_input_names_every_field(self, tenant):
        body = {"message": {"content": "  ", "private": True}, "tags": ["#"], "priority": "x", "custom_attributes": 1}
        answer = tenant.owner.client.post(URL, body)
        assert answer.status == 422
        assert answer.params == {
            "visitor_id",
            "message.content",
            "message.private",
            "tags.0",
            "priority",
            "custom_attributes",
        }

    def test_the_same_idempotency_key_opens_one_even_32_at_once(self, tenant, chat):
        body = {"visitor_id": chat.visitor_id, "message": {"content": "Hello"}}
        answers = at_once(32, lambda: tenant.owner.client.post(URL, body, Idempotency_Key="k"))
        assert {answer.status for answer in answers} == {201}
        assert len({answer.text for answer in answers}) == 1
        assert len(tenant.owner.client.get(URL).json["data"]) == 1
        other = tenant.owner.client.post(URL, {"visitor_id": chat.visitor_id}, Idempotency_Key="k")
        assert other.json["error"]["errors"][0]["code"] == "idempotency_key_reused"

    def test_test_data_stays_test_data(self, tenant, chat):
        key, tester = new_test_site(tenant)
        assert key.post(URL, {"visitor_id": chat.visitor_id}).status == 422
        opened = key.post(URL, {"visitor_id": tester.visitor_id, "message": {"content": "Hi"}}).json["id"]
        assert tester.heard(opened) == ["Hi"]
        assert tenant.owner.client.get(f"{URL}/{opened}").status == 404


class TestSend:
    def test_seq_has_no_gaps_over_messages_and_notes_of_all(self, tenant, chat, found):
        client = tenant.owner.client
        for number in range(3):
            assert reply(client, found, f"a{number}").json["seq"] == 2 + 3 * number
            assert reply(client, found, f"n{number}", private=True).json["seq"] == 3 + 3 * number
            assert chat.say(found, f"v{number}").json["seq"] == 4 + 3 * number
        assert [row["seq"] for row in messages_of(client, found)] == list(range(1, 11))
        assert conversation(client, found)["message_count"] == 10

    def test_the_answer_is_the_message(self, tenant, found):
        agent = new_member(tenant, "agent")
        answer = reply(agent.client, found, "  Grüße 👋  ", client_msg_id="c1")
        assert answer.status == 201
        assert (
            answer.json
            | {
                "seq": 2,
                "conversation_id": found,
                "author": {"type": "agent", "id": agent.user_id, "name": answer.json["author"]["name"]},
                "content": "Grüße 👋",
                "private": False,
                "client_msg_id": "c1",
                "edited_at": None,
                "deleted_at": None,
            }
            == answer.json
        )
        assert messages_of(agent.client, found)[-1] == answer.json
        assert conversation(agent.client, found)["last_message"] == "Grüße 👋"

    def test_a_note_shows_in_no_preview_and_makes_nothing_read(self, tenant, found):
        before = conversation(tenant.owner.client, found)
        reply(tenant.owner.client, found, "Careful with this one", private=True)
        after = conversation(tenant.owner.client, found)
        assert {name for name in after if after[name] != before[name]} <= {"message_count", "updated_at"}

    def test_the_longest_message(self, tenant, found):
        assert reply(tenant.owner.client, found, "😀" * 10_000).status == 201

    def test_characters_that_nobody_sees_are_left_out(self, tenant, chat, found):
        said = chat.say(found, "\x01a\x0bb\x0c\tc\x1b\nd\x7f\x02").json
        assert said["content"] == "ab\tc\nd\x7f"
        assert chat.say(found, "\x01 \x02").params == {"content"}
        url = f"{URL}/{found}/messages/{reply(tenant.owner.client, found).json['id']}"
        assert tenant.owner.client.patch(url, {"content": "\x03x"}).json["content"] == "x"
        assert tenant.owner.client.patch(url, {"content": "\x03"}).params == {"content"}

    @pytest.mark.parametrize("letter", ["\x01", '"'], ids=["six in JSON", "two in JSON"])
    def test_a_hundred_of_the_longest_fit_into_an_answer_of_lambda(self, tenant, found, letter):
        for _ in range(100):
            assert reply(tenant.owner.client, found, f"{letter * 9999}.").status == 201
        for path in ("/messages?limit=100", "/thread?limit=98"):
            answer = tenant.owner.client.get(f"{URL}/{found}{path}")
            assert answer.status == 200
            assert len(json.dumps(answer.text, ensure_ascii=False).encode()) < 6_000_000

    def test_the_same_idempotency_key_says_it_once_even_32_at_once(self, tenant, found):
        url = f"{URL}/{found}/messages"
        answers = at_once(32, lambda: tenant.owner.client.post(url, {"content": "once"}, Idempotency_Key="k"))
        assert {answer.status for answer in answers} == {201}
        assert len({answer.text for answer in answers}) == 1
        assert len(messages_of(tenant.owner.client, found)) == 2

    @pytest.mark.parametrize(
        ("body", "params"),
        [
            ({}, {"content"}),
            ({"content": " \n\t"}, {"content"}),
            ({"content": "x" * 10_001}, {"content"}),
            ({"content": None, "private": "x", "seq": 1}, {"content", "private", "seq"}),
            ({"content": "x", "client_msg_id": ""}, {"client_msg_id"}),
            ({"content": "x", "client_msg_id": "a b"}, {"client_msg_id"}),
            ({"content": "x", "client_msg_id": "x" * 65}, {"client_msg_id"}),
        ],
    )
    def test_bad_input_names_every_field(self, tenant, found, body, params):
        answer = tenant.owner.client.post(f"{URL}/{found}/messages", body)
        assert (answer.status, answer.params) == (422, params)


class TestList:
    def test_oldest_first_or_newest_first_within_bounds(self, tenant, found):
        client = tenant.owner.client
        for number in range(2, 8):
            reply(client, found, str(number))
        url = f"{URL}/{found}/messages"

        def seqs(query: str) -> list[int]:
            return [row["seq"] for row in rows(client, f"{url}?limit=2&{query}")]

        assert seqs("") == [1, 2, 3, 4, 5, 6, 7]
        assert seqs("order=desc") == [7, 6, 5, 4, 3, 2, 1]
        assert seqs("after_seq=2&before_seq=6") == [3, 4, 5]
        assert seqs("after_seq=2&before_seq=6&order=desc") == [5, 4, 3]
        assert seqs("after_seq=7") == seqs("before_seq=1") == seqs("after_seq=999999999999") == []
        for page in pages(client, f"{url}?limit=3&after_seq=1"):
            assert page["pagination"]["total"] == 6
        offset = client.get(f"{url}?offset=2&limit=3&order=desc").json
        assert [row["seq"] for row in offset["data"]] == [5, 4, 3]
        assert client.get(f"{url}?offset=50").json["data"] == []

    def test_it_begins_behind_a_message_or_ends_before_one_by_their_ids(self, tenant, chat, found):
        client, url = tenant.owner.client, f"{URL}/{found}/messages"
        for number in range(2, 8):
            reply(client, found, str(number))
        named = {row["seq"]: row["id"] for row in rows(client, f"{url}?limit=50")}

        def seqs(query: str) -> list[int]:
            return [row["seq"] for row in rows(client, f"{url}?limit=2&{query}")]

        assert client.delete(f"{url}/{named[4]}").status == 204
        assert seqs(f"after={named[4]}") == [5, 6, 7]
        assert seqs(f"before={named[4]}&order=desc") == [3, 2, 1]
        assert seqs(f"after={named[2]}&before={named[6]}&after_seq=3") == [4, 5]
        assert seqs(f"after={named[7]}") == seqs(f"before={named[1]}") == []
        assert client.get(f"{url}?after={named[2]}&limit=1").json["pagination"]["total"] == 5
        elsewhere = rows(client, f"{URL}/{chat.begin()}/messages?limit=1")[0]["id"]
        for param in ("after", "before"):
            for message_id in (elsewhere, ids.new("msg"), "x", ""):
                assert client.get(f"{url}?{param}={message_id}").params == {param}

    @pytest.mark.parametrize("order", ["asc", "desc"])
    def test_what_is_said_meanwhile_repeats_and_hides_nothing(self, tenant, found, order):
        client = tenant.owner.client
        for number in range(2, 6):
            reply(client, found, str(number))
        seen = []
        for page in pages(client, f"{URL}/{found}/messages?limit=2&order={order}"):
            seen += [row["seq"] for row in page["data"]]
            if len(seen) <= 4:
                reply(client, found, "meanwhile")
        assert seen == ([5, 4, 3, 2, 1] if order == "desc" else list(range(1, len(seen) + 1)))
        assert len(seen) == (5 if order == "desc" else 7)

    def test_a_cursor_is_bound_to_its_conversation(self, tenant, chat, found):
        client, other = tenant.owner.client, chat.begin()
        reply(client, found)
        cursor = client.get(f"{URL}/{found}/messages?limit=1").json["pagination"]["next_cursor"]
        for url in (f"{URL}/{other}/messages?", f"{URL}/{found}/messages?order=desc&", f"{URL}?"):
            answer = client.get(f"{url}cursor={cursor}")
            assert (answer.status, answer.params) == (422, {"cursor"})

    def test_bad_input_names_every_field(self, tenant, found):
        answer = tenant.owner.client.get(f"{URL}/{found}/messages?after_seq=-1&before_seq=0&order=up&x=1&limit=x")
        assert answer.params == {"after_seq", "before_seq", "order", "x", "limit"}


class TestThread:
    def test_the_newest_messages_oldest_of_them_first(self, tenant, found):
        client = tenant.owner.client
        reply(client, found, "2")
        reply(client, found, "3", private=True)
        thread = client.get(f"{URL}/{found}/thread").json
        assert thread["conversation"] == conversation(client, found)
        assert thread["messages"] == messages_of(client, found)
        assert thread["has_more"] is False
        for limit, seqs, more in ((1, [3], True), (2, [2, 3], True), (3, [1, 2, 3], False)):
            thread = client.get(f"{URL}/{found}/thread?limit={limit}").json
            assert ([row["seq"] for row in thread["messages"]], thread["has_more"]) == (seqs, more)

    def test_more_than_one_answer_of_the_table_holds(self, tenant, found):
        for _ in range(30):
            reply(tenant.owner.client, found, "😀" * 10_000)
        thread = tenant.owner.client.get(f"{URL}/{found}/thread?limit=98").json
        assert thread["messages"][-1]["seq"] == 31
        assert thread["has_more"] is True
        assert len(messages_of(tenant.owner.client, found)) == 31

    @pytest.mark.parametrize("limit", ["0", "99", "x"])
    def test_bad_input_names_the_field(self, tenant, found, limit):
        answer = tenant.owner.client.get(f"{URL}/{found}/thread?limit={limit}")
        assert (answer.status, answer.params) == (422, {"limit"})


def test_events_tell_of_a_message_and_of_the_reopening_in_order(services, tenant, chat, found):
    tenant.owner.client.post(f"{URL}/{found}/close")
    chat.say(found, "One more thing")
    dispatch_all(services)
    from tests.support.clocks import later

    with later(20_000):
        events = tenant.owner.client.get("/v1/events?order=asc").json["data"]
    told = [each["type"] for each in events if each["data"].get("id") == found or "seq" in each["data"]]
    assert told == [
        "conversation.created",
        "message.created",
        "conversation.closed",
        "message.created",
        "conversation.reopened",
    ]
