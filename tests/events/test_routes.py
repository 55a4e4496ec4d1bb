"""GET /v1/events: the log integrators reconcile against."""

import json
from functools import partial

import pytest

from chalicelib.core import clock
from chalicelib.events import log_store
from tests.support.answers import pages, rows
from tests.support.chats import Chat, messages_of, new_chat, new_site, new_test_site, reply
from tests.support.clocks import later
from tests.support.contacts import new_contact
from tests.support.settings import changed
from tests.support.tenants import Organisation, anonymous, new_key, new_member, new_tenant

URL = "/v1/events"
SETTLED = log_store.SETTLE_MS + 1000


@pytest.fixture
def tenant() -> Organisation:
    return new_site()


@pytest.fixture
def chat(tenant: Organisation) -> Chat:
    return new_chat(tenant)


def happen(tenant: Organisation, chat: Chat) -> str:
    found = chat.begin()
    client = tenant.owner.client
    reply(client, found)
    client.post(f"/v1/conversations/{found}/assign", {"assigned_to": tenant.owner.user_id})
    client.post(f"/v1/conversations/{found}/close")
    chat.say(found)
    client.patch(f"/v1/conversations/{found}", {"tags": ["a"], "status": "pending"})
    client.post(f"/v1/conversations/{found}/read")
    return found


TOLD = [
    "conversation.created",
    "message.created",
    "message.created",
    "conversation.assigned",
    "conversation.closed",
    "message.created",
    "conversation.reopened",
    "conversation.pending",
    "conversation.updated",
    "conversation.read",
]


class TestList:
    def test_who_may(self, tenant, chat):
        assert anonymous().get(URL).status == 401
        assert chat.client.get(URL).code == "wrong_credential"
        assert new_member(tenant, "agent").client.get(URL).code == "insufficient_role"
        assert new_key(tenant, scopes=["conversations:read"]).get(URL).code == "insufficient_scope"
        assert new_key(tenant, scopes=["events:read"]).get(URL).status == 200
        assert new_member(tenant, "admin").client.get(URL).status == 200

    @pytest.mark.parametrize("shards", ["1", "3"])
    def test_each_event_once_in_the_order_in_which_they_happened(self, tenant, shards):
        with changed(INDEX_SHARDS=shards):
            chat = new_chat(tenant)
            found = happen(tenant, chat)
            with later(SETTLED):
                listed = rows(tenant.owner.client, f"{URL}?order=asc&limit=3")
                assert rows(tenant.owner.client, f"{URL}?limit=4") == listed[::-1]
        assert len({each["id"] for each in listed}) == len(listed)
        assert [each["created_at"] for each in listed] == sorted(each["created_at"] for each in listed)
        own = [e for e in listed if found in (e["data"].get("id"), e["data"].get("conversation_id"))]
        assert [each["type"] for each in own] == TOLD
        assert {each["tenant_id"] for each in listed} == {tenant.id}
        messages = [each["data"] for each in own if each["type"] == "message.created"]
        assert messages == messages_of(tenant.owner.client, found)

    @pytest.mark.parametrize("of_all", [True, False])
    def test_an_integrator_who_polls_while_shards_are_added_sees_everything_once(self, tenant, of_all):
        client, seen, after = tenant.owner.client, [], ""
        # First what is read is raised, then what is written: in each deploy functions of before and after answer.
        old: dict[str, str] = {}
        if of_all:
            reading, done = {"INDEX_SHARDS_READ": "5"}, {"INDEX_SHARDS": "5", "INDEX_SHARDS_READ": "5"}
        else:
            reading, done = ({"TENANT_INDEX_SHARDS": f"tn_x=9/9 {tenant.id}={both}"} for both in ("1/5", "5/5"))
        deploys = ((old, old), (reading, old), (reading, done), (done, done))
        for number, (reader, writer) in enumerate(deploys):
            with later(number * 60_000), changed(**writer):
                for _ in range(6):
                    new_chat(tenant)
            with later(number * 60_000 + SETTLED), changed(**reader):
                page = client.get(f"{URL}?limit=100&order=asc" + (f"&after={after}" if after else "")).json["data"]
                assert [each["type"] for each in page].count("visitor.created") == 6
                seen += page
                after = seen[-1]["id"]
        with later(300_000), changed(**done):
            assert seen == rows(client, f"{URL}?order=asc&limit=100")
        with later(300_000):
            assert len(rows(client, f"{URL}?limit=100")) < len(seen), "the entries were in one partition all the time"

    def test_what_changed_is_told_with_who_did_it(self, tenant, chat):
        found = happen(tenant, chat)
        with later(SETTLED):
            listed = {each["type"]: each for each in rows(tenant.owner.client, f"{URL}?type=conversation.*")}
        assert listed["conversation.closed"]["previous"] == {"closed_at": None, "status": "open"}
        assert listed["conversation.closed"]["data"]["status"] == "closed"
        assert listed["conversation.closed"]["actor"] == {"type": "user", "id": tenant.owner.user_id}
        assert listed["conversation.reopened"]["actor"] == {"type": "visitor", "id": chat.visitor_id}
        assert listed["conversation.assigned"]["previous"] == {"assigned_to": None}
        assert listed["conversation.updated"]["previous"] == {"tags": []}
        assert listed["conversation.updated"]["data"]["id"] == found

    def test_the_newest_seconds_are_left_out_until_they_have_settled(self, tenant):
        start = clock.now_ms()
        with clock.reading(lambda: start + 60_000):
            chat = new_chat(tenant)
        for ms, listed in ((60_000, []), (79_900, []), (80_100, [chat.visitor_id])):
            with clock.reading(partial(int, start + ms)):
                found = tenant.owner.client.get(f"{URL}?type=visitor.created").json["data"]
            assert [each["data"]["id"] for each in found] == listed, ms

    def test_it_goes_back_thirty_days(self, tenant, chat):
        found, key = chat.begin(), new_key(tenant)
        for days, listed in ((29, True), (31, False)):
            with later(days * 86_400_000):
                events = rows(key, f"{URL}?limit=100")
            ids_told = [e["data"].get("id") for e in events] + [e["data"].get("conversation_id") for e in events]
            assert (found in ids_told) is listed, days

    def test_after_an_event_come_those_behind_it_oldest_first(self, tenant, chat):
        happen(tenant, chat)
        client = tenant.owner.client
        with later(SETTLED):
            everything = rows(client, f"{URL}?order=asc")
            for place in (0, 3, len(everything) - 1):
                after = everything[place]["id"]
                assert rows(client, f"{URL}?after={after}&limit=4") == everything[place + 1 :]
                newest_first = rows(client, f"{URL}?after={after}&order=desc&limit=4")
                assert newest_first == everything[place + 1 :][::-1]
                page = client.get(f"{URL}?after={after}&limit=1").json["pagination"]
                assert page["total"] == len(everything) - place - 1

    def test_an_integrator_who_polls_with_after_sees_everything_once(self, tenant, chat):
        client, seen, after = tenant.owner.client, [], ""
        for number in range(4):
            with later(number * 30_000):
                chat.begin(str(number))
            with later(number * 30_000 + SETTLED):
                page = client.get(f"{URL}?limit=100&order=asc" + (f"&after={after}" if after else "")).json["data"]
                seen += page
                after = seen[-1]["id"]
        with later(150_000):
            assert seen == rows(client, f"{URL}?order=asc&limit=100")

    @pytest.mark.parametrize(
        ("type_", "count"), [("message.created", 3), ("message.*", 3), ("conversation.*", 7), ("conversation.close", 0)]
    )
    def test_one_type_or_one_family(self, tenant, chat, type_, count):
        happen(tenant, chat)
        with later(SETTLED):
            for page in pages(tenant.owner.client, f"{URL}?type={type_}&limit=2"):
                pagination = page["pagination"]
                assert pagination["total"] == count or pagination["total_capped"]
            assert len(rows(tenant.owner.client, f"{URL}?type={type_}&limit=2")) == count

    def test_another_tenants_and_test_data_are_not_in_it(self, tenant, chat):
        happen(tenant, chat)
        key, tester = new_test_site(tenant)
        tested = tester.begin()
        with later(SETTLED):
            strange = rows(new_tenant().owner.client, f"{URL}?limit=100")
            live = rows(tenant.owner.client, f"{URL}?limit=100")
            test = rows(key, f"{URL}?limit=100")
        assert all(each["type"].split(".")[0] in {"tenant", "widget", "member"} for each in strange)
        assert tested not in str(live)
        assert tested in str(test)
        assert chat.visitor_id not in str(test)
        assert {each["tenant_id"] for each in test} == {tenant.id}

    @pytest.mark.parametrize(
        ("query", "params"),
        [
            ("after=x&type=Message&order=up&x=1", {"after", "type", "order", "x"}),
            ("type=*", {"type"}),
            ("type=message.%2A%2A", {"type"}),
            ("after=evt_" + "U" * 26, {"after"}),
            ("cursor=x", {"cursor"}),
        ],
    )
    def test_bad_input_names_every_field(self, tenant, query, params):
        answer = tenant.owner.client.get(f"{URL}?{query}")
        assert (answer.status, answer.params) == (422, params)

    def test_an_event_from_the_future_is_followed_by_none(self, tenant):
        assert tenant.owner.client.get(f"{URL}?after=evt_7{'Z' * 25}").json["data"] == []


def test_a_page_that_lambda_would_not_let_out_is_refused_and_a_smaller_one_is_not(tenant):
    owner = tenant.owner.client
    url = f"/v1/contacts/{new_contact(owner)['id']}"
    for number in range(100):
        answer = owner.patch(url, {"notes": chr(number % 2 + 1) * 5000})  # six characters in JSON, and once more before
        assert answer.status == 200, answer.text
    with later(60_000):
        refused = owner.get("/v1/events?limit=100&type=contact.*")
        assert (refused.status, refused.params) == (422, {"limit"})
        assert refused.json["error"]["errors"][0]["code"] == "page_too_large"
        taken = owner.get("/v1/events?limit=80&type=contact.*")
    assert len(taken.json["data"]) == 80
    assert len(json.dumps(taken.text, ensure_ascii=False).encode()) < 6 * 1024**2
