"""Teams: list, create, retrieve, update, delete; who is in them, and the conversations that are theirs."""

from typing import Any

import pytest

from chalicelib.core import ids
from tests.support.answers import pages, rows, without_request_id
from tests.support.chats import Chat, conversation, new_chat, new_site
from tests.support.client import Client
from tests.support.clocks import later
from tests.support.crashes import SWEEP_MS
from tests.support.queues import drain
from tests.support.tags import TEAMS, new_team
from tests.support.tenants import Organisation, anonymous, new_key, new_member, new_tenant

CONVERSATIONS = "/v1/conversations"
WRITES: list[tuple[str, str, Any]] = [("PATCH", "/{id}", {"name": "New"}), ("DELETE", "/{id}", None)]
ALL: list[tuple[str, str, Any]] = [("GET", "", None), ("POST", "", {"name": "A"}), ("GET", "/{id}", None), *WRITES]


@pytest.fixture
def tenant() -> Organisation:
    return new_site()


@pytest.fixture
def owner(tenant):
    return tenant.owner.client


@pytest.fixture
def chat(tenant: Organisation) -> Chat:
    return new_chat(tenant)


def members_of(client: Client, team_id: str) -> list[str]:
    found: list[str] = client.get(f"{TEAMS}/{team_id}").json["members"]
    return found


def theirs(client: Client, team_id: str) -> set[str]:
    return {row["id"] for row in rows(client, f"{CONVERSATIONS}?team_id={team_id}&limit=100")}


class TestEveryOperation:
    @pytest.mark.parametrize(("method", "path", "body"), ALL)
    def test_anonymous_and_visitors_are_refused(self, owner, chat, method, path, body):
        url = TEAMS + path.replace("{id}", new_team(owner)["id"])
        assert anonymous().send(method, url, body).status == 401
        assert chat.client.send(method, url, body).code == "wrong_credential"

    @pytest.mark.parametrize(("method", "path", "body"), ALL[2:])
    def test_another_tenants_is_like_a_missing_one(self, owner, method, path, body):
        stranger, found = new_tenant().owner.client, new_team(owner)["id"]
        answers = [
            stranger.send(method, TEAMS + path.replace("{id}", each), body) for each in (found, ids.new("team"), "é")
        ]
        assert {answer.status for answer in answers} == {404}
        assert len({without_request_id(answer) for answer in answers}) == 1

    @pytest.mark.parametrize(("method", "path", "body"), [ALL[1], *WRITES])
    def test_agents_and_reading_keys_cannot_write(self, tenant, owner, method, path, body):
        url = TEAMS + path.replace("{id}", new_team(owner)["id"])
        assert new_member(tenant, "agent").client.send(method, url, body).code == "insufficient_role"
        assert new_key(tenant, scopes=["teams:read"]).send(method, url, body).code == "insufficient_scope"

    @pytest.mark.parametrize(("method", "path", "body"), ALL)
    def test_admins_and_writing_keys_can(self, tenant, owner, method, path, body):
        scope = "teams:read" if method == "GET" else "teams:write"
        for caller in (new_member(tenant, "admin").client, new_key(tenant, scopes=[scope])):
            url = TEAMS + path.replace("{id}", new_team(owner)["id"])
            assert caller.send(method, url, body).status in {200, 201, 204}


class TestTeams:
    def test_all_fields_are_kept_changed_and_cleared(self, tenant, owner):
        given: dict[str, Any] = {"name": "Sales", "description": "Offers", "members": [tenant.owner.user_id]}
        made = new_team(owner, **given)
        assert made.items() >= given.items()
        assert owner.get(f"{TEAMS}/{made['id']}").json == made
        changed = owner.patch(f"{TEAMS}/{made['id']}", {"description": None, "members": []}).json
        assert (changed["name"], changed["description"], changed["members"]) == ("Sales", None, [])
        assert owner.get(f"{TEAMS}/{made['id']}").json == changed

    @pytest.mark.parametrize(
        ("body", "param"),
        [
            ({}, "name"),
            ({"name": None}, "name"),
            ({"name": "a\nb"}, "name"),
            ({"name": "A", "members": None}, "members"),
            ({"name": "A", "members": ["me"]}, "members"),
            ({"name": "A", "members": [ids.new("usr")]}, "members"),
            ({"name": "A", "members": [f"usr_{number}" for number in range(91)]}, "members"),
            ({"name": "A", "color": "#000000"}, "color"),
        ],
    )
    def test_a_bad_field_is_named(self, owner, body, param):
        answer = owner.post(TEAMS, body)
        assert (answer.status, answer.params or {answer.json["error"]["param"]}) == (422, {param})

    def test_members_come_and_go_without_knowing_of_the_others(self, tenant, owner):
        ana, kim = (new_member(tenant, role).user_id for role in ("agent", "viewer"))
        url = f"{TEAMS}/{new_team(owner, members=[ana])['id']}"
        assert owner.patch(url, {"add_members": [kim, ana]}).json["members"] == [ana, kim]
        assert owner.patch(url, {"remove_members": [ana, ids.new("usr")]}).json["members"] == [kim]
        stranger = new_tenant().owner.user_id
        for param in ("add_members", "members"):
            refused = owner.patch(url, {param: [stranger]})
            assert (refused.status, refused.code, refused.json["error"]["param"]) == (422, "not_a_member", param)

    def test_mine_are_those_that_i_am_in(self, tenant, owner):
        agent = new_member(tenant, "agent")
        ours = new_team(owner, members=[agent.user_id])["id"]
        new_team(owner, "Others")
        assert [row["id"] for row in rows(agent.client, f"{TEAMS}?member=me")] == [ours]
        assert [row["id"] for row in rows(owner, f"{TEAMS}?member={agent.user_id}")] == [ours]
        assert rows(owner, f"{TEAMS}?member=me") == []

    def test_they_are_listed_newest_first_and_counted(self, owner):
        made = [new_team(owner, str(number))["id"] for number in range(4)]
        owner.delete(f"{TEAMS}/{made.pop()}")
        listed = list(pages(owner, f"{TEAMS}?limit=2"))
        assert [row["id"] for page in listed for row in page["data"]] == made[::-1]
        assert {page["pagination"]["total"] for page in listed} == {3}

    def test_there_is_a_limit_that_a_deletion_gives_room_under(self, owner, monkeypatch):
        monkeypatch.setattr("chalicelib.teams.store.MAX_TEAMS", 2)
        first, _ = new_team(owner)["id"], new_team(owner)
        assert owner.post(TEAMS, {"name": "C"}).code == "too_many_teams"
        owner.delete(f"{TEAMS}/{first}")
        assert owner.post(TEAMS, {"name": "C"}).status == 201

    def test_if_match_is_honoured(self, owner):
        made = owner.post(TEAMS, {"name": "A"})
        url, tag = f"{TEAMS}/{made.json['id']}", made.headers["ETag"]
        assert owner.patch(url, {"name": "B"}, If_Match=tag).status == 200
        assert owner.patch(url, {"name": "C"}, If_Match=tag).status == 412
        assert owner.delete(url, If_Match=tag).status == 412

    def test_a_repeated_idempotency_key_makes_one(self, owner):
        first, second = (owner.post(TEAMS, {"name": "A"}, Idempotency_Key="t") for _ in range(2))
        assert (first.status, first.text) == (201, second.text)
        assert len(rows(owner, TEAMS)) == 1

    def test_changes_are_told_and_in_the_audit_log(self, services, tenant, owner):
        made = new_team(owner)["id"]
        owner.patch(f"{TEAMS}/{made}", {"name": "B", "add_members": [tenant.owner.user_id]})
        owner.delete(f"{TEAMS}/{made}")
        drain(services)
        types = ["team.deleted", "team.updated", "team.created"]
        assert [row["action"] for row in rows(owner, f"{tenant.url}/audit-log")][:3] == types
        with later(SWEEP_MS):
            (told,) = rows(owner, "/v1/events?type=team.updated")
        assert told["previous"] == {"name": "Sales", "members": []}

    def test_test_data_has_teams_of_its_own_with_the_same_people(self, tenant, owner):
        key = new_key(tenant, mode="test")
        made = new_team(key, members=[tenant.owner.user_id])
        assert ([row["id"] for row in rows(key, TEAMS)], rows(owner, TEAMS)) == ([made["id"]], [])


class TestLeaving:
    def test_who_leaves_the_tenant_leaves_its_teams(self, services, tenant, owner):
        agent, key = new_member(tenant, "agent"), new_key(tenant, mode="test")
        both = [tenant.owner.user_id, agent.user_id]
        found, other = new_team(owner, members=both)["id"], new_team(key, members=both)["id"]
        assert owner.delete(f"{tenant.url}/members/{agent.user_id}").status == 204
        drain(services)
        assert members_of(owner, found) == members_of(key, other) == [tenant.owner.user_id]

    def test_who_becomes_a_viewer_stays(self, services, tenant, owner):
        agent = new_member(tenant, "agent")
        found = new_team(owner, members=[agent.user_id])["id"]
        owner.patch(f"{tenant.url}/members/{agent.user_id}", {"role": "viewer"})
        drain(services)
        assert members_of(owner, found) == [agent.user_id]


class TestConversations:
    def test_one_is_given_to_a_team_and_taken_from_it(self, services, tenant, owner, chat):
        first, second, found = new_team(owner)["id"], new_team(owner, "Support")["id"], chat.begin()
        url = f"{CONVERSATIONS}/{found}"
        assert owner.patch(url, {"team_id": first}).json["team_id"] == first
        given = {"team_id": second, "assigned_to": tenant.owner.user_id}
        assert owner.post(f"{url}/assign", given).json.items() >= given.items()
        assert owner.post(f"{url}/assign", {"assigned_to": None}).json["team_id"] == second
        assert (theirs(owner, first), theirs(owner, second)) == (set(), {found})
        assert owner.patch(url, {"team_id": None}).json["team_id"] is None
        assert theirs(owner, second) == set()
        drain(services)
        with later(SWEEP_MS):
            told = rows(owner, "/v1/events?type=conversation.assigned")
        assert [event["previous"] for event in reversed(told)] == [
            {"team_id": None},
            {"assigned_to": None, "team_id": first},
            {"assigned_to": tenant.owner.user_id},
            {"team_id": second},
        ]

    @pytest.mark.parametrize("team_id", ["", "team", "team_x", "team_01JB3D2N6T8V4W5X7Y9Z0A1B2C", "x" * 41])
    def test_what_is_no_team_of_the_tenant_is_named(self, owner, chat, team_id):
        url = f"{CONVERSATIONS}/{chat.begin()}"
        for answer in (owner.patch(url, {"team_id": team_id}), owner.post(f"{url}/assign", {"team_id": team_id})):
            assert (answer.status, answer.params) == (422, {"team_id"})
        answer = owner.post(f"{CONVERSATIONS}/bulk", {"filter": {}, "set": {"team_id": team_id}})
        assert (answer.status, answer.params) == (422, {"set.team_id"})

    def test_another_tenants_team_is_as_none(self, owner, chat):
        foreign = new_team(new_tenant().owner.client)["id"]
        answer = owner.patch(f"{CONVERSATIONS}/{chat.begin()}", {"team_id": foreign})
        assert (answer.status, answer.params) == (422, {"team_id"})

    def test_a_deleted_team_has_no_conversations(self, services, owner, chat):
        gone, stays = new_team(owner)["id"], new_team(owner)["id"]
        found, other = [chat.begin() for _ in range(3)], chat.begin()
        for each in found:
            owner.patch(f"{CONVERSATIONS}/{each}", {"team_id": gone})
        owner.patch(f"{CONVERSATIONS}/{other}", {"team_id": stays})
        assert owner.delete(f"{TEAMS}/{gone}").status == 204
        assert owner.patch(f"{CONVERSATIONS}/{chat.begin()}", {"team_id": gone}).status == 422
        drain(services)
        assert {conversation(owner, each)["team_id"] for each in found} == {None}
        assert (theirs(owner, gone), theirs(owner, stays)) == (set(), {other})

    def test_many_are_given_to_one_and_those_of_one_to_another(self, services, owner, chat):
        first, second = new_team(owner)["id"], new_team(owner)["id"]
        found = [chat.begin() for _ in range(3)]
        owner.post(f"{CONVERSATIONS}/bulk", {"ids": found[:2], "set": {"team_id": first}})
        drain(services)
        assert theirs(owner, first) == set(found[:2])
        owner.post(f"{CONVERSATIONS}/bulk", {"filter": {"team_id": first}, "set": {"team_id": second}})
        drain(services)
        assert (theirs(owner, first), theirs(owner, second)) == (set(), set(found[:2]))
