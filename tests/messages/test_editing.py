"""Changing and deleting messages: who may, what stays, and that the old text is nowhere."""

import json
from typing import Any

import jsonschema
import pytest

from chalicelib.core import ids
from chalicelib.core.table import run, tenant_rows
from chalicelib.webhooks.catalogue import schema_of
from tests.support.answers import without_request_id
from tests.support.chats import Chat, conversation, messages_of, new_chat, new_site, reply, unique
from tests.support.clocks import later
from tests.support.queues import drain
from tests.support.tenants import Organisation, anonymous, new_key, new_member, new_tenant

SECRET = "hunter2"
DAY_MS = 86_400_000


@pytest.fixture
def tenant() -> Organisation:
    return new_site()


@pytest.fixture
def chat(tenant: Organisation) -> Chat:
    return new_chat(tenant)


@pytest.fixture
def found(chat: Chat) -> str:
    return chat.begin()


def url_of(message: Any, surface: str = "/v1") -> str:
    return f"{surface}/conversations/{message['conversation_id']}/messages/{message['id']}"


def own(message: Any) -> str:
    return url_of(message, "/widget/v1")


def stored(tenant_id: str, conversation_id: str) -> str:
    """All that is in a conversation's partition."""
    return json.dumps(tenant_rows(tenant_id).query(conversation_id, limit=1000, consistent=True).items, default=str)


def events(tenant: Organisation, type_: str) -> list[dict[str, Any]]:
    with later(60_000):
        return list(tenant.owner.client.get(f"/v1/events?type={type_}").json["data"])


WAYS: list[tuple[str, Any]] = [("PATCH", {"content": "New"}), ("DELETE", None)]


@pytest.mark.parametrize(("method", "body"), WAYS)
class TestBoth:
    def test_anonymous_callers_and_the_other_side_are_refused(self, tenant, chat, found, method, body):
        said = reply(tenant.owner.client, found).json
        assert anonymous().send(method, url_of(said), body).status == 401
        assert chat.client.send(method, url_of(said), body).code == "wrong_credential"
        assert tenant.owner.client.send(method, own(said), body).code == "wrong_credential"

    def test_another_tenants_is_like_a_missing_one(self, tenant, found, method, body):
        said = reply(tenant.owner.client, found).json
        stranger = new_tenant().owner.client
        answers = [
            stranger.send(method, url_of(said), body),
            stranger.send(method, url_of(said | {"conversation_id": ids.new("conv")}), body),
            *(
                tenant.owner.client.send(method, url_of(said | {"id": each}), body)
                for each in (ids.new("msg"), ids.new_numbered("msg", 2), "x", found, "msg_" + "Z" * 26, "%C3%A9'")
            ),
        ]
        assert {answer.status for answer in answers} == {404}
        assert len({without_request_id(answer) for answer in answers}) == 1

    def test_viewers_and_reading_keys_cannot(self, tenant, found, method, body):
        said = reply(tenant.owner.client, found).json
        assert new_member(tenant, "viewer").client.send(method, url_of(said), body).code == "insufficient_role"
        key = new_key(tenant, scopes=["messages:read"])
        assert key.send(method, url_of(said), body).code == "insufficient_scope"

    def test_agents_and_keys_can_on_their_own_messages_only(self, tenant, chat, found, method, body):
        agent, key = new_member(tenant, "agent").client, new_key(tenant, scopes=["messages:write"])
        for caller, other in ((agent, key), (key, agent)):
            said = reply(caller, found).json
            assert other.send(method, url_of(said), body).code == "not_the_author"
            assert caller.send(method, url_of(said), body).status in {200, 204}
        theirs = chat.say(found).json
        assert agent.send(method, url_of(theirs), body).code == "not_the_author"

    def test_a_visitor_can_on_his_own_messages_and_sees_no_notes(self, tenant, chat, found, method, body):
        mine, theirs = chat.say(found).json, reply(tenant.owner.client, found).json
        note = reply(tenant.owner.client, found, "Careful", private=True).json
        assert chat.client.send(method, own(mine), body).status in {200, 204}
        assert chat.client.send(method, own(theirs), body).code == "not_the_author"
        assert chat.client.send(method, own(note), body).status == 404
        assert new_chat(tenant).client.send(method, own(mine), body).status == 404

    def test_the_old_text_is_nowhere_any_more(self, services, tenant, chat, found, method, body):
        said = chat.say(found, SECRET).json
        drain(services)
        tenant.owner.client.post(f"/v1/conversations/{found}/close")
        assert chat.client.patch(own(said), {"content": SECRET + "!"}).status == 200
        assert SECRET in stored(tenant.id, found)
        assert chat.client.send(method, own(said), body).status in {200, 204}
        assert SECRET not in stored(tenant.id, found)
        drain(services)
        assert SECRET not in json.dumps([events(tenant, kind) for kind in ("message.*", "conversation.*")])

    def test_events_that_lost_their_text_still_fit_their_schema(self, services, tenant, chat, found, method, body):
        said = chat.say(found).json
        chat.client.patch(own(said), {"content": "Before"})
        chat.client.send(method, own(said), body)
        drain(services)
        told = events(tenant, "message.*")
        assert "content" not in told[1]["data"]
        for event in told:
            jsonschema.validate(event, schema_of(event["type"]))

    def test_an_event_tells_of_it_once(self, services, tenant, found, method, body):
        said = reply(tenant.owner.client, found).json
        for _ in range(2):
            tenant.owner.client.send(method, url_of(said), body)
        drain(services)
        (event,) = events(tenant, {"PATCH": "message.updated", "DELETE": "message.deleted"}[method])
        assert event["data"] == messages_of(tenant.owner.client, found)[-1]
        assert event["actor"] == {"type": "user", "id": tenant.owner.user_id}
        assert len(events(tenant, "message.created")) == 2


class TestEdit:
    def test_the_answer_is_the_message_with_its_new_text(self, tenant, found):
        client, said = tenant.owner.client, reply(tenant.owner.client, found, client_msg_id="c").json
        with later(60_000):
            answer = client.patch(url_of(said), {"content": " Hello again "})
        changed = {name for name in said if said[name] != answer.json[name]}
        assert changed == {"content", "edited_at"}
        assert answer.json["content"] == "Hello again"
        assert messages_of(client, found)[-1] == answer.json

    def test_the_preview_follows_the_newest_public_message_only(self, tenant, chat, found):
        client = tenant.owner.client
        first, second = chat.say(found, "same").json, chat.say(found, "same").json
        reply(client, found, "note", private=True)
        assert client.get(f"/v1/conversations/{found}").json["last_message"] == "same"
        chat.client.patch(own(first), {"content": "first"})
        assert conversation(client, found)["last_message"] == "same"
        chat.client.patch(own(second), {"content": "second"})
        assert conversation(client, found)["last_message"] == "second"

    def test_an_edit_after_a_month_needs_no_event_that_is_gone(self, services, tenant, found):
        key = new_key(tenant, scopes=["messages:write"])
        said = reply(key, found).json
        assert key.patch(url_of(said), {"content": "a"}).status == 200
        drain(services)
        rows = tenant_rows(tenant.id)
        run(rows.deleting(found, "e#0000000004"))  # as DynamoDB does after 30 days
        with later(31 * DAY_MS):
            assert key.patch(url_of(said), {"content": "b"}).status == 200

    @pytest.mark.parametrize(
        ("body", "params"),
        [({}, {"content"}), ({"content": " "}, {"content"}), ({"content": "x", "private": True}, {"private"})],
    )
    def test_bad_input_names_every_field(self, tenant, chat, found, body, params):
        said, mine = reply(tenant.owner.client, found).json, chat.say(found).json
        assert tenant.owner.client.patch(url_of(said), body).params == params
        assert chat.client.patch(own(mine), body).params == params

    def test_a_deleted_message_cannot_be_changed(self, tenant, found):
        said = reply(tenant.owner.client, found).json
        assert tenant.owner.client.delete(url_of(said)).status == 204
        answer = tenant.owner.client.patch(url_of(said), {"content": "x"})
        assert (answer.status, answer.code) == (409, "message_deleted")

    def test_a_visitor_is_limited_as_in_sending(self, tenant, chat, found):
        from tests.support.settings import changed

        with changed(VISITOR_BURST="2"):
            said = chat.say(chat.begin()).json
            statuses = [chat.client.patch(own(said), {"content": unique()}).status for _ in range(3)]
        assert statuses[-1] == 429


class TestDelete:
    def test_a_tombstone_keeps_the_seq_for_everybody(self, tenant, chat, found):
        said = chat.say(found, "oops", client_msg_id="c").json
        chat.say(found, "after")
        assert chat.client.delete(own(said)).status == 204
        shown = messages_of(tenant.owner.client, found)
        assert [row["seq"] for row in shown] == [1, 2, 3]
        assert shown[1]["deleted_at"]
        assert [row["content"] for row in shown] == [shown[0]["content"], "", "after"]
        assert chat.heard(found)[1:] == ["", "after"]
        assert chat.say(found, "oops", client_msg_id="c").json["id"] == said["id"]

    def test_the_preview_is_that_of_the_message_before(self, tenant, chat):
        found = chat.begin("first")
        second = chat.say(found, "second").json
        (first,) = messages_of(tenant.owner.client, found)[:1]
        chat.client.delete(own(second))
        assert conversation(tenant.owner.client, found)["last_message"] == "first"
        chat.client.delete(own(first))
        assert conversation(tenant.owner.client, found)["last_message"] is None

    def test_admins_delete_any_message_and_edit_none_but_their_own(self, tenant, chat, found):
        admin = new_member(tenant, "admin").client
        for said in (chat.say(found).json, reply(tenant.owner.client, found).json):
            assert admin.patch(url_of(said), {"content": "x"}).code == "not_the_author"
            assert admin.delete(url_of(said)).status == 204


@pytest.mark.parametrize(("method", "body"), WAYS)
def test_a_blocked_visitor_changes_nothing_any_more(services, tenant, chat, found, method, body):
    said = chat.say(found).json
    assert tenant.owner.client.post(f"/v1/visitors/{chat.visitor_id}/block").status == 200
    drain(services)
    answer = chat.client.send(method, own(said), body)
    assert (answer.status, answer.code) == (403, "blocked")
    assert [each["content"] for each in messages_of(tenant.owner.client, found)][-1] == said["content"]
