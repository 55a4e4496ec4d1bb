"""The sweeper: what the queue lost is sent again, and what never works is parked with an alarm."""

from collections import deque
from itertools import count
from types import SimpleNamespace

import pytest

from chalicelib.core.ids import new
from chalicelib.core.table import pending_keys, tenant_rows
from chalicelib.events import dispatcher, outbox, parked, sweeper
from tests.support.aws import Services
from tests.support.chats import Chat, dispatch_all, new_chat, new_site
from tests.support.clocks import later
from tests.support.faults import At, IndexLag, injected, is_queue, no_endpoint
from tests.support.operator import parley
from tests.support.schedules import tick
from tests.support.tenants import Organisation

SHARD = "P#0"
_pending_partition = outbox.pending_partition


@pytest.fixture
def tenant() -> Organisation:
    return new_site()


@pytest.fixture
def chat(tenant: Organisation) -> Chat:
    return new_chat(tenant)


@pytest.fixture(autouse=True)
def _one_shard(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all that is pending from now on be in one shard, and dispatch what other tests left in it."""
    monkeypatch.setattr(outbox, "pending_partition", lambda _pk: SHARD)
    monkeypatch.setattr(sweeper, "PENDING_SHARDS", 1)
    with later(86_400_000):
        for key in [*pending_keys(SHARD, "9", 1000), *pending_keys(SHARD.replace("P", "PX"), "9", 1000)]:
            dispatcher.dispatch(key.pk)
    services.queues.clear()


def lost(services: Services, tenant: Organisation, chat: Chat) -> str:
    """Let something happen whose queue message is lost; return the aggregate's full key."""
    found = chat.begin()
    dispatch_all(services)
    chat.say(found)
    services.queues.clear()
    return tenant_rows(tenant.id).key(found, "meta").pk


def sweep() -> None:
    from app import sweep_pending

    tick(sweep_pending)


def waiting(services: Services) -> list[str]:
    return list(services.queues.get("events", deque()))


def test_it_sends_again_after_three_minutes_and_not_before(services, tenant, chat):
    full = lost(services, tenant, chat)
    with later(170_000):
        sweep()
        assert waiting(services) == []
    with later(190_000):
        sweep()
        assert waiting(services) == [full]
        dispatch_all(services)
        sweep()
        assert waiting(services) == []
    meta = tenant_rows(tenant.id).get(full.partition("#")[2], "meta")
    assert meta is not None
    assert not {"p_pk", "p_sk", "pr"} & meta.keys()


def test_a_queue_that_cannot_be_reached_delays_but_refuses_nothing(services, tenant, chat):
    found = chat.begin()
    dispatch_all(services)
    with injected(At(0, "before", no_endpoint, is_queue)):
        assert chat.say(found).status == 201
    assert waiting(services) == []
    with later(190_000):
        sweep()
    assert waiting(services) == [tenant_rows(tenant.id).key(found, "meta").pk]


def test_after_five_passes_it_parks_with_an_alarm_and_stops(services, tenant, chat, monkeypatch):
    full, alarms = lost(services, tenant, chat), list[tuple[str, str]]()
    monkeypatch.setattr(
        "chalicelib.events.sweeper.log.error", lambda message, **more: alarms.append((message, more["aggregate"]))
    )
    pk = full.partition("#")[2]
    for minute in range(8):
        with later(190_000 + minute * 60_000):
            sweep()
    assert waiting(services) == [full] * 5
    assert alarms == [("event_parked", full)]
    row = tenant_rows(tenant.id).get(pk, "meta")
    assert row is not None
    assert row["p_pk"] == "PX#0"


def test_sweeps_that_overlap_are_not_counted_as_five_minutes(services, tenant, chat):
    full = lost(services, tenant, chat)
    with later(190_000):
        for _ in range(sweeper.MAX_PASSES + 2):
            sweep()
    row = tenant_rows(tenant.id).get(full.partition("#")[2], "meta")
    assert row is not None
    assert row["p_pk"] == SHARD


def test_one_that_moves_on_but_never_rests_is_not_parked(services, tenant, chat, monkeypatch):
    found = chat.begin()
    dispatch_all(services)
    for _ in range(sweeper.MAX_PASSES + 3):
        chat.say(found)
    full = tenant_rows(tenant.id).key(found, "meta").pk
    monkeypatch.setattr(dispatcher, "BATCH", 1)
    # Three looks at the clock use up MAX_SECONDS: each dispatch moves on by one event and leaves the rest.
    monkeypatch.setattr(dispatcher, "time", SimpleNamespace(monotonic=count().__next__))
    for minute in range(sweeper.MAX_PASSES + 2):
        services.queues.clear()
        with later(190_000 + minute * 60_000):
            sweep()
            assert waiting(services) == [full]
            dispatcher.dispatch(full)
    row = tenant_rows(tenant.id).get(found, "meta")
    assert row is not None
    assert row["p_pk"] == SHARD
    assert 0 < row["pos"] - row["dpos"] < sweeper.MAX_PASSES + 3


def test_a_parked_one_is_dispatched_when_something_new_happens(services, tenant, chat):
    full = lost(services, tenant, chat)
    for minute in range(7):
        with later(190_000 + minute * 60_000):
            sweep()
    services.queues.clear()
    chat.say(full.partition("#")[2])
    dispatch_all(services)
    row = tenant_rows(tenant.id).get(full.partition("#")[2], "meta")
    assert row is not None
    assert row["dpos"] == row["pos"]
    assert "p_pk" not in row


def test_an_operator_lists_what_is_parked_and_puts_it_back(services, tenant, chat, monkeypatch):
    full = lost(services, tenant, chat)
    monkeypatch.setattr(parked, "PENDING_SHARDS", 1)
    for minute in range(7):
        with later(190_000 + minute * 60_000):
            sweep()
    services.queues.clear()
    listed = {"aggregate": full, "waiting": 1, "events": 3}
    assert parley("events", "parked", "list", "--json").json["data"] == [listed]
    assert parley("events", "parked", "list").out.split()[-4:] == [full, "1", "of", "3"]
    parley("events", "parked", "retry", code=2)  # asks, and nobody is there
    assert waiting(services) == []
    parley("events", "parked", "retry", f"{full}X", "--yes", code=1)
    assert waiting(services) == []
    assert parley("events", "parked", "retry", full, "--yes", "--json").json["queued"] == [full]
    assert waiting(services) == [full]
    row = tenant_rows(tenant.id).get(full.partition("#")[2], "meta")
    assert row is not None
    assert row["p_pk"] == SHARD
    assert "pr" not in row
    dispatch_all(services)
    assert parley("events", "parked", "list").out == "Nothing is parked.\n"


def test_what_has_gone_on_by_itself_is_not_put_back(services, tenant, chat):
    full = lost(services, tenant, chat)
    dispatcher.dispatch(full)
    assert not parked.unpark(parked.Parked(full, 2, 3))
    assert waiting(services) == []
    row = tenant_rows(tenant.id).get(full.partition("#")[2], "meta")
    assert row is not None
    assert "p_pk" not in row


def test_it_waits_while_the_queue_is_behind(services, tenant, chat):
    lost(services, tenant, chat)
    services.queues["events"] = deque(["-"] * (sweeper.BACKLOG + 1))
    with later(190_000):
        sweep()
    assert len(waiting(services)) == sweeper.BACKLOG + 1
    services.queues["events"] = deque(["-"] * sweeper.BACKLOG)
    with later(190_000):
        sweep()
    assert len(waiting(services)) == sweeper.BACKLOG + 1


def test_an_index_that_lags_makes_no_healthy_one_parked(services, tenant, chat):
    full = lost(services, tenant, chat)
    with injected(IndexLag()):
        dispatcher.dispatch(full)
        for minute in range(8):
            with later(190_000 + minute * 60_000):
                sweep()
    row = tenant_rows(tenant.id).get(full.partition("#")[2], "meta")
    assert row is not None
    assert "p_pk" not in row


def test_the_oldest_come_first(services, tenant, chat):
    found = []
    for minutes in (3, 1, 2):
        with later(minutes * 60_000):
            found.append((minutes, lost(services, tenant, chat)))
    with later(600_000):
        sweep()
    assert waiting(services) == [full for _, full in sorted(found)]


def test_aggregates_are_spread_over_all_shards_that_are_swept():
    found = {_pending_partition(new("conv")) for _ in range(2000)}
    assert found == {f"P#{shard}" for shard in range(outbox.PENDING_SHARDS)}
