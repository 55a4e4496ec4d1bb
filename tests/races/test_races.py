"""32 threads at once against the real engine: nothing doubled, nothing lost, no gap."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.support.answers import rows
from tests.support.aws import Services
from tests.support.chats import Chat, conversation, dispatch_all, messages_of, new_chat, new_site, reply, unique
from tests.support.client import Answer
from tests.support.clocks import later
from tests.support.settings import changed
from tests.support.tenants import Organisation
from tests.support.threads import at_once

THREADS = 32


@pytest.fixture
def tenant() -> Organisation:
    return new_site()


@pytest.fixture
def chat(tenant: Organisation) -> Chat:
    return new_chat(tenant)


def until_taken(send: Callable[[], Answer]) -> Answer:
    """Do what a client does: send the same again while the answer is 503."""
    deadline = time.monotonic() + 60
    while (answer := send()).status == 503:
        assert time.monotonic() < deadline, "never taken"
    assert answer.status == 201, answer.text
    return answer


def test_one_client_msg_id_50_times_at_once_is_one_message(tenant: Organisation, chat: Chat):
    found, key = chat.begin(), unique()
    answers = at_once(50, lambda: until_taken(lambda: chat.say(found, "once", client_msg_id=key)))
    assert len({answer.text for answer in answers}) == 1
    assert [row["content"] for row in messages_of(tenant.owner.client, found)][1:] == ["once"]


def test_one_client_msg_id_50_times_at_once_begins_one_conversation(
    services: Services, tenant: Organisation, chat: Chat
):
    body = {"message": {"content": "Hi", "client_msg_id": unique()}}
    answers = at_once(50, lambda: until_taken(lambda: chat.client.post("/widget/v1/conversations", body)))
    assert len({answer.json["message"]["id"] for answer in answers}) == 1
    assert len({answer.json["conversation"]["id"] for answer in answers}) == 1
    dispatch_all(services)
    page = tenant.owner.client.get("/v1/conversations?status=open&limit=1").json
    assert (page["pagination"]["total"], page["pagination"]["has_more"]) == (1, False)


def test_one_client_msg_id_of_an_agent_at_once_opens_one_conversation(tenant: Organisation, chat: Chat):
    body = {"visitor_id": chat.visitor_id, "message": {"content": "Hi", "client_msg_id": unique()}}
    answers = at_once(THREADS, lambda: until_taken(lambda: tenant.owner.client.post("/v1/conversations", body)))
    assert len({answer.json["id"] for answer in answers}) == 1
    assert len(tenant.owner.client.get("/v1/conversations").json["data"]) == 1


def test_32_senders_leave_no_gap_and_lose_nothing(services: Services, tenant: Organisation, chat: Chat):
    with changed(VISITOR_BURST="1000"):  # so that the flood limit of the one visitor is not what is tested
        found = chat.begin()
    sent = list[dict[str, object]]()
    number, lock = iter(range(THREADS)), threading.Lock()

    def five() -> None:
        with lock:
            mine = next(number)
        for turn in range(5):
            key, text = unique(), f"{mine}/{turn}"
            if mine % 2:
                answer = until_taken(partial(reply, tenant.owner.client, found, text, client_msg_id=key))
            else:
                answer = until_taken(partial(chat.say, found, text, client_msg_id=key))
            with lock:
                sent.append(answer.json)

    with changed(VISITOR_BURST="1000"):
        at_once(THREADS, five)
    listed = messages_of(tenant.owner.client, found)
    assert [row["seq"] for row in listed] == list(range(1, 5 * THREADS + 2))
    by_id = {row["id"]: row for row in listed}
    assert len(by_id) == len(listed)
    assert all(by_id[str(row["id"])]["content"] == row["content"] for row in sent)
    assert conversation(tenant.owner.client, found)["message_count"] == len(listed)
    with ThreadPoolExecutor(4) as pool:  # duplicated and in parallel, as a queue may
        from chalicelib.events.dispatcher import dispatch

        list(pool.map(dispatch, set(services.queues["events"])))
    dispatch_all(services)
    with later(20_000):
        told = Counter(row["data"]["id"] for row in rows(tenant.owner.client, "/v1/events?type=message.*&limit=100"))
    assert told == Counter(by_id.keys())


def test_closing_while_the_visitor_writes_ends_in_the_state_of_whoever_was_last(
    services: Services, tenant: Organisation, chat: Chat
):
    found = chat.begin()
    client = tenant.owner.client
    turns = iter(range(THREADS))
    lock = threading.Lock()

    def act() -> Answer:
        with lock:
            turn = next(turns)
        if turn % 2:
            return client.post(f"/v1/conversations/{found}/close")
        return until_taken(lambda: chat.say(found))

    answers = at_once(THREADS, act)
    assert {answer.status for answer in answers} <= {200, 201, 503}
    dispatch_all(services)
    with later(20_000):
        events = rows(client, "/v1/events?order=asc&limit=100")
    own = [e for e in events if found in (e["data"].get("id"), e["data"].get("conversation_id"))]
    status = "open"
    for event in own:
        if event["type"] in {"conversation.closed", "conversation.reopened"}:
            before, status = status, event["data"]["status"]
            assert event["previous"]["status"] == before
    assert conversation(client, found)["status"] == status
    for each in ("open", "closed"):
        page = client.get(f"/v1/conversations?status={each}&limit=1").json
        assert page["pagination"]["total"] == (each == status)
    assert conversation(client, found)["message_count"] == 1 + THREADS // 2


def test_of_many_changes_under_one_etag_one_is_made(tenant: Organisation, chat: Chat):
    found, client = chat.begin(), tenant.owner.client
    url = f"/v1/conversations/{found}"
    tag = client.get(url).headers["ETag"]
    answers = at_once(THREADS, lambda: client.patch(url, {"subject": unique()}, If_Match=tag))
    assert Counter(answer.status for answer in answers) == {200: 1, 412: THREADS - 1}
    (winner,) = [answer for answer in answers if answer.status == 200]
    assert conversation(client, found) == winner.json


def test_tags_added_at_once_are_all_there(tenant: Organisation, chat: Chat):
    found, client = chat.begin(), tenant.owner.client
    names = iter([f"t{number}" for number in range(16)])
    lock = threading.Lock()

    def add() -> Answer:
        with lock:
            name = next(names)
        while (answer := client.patch(f"/v1/conversations/{found}", {"add_tags": [name]})).status == 503:
            pass
        return answer

    assert {answer.status for answer in at_once(16, add)} == {200}
    assert len(conversation(client, found)["tags"]) == 16
    assert all(client.get(f"/v1/conversations?tag=t{number}").json["data"] for number in range(16))


def test_numbers_are_given_once(tenant: Organisation):
    chats = [new_chat(tenant) for _ in range(8)]
    turn, lock = iter(chats * 4), threading.Lock()

    def begin() -> str:
        with lock:
            chat = next(turn)
        answer = until_taken(partial(chat.client.post, "/widget/v1/conversations", {"message": {"content": "Hi"}}))
        return str(answer.json["conversation"]["id"])

    begun = at_once(THREADS, begin)
    numbers = [conversation(tenant.owner.client, found)["number"] for found in begun]
    assert len(set(numbers)) == THREADS
