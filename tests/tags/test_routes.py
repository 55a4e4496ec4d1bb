"""Tags: list, create, retrieve, update, delete; and the names that conversations bring."""

from typing import Any
from urllib.parse import urlencode

import pytest

from chalicelib.core import ids
from chalicelib.jobs.models import Job
from chalicelib.tags import service
from tests.support.answers import pages, rows, without_request_id
from tests.support.chats import Chat, conversation, new_chat, new_site
from tests.support.client import Client
from tests.support.clocks import later
from tests.support.crashes import SWEEP_MS
from tests.support.queues import drain
from tests.support.tags import TAGS, new_tag
from tests.support.tenants import Organisation, anonymous, new_key, new_member, new_tenant

CONVERSATIONS = "/v1/conversations"
WRITES: list[tuple[str, str, Any]] = [("PATCH", "/{id}", {"color": "#00ff00"}), ("DELETE", "/{id}", None)]
ALL: list[tuple[str, str, Any]] = [("GET", "", None), ("POST", "", {"name": "vip"}), ("GET", "/{id}", None), *WRITES]


@pytest.fixture
def tenant() -> Organisation:
    return new_site()


@pytest.fixture
def owner(tenant):
    return tenant.owner.client


@pytest.fixture
def chat(tenant: Organisation) -> Chat:
    return new_chat(tenant)


def names(client: Client) -> set[str]:
    return {row["name"] for row in rows(client, f"{TAGS}?limit=100")}


def tagged(client: Client, name: str) -> set[str]:
    return {row["id"] for row in rows(client, f"{CONVERSATIONS}?tag={name}&limit=100")}


class TestEveryOperation:
    @pytest.mark.parametrize(("method", "path", "body"), ALL)
    def test_anonymous_and_visitors_are_refused(self, owner, chat, method, path, body):
        url = TAGS + path.replace("{id}", new_tag(owner)["id"])
        assert anonymous().send(method, url, body).status == 401
        assert chat.client.send(method, url, body).code == "wrong_credential"

    @pytest.mark.parametrize(("method", "path", "body"), ALL[2:])
    def test_another_tenants_is_like_a_missing_one(self, owner, method, path, body):
        stranger, found = new_tenant().owner.client, new_tag(owner)["id"]
        answers = [
            stranger.send(method, TAGS + path.replace("{id}", each), body) for each in (found, ids.new("tag"), "é")
        ]
        assert {answer.status for answer in answers} == {404}
        assert len({without_request_id(answer) for answer in answers}) == 1

    @pytest.mark.parametrize(("method", "path", "body"), [ALL[1], *WRITES])
    def test_viewers_and_reading_keys_cannot_write(self, tenant, owner, method, path, body):
        url = TAGS + path.replace("{id}", new_tag(owner)["id"])
        assert new_member(tenant, "viewer").client.send(method, url, body).code == "insufficient_role"
        assert new_key(tenant, scopes=["tags:read"]).send(method, url, body).code == "insufficient_scope"

    @pytest.mark.parametrize(("method", "path", "body"), ALL)
    def test_agents_and_writing_keys_can(self, tenant, owner, method, path, body):
        scope = "tags:read" if method == "GET" else "tags:write"
        callers = [new_member(tenant, "agent").client, new_key(tenant, scopes=[scope])]
        for place, caller in enumerate(callers):
            url = TAGS + path.replace("{id}", new_tag(owner, f"tag {place}")["id"])
            assert caller.send(method, url, body and {**body, **_named(body, place)}).status in {200, 201, 204}


def _named(body: dict[str, Any], place: int) -> dict[str, Any]:
    return {"name": f"vip {place}"} if "name" in body else {}


class TestTags:
    def test_all_fields_are_kept_changed_and_cleared(self, owner):
        given = {"color": "#D93025", "description": "Not worth it.", "translations": {"de": "Werbung", "pt-BR": "Lixo"}}
        made = new_tag(owner, "spam", **given)
        assert made.items() >= (given | {"name": "spam", "color": "#d93025", "job_id": None}).items()
        assert owner.get(f"{TAGS}/{made['id']}").json == made
        changed = owner.patch(f"{TAGS}/{made['id']}", {"color": None, "translations": {}}).json
        assert (changed["color"], changed["translations"], changed["description"]) == (None, {}, "Not worth it.")
        assert owner.get(f"{TAGS}/{made['id']}").json == changed

    @pytest.mark.parametrize(
        ("body", "param"),
        [
            ({}, "name"),
            ({"name": None}, "name"),
            ({"name": " "}, "name"),
            ({"name": "a,b"}, "name"),
            ({"name": "a#b"}, "name"),
            ({"name": "x" * 51}, "name"),
            ({"name": "a", "color": "red"}, "color"),
            ({"name": "a", "translations": None}, "translations"),
            ({"name": "a", "translations": {"german": "x"}}, "translations.german"),
            ({"name": "a", "translations": {"de": ""}}, "translations.de"),
            ({"name": "a", "weight": 1}, "weight"),
        ],
    )
    def test_a_bad_field_is_named(self, owner, body, param):
        answer = owner.post(TAGS, body)
        assert (answer.status, answer.params) == (422, {param})

    @pytest.mark.parametrize("capital", ["J\u030c", "\u03aa\u0301"])
    def test_a_capital_that_only_its_small_letter_is_composed_of_finds_it(self, owner, chat, capital):
        """Of ǰ and ΐ there is no composed capital."""
        new_tag(owner, name=capital)
        assert owner.get(f"{TAGS}?{urlencode({'name': capital})}").json["pagination"]["total"] == 1
        found = chat.begin()
        assert owner.patch(f"/v1/conversations/{found}", {"tags": [capital]}).status == 200
        for name in (capital, *conversation(owner, found)["tags"]):
            assert [row["id"] for row in rows(owner, f"/v1/conversations?limit=9&{urlencode({'tag': name})}")] == [
                found
            ]

    def test_a_name_is_there_once_whatever_its_case_and_blanks(self, owner):
        made = new_tag(owner, "Big   Customer")
        assert made["name"] == "big customer"
        other = new_tag(owner, "other")
        for answer in (
            owner.post(TAGS, {"name": " BIG customer"}),
            owner.patch(f"{TAGS}/{other['id']}", {"name": "Big Customer"}),
        ):
            assert (answer.status, answer.code, answer.json["error"]["param"]) == (409, "tag_exists", "name")
        assert owner.patch(f"{TAGS}/{made['id']}", {"name": "BIG customer"}).json == made
        assert [row["id"] for row in rows(owner, f"{TAGS}?name=Big%20%20Customer")] == [made["id"]]
        assert rows(owner, f"{TAGS}?name=none") == []

    def test_they_are_listed_newest_first_and_counted(self, owner):
        made = [new_tag(owner, f"t{number}")["id"] for number in range(4)]
        owner.delete(f"{TAGS}/{made.pop()}")
        listed = list(pages(owner, f"{TAGS}?limit=2"))
        assert [row["id"] for page in listed for row in page["data"]] == made[::-1]
        assert {page["pagination"]["total"] for page in listed} == {3}

    def test_if_match_is_honoured(self, owner):
        made = owner.post(TAGS, {"name": "a"})
        url, tag = f"{TAGS}/{made.json['id']}", made.headers["ETag"]
        assert owner.patch(url, {"color": "#000000"}, If_Match=tag).status == 200
        assert owner.patch(url, {"name": "b"}, If_Match=tag).status == 412
        assert owner.delete(url, If_Match=tag).status == 412

    def test_a_repeated_idempotency_key_makes_one(self, owner):
        first, second = (owner.post(TAGS, {"name": "a"}, Idempotency_Key="t") for _ in range(2))
        assert (first.status, first.text) == (201, second.text)

    def test_changes_are_told_and_in_the_audit_log(self, services, tenant, owner):
        made = new_tag(owner, "a")["id"]
        owner.patch(f"{TAGS}/{made}", {"name": "b"})
        drain(services)
        owner.delete(f"{TAGS}/{made}")
        drain(services)
        types = ["tag.deleted", "tag.updated", "tag.created"]
        assert [row["action"] for row in rows(owner, f"{tenant.url}/audit-log")][:3] == types
        with later(SWEEP_MS):
            told = rows(owner, "/v1/events?type=tag.updated")
        assert [(row["data"]["name"], row["previous"]) for row in told] == [("b", {"name": "a"})]


class TestNewNames:
    """Tags that a conversation is given and that are not there yet."""

    def test_a_change_makes_them_in_lower_case_and_once(self, owner, chat):
        first, second = chat.begin(), chat.begin()
        new_tag(owner, "known")
        body = {"tags": ["Known", " Fresh  One", "fresh one"]}
        for each in (first, second):
            answer = owner.patch(f"{CONVERSATIONS}/{each}", body)
            assert (answer.status, answer.json["tags"]) == (200, ["known", "fresh one"])
        assert names(owner) == {"known", "fresh one"}
        assert tagged(owner, "fresh one".replace(" ", "%20")) == {first, second}

    def test_who_made_them_is_in_the_audit_log(self, tenant, owner, chat):
        agent = new_member(tenant, "agent")
        agent.client.patch(f"{CONVERSATIONS}/{chat.begin()}", {"add_tags": ["a", "b"]})
        log = [row for row in rows(owner, f"{tenant.url}/audit-log") if row["action"] == "tag.created"]
        told = {(row["changes"]["name"], row["actor"]["id"]) for row in log}
        assert told == {("a", agent.user_id), ("b", agent.user_id)}

    def test_a_new_conversation_and_a_bulk_update_make_them_too(self, services, tenant, owner, chat):
        body = {"visitor_id": chat.visitor_id, "tags": ["opened"]}
        opened = owner.post(CONVERSATIONS, body, Idempotency_Key="o")
        assert opened.status == 201
        assert owner.post(CONVERSATIONS, body, Idempotency_Key="o").text == opened.text
        change = {"ids": [opened.json["id"]], "set": {"add_tags": ["many"]}}
        assert owner.post(f"{CONVERSATIONS}/bulk", change).status == 202
        drain(services)
        assert names(owner) == {"opened", "many"}
        assert conversation(owner, opened.json["id"])["tags"] == ["opened", "many"]

    def test_a_refused_change_makes_none(self, owner, chat):
        body = {"add_tags": ["a"], "assigned_to": ids.new("usr")}
        assert owner.patch(f"{CONVERSATIONS}/{chat.begin()}", body).status == 422
        assert names(owner) == set()

    def test_more_than_a_transaction_holds_are_made_before_it(self, owner, chat):
        found = f"{CONVERSATIONS}/{chat.begin()}"
        old, new = [f"old {number}" for number in range(20)], [f"new {number}" for number in range(20)]
        subject = " ".join(f"word{number}" for number in range(10))
        assert owner.patch(found, {"tags": old, "subject": subject}).status == 200
        answer = owner.patch(found, {"tags": new, "subject": subject.replace("word", "term"), "status": "closed"})
        assert (answer.status, answer.json["tags"]) == (200, new)
        assert names(owner) == {*old, *new}

    def test_test_data_has_tags_of_its_own(self, tenant, owner):
        key = new_key(tenant, mode="test")
        assert key.post(TAGS, {"name": "only a test"}).status == 201
        assert (names(key), names(owner)) == ({"only a test"}, set())


class TestRename:
    def test_conversations_get_the_new_name_one_by_one(self, services, owner, chat):
        made, found = new_tag(owner, "old"), [chat.begin() for _ in range(3)]
        for each in found:
            owner.patch(f"{CONVERSATIONS}/{each}", {"tags": ["first", "old", "last"]})
        owner.patch(f"{CONVERSATIONS}/{found[2]}", {"add_tags": ["new"]})
        owner.patch(f"{TAGS}/{owner.get(f'{TAGS}?name=new').json['data'][0]['id']}", {"name": "other"})
        drain(services)
        owner.patch(f"{CONVERSATIONS}/{found[2]}", {"remove_tags": ["other"]})
        answer = owner.patch(f"{TAGS}/{made['id']}", {"name": "New"})  # three conversations: not done at once
        assert (answer.status, answer.json["name"]) == (200, "new")
        job = answer.json["job_id"]
        drain(services)
        assert owner.get(f"/v1/jobs/{job}").json["status"] == "completed"
        assert owner.get(f"{TAGS}/{made['id']}").json == answer.json | {"job_id": None}
        assert {tuple(conversation(owner, each)["tags"]) for each in found} == {("first", "new", "last")}
        assert (tagged(owner, "new"), tagged(owner, "old")) == (set(found), set())
        with later(SWEEP_MS):
            told = rows(owner, "/v1/events?type=conversation.updated&limit=100")
        assert {"tags": ["first", "old", "last"]} in [event["previous"] for event in told]

    def test_of_few_conversations_it_is_done_before_the_answer(self, owner, chat):
        made, found = new_tag(owner, "old"), [chat.begin() for _ in range(2)]
        for each in found:
            owner.patch(f"{CONVERSATIONS}/{each}", {"tags": ["old"]})
        assert owner.patch(f"{TAGS}/{made['id']}", {"name": "new"}).json["job_id"] is None
        assert tagged(owner, "new") == set(found)
        assert owner.delete(f"{TAGS}/{made['id']}").status == 204
        assert (tagged(owner, "new"), new_tag(owner, "new")["name"]) == (set(), "new")

    @pytest.mark.parametrize("end", ["another name", "its old name", "deleted"])
    def test_a_tag_may_change_again_while_it_goes_on(self, services, monkeypatch, owner, chat, end):
        monkeypatch.setattr(service, "STEPS_AT_ONCE", 1)
        made, found = new_tag(owner, "one"), [chat.begin() for _ in range(4)]
        for each in found:
            owner.patch(f"{CONVERSATIONS}/{each}", {"tags": ["one"]})
        assert owner.patch(f"{TAGS}/{made['id']}", {"name": "two"}).status == 200
        if end == "its old name":
            assert owner.patch(f"{TAGS}/{made['id']}", {"name": "one"}).code == "tag_busy"
        elif end == "deleted":
            assert owner.delete(f"{TAGS}/{made['id']}").status == 204
        else:
            assert owner.patch(f"{TAGS}/{made['id']}", {"name": "three"}).json["job_id"]
        drain(services)
        left = {"its old name": "two", "deleted": None, "another name": "three"}[end]
        assert {tuple(conversation(owner, each)["tags"]) for each in found} == {(left,) if left else ()}
        assert [(row["name"], row["job_id"]) for row in rows(owner, TAGS)] == ([(left, None)] if left else [])

    def test_a_change_between_a_steps_read_and_its_commit_is_not_lost(self, services, monkeypatch, owner, chat):
        monkeypatch.setattr(service, "STEPS_AT_ONCE", 0)
        made, found, name_now = new_tag(owner, "one"), chat.begin(), service.name_now
        owner.patch(f"{CONVERSATIONS}/{found}", {"tags": ["one"]})
        drain(services)
        owner.patch(f"{TAGS}/{made['id']}", {"name": "two"})
        monkeypatch.setattr(service, "STEPS_AT_ONCE", 3)  # so that the second job is done before the first goes on

        def meanwhile(job: Job) -> Any:
            answer = name_now(job)
            monkeypatch.setattr(service, "name_now", name_now)
            assert owner.patch(f"{TAGS}/{made['id']}", {"name": "three"}).json["job_id"] is None
            return answer

        monkeypatch.setattr(service, "name_now", meanwhile)
        drain(services)
        assert conversation(owner, found)["tags"] == ["three"]

    def test_while_it_goes_on_the_old_name_is_held(self, services, monkeypatch, owner, chat):
        monkeypatch.setattr(service, "STEPS_AT_ONCE", 0)
        made, found = new_tag(owner, "old"), f"{CONVERSATIONS}/{chat.begin()}"
        owner.patch(found, {"tags": ["old"]})
        drain(services)
        job = owner.patch(f"{TAGS}/{made['id']}", {"name": "new"}).json["job_id"]
        other = f"{CONVERSATIONS}/{chat.begin()}"
        held = [
            owner.patch(other, {"add_tags": ["old"]}),
            owner.post(CONVERSATIONS, {"visitor_id": chat.visitor_id, "tags": ["old"]}),
            owner.post(f"{CONVERSATIONS}/bulk", {"filter": {"status": "open"}, "set": {"add_tags": ["old"]}}),
            owner.post(TAGS, {"name": "old"}),
            owner.patch(f"{TAGS}/{made['id']}", {"name": "old"}),
        ]
        assert {(answer.status, answer.code) for answer in held} == {(409, "tag_busy")}
        assert all(job in answer.json["error"]["message"] for answer in held)
        assert owner.patch(f"{TAGS}/{made['id']}", {"color": "#111111"}).status == 200
        assert owner.patch(other, {"add_tags": ["new"]}).status == 200
        assert owner.patch(found, {"priority": "high"}).json["tags"] == ["old"]
        drain(services)
        assert owner.patch(other, {"tags": ["old"]}).status == 200
        assert names(owner) == {"old", "new"}
        assert owner.get(found).json["tags"] == ["new"]


class TestDelete:
    def test_conversations_lose_it_and_the_name_is_free_again(self, services, monkeypatch, owner, chat):
        monkeypatch.setattr(service, "STEPS_AT_ONCE", 0)
        made, found = new_tag(owner, "gone"), [chat.begin() for _ in range(2)]
        for each in found:
            owner.patch(f"{CONVERSATIONS}/{each}", {"tags": ["gone", "stays"]})
        drain(services)
        assert owner.delete(f"{TAGS}/{made['id']}").status == 204
        assert owner.get(f"{TAGS}/{made['id']}").status == 404
        assert owner.post(TAGS, {"name": "gone"}).code == "tag_busy"
        assert owner.patch(f"{CONVERSATIONS}/{chat.begin()}", {"add_tags": ["gone"]}).code == "tag_busy"
        drain(services)
        assert [conversation(owner, each)["tags"] for each in found] == [["stays"], ["stays"]]
        assert tagged(owner, "gone") == set()
        assert new_tag(owner, "gone")["id"] != made["id"]

    def test_a_bulk_update_that_comes_too_late_counts_what_it_cannot_tag(self, services, owner, chat):
        found, made = chat.begin(), new_tag(owner, "gone")
        drain(services)
        body = {"ids": [found], "set": {"add_tags": ["gone"]}}
        job = owner.post(f"{CONVERSATIONS}/bulk", body).json["id"]
        assert owner.delete(f"{TAGS}/{made['id']}").status == 204
        drain(services)
        assert owner.get(f"/v1/jobs/{job}").json["result"] == {"refused": 1}
        assert conversation(owner, found)["tags"] == []
