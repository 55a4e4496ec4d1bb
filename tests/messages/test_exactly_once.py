"""`client_msg_id`: sending again returns the first message, whoever else uses the same id."""

import pytest

from chalicelib.messages import models
from tests.support.chats import Chat, messages_of, new_chat, new_site, reply, unique
from tests.support.tenants import Organisation, new_member


@pytest.fixture
def tenant() -> Organisation:
    return new_site()


@pytest.fixture
def chat(tenant: Organisation) -> Chat:
    return new_chat(tenant)


def test_sending_again_returns_the_first_message_unchanged(tenant, chat):
    found, key = chat.begin(), unique()
    first = chat.say(found, "once", client_msg_id=key)
    again = chat.say(found, "twice", client_msg_id=key)
    assert (again.status, again.text) == (201, first.text)
    assert len(messages_of(tenant.owner.client, found)) == 2


def test_the_first_message_counts_too(tenant, chat):
    key = unique()
    found = chat.begin("Hi", key)
    assert chat.say(found, "Hi", client_msg_id=key).json["seq"] == 1
    assert chat.begin("Hi", key) == found
    assert len(messages_of(tenant.owner.client, found)) == 1


def test_two_authors_may_choose_the_same_id(tenant, chat):
    found, key = chat.begin(), unique()
    agent = new_member(tenant, "agent").client
    sent = [chat.say(found, "a", client_msg_id=key), reply(agent, found, "b", client_msg_id=key)]
    sent.append(reply(tenant.owner.client, found, "c", client_msg_id=key))
    assert [answer.json["seq"] for answer in sent] == [2, 3, 4]


def test_one_id_in_two_conversations_is_two_messages(tenant, chat):
    both, key = [chat.begin(), chat.begin()], unique()
    assert len({chat.say(found, client_msg_id=key).json["id"] for found in both}) == 2


def test_the_last_32_are_remembered_however_many_came_without(tenant, chat):
    found, keys = chat.begin(), [unique() for _ in range(33)]
    sent = {}
    for key in keys:
        sent[key] = reply(tenant.owner.client, found, key, client_msg_id=key).json["seq"]
    for _ in range(3):
        reply(tenant.owner.client, found, "without")
    before = len(messages_of(tenant.owner.client, found))
    for key in keys[1:]:
        assert reply(tenant.owner.client, found, "again", client_msg_id=key).json["seq"] == sent[key]
    assert len(messages_of(tenant.owner.client, found)) == before
    assert reply(tenant.owner.client, found, "again", client_msg_id=keys[0]).json["seq"] == before + 1


def test_two_ids_with_one_short_hash_are_two_messages(tenant, chat, monkeypatch):
    monkeypatch.setattr("chalicelib.messages.service.client_id_hash", lambda *_: b"same")
    found = chat.begin()
    first, second = chat.say(found, "a", client_msg_id="a"), chat.say(found, "b", client_msg_id="b")
    assert (first.json["seq"], second.json["seq"]) == (2, 3)
    assert chat.say(found, "a", client_msg_id="a").text == first.text


def test_a_message_far_back_is_found(tenant, chat, monkeypatch):
    monkeypatch.setattr("chalicelib.messages.service.SEARCH_BACK", 2)
    found, key = chat.begin(), unique()
    first = chat.say(found, "once", client_msg_id=key)
    for _ in range(5):
        reply(tenant.owner.client, found)
    assert chat.say(found, "once", client_msg_id=key).text == first.text


def test_the_search_ends_behind_the_newest_thousand(services, tenant, chat, monkeypatch):
    monkeypatch.setattr("chalicelib.messages.service.SEARCH_BACK", 2)
    monkeypatch.setattr("chalicelib.messages.service.KEY_REACH", 4)
    found, key = chat.begin(), unique()
    first = chat.say(found, "once", client_msg_id=key)
    for _ in range(3):
        reply(tenant.owner.client, found)
    assert chat.say(found, "once", client_msg_id=key).text == first.text
    for _ in range(3):
        reply(tenant.owner.client, found)
    services.reset()
    assert chat.say(found, "once", client_msg_id=key).json["seq"] == 9
    queries = services.calls.count(("dynamodb", "query"))
    assert queries == 1 + 4 // 2  # the conversation, and two pages


def test_the_search_ends_behind_as_many_ids_as_are_remembered(services, tenant, chat, monkeypatch):
    monkeypatch.setattr("chalicelib.messages.service.SEARCH_BACK", 8)
    monkeypatch.setattr("chalicelib.messages.service.client_id_hash", lambda *_: b"same")
    found = chat.begin()
    for number in range(models.RECENT_CLIENT_IDS + 16):
        assert reply(tenant.owner.client, found, client_msg_id=unique()).json["seq"] == number + 2
    services.reset()
    assert reply(tenant.owner.client, found, client_msg_id=unique()).status == 201
    assert services.calls.count(("dynamodb", "query")) == 1 + models.RECENT_CLIENT_IDS // 8


def test_the_ring_keeps_the_newest():
    recent = b""
    for number in range(40):
        recent = models.remember(recent, number.to_bytes(4, "big"))
    assert len(recent) == 32 * 4
    assert not models.remembers(recent, (7).to_bytes(4, "big"))
    assert all(models.remembers(recent, number.to_bytes(4, "big")) for number in range(8, 40))
    assert not models.remembers(b"\x00\x01\x02\x03\x04\x05\x06\x07", b"\x01\x02\x03\x04")
