"""Conversations that agents open for contacts, who have visitors or have never been on a page."""

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.core import ids
from chalicelib.core.table import tenant_rows
from tests.support.answers import rows, without_request_id
from tests.support.audit import audit
from tests.support.aws import Services
from tests.support.chats import Chat, conversation, messages_of, new_chat, new_site, new_test_site, unique
from tests.support.client import Answer, Client
from tests.support.clocks import later
from tests.support.contacts import (
    CONTACTS,
    contact,
    conversations_of,
    made,
    merge,
    merged,
    new_company,
    new_contact,
    unique_email,
)
from tests.support.faults import injected
from tests.support.identity import new_secret, proven, signed
from tests.support.queues import drain
from tests.support.tables import everything
from tests.support.tenants import Organisation, new_key
from tests.support.threads import at_once

URL = "/v1/conversations"


@pytest.fixture
def tenant() -> Organisation:
    return new_site()


@pytest.fixture
def owner(tenant: Organisation) -> Client:
    return tenant.owner.client


@pytest.fixture
def ana(owner: Client) -> str:
    """Return the id of a contact whom nobody has seen."""
    ana_id: str = new_contact(owner, email=unique_email())["id"]
    return ana_id


def open_for(client: Client, contact_id: str, text: str = "Hello", **more: object) -> Answer:
    return client.post(URL, {"contact_id": contact_id, "message": {"content": text, **more}})


def opened_for(client: Client, contact_id: str) -> dict[str, Any]:
    return made(open_for(client, contact_id))


def linked(tenant: Organisation, contact_id: str | None, chat: Chat | None = None) -> Chat:
    chat = chat or new_chat(tenant)
    answer = tenant.owner.client.post(f"/v1/visitors/{chat.visitor_id}/identify", {"contact_id": contact_id})
    assert answer.status == 200, answer.text
    return chat


def visitors_of(client: Client, contact_id: str) -> set[str]:
    return {row["id"] for row in rows(client, "/v1/visitors") if row["contact_id"] == contact_id}


def is_blocked(tenant: Organisation, conversation_id: str) -> bool:
    row = tenant_rows(tenant.id).get(conversation_id, "meta")
    assert row
    return bool(row["bl"])


def problems(services: Services, tenant: Organisation) -> list[str]:
    drain(services)
    return audit(tenant.id, everything())


class TestWithAVisitor:
    def test_it_is_that_visitors(self, tenant, owner, ana):
        chat = linked(tenant, ana, new_chat(tenant, page_url="https://www.example.com/a"))
        opened = opened_for(owner, ana)
        assert (opened["visitor_id"], opened["contact_id"], opened["channel"]) == (chat.visitor_id, ana, "api")
        assert opened["page_url"] == "https://www.example.com/a"
        assert chat.heard(opened["id"]) == ["Hello"]
        assert conversations_of(owner, ana) == {opened["id"]}
        assert visitors_of(owner, ana) == {chat.visitor_id}

    def test_of_several_it_is_the_one_seen_last(self, tenant, owner, ana):
        first, second = linked(tenant, ana), linked(tenant, ana)
        assert opened_for(owner, ana)["visitor_id"] == second.visitor_id
        with later(60_000):
            assert first.client.put("/widget/v1/context", {"context": {"a": 1}}).status == 200
        assert opened_for(owner, ana)["visitor_id"] == first.visitor_id

    def test_one_made_for_the_contact_gives_way_to_who_has_been_on_a_page(self, tenant, owner, ana):
        came = new_chat(tenant)
        with later(60_000):
            opened = opened_for(owner, ana)["visitor_id"]
            linked(tenant, ana, came)
            assert opened_for(owner, ana)["visitor_id"] == came.visitor_id != opened


class TestWithoutAVisitor:
    def test_one_is_made_who_is_the_contact(self, services, tenant, owner):
        company = new_company(owner)["id"]
        ana = new_contact(owner, company_id=company)["id"]
        opened = opened_for(owner, ana)
        shown = owner.get(f"/v1/visitors/{opened['visitor_id']}").json
        assert (shown["contact_id"], shown["verified"], shown["online"]) == (ana, False, False)
        assert (opened["contact_id"], opened["company_id"], opened["widget_id"]) == (ana, company, None)
        assert conversation(owner, opened["id"]) == opened
        assert [row["content"] for row in messages_of(owner, opened["id"])] == ["Hello"]
        assert conversations_of(owner, ana) == {opened["id"]}
        assert contact(owner, ana)["id"] == ana
        assert problems(services, tenant) == []
        assert owner.get("/v1/visitors").json["pagination"]["total"] == 1
        with later(30_000):
            told = [row for row in rows(owner, "/v1/events?limit=100") if row["type"] == "visitor.created"]
        assert [(row["data"]["contact_id"], row["actor"]["type"]) for row in told] == [(ana, "user")]

    def test_the_next_ones_are_that_visitors_too(self, services, tenant, owner, ana):
        first, second = opened_for(owner, ana), opened_for(owner, ana)
        assert first["id"] != second["id"]
        assert first["visitor_id"] == second["visitor_id"]
        assert problems(services, tenant) == []

    def test_who_proves_to_be_the_contact_later_finds_it(self, services, tenant, owner):
        ana = new_contact(owner, external_id="u-1")["id"]
        found = opened_for(owner, ana)["id"]
        chat = proven(new_chat(tenant), signed(new_secret(tenant), "u-1"))
        assert [row["id"] for row in chat.client.get("/widget/v1/conversations").json["data"]] == [found]
        assert chat.heard(found) == ["Hello"]
        assert chat.say(found, "Here I am").status == 201
        assert opened_for(owner, ana)["visitor_id"] == chat.visitor_id
        assert problems(services, tenant) == []

    def test_a_stranger_does_not_find_it(self, tenant, owner, ana):
        found = opened_for(owner, ana)["id"]
        assert new_chat(tenant).client.get(f"/widget/v1/conversations/{found}").status == 404

    def test_another_is_made_once_an_agent_has_said_that_it_is_somebody_else(self, services, tenant, owner, ana):
        before = opened_for(owner, ana)["visitor_id"]
        bea = new_contact(owner, "Bea")["id"]
        owner.post(f"/v1/visitors/{before}/identify", {"contact_id": bea})
        after = opened_for(owner, ana)["visitor_id"]
        assert (visitors_of(owner, ana), visitors_of(owner, bea)) == ({after}, {before})
        assert opened_for(owner, ana)["visitor_id"] == after
        assert problems(services, tenant) == []

    def test_once_the_contact_is_deleted_it_belongs_to_nobody_known(self, services, tenant, owner, ana):
        opened = opened_for(owner, ana)
        assert owner.delete(f"{CONTACTS}/{ana}").status == 204
        drain(services)
        assert conversation(owner, opened["id"])["contact_id"] is None
        assert owner.get(f"/v1/visitors/{opened['visitor_id']}").json["contact_id"] is None
        assert problems(services, tenant) == []

    def test_it_stands_among_the_visitors_where_the_contact_began(self, tenant, owner, ana):
        with later(60_000):
            newer = new_chat(tenant).visitor_id
            with later(120_000):
                opened = opened_for(owner, ana)["visitor_id"]
        assert [row["id"] for row in owner.get("/v1/visitors").json["data"]] == [newer, opened]

    def test_test_data_stays_test_data(self, tenant, ana):
        key, _ = new_test_site(tenant)
        assert open_for(key, ana).params == {"contact_id"}
        theirs = new_contact(key, "Kim")["id"]
        assert opened_for(key, theirs)["contact_id"] == theirs
        assert rows(tenant.owner.client, "/v1/visitors") == []


class TestWhichContact:
    def test_a_merged_one_leads_to_the_one_it_was_merged_into(self, services, tenant, owner, ana):
        bea = new_contact(owner, "Bea")["id"]
        chat = linked(tenant, ana)
        merged(owner, services, ana, bea)
        opened = opened_for(owner, ana)
        assert (opened["contact_id"], opened["visitor_id"]) == (bea, chat.visitor_id)
        assert problems(services, tenant) == []

    def test_one_made_for_a_merged_contact_is_the_others_from_then_on(self, services, tenant, owner, ana):
        bea = new_contact(owner, "Bea")["id"]
        before = opened_for(owner, ana)
        merged(owner, services, ana, bea)
        after = opened_for(owner, bea)
        assert after["visitor_id"] == before["visitor_id"]
        assert conversations_of(owner, bea) == {before["id"], after["id"]}
        assert problems(services, tenant) == []

    def test_a_deleted_foreign_or_misspelt_one_is_like_a_missing_one(self, tenant, owner, ana):
        foreign = new_contact(new_site().owner.client)["id"]
        assert owner.delete(f"{CONTACTS}/{ana}").status == 204
        chat = new_chat(tenant)
        wrong = (ana, foreign, ids.new("con"), "", "x", chat.visitor_id, chat.begin())
        answers = [open_for(owner, each) for each in wrong]
        assert {(answer.status, answer.json["error"]["errors"][0]["code"]) for answer in answers} == {
            (422, "not_found")
        }
        assert {without_request_id(answer) for answer in answers} == {without_request_id(answers[0])}
        assert answers[0].params == {"contact_id"}
        assert visitors_of(owner, ana) == set()

    @pytest.mark.parametrize("has_visitor", [True, False])
    def test_to_a_blocked_one_agents_write_as_to_a_blocked_visitor(self, services, tenant, owner, ana, has_visitor):
        chat = linked(tenant, ana) if has_visitor else None
        assert owner.post(f"{CONTACTS}/{ana}/block").status == 200
        found = opened_for(owner, ana)["id"]
        drain(services)
        assert is_blocked(tenant, found)
        if chat:
            assert chat.heard(found) == ["Hello"]
            assert chat.say(found).code == "blocked"


class TestInput:
    @pytest.mark.parametrize("body", [{}, {"visitor_id": None}, {"visitor_id": None, "contact_id": None}])
    def test_neither_is_refused(self, owner, body):
        (error,) = owner.post(URL, body).json["error"]["errors"]
        assert error == {"param": "visitor_id", "code": "required", "message": "Give visitor_id or contact_id."}

    def test_both_are_refused(self, tenant, owner, ana):
        chat = linked(tenant, ana)
        answer = owner.post(URL, {"visitor_id": chat.visitor_id, "contact_id": ana})
        (error,) = answer.json["error"]["errors"]
        assert (answer.status, error["param"]) == (422, "visitor_id")
        assert error["message"] == "give visitor_id or contact_id, not both"
        assert conversations_of(owner, ana) == set()

    def test_a_wrong_contact_id_is_told_of_alone(self, owner):
        assert owner.post(URL, {"contact_id": 1}).params == {"contact_id"}

    def test_a_key_needs_to_read_contacts(self, tenant, ana):
        writes = new_key(tenant, scopes=["conversations:write"])
        assert open_for(writes, ana).code == "insufficient_scope"
        assert writes.post(URL, {"visitor_id": new_chat(tenant).visitor_id}).status == 201
        both = new_key(tenant, scopes=["conversations:write", "contacts:read"])
        assert opened_for(both, ana)["contact_id"] == ana


class TestOnce:
    def test_a_client_msg_id_opens_one_whichever_visitor_is_the_last(self, services, tenant, owner, ana):
        key = unique()
        first = open_for(owner, ana, client_msg_id=key).json
        linked(tenant, ana)
        assert open_for(owner, ana, client_msg_id=key).json["id"] == first["id"]
        bea = new_contact(owner, "Bea")["id"]
        assert open_for(owner, bea, client_msg_id=key).json["id"] != first["id"]
        merged(owner, services, ana, bea)
        assert open_for(owner, ana, client_msg_id=key).json["id"] == first["id"]
        assert problems(services, tenant) == []

    def test_after_it_was_deleted_a_new_one_begins(self, services, owner, ana):
        key = unique()
        first = open_for(owner, ana, client_msg_id=key).json["id"]
        assert owner.delete(f"{URL}/{first}").status == 204
        drain(services)
        again = open_for(owner, ana, client_msg_id=key)
        assert again.status == 201
        assert conversations_of(owner, ana) == {again.json["id"]} != {first}

    def test_at_once_two_make_one_visitor(self, services, tenant, owner, ana):
        answers = at_once(8, lambda: open_for(owner, ana))
        assert {answer.status for answer in answers} == {201}
        assert len({answer.json["id"] for answer in answers}) == 8
        assert len({answer.json["visitor_id"] for answer in answers}) == 1
        assert problems(services, tenant) == []

    @pytest.mark.parametrize("by", ["client_msg_id", "Idempotency-Key"])
    def test_the_same_at_once_open_one(self, services, tenant, owner, ana, by):
        message = {"content": "Hello", **({"client_msg_id": "k"} if by == "client_msg_id" else {})}
        headers = {} if by == "client_msg_id" else {"Idempotency_Key": "k"}
        answers = at_once(
            8, lambda: owner.post(URL, {"contact_id": ana, "message": message, "subject": "Once"}, **headers)
        )
        assert {answer.status for answer in answers} == {201}
        assert conversations_of(owner, ana) == {answers[0].json["id"]}
        assert problems(services, tenant) == []


class Meanwhile:
    """Something that happens between what the request read and its transaction, once."""

    def __init__(self, happens: Callable[[], object]) -> None:
        self.happens, self.done = happens, False

    def __call__(self, service, operation, params, proceed):
        if operation == "transact_write_items" and not self.done:
            self.done = True
            self.happens()
        return proceed()


@pytest.mark.parametrize("has_visitor", [True, False])
class TestMeanwhile:
    @pytest.fixture(autouse=True)
    def _chat(self, tenant, ana, has_visitor):
        if has_visitor:
            linked(tenant, ana)

    def test_deleted(self, services, tenant, owner, ana):
        with injected(Meanwhile(lambda: owner.delete(f"{CONTACTS}/{ana}"))):
            answer = open_for(owner, ana)
        assert (answer.status, answer.params) == (422, {"contact_id"})
        assert rows(owner, URL) == []
        assert problems(services, tenant) == []

    @pytest.mark.parametrize("followed", [True, False])
    def test_merged(self, services, tenant, owner, ana, followed):
        bea = new_contact(owner, "Bea")["id"]

        def happens():
            merge(owner, ana, bea)
            if followed:
                drain(services)

        with injected(Meanwhile(happens)):
            opened = opened_for(owner, ana)
        assert opened["contact_id"] == bea
        assert problems(services, tenant) == []
        assert conversations_of(owner, bea) == {opened["id"]}

    def test_blocked(self, services, tenant, owner, ana):
        with injected(Meanwhile(lambda: owner.post(f"{CONTACTS}/{ana}/block"))):
            found = opened_for(owner, ana)["id"]
        assert is_blocked(tenant, found)
        assert problems(services, tenant) == []

    def test_given_another_company(self, services, tenant, owner, ana):
        company = new_company(owner)["id"]
        with injected(Meanwhile(lambda: owner.patch(f"{CONTACTS}/{ana}", {"company_id": company}))):
            assert opened_for(owner, ana)["company_id"] == company
        assert problems(services, tenant) == []

    def test_another_visitor_linked(self, services, tenant, owner, ana):
        with injected(Meanwhile(lambda: linked(tenant, ana))):
            opened_for(owner, ana)
        assert problems(services, tenant) == []


def test_the_visitor_said_to_be_somebody_else_meanwhile(services, tenant, owner, ana):
    chat, bea = linked(tenant, ana), new_contact(owner, "Bea")["id"]
    with injected(Meanwhile(lambda: linked(tenant, bea, chat))):
        opened = opened_for(owner, ana)
    assert (opened["contact_id"], opened["visitor_id"] != chat.visitor_id) == (ana, True)
    assert visitors_of(owner, ana) == {opened["visitor_id"]}
    assert problems(services, tenant) == []
