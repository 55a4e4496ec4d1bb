"""Rows of conversations: `conv_…`/`meta` (hot, ≤ 1 KB) and `meta~info` (cold), and the lists they stand in.

| list | where | sort key |
|---|---|---|
| by status | index `activity`, `<status>#<shard>` | last activity, id |
| by assignee and status | index `owner`, `own#<status>#<assignee or ->` | id |
| by visitor, contact, company, widget, team, tag | table, `f#<kind>#<value>` | id |
| by number | guard `u#conv-no#<number>` | – |
| by word of the subject | table, `w#<first two letters>` | word, id; carries all the words |
| snoozed, by wake-up time | index `pending`, `D#<shard>`, row `due` | time |
"""

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from chalicelib.contacts.words import longest, matches, partition_of, split
from chalicelib.conversations.models import Cold, Conversation, Hot, Merged
from chalicelib.core import shards
from chalicelib.core.items import Item
from chalicelib.core.listing import Source
from chalicelib.core.table import Key, Rows, Write, run, tenant_rows
from chalicelib.events import outbox
from chalicelib.events.models import NewEvent
from chalicelib.tenants.partitions import Traces

DUE_SHARDS = 16
MAX_WORDS = 10  # of a subject: a merge changes two, within the 100 writes of a transaction
_ROWS_A_QUERY = 1000
_QUERIES = 2
_LAST = "\U0010ffff"  # behind every text that begins with what stands before it

_HOT = {
    "number": "no",
    "held": "hd",
    "status": "st",
    "visitor_id": "vis",
    "widget_id": "wgt",
    "contact_id": "con",
    "assigned_to": "as",
    "priority": "pri",
    "channel": "ch",
    "created_at": "ct",
    "updated_at": "ut",
    "closed_at": "cl",
    "snoozed_until": "sn",
    "last_message": "lm",
    "last_message_at": "lt",
    "indexed_at": "ia",
    "seq": "seq",
    "public_count": "pub",
    "unread_count": "un",
    "visitor_unread_count": "vu",
    "pos": "pos",
    "recent": "rc",
    "bucket": "bk",
    "blocked": "bl",
    "merging_from": "mf",
}
_COLD = {
    "subject": "subj",
    "summary": "summ",
    "team_id": "tm",
    "company_id": "com",
    "page_url": "page",
    "referrer_url": "ref",
    "user_agent": "ua",
    "visitor_ip": "ip",
    "rating": "rat",
    "custom_attributes": "cus",
    "trust_uploads": "tru",
    "revision": "rv",
}


def keys(tenant_id: str, conversation_id: str) -> list[Key]:
    """Return the keys of both rows."""
    rows = tenant_rows(tenant_id)
    return [rows.key(conversation_id, "meta"), rows.key(conversation_id, "meta~info")]


def find(tenant_id: str, conversation_id: str) -> Conversation | Merged | None:
    """Read a conversation as it is now, or what is left of a merged one."""
    found = tenant_rows(tenant_id).query(conversation_id, prefix="meta", consistent=True)
    return from_rows({item["sk"]: item for item in found.items})


def find_all(tenant_id: str, conversation_ids: Sequence[str]) -> dict[str, Conversation | Merged]:
    """Read a few conversations as they are now, merged ones too. One call per hundred rows."""
    wanted = [key for each in conversation_ids for key in keys(tenant_id, each)]
    found = tenant_rows(tenant_id).batch_get(wanted, consistent=True)
    read = [from_items(*(found.get(key, {}) for key in keys(tenant_id, each))) for each in conversation_ids]
    return {each.id: each for each in read if each}


def next_number(tenant_id: str, month: str) -> tuple[int, int]:
    """Take the tenant's next conversation number, of all and of a month. One whose conversation fails stays unused."""
    row = run(tenant_rows(tenant_id).updating("number", "conv", add={"n": 1, f"n_{month}": 1}), returning=True)
    return int(row["n"]), int(row[f"n_{month}"])


def last_number(tenant_id: str) -> int:
    """Return the last conversation number given out. One read."""
    row = tenant_rows(tenant_id).get("number", "conv", consistent=True)
    return int(row["n"]) if row else 0


def creating(conversation: Conversation) -> list[Write]:
    """Return the writes of both rows and of the lists."""
    rows, hot = tenant_rows(conversation.tenant_id), conversation.hot
    item = (
        _hot_item(hot) | index_places(rows, conversation.id, hot) | outbox.new_aggregate(rows, conversation.id, hot.pos)
    )
    return [
        rows.putting(conversation.id, "meta", item, absent=True),
        rows.putting(conversation.id, "meta~info", _cold_item(conversation.cold)),
        *(rows.putting(facet, conversation.id, {}) for facet in _facets(conversation)),
        rows.putting(_number_guard(hot.number), "-", {"id": conversation.id}),
        *_putting_words(rows, conversation),
    ]


def changing(before: Conversation, after: Conversation, *, has_events: bool = True) -> list[Write]:
    """Return the writes that turn `before`, as it was read, into `after`, and move it between lists."""
    rows = tenant_rows(before.tenant_id)
    old, new = _hot_item(before.hot), _hot_item(after.hot)
    changed: dict[str, Any] = {name: new.get(name) for name in {*old, *new} if old.get(name) != new.get(name)}
    old_places, places = index_places(rows, after.id, before.hot), index_places(rows, after.id, after.hot)
    changed |= {name: places.get(name) for name in {*old_places, *places} if old_places.get(name) != places.get(name)}
    update = rows.updating(
        after.id,
        "meta",
        set_=changed,
        default=outbox.pending(rows, after.id) if has_events else None,
        when={"pos": before.hot.pos},
    )
    return [update, *_changing_cold(rows, before, after), *_changing_due(rows, before, after)]


def burying(before: Conversation, left: Mapping[str, Any], event: NewEvent) -> list[Write]:
    """Return the writes that take a conversation from all lists and leave nothing of it but `left`, and its event.

    Its place among its events and messages stays, for the dispatcher; so do its messages and events themselves.
    """
    rows = tenant_rows(before.tenant_id)
    changed: dict[str, Any] = dict.fromkeys([*_hot_item(before.hot), *index_places(rows, before.id, before.hot)])
    changed |= {"seq": before.hot.seq, "pos": before.hot.pos + 1, **left}
    if "into" in left:  # it stays for good, and nothing else leads to it
        changed |= {"a_pk": f"{rows.scope}#merged#{shards.of(rows.scope, before.id)}", "a_sk": before.id}
    update = rows.updating(
        before.id, "meta", set_=changed, default=outbox.pending(rows, before.id), when={"pos": before.hot.pos}
    )
    return [
        update,
        *outbox.event_writes(rows, before.id, before.hot.pos, [event]),
        rows.deleting(before.id, "meta~info", when=_as_read(before.cold)),
        *(rows.deleting(facet, before.id) for facet in _facets(before)),
        *(rows.deleting(*place) for place in _word_places(before)),
        *([rows.deleting(before.id, "due")] if before.hot.snoozed_until is not None else []),
    ]


def traces(_tenant_space: str, found: Sequence[Item]) -> Traces:
    """Return where else a conversation stands: in lists, under the words of its subject, and under its number."""
    conversation = from_rows({row["sk"]: row for row in found})
    if not isinstance(conversation, Conversation):
        return Traces()
    lists = [(facet, conversation.id) for facet in _facets(conversation)]
    return Traces([*lists, *_word_places(conversation), (_number_guard(conversation.hot.number), "-")])


def position(tenant_id: str, conversation_id: str) -> int:
    """Read the position of a conversation's newest event, also of a deleted one; 0 when nothing is left of it."""
    item = tenant_rows(tenant_id).get(conversation_id, "meta", consistent=True)
    return item["pos"] if item else 0


def freeing_number(conversation: Conversation) -> Write:
    """Return the write after which a number finds nothing; that of a merged conversation goes on finding it."""
    return tenant_rows(conversation.tenant_id).deleting(_number_guard(conversation.hot.number), "-")


def find_by_number(tenant_id: str, number: int) -> str | None:
    """Return the id of the conversation with a number."""
    guard = tenant_rows(tenant_id).get(_number_guard(number), "-")
    return guard["id"] if guard else None


def find_by_numbers(tenant_id: str, numbers: Iterable[int]) -> list[Conversation]:
    """Read the conversations that have these numbers now, in their order. A call for the ids, and one a fifty."""
    rows = tenant_rows(tenant_id)
    wanted = [rows.key(_number_guard(number), "-") for number in numbers]
    guards = rows.batch_get(wanted, consistent=True)
    found = find_all(tenant_id, [guards[key]["id"] for key in wanted if key in guards])
    return [each for each in found.values() if isinstance(each, Conversation)]


def find_by_words(tenant_id: str, terms: Sequence[str]) -> list[str]:
    """Return conversations whose subject has a word for each term, the longest of which is the first."""
    rows, low, found = tenant_rows(tenant_id), terms[0], []
    for _ in range(_QUERIES):
        read = rows.query(f"w{partition_of(terms[0])[1:]}", between=(low, terms[0] + _LAST), limit=_ROWS_A_QUERY)
        found += [row["sk"].rpartition("#")[2] for row in read.items if matches(row["w"].split(), terms)]
        if not read.more:
            break
        low = read.items[-1]["sk"] + " "
    return list(dict.fromkeys(found))


def indexing(conversation: Conversation) -> list[Write]:
    """Return the writes of what a conversation is searched by, for as long as it is as it was read."""
    rows = tenant_rows(conversation.tenant_id)
    return [
        rows.checking(conversation.id, "meta", when={"pos": conversation.hot.pos}),
        rows.putting(_number_guard(conversation.hot.number), "-", {"id": conversation.id}),
        *_putting_words(rows, conversation),
    ]


def having(tenant_id: str, facets: Mapping[str, str], conversation_ids: Sequence[str]) -> list[str]:
    """Return those of the conversations that stand in all of these lists, by kind. One call per hundred and list."""
    rows, ids = tenant_rows(tenant_id), list(conversation_ids)
    for kind, value in facets.items():
        found = rows.batch_get(rows.key(facet(kind, value), each) for each in ids)
        ids = [each for each in ids if rows.key(facet(kind, value), each) in found]
    return ids


def _number_guard(number: int) -> str:
    return f"u#conv-no#{number}"


def _words(conversation: Conversation) -> tuple[str, ...]:
    return longest(split(conversation.cold.subject or ""), MAX_WORDS)


def _word_places(conversation: Conversation) -> list[tuple[str, str]]:
    """Return where a conversation stands among the words of subjects; partitions are cut as those of contacts are."""
    return [(f"w{partition_of(word)[1:]}", f"{word}#{conversation.id}") for word in _words(conversation)]


def _putting_words(rows: Rows, conversation: Conversation) -> list[Write]:
    row = {"w": " ".join(_words(conversation))}
    return [rows.putting(*place, row) for place in _word_places(conversation)]


def remains(tenant_id: str, conversation_id: str, limit: int) -> tuple[Sequence[Key], bool]:
    """Return the keys of rows that a conversation still has besides the main one, and whether there are more."""
    found = tenant_rows(tenant_id).query(conversation_id, between=(" ", "~"), limit=limit, consistent=True)
    return [Key(item["pk"], item["sk"]) for item in found.items if item["sk"] != "meta"], found.more


def _facets(conversation: Conversation) -> list[str]:
    """Return the partitions of the lists that a conversation stands in besides the indexes."""
    hot, cold = conversation.hot, conversation.cold
    lists = [("vis", hot.visitor_id), ("wgt", hot.widget_id), ("con", hot.contact_id)]
    lists += [("com", cold.company_id), ("team", cold.team_id), *(("tag", tag) for tag in cold.tags)]
    return [facet(kind, value) for kind, value in lists if value]


def facet(kind: str, value: str) -> str:
    """Return the partition of a list: of a visitor, widget, contact, company, team or tag."""
    return f"f#{kind}#{value}"


def _changing_cold(rows: Rows, before: Conversation, after: Conversation) -> Iterable[Write]:
    if before.cold != after.cold:
        was, item = _cold_item(before.cold), _cold_item(replace(after.cold, revision=before.cold.revision + 1))
        changed = {name: value for name, value in item.items() if value != was[name]}
        yield rows.updating(after.id, "meta~info", set_=changed, when=_as_read(before.cold))
    old, new = set(_facets(before)), set(_facets(after))
    for each in sorted(new - old):
        yield rows.putting(each, after.id, {})
    for each in sorted(old - new):
        yield rows.deleting(each, after.id)
    if before.cold.subject != after.cold.subject:
        yield from _putting_words(rows, after)
        for place in set(_word_places(before)) - set(_word_places(after)):
            yield rows.deleting(*place)


def _as_read(cold: Cold) -> dict[str, Any]:
    """Return the condition that a cold row is as it was read.

    The hot row's position is not enough: a query may meet another transaction halfway, and bring the one row as it is
    before that and the other as it is after it.
    """
    return {_COLD["revision"]: cold.revision or None}


def _changing_due(rows: Rows, before: Conversation, after: Conversation) -> Iterable[Write]:
    old, new = before.hot.snoozed_until, after.hot.snoozed_until
    if new is not None and new != old:
        full = rows.key(after.id, "due").pk
        yield rows.putting(after.id, "due", {"p_pk": due_partition(full), "p_sk": f"{new:013d}"})
    elif old is not None and new is None:
        yield rows.deleting(after.id, "due")


def due_partition(full_pk: str) -> str:
    """Return the pending index's partition of a conversation's wake-up."""
    return f"D#{zlib.crc32(full_pk.encode()) % DUE_SHARDS}"


def index_places(rows: Rows, conversation_id: str, hot: Hot) -> dict[str, str]:
    """Return the index keys of a conversation in this state."""
    return {
        "a_pk": f"{rows.scope}#{hot.status}#{shards.of(rows.scope, conversation_id)}",
        "a_sk": f"{hot.indexed_at:013d}#{conversation_id}",
        "o_pk": f"{rows.scope}#{owner_partition(hot.status, hot.assigned_to)}",
        "o_sk": conversation_id,
    }


def owner_partition(status: str, assignee: str | None) -> str:
    """Return the owner index's partition of an assignee; None is nobody."""
    return f"own#{status}#{assignee or '-'}"


def by_activity(tenant_id: str, statuses: Iterable[str], low: str, high: str, *, newest_first: bool) -> Source:
    """Return the conversations of some statuses by their activity, within bounds of the sort key."""
    partitions = [f"{status}#{shard}" for status in statuses for shard in shards.read(tenant_id)]
    return Source(tenant_rows(tenant_id), partitions, "activity", low, high, newest_first)


def by_owner(tenant_id: str, statuses: Iterable[str], assignee: str | None) -> Source:
    """Return the conversations of one assignee, newest first."""
    return Source(tenant_rows(tenant_id), [owner_partition(status, assignee) for status in statuses], "owner")


def by_facet(tenant_id: str, kind: str, value: str) -> Source:
    """Return the conversations of a visitor, contact, company, widget, team or tag, newest first."""
    return Source(tenant_rows(tenant_id), [facet(kind, value)])


def by_people(tenant_id: str, visitor_id: str, contact_id: str | None) -> Source:
    """Return the conversations of a visitor and of a contact, newest first; one of both is there twice."""
    facets = [f"f#vis#{visitor_id}", *([f"f#con#{contact_id}"] if contact_id else [])]
    return Source(tenant_rows(tenant_id), facets)


def unlisting(tenant_id: str, kind: str, value: str, conversation_id: str) -> Write:
    """Return the write that takes a conversation off a list that it does not belong to any more."""
    return tenant_rows(tenant_id).deleting(facet(kind, value), conversation_id)


def next_in_facet(tenant_id: str, kind: str, value: str, after: str | None) -> tuple[str | None, bool]:
    """Return the conversation of a list that follows another one, and whether there are more."""
    low = f"{after} " if after else "conv_"
    found = tenant_rows(tenant_id).query(facet(kind, value), between=(low, "conv_~"), limit=1, consistent=True)
    return (found.items[0]["sk"] if found.items else None), found.more


def next_of_owner(tenant_id: str, status: str, user_id: str, after: str) -> str | None:
    """Return the conversation that follows another one among an assignee's of a status. The index may lag."""
    low, rows = f"{after} " if after else "conv_", tenant_rows(tenant_id)
    found = rows.query(owner_partition(status, user_id), index="owner", between=(low, "conv_~"), limit=1)
    return found.items[0]["o_sk"] if found.items else None


def requiring(tenant_id: str, conversation_id: str) -> Write:
    """Return the condition that a conversation is there, neither deleted nor merged into another one."""
    return tenant_rows(tenant_id).checking(conversation_id, "meta", when={"gone": None, "into": None}, exists=True)


def load(
    tenant_id: str, conversation_ids: Iterable[str], also: Iterable[Key] = ()
) -> tuple[dict[str, Conversation], Mapping[Key, Item]]:
    """Read conversations by id, and other rows along with them. One call per hundred rows."""
    rows, ids = tenant_rows(tenant_id), list(conversation_ids)
    found = rows.batch_get([*(key for each in ids for key in keys(tenant_id, each)), *also])
    conversations = {}
    for each in ids:
        row = from_items(*(found.get(key, {}) for key in keys(tenant_id, each)))
        if isinstance(row, Conversation):
            conversations[each] = row
    return conversations, found


def load_hot(tenant_id: str, conversation_ids: Iterable[str]) -> dict[str, Conversation]:
    """Read only the hot rows, for sorting."""
    found = tenant_rows(tenant_id).batch_get(keys(tenant_id, each)[0] for each in conversation_ids)
    read = [from_items(item, {}) for item in found.values()]
    return {each.id: each for each in read if isinstance(each, Conversation)}


def from_rows(rows: Mapping[str, Item]) -> Conversation | Merged | None:
    """Read a conversation from its rows by sort key."""
    return from_items(rows.get("meta", {}), rows.get("meta~info", {}))


def from_items(meta: Item, info: Item) -> Conversation | Merged | None:
    """Read a conversation's rows, the main one of which may be missing."""
    if not meta or "gone" in meta:
        return None
    tenant_id, _, conversation_id = meta["pk"].partition("#")
    if "into" in meta:
        return Merged(conversation_id, meta["into"], meta["job"])
    hot: dict[str, Any] = {name: meta.get(short) for name, short in _HOT.items()}
    hot |= {name: hot[name] or 0 for name in ("seq", "public_count", "unread_count", "visitor_unread_count")}
    hot |= {name: bool(hot[name]) for name in ("blocked", "held")}
    cold: dict[str, Any] = {name: info[short] for name, short in _COLD.items() if short in info}
    cold["tags"] = tuple(json.loads(info.get("tags", "[]")))
    return Conversation(tenant_id, conversation_id, Hot(**{**hot, "recent": hot["recent"] or b""}), Cold(**cold))


def _hot_item(hot: Hot) -> Item:
    item = {_HOT[each.name]: getattr(hot, each.name) for each in fields(hot)}
    # Absent is shorter than zero, and the row must stay below 1 KB.
    return {name: value for name, value in item.items() if value not in (None, b"", 0) or name in {"seq", "pos"}}


def _cold_item(cold: Cold) -> Item:
    item = {short: getattr(cold, name) for name, short in _COLD.items()}
    tags = json.dumps(list(cold.tags), ensure_ascii=False)
    return item | {"tags": tags, "tru": cold.trust_uploads or None, "rv": cold.revision or None}
