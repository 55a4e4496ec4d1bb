"""Which company a conversation is of: its contact's, whatever happens to the contact and the company."""

from typing import Any

import pytest

from tests.support.answers import rows
from tests.support.aws import Services
from tests.support.chats import Chat, conversation, new_chat, new_site
from tests.support.client import Client
from tests.support.contacts import CONTACTS, link_conversation, merged, new_company, new_contact
from tests.support.crashes import AFTER, Scenario, enumerated
from tests.support.queues import drain
from tests.support.tenants import Organisation

CONVERSATIONS = "/v1/conversations"


@pytest.fixture
def tenant() -> Organisation:
    return new_site()


@pytest.fixture
def owner(tenant):
    return tenant.owner.client


@pytest.fixture
def chat(tenant: Organisation) -> Chat:
    return new_chat(tenant)


def of(client: Client, company_id: str) -> set[str]:
    return {row["id"] for row in rows(client, f"{CONVERSATIONS}?company_id={company_id}&limit=100")}


def link(services: Services, client: Client, chat: Chat, contact_id: str | None) -> None:
    answer = client.post(f"/v1/visitors/{chat.visitor_id}/identify", {"contact_id": contact_id})
    assert answer.status == 200, answer.text
    drain(services)


def test_it_is_that_of_the_contact_that_the_visitor_is(services, owner, chat):
    company, found = new_company(owner)["id"], chat.begin()
    inside = new_contact(owner, company_id=company)["id"]
    assert conversation(owner, found)["company_id"] is None
    link(services, owner, chat, inside)
    later_one = chat.begin()
    assert {conversation(owner, each)["company_id"] for each in (found, later_one)} == {company}
    assert of(owner, company) == {found, later_one}
    link(services, owner, chat, None)
    third = chat.begin()
    assert {conversation(owner, each)["company_id"] for each in (found, later_one, third)} == {None}
    assert of(owner, company) == set()


def test_a_conversation_costs_no_more_calls_where_the_company_is_known(services, owner, chat):
    link(services, owner, chat, new_contact(owner, company_id=new_company(owner)["id"])["id"])

    def calls() -> int:
        services.reset()
        chat.begin()
        return len(services.calls)

    first, second, third = calls(), calls(), calls()
    assert first > second == third


def test_it_follows_the_contact_to_another_company(services, tenant, owner, chat):
    first, second = new_company(owner)["id"], new_company(owner)["id"]
    moving = new_contact(owner, company_id=first)["id"]
    found = [link_conversation(tenant.id, chat.visitor_id, moving) for _ in range(2)]
    assert of(owner, first) == set(found)
    owner.patch(f"{CONTACTS}/{moving}", {"company_id": second})
    new = link_conversation(tenant.id, chat.visitor_id, moving)  # before the job has come by
    drain(services)
    assert (of(owner, first), of(owner, second)) == (set(), {*found, new})
    owner.patch(f"{CONTACTS}/{moving}", {"company_id": None})
    drain(services)
    assert (of(owner, first), of(owner, second)) == (set(), set())


def test_it_follows_a_merge_and_the_end_of_contact_or_company(services, tenant, owner, chat):
    company, other = new_company(owner)["id"], new_company(owner)["id"]
    source, target = new_contact(owner, company_id=company)["id"], new_contact(owner, company_id=other)["id"]
    found, kept = (link_conversation(tenant.id, chat.visitor_id, each) for each in (source, target))
    merged(owner, services, source, target)
    assert (of(owner, company), of(owner, other)) == (set(), {found, kept})
    assert owner.delete(f"/v1/companies/{other}").status == 204
    drain(services)
    assert {conversation(owner, each)["company_id"] for each in (found, kept)} == {None}
    last = new_contact(owner, company_id=company)["id"]
    ended = link_conversation(tenant.id, chat.visitor_id, last)
    assert of(owner, company) == {ended}
    assert owner.delete(f"{CONTACTS}/{last}").status == 204
    drain(services)
    assert conversation(owner, ended)["company_id"] is None


def test_what_the_merged_contact_brings_counts_for_the_one_that_stays(services, tenant, owner, chat):
    company = new_company(owner)["id"]
    source, target = new_contact(owner, company_id=company)["id"], new_contact(owner)["id"]
    found = link_conversation(tenant.id, chat.visitor_id, target)
    merged(owner, services, source, target)
    assert of(owner, company) == {found}


@pytest.mark.parametrize("kind", ["company_id", "team_id"])
def test_a_list_of_nothing_is_empty(owner, kind):
    page: dict[str, Any] = owner.get(f"{CONVERSATIONS}?{kind}=x").json
    assert (page["data"], page["pagination"]["total"]) == ([], 0)


def test_it_is_done_once_wherever_the_process_dies(services):
    def scenario() -> Scenario:
        tenant = new_site()
        owner, chat = tenant.owner.client, new_chat(tenant)
        first, second = new_company(owner)["id"], new_company(owner)["id"]
        moving = new_contact(owner, company_id=first)["id"]
        found = {link_conversation(tenant.id, chat.visitor_id, moving) for _ in range(2)}

        def check() -> None:
            assert (of(owner, first), of(owner, second)) == (set(), found)

        return Scenario(tenant.id, lambda: owner.patch(f"{CONTACTS}/{moving}", {"company_id": second}), check)

    assert enumerated(scenario, services, AFTER) >= 10
