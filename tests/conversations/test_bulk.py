"""Changing many conversations at once."""

from typing import Any

import pytest

from chalicelib.core import ids
from tests.support.answers import rows
from tests.support.chats import Chat, conversation, new_chat, new_site
from tests.support.clocks import later
from tests.support.queues import drain
from tests.support.tenants import Organisation, anonymous, new_key, new_member, new_tenant

URL = "/v1/conversations"
BULK = f"{URL}/bulk"


@pytest.fixture
def tenant() -> Organisation:
    return new_site()


@pytest.fixture
def owner(tenant):
    return tenant.owner.client


@pytest.fixture
def chat(tenant: Organisation) -> Chat:
    return new_chat(tenant)


def result_of(client: Any, services: Any, body: object) -> dict[str, int]:
    answer = client.post(BULK, body)
    assert answer.status == 202, answer.text
    drain(services)
    job = client.get(f"/v1/jobs/{answer.json['id']}").json
    assert (job["kind"], job["status"]) == ("conversation.bulk_update", "completed")
    assert job["progress"]["done"] == sum(job["result"].values())
    found: dict[str, int] = job["result"]
    return found


class TestBulk:
    def test_anonymous_callers_visitors_viewers_and_reading_keys_are_refused(self, tenant, chat):
        body = {"ids": [chat.begin()], "set": {"status": "closed"}}
        assert anonymous().post(BULK, body).status == 401
        assert chat.client.post(BULK, body).code == "wrong_credential"
        assert new_member(tenant, "viewer").client.post(BULK, body).code == "insufficient_role"
        assert new_key(tenant, scopes=["conversations:read"]).post(BULK, body).code == "insufficient_scope"

    def test_those_with_the_ids_are_changed_and_others_counted(self, services, owner, chat):
        first, second, third = (chat.begin() for _ in range(3))
        owner.post(f"{URL}/{second}/close")
        foreign = new_chat(new_site()).begin()
        given = [first, second, first, foreign, ids.new("conv"), "x"]
        result = result_of(owner, services, {"ids": given, "set": {"status": "closed"}})
        assert result == {"updated": 1, "unchanged": 1, "missing": 3}
        assert [conversation(owner, each)["status"] for each in (first, second, third)] == ["closed", "closed", "open"]
        assert owner.get(f"{URL}?status=closed&limit=1").json["pagination"]["total"] == 2

    def test_all_that_can_change_does_with_events_of_its_own(self, services, tenant, owner, chat):
        found, agent = chat.begin(), new_member(tenant, "agent")
        owner.patch(f"{URL}/{found}", {"tags": ["old"]})
        body = {"status": "pending", "assigned_to": agent.user_id, "priority": "high"}
        change = {**body, "add_tags": ["new"], "remove_tags": ["old"]}
        assert result_of(agent.client, services, {"ids": [found], "set": change}) == {"updated": 1}
        shown = conversation(owner, found)
        assert {name: shown[name] for name in (*body, "tags")} == {**body, "tags": ["new"]}
        with later(60_000):
            log = rows(owner, "/v1/events?limit=100")
        ours = [event for event in log if event["data"].get("id") == found and event["actor"]["id"] == agent.user_id]
        assert {event["type"] for event in ours} == {
            "conversation.pending",
            "conversation.assigned",
            "conversation.updated",
        }

    def test_filters_are_those_of_the_list(self, services, tenant, owner, chat):
        ours = [chat.begin() for _ in range(3)]
        other = new_chat(tenant).begin()
        owner.patch(f"{URL}/{ours[0]}", {"assigned_to": tenant.owner.user_id})
        narrow = {"visitor_id": chat.visitor_id, "status": "open", "assigned_to": "unassigned"}
        assert result_of(owner, services, {"filter": narrow, "set": {"add_tags": ["x"]}}) == {"updated": 2}
        assert {row["id"] for row in rows(owner, f"{URL}?tag=x&limit=9")} == set(ours[1:])
        mine = {"filter": {"assigned_to": "me"}, "set": {"assigned_to": None}}
        assert result_of(owner, services, mine) == {"updated": 1}
        assert result_of(owner, services, {"filter": {}, "set": {"priority": "low"}}) == {"updated": 4}
        assert result_of(owner, services, {"filter": {"tag": "none"}, "set": {"priority": "low"}}) == {}
        assert conversation(owner, other)["priority"] == "low"

    def test_more_than_a_page_and_more_than_a_slice(self, services, owner, chat):
        for _ in range(130):
            assert owner.post(URL, {"visitor_id": chat.visitor_id}).status == 201
        result = result_of(owner, services, {"filter": {"status": "open"}, "set": {"status": "closed"}})
        assert result == {"updated": 130}
        assert rows(owner, f"{URL}?status=open&limit=9") == []

    def test_one_that_would_have_too_many_tags_does_not_stop_the_others(self, services, owner, chat):
        full, other = chat.begin(), chat.begin()
        owner.patch(f"{URL}/{full}", {"tags": [f"t{n}" for n in range(20)]})
        result = result_of(owner, services, {"ids": [full, other], "set": {"add_tags": ["one more"]}})
        assert result == {"refused": 1, "updated": 1}

    def test_an_assignee_who_leaves_meanwhile_does_not_stop_the_job(self, services, tenant, owner, chat):
        agent, found = new_member(tenant, "agent"), chat.begin()
        answer = owner.post(BULK, {"ids": [found], "set": {"assigned_to": agent.user_id}})
        assert owner.delete(f"{tenant.url}/members/{agent.user_id}").status == 204
        drain(services)
        assert owner.get(f"/v1/jobs/{answer.json['id']}").json["result"] == {"refused": 1}

    def test_only_members_who_may_answer_can_be_assigned(self, tenant, owner, chat):
        for stranger in (new_tenant().owner.user_id, ids.new("usr"), "x"):
            answer = owner.post(BULK, {"ids": [chat.begin()], "set": {"assigned_to": stranger}})
            assert (answer.code, answer.params) == ("not_a_member", {"set.assigned_to"})
        viewer = new_member(tenant, "viewer").user_id
        answer = owner.post(BULK, {"ids": [chat.begin()], "set": {"assigned_to": viewer}})
        assert (answer.code, answer.params) == ("viewer_cannot_be_assigned", {"set.assigned_to"})

    @pytest.mark.parametrize(
        ("body", "params"),
        [
            ({}, {"set"}),
            ({"set": {"status": "closed"}}, {"body"}),
            ({"set": {"status": "closed"}, "ids": ["x"], "filter": {}}, {"body"}),
            ({"set": {}, "ids": ["x"]}, {"set"}),
            ({"set": {"subject": "x"}, "ids": []}, {"set.subject", "ids"}),
            ({"set": {"status": "x"}, "filter": {"q": "x"}}, {"set.status", "filter.q"}),
            ({"set": {"status": "closed"}, "ids": ["x"] * 1001}, {"ids"}),
        ],
    )
    def test_bad_input_names_every_field(self, owner, body, params):
        answer = owner.post(BULK, body)
        assert (answer.status, answer.params) == (422, params)
