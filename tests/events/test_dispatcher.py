"""The dispatcher: in order, nothing skipped, counted exactly once, whatever the queue does and whenever it dies."""

import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from chalicelib.core.table import tenant_rows
from chalicelib.events import counters, dispatcher
from chalicelib.events.models import Event
from tests.support.aws import Services
from tests.support.chats import Chat, conversation, dispatch_all, new_chat, new_site, reply
from tests.support.faults import At, Crash, conflict, crash, injected, is_table, is_write, no_answer, throttled
from tests.support.tenants import Organisation

STATUSES = ("open", "pending", "snoozed", "closed")


@pytest.fixture
def tenant() -> Organisation:
    return new_site()


@pytest.fixture
def chat(tenant: Organisation) -> Chat:
    return new_chat(tenant)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """Subscribe a consumer for one test."""
    found: list[Event] = []
    monkeypatch.setattr(dispatcher, "_consumers", [found.append])
    return found


def counted(tenant: Organisation) -> dict[str, int]:
    return {status: counters.read_total(tenant_rows(tenant.id), f"conv_{status}") for status in STATUSES}


def happen(tenant: Organisation, chat: Chat) -> str:
    """Let twelve things happen to a conversation that ends up pending."""
    client, found = tenant.owner.client, chat.begin()
    for _ in range(3):
        reply(client, found)
    client.post(f"/v1/conversations/{found}/close")
    chat.say(found)
    client.post(f"/v1/conversations/{found}/snooze", {"until": "2199-01-01T00:00:00Z"})
    chat.say(found)
    client.patch(f"/v1/conversations/{found}", {"status": "pending"})
    return found


PENDING_ONLY = {"open": 0, "pending": 1, "snoozed": 0, "closed": 0}


def events_of(seen: list[Event], conversation_id: str) -> list[Event]:
    return [event for event in seen if event.pk.endswith(conversation_id)]


def is_done(tenant: Organisation, conversation_id: str) -> bool:
    meta = tenant_rows(tenant.id).get(conversation_id, "meta", consistent=True)
    assert meta is not None
    return "p_pk" not in meta and meta["dpos"] == meta["pos"]


def test_every_event_once_in_order_without_a_gap(services, tenant, chat, seen):
    found = happen(tenant, chat)
    dispatch_all(services)
    events = events_of(seen, found)
    assert [event.pos for event in events] == list(range(1, 13))
    assert counted(tenant) == PENDING_ONLY
    assert is_done(tenant, found)


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_small_batches_skip_nothing(services, tenant, chat, seen, monkeypatch, batch):
    monkeypatch.setattr(dispatcher, "BATCH", batch)
    found = happen(tenant, chat)
    dispatch_all(services)
    assert [event.pos for event in events_of(seen, found)] == list(range(1, 13))
    assert counted(tenant) == PENDING_ONLY


def test_news_during_the_dispatch_are_dispatched_too(services: Services, tenant, chat, monkeypatch):
    found, seen = chat.begin(), list[int]()

    def consume(event: Event) -> None:
        if event.pk.endswith(found):
            seen.append(event.pos)
            if seen == [1, 2]:
                chat.say(found, "meanwhile")

    monkeypatch.setattr(dispatcher, "_consumers", [consume])
    url = tenant_rows(tenant.id).key(found, "meta").pk
    dispatcher.dispatch(url)
    assert seen == [1, 2, 1, 2, 3]  # seen again, because what was read had changed: consumers don't mind
    assert is_done(tenant, found)


@pytest.mark.parametrize("seed", range(3))
def test_duplicated_shuffled_and_parallel_deliveries_count_once(services: Services, tenant, chat, seed):
    found = [happen(tenant, chat) for _ in range(3)]
    bodies = list(services.queues["events"]) * 3
    services.queues.clear()
    random.Random(seed).shuffle(bodies)

    def deliver(body: str) -> None:
        with suppress(Exception):  # the queue delivers it again
            dispatcher.dispatch(body)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(deliver, bodies))
    for body in bodies:
        dispatcher.dispatch(body)
    assert counted(tenant) == {"open": 0, "pending": 3, "snoozed": 0, "closed": 0}
    assert all(is_done(tenant, each) for each in found)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", range(6))
def test_dying_at_any_call_loses_and_doubles_nothing(services: Services, tenant, chat, seen, number, when, monkeypatch):
    monkeypatch.setattr(dispatcher, "BATCH", 4)
    found = happen(tenant, chat)
    full = tenant_rows(tenant.id).key(found, "meta").pk
    with injected(At(number, when, crash, is_table)), suppress(Crash):
        dispatcher.dispatch(full)
    dispatch_all(services)
    dispatcher.dispatch(full)
    positions = [event.pos for event in events_of(seen, found)]
    assert set(positions) == set(range(1, 13))
    assert list(dict.fromkeys(positions)) == list(range(1, 13))
    assert counted(tenant) == PENDING_ONLY
    assert is_done(tenant, found)


@pytest.mark.parametrize("error", [no_answer, conflict, throttled])
@pytest.mark.parametrize("number", range(3))
def test_a_write_that_fails_or_whose_answer_is_lost_counts_once(services: Services, tenant, chat, number, error):
    found = happen(tenant, chat)
    with injected(At(number, "after" if error is no_answer else "before", error, is_write)), suppress(Exception):
        dispatch_all(services)
    dispatcher.dispatch(tenant_rows(tenant.id).key(found, "meta").pk)
    assert counted(tenant) == PENDING_ONLY


def test_a_consumer_that_fails_is_asked_again_and_nobody_is_skipped(services: Services, tenant, chat, monkeypatch):
    found, seen, failures = happen(tenant, chat), list[int](), [ValueError(), ValueError()]

    def consume(event: Event) -> None:
        if event.pk.endswith(found):
            if event.pos == 4 and failures:
                raise failures.pop()
            seen.append(event.pos)

    monkeypatch.setattr(dispatcher, "_consumers", [consume])
    full = tenant_rows(tenant.id).key(found, "meta").pk
    for _ in range(2):
        with pytest.raises(ValueError):  # noqa: PT011 - the consumer's own
            dispatcher.dispatch(full)
    dispatcher.dispatch(full)
    assert seen == [1, 2, 3, 1, 2, 3, *range(1, 13)]
    assert counted(tenant)["pending"] == 1


def test_an_event_has_one_id_however_often_it_is_seen(services: Services, tenant, chat, seen):
    found = chat.begin()
    full = tenant_rows(tenant.id).key(found, "meta").pk
    with injected(At(0, "before", crash, is_write)), suppress(Crash):
        dispatcher.dispatch(full)
    dispatcher.dispatch(full)
    ids = [event.id for event in events_of(seen, found)]
    assert ids[:2] == ids[2:]
    assert len(set(ids)) == 2


def test_what_is_unknown_or_odd_in_the_queue_is_refused_or_done(tenant):
    dispatcher.dispatch(f"{tenant.id}#conv_x")
    from chalicelib.core.errors import NotFoundError

    with pytest.raises(NotFoundError):
        dispatcher.dispatch("nonsense")


def test_a_lost_queue_message_is_healed_by_the_next_one(services: Services, tenant, chat, seen):
    found = chat.begin()
    services.queues.clear()
    chat.say(found)
    dispatch_all(services)
    assert [event.pos for event in events_of(seen, found)] == [1, 2, 3]
    assert conversation(tenant.owner.client, found)["message_count"] == 2
