"""Deleting conversations: gone at once, and soon without a trace but the event."""

import json
from typing import Any

import pytest

import app
from chalicelib.core import clock, ids
from chalicelib.core.table import run, tenant_rows
from tests.support.answers import rows, without_request_id
from tests.support.chats import Chat, new_chat, new_site, reply, unique
from tests.support.clocks import later
from tests.support.contacts import link_conversation, new_contact
from tests.support.faults import injected
from tests.support.queues import drain
from tests.support.schedules import tick
from tests.support.tenants import Organisation, anonymous, new_key, new_member, new_tenant

URL = "/v1/conversations"


@pytest.fixture
def tenant() -> Organisation:
    return new_site()


@pytest.fixture
def chat(tenant: Organisation) -> Chat:
    return new_chat(tenant)


@pytest.fixture
def found(chat: Chat) -> str:
    return chat.begin()


def left(tenant_id: str, conversation_id: str) -> list[str]:
    """The sort keys of all rows in a conversation's partition."""
    return [row["sk"] for row in tenant_rows(tenant_id).query(conversation_id, limit=1000, consistent=True).items]


def events(tenant: Organisation) -> list[dict[str, Any]]:
    with later(60_000):
        return rows(tenant.owner.client, "/v1/events?limit=100")


class TestDelete:
    def test_anonymous_callers_and_visitors_are_refused(self, chat, found):
        assert anonymous().delete(f"{URL}/{found}").status == 401
        assert chat.client.delete(f"{URL}/{found}").code == "wrong_credential"

    def test_another_tenants_is_like_a_missing_one(self, found):
        stranger = new_tenant().owner.client
        answers = [stranger.delete(f"{URL}/{each}") for each in (found, ids.new("conv"), "x")]
        assert {answer.status for answer in answers} == {404}
        assert len({without_request_id(answer) for answer in answers}) == 1

    def test_it_takes_an_admin_or_a_writing_key(self, tenant, chat, found):
        assert new_member(tenant, "agent").client.delete(f"{URL}/{found}").code == "insufficient_role"
        reading = new_key(tenant, scopes=["conversations:read"])
        assert reading.delete(f"{URL}/{found}").code == "insufficient_scope"
        assert new_member(tenant, "admin").client.delete(f"{URL}/{found}").status == 204
        assert new_key(tenant, scopes=["conversations:write"]).delete(f"{URL}/{chat.begin()}").status == 204

    def test_a_version_that_is_no_more_is_refused(self, tenant, found):
        assert tenant.owner.client.delete(f"{URL}/{found}", If_Match='"1"').status == 412
        assert tenant.owner.client.delete(f"{URL}/{found}", If_Match='"2"').status == 204

    def test_it_is_gone_at_once_from_everywhere(self, services, tenant, chat):
        owner, contact = tenant.owner.client, new_contact(tenant.owner.client)["id"]
        found = link_conversation(tenant.id, chat.visitor_id, contact)
        widget = tenant.created["default_widget"]["id"]
        said = chat.say(found, client_msg_id="c").json["id"]
        assert owner.patch(f"{URL}/{found}", {"tags": ["a"], "assigned_to": tenant.owner.user_id}).status == 200
        assert owner.post(f"{URL}/{found}/snooze", {"until": "2199-01-01T00:00:00Z"}).status == 200
        drain(services)
        assert owner.delete(f"{URL}/{found}").status == 204
        lists = ["", "assigned_to=me", "tag=a", f"visitor_id={chat.visitor_id}", f"contact_id={contact}"]
        assert [rows(owner, f"{URL}?limit=9&{each}") for each in [*lists, f"widget_id={widget}"]] == [[]] * 6
        for path in ("", "/thread", "/messages"):
            assert owner.get(f"{URL}/{found}{path}").status == 404
        for path in ("/close", "/read", "/messages"):
            assert owner.post(f"{URL}/{found}{path}", {"content": "x"} if path == "/messages" else None).status == 404
        assert owner.delete(f"{URL}/{found}/messages/{said}").status == 404
        assert owner.delete(f"{URL}/{found}").status == 404
        assert chat.client.get("/widget/v1/conversations").json["data"] == []
        for path in ("", "/messages"):
            assert chat.client.get(f"/widget/v1/conversations/{found}{path}").status == 404
        assert chat.say(found, client_msg_id="c").status == 404

    def test_nothing_of_it_stays_but_the_event(self, services, tenant, chat):
        owner, found = tenant.owner.client, chat.begin("hunter2")
        for _ in range(4):
            reply(owner, found, "hunter2")
        owner.patch(f"{URL}/{found}", {"subject": "hunter2", "tags": ["a"]})
        owner.delete(f"{URL}/{found}")
        drain(services)
        assert left(tenant.id, found) == ["e#0000000008", "meta"]
        (event,) = [event for event in events(tenant) if event["data"].get("id") == found]
        assert event["type"] == "conversation.deleted"
        assert event["data"] == {"id": found, "number": 1}
        assert "hunter2" not in json.dumps(events(tenant))

    def test_counters_and_the_job_tell_of_it(self, services, tenant, chat, found):
        owner = tenant.owner.client
        for _ in range(3):
            chat.begin()
        drain(services)
        assert owner.delete(f"{URL}/{found}").status == 204
        drain(services)
        assert owner.get(f"{URL}?status=open&limit=1").json["pagination"]["total"] == 3
        (job,) = [event["data"]["id"] for event in events(tenant) if event["type"] == "job.completed"]
        assert owner.get(f"/v1/jobs/{job}").json["progress"] == {"done": 2, "stage": 2, "stages": 2}

    def test_events_that_nobody_has_seen_yet_are_dispatched_before_they_go(self, services, tenant, chat):
        from chalicelib.events import dispatcher

        seen: list[str] = []
        found = chat.begin()
        chat.say(found)
        tenant.owner.client.delete(f"{URL}/{found}")
        services.queues["events"].remove(tenant_rows(tenant.id).key(found, "meta").pk)  # all but the job's is lost
        while (key := tenant_rows(tenant.id).key(found, "meta").pk) in services.queues["events"]:
            services.queues["events"].remove(key)
        dispatcher.subscribe(lambda event: seen.append(event.type) if found in event.pk else None)
        try:
            drain(services)
        finally:
            dispatcher._consumers.pop()
        assert seen == ["conversation.created", "message.created", "message.created", "conversation.deleted"]

    def test_more_messages_than_a_step_takes(self, services, tenant, chat, found):
        for number in range(200):
            assert reply(tenant.owner.client, found, str(number)).status == 201
        tenant.owner.client.delete(f"{URL}/{found}")
        drain(services)
        assert len(left(tenant.id, found)) == 2

    def test_a_message_written_meanwhile_is_refused_rather_than_left_behind(self, services, tenant, chat, found):
        done: list[int] = []

        def meanwhile(service: str, operation: str, params: Any, proceed: Any) -> Any:
            if operation == "transact_write_items" and not done:
                done.append(1)
                assert tenant.owner.client.delete(f"{URL}/{found}").status == 204
                drain(services)
            return proceed()

        with injected(meanwhile):
            assert chat.say(found).status == 404
        assert done
        assert len(left(tenant.id, found)) == 2

    def test_what_began_it_may_begin_another_one(self, services, tenant, chat):
        key = unique()
        found = chat.begin(client_msg_id=key)
        tenant.owner.client.delete(f"{URL}/{found}")
        drain(services)
        other = chat.begin(client_msg_id=key)
        assert other != found
        assert chat.begin(client_msg_id=key) == other


@pytest.mark.parametrize("end", ["deleted", "merged"])
def test_an_alarm_left_behind_stops_nobody_elses(services, tenant, chat, end):
    owner, rows_ = tenant.owner.client, tenant_rows(tenant.id)
    gone, other = chat.begin(), chat.begin()
    until = clock.rfc3339(clock.now_ms() + 3_600_000)
    for each in (gone, other):
        assert owner.post(f"{URL}/{each}/snooze", {"until": until}).status == 200
    alarm = rows_.get(gone, "due")
    assert alarm is not None
    if end == "deleted":
        assert owner.delete(f"{URL}/{gone}").status == 204
    else:
        assert owner.post(f"{URL}/{gone}/merge", {"into": chat.begin()}).status == 202
    run(rows_.putting(gone, "due", alarm))  # as an index shows it that is behind
    with later(7_200_000):
        tick(app.wake_conversations)
    assert rows_.get(gone, "due") is None
    assert owner.get(f"{URL}/{other}").json["status"] == "open"


def test_what_was_said_just_before_is_dispatched_and_told_to_nobody(services, tenant, chat, found):
    drain(services)
    chat.say(found, "Never mind.")
    assert tenant.owner.client.delete(f"{URL}/{found}").status == 204
    drain(services)
    assert left(tenant.id, found) == ["e#0000000004", "meta"]
    with later(60_000):
        types = [row["type"] for row in tenant.owner.client.get("/v1/events?limit=100").json["data"]]
    assert types.count("conversation.deleted") == 1
