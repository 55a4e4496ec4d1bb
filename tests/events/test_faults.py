"""Bad days of DynamoDB and SQS: what was acknowledged is there, and nothing is there twice."""

from collections.abc import Callable
from contextlib import suppress

import pytest

from chalicelib.core import clock
from chalicelib.core.table import tenant_rows
from chalicelib.events import counters
from tests.support.answers import rows
from tests.support.aws import Services
from tests.support.chats import Chat, conversation, dispatch_all, messages_of, new_chat, new_site, reply, unique
from tests.support.client import Answer
from tests.support.clocks import later
from tests.support.faults import (
    At,
    Crash,
    IndexLag,
    conflict,
    crash,
    injected,
    is_functions,
    is_functions_table,
    is_queue,
    is_table,
    is_write,
    no_answer,
    no_connection,
    no_endpoint,
    server_error,
    throttled,
)
from tests.support.tenants import Organisation

BEGIN = "/widget/v1/conversations"
Send = Callable[[], Answer]


@pytest.fixture
def tenant() -> Organisation:
    return new_site()


@pytest.fixture
def chat(tenant: Organisation) -> Chat:
    return new_chat(tenant)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chalicelib.core.dynamodb.pause", lambda _attempt: None)


def told(tenant: Organisation, services: Services) -> list[str]:
    """Return ids of the messages the log tells of, after everything has been dispatched."""
    dispatch_all(services)
    with later(20_000):
        return [each["data"]["id"] for each in rows(tenant.owner.client, "/v1/events?type=message.created")]


HEALS_ALONE = [
    pytest.param("before", conflict, is_write, id="conflict"),
    pytest.param("before", throttled, is_table, id="throttled"),
    pytest.param("after", no_answer, is_write, id="committed but timed out"),
    pytest.param("before", no_connection, is_write, id="no connection"),
    pytest.param("after", server_error, is_write, id="committed but 500"),
    pytest.param("before", no_endpoint, is_queue, id="no queue"),
    pytest.param("after", no_answer, is_queue, id="queued but timed out"),
]


@pytest.mark.parametrize(("when", "error", "of"), HEALS_ALONE)
@pytest.mark.parametrize("times", [1, 3])
def test_sending_gets_over_it_without_the_callers_help(services, tenant, chat, when, error, of, times):
    found = chat.begin()
    fault = At(0, when, error, of, times=2 if error is throttled else times)
    with injected(fault):
        answers = [reply(tenant.owner.client, found, "agent"), chat.say(found, "visitor")]
    assert fault.fired
    assert [answer.status for answer in answers] == [201, 201]
    listed = messages_of(tenant.owner.client, found)
    assert [row["seq"] for row in listed] == [1, 2, 3]
    assert [row["content"] for row in listed[1:]] == ["agent", "visitor"]
    assert sorted(told(tenant, services)) == sorted(row["id"] for row in listed)


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize(
    ("when", "error"),
    [("before", no_answer), ("after", no_answer), ("before", crash), ("after", crash), ("before", no_endpoint)],
)
def test_beginning_and_sending_again_after_any_failure_makes_one(services, tenant, chat: Chat, number, when, error):
    begin_key, say_key = unique(), unique()

    def begin() -> Answer:
        return chat.client.post(BEGIN, {"message": {"content": "Hi", "client_msg_id": begin_key}})

    with injected(At(number, when, error, is_functions)), suppress(Crash):
        begin()
    answer = begin()
    assert answer.status == 201
    found = answer.json["conversation"]["id"]
    with injected(At(number, when, error, is_functions)), suppress(Crash):
        chat.say(found, "more", client_msg_id=say_key)
    assert chat.say(found, "more", client_msg_id=say_key).status == 201
    assert [row["content"] for row in messages_of(tenant.owner.client, found)] == ["Hi", "more"]
    assert len(chat.client.get(BEGIN).json["data"]) == 1
    assert len(told(tenant, services)) == 2


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize(("when", "error"), [("after", no_answer), ("after", crash), ("before", crash)])
def test_an_idempotency_key_does_the_same_without_a_client_msg_id(services, tenant, chat, number, when, error):
    found = chat.begin()
    url = f"/v1/conversations/{found}/messages"
    with injected(At(number, when, error, is_functions)), suppress(Crash):
        tenant.owner.client.post(url, {"content": "once"}, Idempotency_Key="k")
    assert tenant.owner.client.post(url, {"content": "once"}, Idempotency_Key="k").status == 201
    assert [row["content"] for row in messages_of(tenant.owner.client, found)][1:] == ["once"]


@pytest.mark.parametrize("error", [no_answer, no_connection, no_endpoint, throttled, server_error])
def test_a_table_that_is_gone_is_a_503_on_every_surface_and_nothing_happened(tenant, chat, error):
    found = chat.begin()
    calls: list[Send] = [
        lambda: reply(tenant.owner.client, found),
        lambda: chat.say(found),
        lambda: chat.client.post(BEGIN, {"message": {"content": "x"}}),
        lambda: tenant.owner.client.get("/v1/conversations"),
        lambda: tenant.owner.client.post(f"/v1/conversations/{found}/close"),
        lambda: chat.client.put("/widget/v1/context", {"context": {"a": 1}}),
    ]
    for call in calls:
        with injected(At(0, "before", error, is_functions_table, times=10**6)):
            answer = call()
        assert (answer.status, answer.code) == (503, "unavailable")
    assert conversation(tenant.owner.client, found)["message_count"] == 1


def test_endless_conflicts_are_a_503_and_nothing_happened(tenant, chat):
    found = chat.begin()
    with injected(At(0, "before", conflict, is_write, times=10**6)):
        answer = chat.say(found)
    assert (answer.status, answer.code) == (503, "contention")
    assert conversation(tenant.owner.client, found)["message_count"] == 1


def test_a_visitor_who_comes_back_while_he_writes_is_let_in(services, tenant, chat):
    with injected(At(0, "before", conflict, lambda _s, operation: operation == "update_item")):
        body = {"client_token": tenant.created["default_widget"]["client_token"], "visitor_token": chat.client.token}
        answer = chat.client.post("/widget/v1/sessions", body)
    assert answer.json["visitor"]["id"] == chat.visitor_id


class TestIndexLag:
    def test_lists_show_no_row_that_has_left_and_none_twice(self, tenant, chat):
        client, found = tenant.owner.client, [chat.begin() for _ in range(4)]
        with injected(IndexLag()):
            client.post(f"/v1/conversations/{found[0]}/close")
            client.post(f"/v1/conversations/{found[1]}/assign", {"assigned_to": tenant.owner.user_id})
            chat.say(found[2])
            for query in ("status=open", "status=open&limit=1", "assigned_to=unassigned&status=open"):
                listed = rows(client, f"/v1/conversations?{query}")
                assert {row["status"] for row in listed} == {"open"}
                assert len({row["id"] for row in listed}) == len(listed)
            everything = rows(client, "/v1/conversations?limit=2")
            assert {row["id"] for row in everything} == set(found)
            assert found[1] not in {r["id"] for r in rows(client, "/v1/conversations?assigned_to=unassigned&limit=1")}

    def test_one_that_is_between_two_partitions_is_shown_once(self, tenant, chat):
        client, found = tenant.owner.client, chat.begin()
        lag = IndexLag()
        with injected(lag):
            client.post(f"/v1/conversations/{found}/close")
        stale = {key: row for key, row in lag.before.items() if row.get("a_pk")}
        both = IndexLag()
        both._set_back = lambda params, answer: _add(stale, params, answer)  # type: ignore[method-assign]
        with injected(both):
            assert [row["id"] for row in client.get("/v1/conversations").json["data"]] == [found]

    def test_sending_and_reading_a_conversation_never_lag(self, services, tenant, chat):
        with injected(IndexLag()):
            found = chat.begin()
            chat.say(found)
            assert chat.heard(found)[1:] == ["Still there?"]
            assert conversation(tenant.owner.client, found)["message_count"] == 2
            assert [row["id"] for row in chat.client.get(BEGIN).json["data"]] == [found]
            dispatch_all(services)
        assert counters.read_total(tenant_rows(tenant.id), "conv_open") == 1

    def test_the_log_of_settled_events_skips_nothing_that_came_late_into_the_index(self, tenant, chat):
        start = clock.now_ms()
        with injected(IndexLag()), clock.reading(lambda: start + 1000):
            chat.begin()
            assert tenant.owner.client.get("/v1/events?type=message.created").json["data"] == []
        with clock.reading(lambda: start + 22_000):
            assert len(tenant.owner.client.get("/v1/events?type=message.created").json["data"]) == 1


def _add(stale, params, answer) -> None:
    for row in stale.values():
        if params["IndexName"] == "activity" and row["a_pk"] in params["ExpressionAttributeValues"].values():
            answer["Items"].append({name: row[name] for name in ("pk", "sk", "a_pk", "a_sk")})
