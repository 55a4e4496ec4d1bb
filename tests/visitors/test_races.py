"""Links, proofs and blocks, and what is opened and said in the same moment."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from chalicelib.core.aws import Params, Proceed
from tests.support.answers import rows
from tests.support.chats import Chat, conversation, new_chat, new_site
from tests.support.client import Answer
from tests.support.contacts import CONTACTS, conversations_of, merge, new_contact
from tests.support.faults import injected
from tests.support.identity import new_secret, prove, signed
from tests.support.queues import drain
from tests.support.tenants import Organisation
from tests.support.threads import at_once


@dataclass
class Meanwhile:
    """Something that happens, with its jobs, between what a request read and its transaction, once."""

    happens: Callable[[], object]
    done: bool = False

    def __call__(self, service: str, operation: str, params: Params, proceed: Proceed) -> Params:
        if operation == "transact_write_items" and not self.done:
            self.done = True
            self.happens()
        return proceed()


@pytest.fixture
def tenant(services) -> Organisation:
    return new_site()


@pytest.fixture
def owner(tenant):
    return tenant.owner.client


@pytest.fixture
def chat(tenant) -> Chat:
    return new_chat(tenant)


OPENERS = ["visitor", "agent"]


def open_one(owner, chat: Chat, opener: str) -> str:
    if opener == "visitor":
        return chat.begin()
    answer = owner.post("/v1/conversations", {"visitor_id": chat.visitor_id})
    assert answer.status == 201, answer.text
    found: str = answer.json["id"]
    return found


@pytest.mark.parametrize("opener", OPENERS)
def test_what_is_opened_while_its_visitor_is_linked_belongs_to_the_contact(services, owner, chat, opener):
    known, url = new_contact(owner)["id"], f"/v1/visitors/{chat.visitor_id}/identify"

    def happens() -> None:
        owner.post(url, {"contact_id": known})
        drain(services)

    with injected(Meanwhile(happens)):
        found = open_one(owner, chat, opener)
    assert conversation(owner, found)["contact_id"] == known
    assert conversations_of(owner, known) == {found}


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize("end", ["merged", "deleted"])
def test_what_is_opened_while_its_contact_goes_follows(services, owner, chat, opener, end):
    source, target = new_contact(owner, "A")["id"], new_contact(owner, "B")["id"]
    owner.post(f"/v1/visitors/{chat.visitor_id}/identify", {"contact_id": source})
    drain(services)

    def happens() -> None:
        if end == "merged":
            merge(owner, source, target)
        else:
            owner.delete(f"{CONTACTS}/{source}")
        drain(services)

    with injected(Meanwhile(happens)):
        found = open_one(owner, chat, opener)
    assert conversation(owner, found)["contact_id"] == (target if end == "merged" else None)
    assert conversations_of(owner, source) == set()


@pytest.mark.parametrize("whom", ["visitor", "contact"])
def test_nothing_is_opened_by_who_is_blocked_in_that_moment(services, owner, chat, whom):
    known = new_contact(owner)["id"]
    owner.post(f"/v1/visitors/{chat.visitor_id}/identify", {"contact_id": known})
    drain(services)
    url = f"/v1/visitors/{chat.visitor_id}/block" if whom == "visitor" else f"{CONTACTS}/{known}/block"

    def happens() -> None:
        owner.post(url)
        drain(services)

    with injected(Meanwhile(happens)):
        answer = chat.client.post("/widget/v1/conversations", {"message": {"content": "Hi"}})
    assert (answer.status, answer.code) == (403, "blocked")
    with injected(Meanwhile(lambda: None)):
        found = open_one(owner, chat, "agent")
    assert chat.say(found).code == "blocked"


@pytest.mark.parametrize("whom", ["visitor", "contact"])
def test_what_an_agent_opens_while_they_are_blocked_is_closed_to_them(services, owner, chat, whom):
    known = new_contact(owner)["id"]
    owner.post(f"/v1/visitors/{chat.visitor_id}/identify", {"contact_id": known})
    drain(services)
    url = f"/v1/visitors/{chat.visitor_id}/block" if whom == "visitor" else f"{CONTACTS}/{known}/block"

    def happens() -> None:
        owner.post(url)
        drain(services)

    with injected(Meanwhile(happens)):
        found = open_one(owner, chat, "agent")
    assert chat.say(found).code == "blocked"


def test_a_message_on_its_way_while_the_job_blocks_does_not_lift_it(services, owner, chat):
    found = chat.begin()
    drain(services)

    def happens() -> None:
        owner.post(f"/v1/visitors/{chat.visitor_id}/block")
        drain(services)

    with injected(Meanwhile(happens)):
        chat.say(found)
    assert chat.say(found).code == "blocked"


def test_a_link_and_a_block_at_once_both_hold(services, owner, chat):
    known, found = new_contact(owner)["id"], chat.begin()
    drain(services)
    urls = iter(
        [(f"/v1/visitors/{chat.visitor_id}/identify", {"contact_id": known}), (f"{CONTACTS}/{known}/block", None)]
    )

    def act() -> Answer:
        url, body = next(urls)
        answer: Answer = owner.post(url, body)
        return answer

    assert [answer.status for answer in at_once(2, act)] == [200, 200]
    drain(services)
    assert conversation(owner, found)["contact_id"] == known
    assert chat.say(found).code == "blocked"


def test_one_proof_sent_many_times_at_once_makes_one_contact(services, tenant, owner, chat):
    found, token = chat.begin(), signed(new_secret(tenant), "u-1", email="kim@example.com")
    assert {answer.status for answer in at_once(8, lambda: prove(chat, token))} == {200}
    drain(services)
    (made,) = rows(owner, CONTACTS)
    assert conversations_of(owner, made["id"]) == {found}


def test_one_person_proven_on_many_devices_at_once_is_one_contact(services, tenant, owner):
    secret = new_secret(tenant)
    chats = [new_chat(tenant) for _ in range(6)]
    ours = {chat.begin() for chat in chats}
    waiting = list(chats)
    assert {answer.status for answer in at_once(6, lambda: prove(waiting.pop(), signed(secret, "u-1")))} == {200}
    drain(services)
    (made,) = rows(owner, CONTACTS)
    assert made["external_id"] == "u-1"
    assert conversations_of(owner, made["id"]) == ours
