"""Lists of conversations under every filter, against a model that simply looks at all of them."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest

from chalicelib.conversations import listing, service
from chalicelib.core import aws, clock, ids
from chalicelib.messages import opening
from chalicelib.messages.models import Author, NewMessage
from tests.support.answers import pages, rows
from tests.support.aws import Services, install
from tests.support.chats import dispatch_all, new_chat, new_site
from tests.support.client import Client
from tests.support.clocks import later
from tests.support.contacts import new_company, new_contact
from tests.support.settings import changed
from tests.support.tags import new_team
from tests.support.tenants import Organisation, new_member

COUNT = 90
SORTED = 60  # instead of 400: above this a narrow list is walked instead of sorted
MINUTES = 3
URL = "/v1/conversations?"
pytestmark = pytest.mark.xdist_group("listing")  # both worlds are made once


@dataclass(frozen=True)
class Shown:
    """What the model knows of a conversation."""

    id: str
    status: str
    visitor_id: str
    widget_id: str
    contact_id: str | None
    company_id: str | None
    team_id: str | None
    assigned_to: str | None
    priority: str | None
    tags: tuple[str, ...]
    activity: int


@dataclass(frozen=True)
class World:
    """A tenant with many conversations."""

    tenant: Organisation
    agents: list[str]
    teams: list[str]
    all: list[Shown]
    services: Services

    @property
    def client(self) -> Client:
        return self.tenant.owner.client


@pytest.fixture(scope="module", params=["1", "3"])
def world(engine: str, _secret: str, request) -> Iterator[World]:
    services = Services(_secret)
    install(services)
    with changed(INDEX_SHARDS=request.param), pytest.MonkeyPatch.context() as patch:
        patch.setattr(listing, "SORTED_EXACTLY", SORTED)
        patch.setattr(listing, "READ_WHOLE", SORTED // 4)
        yield _made(services, COUNT, random.Random(7))
    aws.interceptors.clear()


@pytest.fixture(autouse=True)
def _services(world: World) -> None:
    install(world.services)


def _made(services: Services, count: int, chance: random.Random) -> World:
    tenant = new_site()
    agents = [new_member(tenant, "agent").user_id for _ in range(2)]
    visitors = [new_chat(tenant).visitor_id for _ in range(6)]
    client, widgets = tenant.owner.client, [ids.new("wgt") for _ in range(2)]
    teams, companies = [new_team(client)["id"] for _ in range(2)], [new_company(client)["id"], None]
    contacts = {new_contact(client, company_id=each)["id"]: each for each in companies} | {None: None}
    found, start = [], clock.now_ms() - count * MINUTES * 60_000
    moments = [start + number * MINUTES * 60_000 for number in range(count)]
    for moment in moments:
        with clock.reading(partial(int, moment)):
            given = {"widget_id": chance.choice(widgets), "contact_id": chance.choice(list(contacts))}
            given |= {"priority": chance.choice(["low", "urgent", None])}
            tags = ("common", *chance.sample(["a", "b", "ä"], chance.randrange(3)))
            shown = _opened(tenant, chance.choice(visitors), given, tags, contacts[given["contact_id"]])
            found.append(_changed(tenant, shown, chance, agents, teams))
    for place in chance.sample(range(count), count // 5):  # newer activity than the order of creation says
        with clock.reading(partial(int, moments[place] + 90_000)):
            service_send(tenant, found[place].id)
        found[place] = replace(found[place], activity=moments[place] + 90_000)
    dispatch_all(services)
    return World(tenant, agents, teams, found, services)


def _opened(
    tenant: Organisation, visitor_id: str, given: dict[str, Any], tags: tuple[str, ...], company_id: str | None
) -> Shown:
    first = NewMessage(Author("agent", tenant.owner.user_id, None), "Hello")
    new = opening.NewConversation(visitor_id, {"type": "user", "id": "-"}, first, tags=tags, hot=given)
    opened = opening.open_conversation(tenant.id, new)
    more: dict[str, Any] = {"company_id": company_id, "team_id": None, "assigned_to": None}
    return Shown(opened.conversation.id, "open", visitor_id, tags=tags, activity=clock.now_ms(), **more, **given)


def _changed(tenant: Organisation, shown: Shown, chance: random.Random, agents: list[str], teams: list[str]) -> Shown:
    status, assignee = chance.choice(["open", "open", "pending", "snoozed", "closed"]), chance.choice([*agents, None])
    wanted: dict[str, Any] = {"status": status, "assigned_to": assignee, "team_id": chance.choice([*teams, None])}
    service.update_conversation(tenant.id, shown.id, wanted, {"type": "user", "id": "-"}, None)
    return replace(shown, **wanted)


def service_send(tenant: Organisation, conversation_id: str) -> None:
    from chalicelib.messages.service import send_message

    send_message(tenant.id, conversation_id, NewMessage(Author("agent", tenant.owner.user_id, None), "And?"))


def expected(world: World, query: dict[str, Any]) -> list[str]:
    """Return the ids that match, newest activity first unless the query turns it."""
    tests: dict[str, Callable[[Shown, Any], bool]] = {
        "assigned_to": lambda row, value: (row.assigned_to or "unassigned") == value,
        "tag": lambda row, value: value.lower() in row.tags,
        "since": lambda row, value: row.activity >= _ms(value),
        "until": lambda row, value: row.activity <= _ms(value),
        "sort": lambda *_: True,
    }
    matching = [
        row
        for row in world.all
        if all(tests.get(n, lambda row, v, n=n: getattr(row, n) == v)(row, value) for n, value in query.items())
    ]
    ordered = sorted(matching, key=lambda row: (row.activity, row.id), reverse=query.get("sort") != "last_message_at")
    return [row.id for row in ordered]


def _ms(text: str) -> int:
    from datetime import datetime

    return clock.to_ms(datetime.fromisoformat(text))


def any_query(world: World, chance: random.Random) -> dict[str, Any]:
    """Return one to three filters at random, half the time with another order."""
    row = chance.choice(world.all)
    values = {
        "status": chance.choice(["open", "pending", "snoozed", "closed"]),
        "assigned_to": chance.choice([*world.agents, "unassigned"]),
        "visitor_id": row.visitor_id,
        "contact_id": row.contact_id or ids.new("con"),
        "company_id": row.company_id or ids.new("com"),
        "widget_id": row.widget_id,
        "team_id": chance.choice(world.teams),
        "tag": chance.choice(["common", "COMMON", "a", "Ä", "none"]),
        "priority": chance.choice(["low", "urgent"]),
        "since": clock.rfc3339(row.activity),
        "until": clock.rfc3339(row.activity),
    }
    names = chance.sample(sorted(values), chance.randint(0, 3))
    query = {name: values[name] for name in names}
    return query | ({"sort": "last_message_at"} if chance.random() < 0.3 else {})


# In the order in which they are looked for: the first serves the list.
_NARROW = ("tag", "company_id", "team_id", "visitor_id", "contact_id", "assigned_to", "widget_id")


def is_walked(world: World, query: dict[str, Any]) -> bool:
    """Tell whether the list is too long to be sorted, so that it comes in the order of creation."""
    names = [name for name in _NARROW if name in query]
    serving = {
        name: query[name]
        for name in (names[:1] if names[:1] != ["assigned_to"] else ["assigned_to", "status"])
        if name in query
    }
    return bool(names) and len(expected(world, serving)) > SORTED


@pytest.mark.parametrize("seed", range(16))
def test_every_combination_lists_exactly_what_matches_each_once(world: World, seed: int):
    chance = random.Random(seed)
    query = any_query(world, chance)
    wanted = expected(world, query)
    limit = chance.choice([7, 20, 100])
    got: list[str] = []
    for page in pages(world.client, URL + urlencode(query | {"limit": limit})):
        pagination = page["pagination"]
        assert pagination["offset"] == len(got)
        got += [row["id"] for row in page["data"]]
        assert pagination["total"] >= len(got) + pagination["has_more"]
        assert pagination["total"] == len(wanted) or pagination["total_capped"], (query, pagination)
    if is_walked(world, query):
        assert sorted(got) == sorted(wanted), query
    else:
        assert got == wanted, query


@pytest.mark.parametrize("seed", range(8))
def test_offsets_reach_the_same_rows(world: World, seed: int):
    chance = random.Random(1000 + seed)
    query = any_query(world, chance)
    wanted, got, offset = expected(world, query), list[str](), 0
    limit = chance.choice([19, 100])
    while True:
        answer = world.client.get(URL + urlencode(query | {"limit": limit, "offset": offset}))
        got += [row["id"] for row in answer.json["data"]]
        if not answer.json["pagination"]["has_more"]:
            break
        offset = len(got)
    if is_walked(world, query):
        assert len(set(got)) == len(got)
        assert set(got) <= set(expected(world, query))
    else:
        assert got == wanted, query


@pytest.mark.parametrize("query", [{}, {"status": "open"}, {"tag": "a"}, {"assigned_to": "unassigned"}])
def test_an_offset_past_the_end_is_an_empty_page_with_the_true_total(world: World, query: dict[str, str]):
    page = world.client.get(URL + urlencode(query | {"offset": 9000})).json
    assert page["data"] == []
    assert (page["pagination"]["total"], page["pagination"]["has_more"]) == (len(expected(world, query)), False)


def test_a_filtered_offset_past_the_end_does_not_count_what_is_not_there(world: World):
    query = {"priority": "low", "status": "pending"}
    page = world.client.get(URL + urlencode(query | {"offset": 400})).json
    assert page["pagination"]["total"] == len(expected(world, query))


def test_rows_show_both_halves_of_a_conversation(world: World):
    for query in ({"tag": "common"}, {"tag": "a"}, {"status": "open"}, {"visitor_id": world.all[0].visitor_id}):
        for row in world.client.get(URL + urlencode(query)).json["data"]:
            assert "common" in row["tags"]


def test_totals_are_right_after_every_change_once_it_is_dispatched(world: World):
    client, services = world.client, world.services
    chat = new_chat(world.tenant)
    before = {status: client.get(f"{URL}status={status}&limit=1").json["pagination"]["total"] for status in _STATUSES}
    found = chat.begin()
    steps: list[tuple[str, Callable[[], object]]] = [
        ("open", lambda: None),
        ("closed", lambda: client.post(f"/v1/conversations/{found}/close")),
        ("open", lambda: chat.say(found)),
        ("pending", lambda: client.patch(f"/v1/conversations/{found}", {"status": "pending"})),
        ("snoozed", lambda: client.post(f"/v1/conversations/{found}/snooze", {"until": "2199-01-01T00:00:00Z"})),
        ("closed", lambda: client.patch(f"/v1/conversations/{found}", {"status": "closed", "tags": ["total"]})),
    ]
    for status, step in steps:
        step()
        dispatch_all(services)
        for each in _STATUSES:
            total = client.get(f"{URL}status={each}&limit=1").json["pagination"]["total"]
            assert total == before[each] + (each == status)


_STATUSES = ("open", "pending", "snoozed", "closed")


def test_before_the_dispatch_a_total_is_never_less_than_the_page_proves(world: World):
    tenant = new_site()
    chat = new_chat(tenant)
    begun = [chat.begin() for _ in range(5)]
    for query, least in (("limit=5", 5), ("limit=3", 4), ("limit=3&status=open", 4), ("offset=2&limit=2", 5)):
        pagination = tenant.owner.client.get(URL + query).json["pagination"]
        assert pagination["total"] >= least, query
    assert {row["id"] for row in rows(tenant.owner.client, URL + "limit=2")} == set(begun)


class TestCursor:
    def test_it_is_bound_to_the_tenant_the_list_and_its_filters(self, world: World):
        client = world.client
        cursor = client.get(URL + "limit=2&status=open").json["pagination"]["next_cursor"]
        assert client.get(f"{URL}limit=5&status=open&cursor={cursor}").status == 200
        stranger = new_site().owner.client
        refused = [
            stranger.get(f"{URL}status=open&cursor={cursor}"),
            client.get(f"{URL}cursor={cursor}"),
            client.get(f"{URL}status=closed&cursor={cursor}"),
            client.get(f"{URL}status=open&sort=last_message_at&cursor={cursor}"),
            client.get(f"/v1/visitors?cursor={cursor}"),
            client.get(f"{URL}status=open&cursor={cursor[:-2]}"),
            client.get(f"{URL}status=open&cursor=A{cursor[1:]}"),
            client.get(f"{URL}status=open&cursor={cursor}&offset=2"),
        ]
        assert [answer.status for answer in refused] == [422] * len(refused)
        assert [answer.params for answer in refused] == [{"cursor"}] * 7 + [{"offset"}]

    def test_one_of_a_sorted_list_is_not_continued_when_the_list_has_become_too_long_to_sort(self, world, monkeypatch):
        query = URL + urlencode({"visitor_id": world.all[0].visitor_id, "limit": 2})
        cursor = world.client.get(query).json["pagination"]["next_cursor"]
        monkeypatch.setattr(listing, "SORTED_EXACTLY", 3)
        answer = world.client.get(f"{query}&cursor={cursor}")
        assert (answer.status, answer.params) == (422, {"cursor"})

    def test_news_do_not_repeat_or_hide_rows(self, world: World):
        tenant = new_site()
        chat = new_chat(tenant)
        begun = [chat.begin() for _ in range(6)]
        seen = []
        for number, page in enumerate(pages(tenant.owner.client, URL + "limit=2")):
            seen += [row["id"] for row in page["data"]]
            with later(120_000 * (number + 1)):
                chat.begin()
                chat.say(seen[0])
        assert seen == begun[::-1]


def test_an_entry_is_at_most_a_minute_behind_and_filters_by_time_know_it(world: World):
    tenant = new_site()
    chat = new_chat(tenant)
    start = clock.now_ms()
    found = chat.begin()
    with later(50_000):  # does not move the entry
        chat.say(found)
    for name, seconds, listed in (("since", 49, 1), ("since", 55, 0), ("until", 45, 0), ("until", 55, 1)):
        moment = clock.rfc3339(start + seconds * 1000)
        answer = tenant.owner.client.get(URL + urlencode({name: moment}))
        assert len(answer.json["data"]) == listed, (name, seconds)
