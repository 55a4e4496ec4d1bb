"""Lists of conversations: which index serves which filter, and what is left to be dropped afterwards.

The list of a visitor, contact, company, widget, team, tag or assignee is usually short: up to 400 are read and sorted
exactly. A longer one is walked in the order of creation. All others come from the activity index, where an entry may be
up to a minute behind.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from pydantic import Field

from chalicelib.conversations import searching, store
from chalicelib.conversations.models import INDEX_LAG_MS, STATUSES, Cold, Conversation, Priority, Status
from chalicelib.core import clock
from chalicelib.core.http import Page, PageQuery
from chalicelib.core.http.pages import page_of
from chalicelib.core.http.schema import Moment
from chalicelib.core.items import Item
from chalicelib.core.listing import Source, page_of_source, uncounted
from chalicelib.core.table import Key, tenant_rows
from chalicelib.events import counters
from chalicelib.tags.models import folded

SORTED_EXACTLY = 400
READ_WHOLE = 50  # conversations that one BatchGet brings with both their rows
UNASSIGNED = "unassigned"
_NAME = "conversations"
_BY_NUMBER = f"{_NAME}-by-number"
_COLD = {"tag": "tag", "com": "company_id", "team": "team_id"}  # filters by the kind of their list

Keep = Callable[[Conversation], bool]


class ListConversations(PageQuery):
    """What to list. Several filters must all match."""

    status: Status | None = None
    assigned_to: str | None = Field(
        default=None, min_length=1, max_length=40, description="A user id, `me`, or `unassigned`."
    )
    visitor_id: str | None = Field(default=None, min_length=1, max_length=40)
    contact_id: str | None = Field(default=None, min_length=1, max_length=40)
    company_id: str | None = Field(
        default=None, min_length=1, max_length=40, description="The company of the contact, as it is now."
    )
    widget_id: str | None = Field(default=None, min_length=1, max_length=40)
    team_id: str | None = Field(default=None, min_length=1, max_length=40)
    tag: str | None = Field(default=None, min_length=1, max_length=50)
    priority: Priority | None = None
    since: Moment | None = Field(default=None, description="Last activity at or after this time.")
    until: Moment | None = Field(default=None, description="Last activity at or before this time.")
    q: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="`#12`, or words: of the subject, of the contact, or of one of the newest 2,000 messages.",
    )
    sort: Literal["-last_message_at", "last_message_at"] = Field(
        default="-last_message_at", description="Newest activity first, or oldest first."
    )


def list_conversations(tenant_id: str, query: ListConversations) -> Page[Conversation]:
    """List conversations; an assignee in `query` is a user id or `unassigned`.

    One query per index partition and one BatchGet per hundred rows (a conversation is two), constant in the size of
    the tenant; a short list read whole adds one BatchGet per hundred conversations in it.
    """
    if query.q:
        return _searched(tenant_id, query, query.q)
    narrow = _narrow(tenant_id, query)
    return _short_or_walked(tenant_id, query, *narrow) if narrow else _from_activity(tenant_id, query)


def list_by_number(tenant_id: str, query: PageQuery) -> Page[Conversation]:
    """List all, in the order of their numbers: whatever happens to one meanwhile, it is met once. Three calls a page.

    A page ends behind so many numbers, of which deleted and merged conversations have some.
    """
    position = query.position(tenant_id, _BY_NUMBER)
    first = int(position.after) + 1 if position else 1
    last = store.last_number(tenant_id)
    end = min(last, first + query.limit - 1)
    found = store.find_by_numbers(tenant_id, range(first, end + 1)) if first <= end else []
    follow = query.next_cursor(tenant_id, _BY_NUMBER, str(end), end) if end < last else None
    return Page(found, last, query.limit, first - 1, follow is not None, follow)


def list_own(tenant_id: str, visitor_id: str, proven_contact_id: str | None, page: PageQuery) -> Page[Conversation]:
    """List a visitor's conversations, and those of the contact he has proven to be; one query more for these."""
    source = store.by_people(tenant_id, visitor_id, proven_contact_id)
    query = ListConversations.model_validate(page.model_dump(exclude_none=True))
    # The visitor's own are among the contact's, once the job is through that lets them follow: they count once.
    counted = store.by_facet(tenant_id, "con", proven_contact_id) if proven_contact_id else source
    return _short_or_walked(tenant_id, query, source, set(), counted)


def _short_or_walked(
    tenant_id: str, query: ListConversations, source: Source, served: set[str], counted: Source | None = None
) -> Page[Conversation]:
    pairs, more = source.read(None, SORTED_EXACTLY)
    if more:
        return _walked(tenant_id, query, source, served, counted or source)
    return _sorted(tenant_id, query, list(dict.fromkeys(_conversation_id_of(key) for _, key in pairs)), served)


def _narrow(tenant_id: str, query: ListConversations) -> tuple[Source, set[str]] | None:
    """Return the shortest list that has all that is asked for, and the filters it serves; None for the whole one."""
    # Those first that stand in the cold row: what the others ask for can be checked with the hot ones alone.
    if cold := _cold_facets(query):
        kind, value = next(iter(cold.items()))
        return store.by_facet(tenant_id, kind, value), {_COLD[kind]}
    if query.visitor_id:
        return store.by_facet(tenant_id, "vis", query.visitor_id), {"visitor_id"}
    if query.contact_id:
        return store.by_facet(tenant_id, "con", query.contact_id), {"contact_id"}
    if query.assigned_to:
        assignee = None if query.assigned_to == UNASSIGNED else query.assigned_to
        return store.by_owner(tenant_id, _statuses(query), assignee), {"assigned_to", "status"}
    return (store.by_facet(tenant_id, "wgt", query.widget_id), {"widget_id"}) if query.widget_id else None


def _searched(tenant_id: str, query: ListConversations, text: str) -> Page[Conversation]:
    found = searching.search(tenant_id, text)
    return replace(_sorted(tenant_id, query, found.ids, set()), searched_until=found.until)


def _sorted(tenant_id: str, query: ListConversations, ids: Sequence[str], served: set[str]) -> Page[Conversation]:
    small = len(ids) <= READ_WHOLE
    if not small:  # of so many only the hot rows are read
        asked = {kind: value for kind, value in _cold_facets(query).items() if _COLD[kind] not in served}
        ids, served = store.having(tenant_id, asked, ids), set(_COLD.values())
    keep = _matching(query, without=served & set(_COLD.values()))
    loaded = store.load(tenant_id, ids)[0] if small else store.load_hot(tenant_id, ids)
    found = [each for each in loaded.values() if keep is None or keep(each)]
    newest_first = query.sort == "-last_message_at"
    page = page_of(
        found, query, tenant_id, _NAME, lambda each: f"{each.hot.activity:013d}#{each.id}", newest_first=newest_first
    )
    if small:
        return page
    whole, _ = store.load(tenant_id, [each.id for each in page.rows])
    return page.map(lambda each: whole.get(each.id, each))


def _walked(
    tenant_id: str, query: ListConversations, source: Source, served: set[str], counted: Source
) -> Page[Conversation]:
    fits, keep = _matching(query), _matching(query, without=served)

    def load(keys: Sequence[Key]) -> dict[Key, Conversation]:
        rows, _ = store.load(tenant_id, [_conversation_id_of(key) for key in keys])
        return _by_key(keys, rows, fits if keep is None else None)

    count = counted.count if keep is None else uncounted
    # A name of its own: a cursor of the sorted list would be continued in another order.
    return page_of_source(source, query, tenant_id, f"{_NAME}-walked", load=load, keep=keep, count=count)


def _from_activity(tenant_id: str, query: ListConversations) -> Page[Conversation]:
    rows = tenant_rows(tenant_id)
    low = f"{max(0, clock.to_ms(query.since) - INDEX_LAG_MS):013d}" if query.since else " "
    high = f"{min(clock.to_ms(query.until), clock.LAST_MS):013d}~" if query.until else "~"
    source = store.by_activity(tenant_id, _statuses(query), low, high, newest_first=query.sort == "-last_message_at")
    fits, keep = _matching(query), _matching(query, without={"status"})
    counted: dict[Key, Item] = {}

    def load(keys: Sequence[Key]) -> dict[Key, Conversation]:
        ids, also = [_conversation_id_of(key) for key in keys], counters.keys(rows) if keep is None else []
        found, read = store.load(tenant_id, ids, also)
        counted.update(read)
        return _by_key(keys, found, fits if keep is None else None)

    def count() -> tuple[int, bool]:
        names = [f"conv_{status}" for status in _statuses(query)]
        return (counters.total(counted, rows, *names) if counted else counters.read_total(rows, *names)), False

    return page_of_source(
        source, query, tenant_id, _NAME, load=load, keep=keep, count=count if keep is None else uncounted
    )


def _by_key(keys: Sequence[Key], found: Mapping[str, Conversation], fits: Keep | None) -> dict[Key, Conversation]:
    """Return the conversations that index rows stand for; not one that has just left this list: an index may lag."""
    first = {_conversation_id_of(key): key for key in reversed(keys)}  # one may stand in two of the list's partitions
    rows = {key: found[each] for each, key in first.items() if each in found}
    return {key: row for key, row in rows.items() if fits is None or fits(row)}


def _statuses(query: ListConversations) -> tuple[Status, ...]:
    return (query.status,) if query.status else STATUSES


def _matching(query: ListConversations, *, without: Collection[str] = ()) -> Keep | None:
    """Return what tells whether a conversation has all that is asked for but `without`; None for nothing asked for."""
    names = ("status", "visitor_id", "contact_id", "widget_id", "priority")
    wanted = {name: getattr(query, name) for name in names if getattr(query, name) and name not in without}
    if query.assigned_to and "assigned_to" not in without:
        wanted["assigned_to"] = None if query.assigned_to == UNASSIGNED else query.assigned_to
    since = clock.to_ms(query.since) if query.since else None
    until = clock.to_ms(query.until) if query.until else None
    cold = {kind: value for kind, value in _cold_facets(query).items() if _COLD[kind] not in without}
    if not wanted and not cold and since is None and until is None:
        return None

    def keep(found: Conversation) -> bool:
        hot = found.hot
        return (
            all(getattr(hot, name) == value for name, value in wanted.items())
            and all(_stands_in(found.cold, kind, value) for kind, value in cold.items())
            and (since is None or hot.activity >= since)
            and (until is None or hot.activity <= until)
        )

    return keep


def _cold_facets(query: ListConversations) -> dict[str, str]:
    """Return the lists asked for of what stands in the cold row, the usually shortest first."""
    asked = {"tag": folded(query.tag) if query.tag else None, "com": query.company_id, "team": query.team_id}
    return {kind: value for kind, value in asked.items() if value}


def _stands_in(cold: Cold, kind: str, value: str) -> bool:
    return value in cold.tags if kind == "tag" else getattr(cold, _COLD[kind]) == value


def _conversation_id_of(key: Key) -> str:
    """Return the conversation that an index row (`…#conv_x`, `meta`) or a facet row (`…#f#tag#x`, `conv_x`) names."""
    return key.sk if key.sk.startswith("conv_") else key.pk.partition("#")[2]
