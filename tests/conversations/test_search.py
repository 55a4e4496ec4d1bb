"""`q`: conversations found by number, subject, contact and what was said."""

from typing import Any
from urllib.parse import urlencode

import pytest

from chalicelib.messages import search
from tests.support.chats import Chat, conversation, new_chat, new_site, reply
from tests.support.clocks import later
from tests.support.contacts import link_conversation, new_contact
from tests.support.queues import drain
from tests.support.tenants import Organisation, new_key

URL = "/v1/conversations"


@pytest.fixture
def tenant() -> Organisation:
    return new_site()


@pytest.fixture
def owner(tenant):
    return tenant.owner.client


@pytest.fixture
def chat(tenant: Organisation) -> Chat:
    return new_chat(tenant)


def page(client: Any, q: str, **filters: object) -> Any:
    answer = client.get(f"{URL}?{urlencode({'q': q, **filters})}")
    assert answer.status == 200, answer.text
    return answer.json


def hits(client: Any, q: str, **filters: object) -> set[str]:
    return {row["id"] for row in page(client, q, **filters)["data"]}


def test_a_number_finds_its_conversation_with_or_without_the_sign(services, owner, chat):
    first, second = chat.begin("order 2 is late"), chat.begin("x")
    assert hits(owner, "#2") == {second}
    assert hits(owner, "#1") == {first}
    assert hits(owner, "#3") == hits(owner, "#0") == set()
    assert hits(owner, "#x") == set()


def test_a_number_without_the_sign_is_looked_for_in_texts_too(owner, chat):
    for _ in range(12):
        chat.begin("x")
    talks = chat.begin("order 1234 is late")
    assert hits(owner, "1234") == {talks}
    assert len(hits(owner, "12")) == 2


@pytest.mark.parametrize("q", ["uberweis", "ÜBERWEISUNG", "überw", "strasse über", "STRAẞE"])
def test_words_of_the_subject_are_found_by_their_beginnings_whatever_their_case_and_accents(owner, chat, q):
    found = chat.begin("x")
    chat.begin("y")
    owner.patch(f"{URL}/{found}", {"subject": "Überweisung an Straße 3"})
    assert hits(owner, q) == {found}


def test_a_subject_that_is_changed_is_found_by_its_new_words_only(owner, chat):
    found = owner.post(URL, {"visitor_id": chat.visitor_id, "subject": "Old price list"}).json["id"]
    assert hits(owner, "old list") == {found}
    owner.patch(f"{URL}/{found}", {"subject": "New price"})
    assert (hits(owner, "old"), hits(owner, "list"), hits(owner, "new price")) == (set(), set(), {found})
    owner.patch(f"{URL}/{found}", {"subject": None})
    assert hits(owner, "price") == set()


def test_conversations_of_a_contact_are_found_by_its_words(tenant, owner, chat):
    contact = new_contact(owner, "Jürgen Müller", email="jm@example.com")["id"]
    linked = link_conversation(tenant.id, chat.visitor_id, contact)
    chat.begin()
    for q in ("jurg mull", "jm@example.com", "müller"):
        assert hits(owner, q) == {linked}


def test_what_was_said_is_found_by_the_beginnings_of_its_words_notes_included(owner, chat):
    found, other = chat.begin("Where is my Päckchen?"), chat.begin("nothing")
    reply(owner, found, "He was rude: 包裹在哪里", private=True)
    assert hits(owner, "pack") == hits(owner, "my packchen") == hits(owner, "rud") == hits(owner, "裹在") == {found}
    assert hits(owner, "ckchen") == set()
    assert hits(owner, "my rude") == set()  # not in one message
    assert hits(owner, "noth") == {other}


def test_a_deleted_or_changed_text_is_found_no_more(owner, chat):
    found = chat.begin("x")
    said = chat.say(found, "secret plan").json["id"]
    url = f"/widget/v1/conversations/{found}/messages/{said}"
    chat.client.patch(url, {"content": "public plan"})
    assert (hits(owner, "secret"), hits(owner, "public")) == (set(), {found})
    chat.client.delete(url)
    assert hits(owner, "public") == set()


def test_the_newest_texts_only_and_the_answer_says_how_far_back(monkeypatch, owner, chat):
    monkeypatch.setattr(search, "LOOKED_AT", 3)
    with later(0):
        old = chat.begin("needle")
    with later(60_000):
        new = [chat.begin("needle") for _ in range(3)]
        answer = page(owner, "needle")
    assert {row["id"] for row in answer["data"]} == set(new)
    assert answer["pagination"]["searched_until"] == conversation(owner, new[0])["created_at"]
    assert hits(owner, "#1") == {old}
    assert "searched_until" not in owner.get(URL).json["pagination"]


def test_it_goes_with_other_filters_order_and_pages(owner, chat, tenant):
    found = []
    for number in range(5):
        with later(number * 60_000):
            found.append(chat.begin("needle"))
    owner.patch(f"{URL}/{found[0]}", {"tags": ["a"], "priority": "high"})
    owner.post(f"{URL}/{found[1]}/close")
    assert hits(owner, "needle", tag="A") == hits(owner, "needle", priority="high") == {found[0]}
    assert hits(owner, "needle", status="closed") == {found[1]}
    assert hits(owner, "needle", visitor_id=new_chat(tenant).visitor_id) == set()
    first = page(owner, "needle", limit=3)
    assert [row["id"] for row in first["data"]] == found[:1:-1]
    assert first["pagination"]["total"] == 5
    rest = page(owner, "needle", limit=3, cursor=first["pagination"]["next_cursor"])
    assert [row["id"] for row in rest["data"]] == [found[1], found[0]]
    assert [row["id"] for row in page(owner, "needle", sort="last_message_at")["data"]] == found


def test_merged_ones_are_found_as_what_they_became_and_deleted_ones_not_at_all(services, owner, chat):
    target, source, gone = chat.begin("t"), chat.begin("needle"), chat.begin("needle")
    owner.patch(f"{URL}/{source}", {"subject": "Zebra"})
    owner.patch(f"{URL}/{gone}", {"subject": "Zebra"})
    owner.post(f"{URL}/{source}/merge", {"into": target})
    owner.delete(f"{URL}/{gone}")
    drain(services)
    assert hits(owner, "needle") == hits(owner, "#2") == hits(owner, "zebra") == {target}
    assert hits(owner, "#3") == set()


def test_never_another_tenants(chat):
    chat.begin("needle")
    stranger = new_site().owner.client
    assert hits(stranger, "needle") == hits(stranger, "#1") == set()


def test_a_key_needs_to_read_messages_and_contacts_too(tenant, chat):
    chat.begin("needle")
    some = new_key(tenant, scopes=["conversations:read", "messages:read"])
    every = new_key(tenant, scopes=["conversations:read", "messages:read", "contacts:read"])
    assert some.get(URL).status == 200
    assert some.get(f"{URL}?q=needle").code == "insufficient_scope"
    assert len(hits(every, "needle")) == 1


@pytest.mark.parametrize("q", ["", "a", "?!", "x" * 201, "%00"])
def test_bad_input_names_the_field(owner, q):
    answer = owner.get(f"{URL}?q={q}")
    assert (answer.status, answer.params) == (422, {"q"})
