"""Rows of contacts: `con_…`/`meta`, an aggregate, and what it is found by.

| list | where | sort key |
|---|---|---|
| all | index `activity`, `con#<shard>` | id |
| of a company | table, `com_…` | id |
| by word | table, `s#<first two letters>` | word, id; carries all the contact's words and its company |
| by e-mail address, by external id | guards `u#con-email#…`, `u#con-ext#…` | – |
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from chalicelib.contacts.models import Contact, Merged
from chalicelib.contacts.words import partition_of
from chalicelib.core import clock, shards
from chalicelib.core.items import Item
from chalicelib.core.listing import Source
from chalicelib.core.table import Key, Rows, Write, rows_of, run, tenant_rows
from chalicelib.events import outbox
from chalicelib.events.models import NewEvent
from chalicelib.tenants.partitions import Traces

EMAIL, EXTERNAL_ID = "con-email", "con-ext"
KEEP_DELETED_S = 30 * 86_400  # a deleted contact's row has nothing in it but its position among its events

_LISTS = ("other_emails", "other_external_ids")
_STORED = tuple(each.name for each in fields(Contact) if each.name not in {"tenant_id", "id", "found_by"})


def key(tenant_id: str, contact_id: str) -> Key:
    """Return a contact's key, for reads that take it along."""
    return tenant_rows(tenant_id).key(contact_id, "meta")


def find(tenant_id: str, contact_id: str) -> Contact | Merged | None:
    """Read a contact as it is now, or what is left of a merged one."""
    return from_item(tenant_rows(tenant_id).get(contact_id, "meta", consistent=True))


def find_all(tenant_id: str, contact_ids: Iterable[str]) -> dict[str, Contact | Merged]:
    """Read contacts by id as they are now. One call per hundred."""
    found = tenant_rows(tenant_id).batch_get([key(tenant_id, each) for each in contact_ids], consistent=True)
    rows = {key.pk.partition("#")[2]: from_item(item) for key, item in found.items()}
    return {contact_id: row for contact_id, row in rows.items() if row}


def find_owner(tenant_id: str, kind: str, value: str) -> str | None:
    """Return the id of the contact that has an e-mail address or external id."""
    guard = tenant_rows(tenant_id).get(_guard(kind, value), "-", consistent=True)
    return guard["id"] if guard else None


def find_owners(tenant_id: str, wanted: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return who has an e-mail address and an external id, by kind, in one call."""
    return {kind: owner for (kind, _), owner in find_all_owners(tenant_id, wanted).items()}


def find_all_owners(tenant_id: str, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return who has which e-mail addresses and external ids, those that somebody has. One call per hundred."""
    rows = tenant_rows(tenant_id)
    keys = {rows.key(_guard(kind, value), "-"): (kind, value) for kind, value in wanted}
    return {keys[key]: item["id"] for key, item in rows.batch_get(keys).items()}


def owner_of(guard: Write) -> str | None:
    """Return the id of the contact that has what a guard's write wanted."""
    item = rows_of(guard.key.pk).get(guard.key.pk.partition("#")[2], guard.key.sk, consistent=True)
    return item["id"] if item else None


def next_number(tenant_id: str, count: int = 1) -> int:
    """Take the tenant's next contact numbers and return the first. Those of contacts then refused stay unused."""
    last = run(tenant_rows(tenant_id).updating("number", "con", add={"n": count}), returning=True)["n"]
    return int(last) - count + 1


def creating(contact: Contact, event: NewEvent) -> list[Write]:
    """Return the writes of a new contact with its first event. Its guards are `claiming`."""
    rows = tenant_rows(contact.tenant_id)
    places = {"a_pk": f"{rows.scope}#{partition(shards.of(rows.scope, contact.id))}", "a_sk": contact.id}
    item = _item(contact) | places | outbox.new_aggregate(rows, contact.id, 1)
    return [
        rows.putting(contact.id, "meta", item, absent=True),
        *outbox.event_writes(rows, contact.id, 0, [event]),
        *_moving_company(rows, contact.id, None, contact.company_id),
        *_putting_words(rows, contact),
    ]


def changing(before: Contact, after: Contact, events: Sequence[NewEvent], *, notes: int = 0) -> list[Write]:
    """Return the writes that turn `before`, as it was read, into `after`, with the events that tell of it.

    `notes` is how many notes come (or go); guards are `claiming` and `releasing`.
    """
    rows = tenant_rows(before.tenant_id)
    old, new = _item(before) | {"found_by": " ".join(before.found_by)}, _item(after)
    changed = {name: new.get(name) for name in {*old, *new} if old.get(name) != new.get(name)}
    changed["pos"] = before.pos + len(events)
    return [
        _updating(rows, before, changed, notes=notes, has_events=bool(events)),
        *outbox.event_writes(rows, before.id, before.pos, events),
        *_moving_company(rows, before.id, before.company_id, after.company_id),
        *changing_words(before, after),
    ]


def burying(before: Contact, left: Mapping[str, Any], event: NewEvent) -> list[Write]:
    """Return the writes that leave nothing of a contact's row but `left`, and its event. Guards and words stay."""
    rows = tenant_rows(before.tenant_id)
    changed: dict[str, Any] = dict.fromkeys([*_item(before), "note_count", "a_pk", "a_sk"])
    changed |= {"pos": before.pos + 1, **left}
    if "into" in left:  # it stays for good, and nothing else leads to it
        changed |= {"a_pk": f"{rows.scope}#merged#{shards.of(rows.scope, before.id)}", "a_sk": before.id}
    return [
        _updating(rows, before, changed),
        *outbox.event_writes(rows, before.id, before.pos, [event]),
        *_moving_company(rows, before.id, before.company_id, None),
    ]


def requiring_live(tenant_id: str, contact_id: str, state: tuple[bool, str | None] | None = None) -> Write:
    """Return the condition that a contact is there and neither merged nor deleted.

    With a `state`, also that it is blocked or not, and of a company or of none.
    """
    when = {**_LIVE, **({"blocked": state[0] or None, "company_id": state[1]} if state else {})}
    return tenant_rows(tenant_id).checking(contact_id, "meta", when=when, exists=True)


def adding_notes(tenant_id: str, contact_id: str, count: int) -> Write:
    """Return the write that counts notes which come from another contact, as long as this one is live."""
    return tenant_rows(tenant_id).updating(contact_id, "meta", add={"note_count": count}, when=_LIVE, exists=True)


def claiming(contact: Contact, besides: Contact | None = None) -> list[Write]:
    """Return the guards that make a contact's addresses and external ids unique, but for those of `besides`."""
    rows = tenant_rows(contact.tenant_id)
    kept = set(_guards_of(besides)) if besides else set()
    return [
        rows.putting(guard, "-", {"id": contact.id}, absent=True) for guard in _guards_of(contact) if guard not in kept
    ]


def handing_over(source: Contact, owner_id: str) -> list[Write]:
    """Return the writes that give a contact's addresses and external ids to another one."""
    rows = tenant_rows(source.tenant_id)
    return [rows.updating(guard, "-", set_={"id": owner_id}, when={"id": source.id}) for guard in _guards_of(source)]


def releasing(contact: Contact, kept: Contact | None = None) -> list[Write]:
    """Return the writes that free a contact's addresses and external ids, but for those of `kept`."""
    rows = tenant_rows(contact.tenant_id)
    stay = set(_guards_of(kept)) if kept else set()
    return [rows.deleting(guard, "-") for guard in _guards_of(contact) if guard not in stay]


def taken(write: Write) -> str | None:
    """Tell whether a write claims something unique, and what."""
    if write.kind != "Put":
        return None
    return next((kind for kind in (EMAIL, EXTERNAL_ID) if f"#u#{kind}#" in write.key.pk), None)


def changing_words(before: Contact, after: Contact) -> list[Write]:
    """Return the writes that move a contact to other words: each word's row shows all of them."""
    rows, words = tenant_rows(before.tenant_id), after.words
    if words == before.found_by and after.company_id == before.company_id:
        return []
    gone = [word for word in before.found_by if word not in words]
    return [*removing_words(before.tenant_id, before.id, gone), *_putting_words(rows, after)]


def removing_words(tenant_id: str, contact_id: str, words: Iterable[str]) -> list[Write]:
    """Return the writes that take a contact away from words."""
    rows = tenant_rows(tenant_id)
    return [rows.deleting(partition_of(word), f"{word}#{contact_id}") for word in words]


def forgetting_words(tenant_id: str, contact_id: str) -> Write:
    """Return the write that notes that a merged contact is away from its words."""
    return tenant_rows(tenant_id).updating(contact_id, "meta", set_={"found_by": None}, exists=True)


def next_of_company(tenant_id: str, company_id: str, after: str | None) -> tuple[str | None, bool]:
    """Return the contact of a company that follows another one, and whether there are more."""
    low = f"{after} " if after else "con_"
    found = tenant_rows(tenant_id).query(company_id, between=(low, "con_~"), limit=1, consistent=True)
    return (found.items[0]["sk"] if found.items else None), found.more


def everybody(tenant_id: str) -> Source:
    """Return all of a tenant's contacts, newest first."""
    partitions = [partition(shard) for shard in shards.read(tenant_id)]
    return Source(tenant_rows(tenant_id), partitions, "activity")


def of_company(tenant_id: str, company_id: str) -> Source:
    """Return a company's contacts, newest first."""
    return Source(tenant_rows(tenant_id), [company_id], low="con_", high="con_~")


def partition(shard: int) -> str:
    """Return the index partition of a shard, without the tenant."""
    return f"con#{shard}"


def contact_id_of(key: Key) -> str:
    """Return the contact that an index row (`…#con_x`, `meta`) or a company's row (`…#com_x`, `con_x`) names."""
    return key.sk if key.sk.startswith("con_") else key.pk.partition("#")[2]


def traces(_tenant_space: str, found: Sequence[Item]) -> Traces:
    """Return where else rows of contacts stand: under their words, and in guards."""
    rows = [
        (partition_of(word), f"{word}#{contact_id_of(Key(row['pk'], row['sk']))}")
        for row in found
        for word in row.get("found_by", "").split()
    ]
    contacts = [contact for row in found if isinstance(contact := from_item(row), Contact)]
    return Traces([*rows, *((guard, "-") for contact in contacts for guard in _guards_of(contact))])


def expiry_of_deleted() -> int:
    """Return when the row of a contact deleted now may go."""
    return clock.now_s() + KEEP_DELETED_S


def from_item(item: Item | None) -> Contact | Merged | None:
    """Read a contact's row."""
    if item is None or "gone" in item:
        return None
    tenant_id, _, contact_id = item["pk"].partition("#")
    if "into" in item:
        return Merged(contact_id, item["into"], item["job"], tuple(item.get("found_by", "").split()))
    known: dict[str, Any] = {name: item[name] for name in _STORED if name in item}
    known |= {name: tuple(known.get(name, ())) for name in _LISTS}
    found_by = tuple(item.get("found_by", "").split())
    return Contact(tenant_id=tenant_id, id=contact_id, found_by=found_by, **known)


_LIVE = {"gone": None, "into": None}


def _item(contact: Contact) -> Item:
    """Return what is stored: nothing where there is nothing to tell."""
    item = {name: getattr(contact, name) for name in _STORED if name != "note_count"}  # added to, never set
    item |= {name: list(item[name]) for name in _LISTS}
    item["found_by"] = " ".join(contact.words)
    return {name: value for name, value in item.items() if value not in (None, False, "", [], "{}", 0)}


def _updating(
    rows: Rows, before: Contact, changed: Mapping[str, Any], *, notes: int = 0, has_events: bool = True
) -> Write:
    # A company's new name changes the words without an event.
    when = {"pos": before.pos, "found_by": " ".join(before.found_by) or None}
    news = outbox.pending(rows, before.id) if has_events else None
    add = {"note_count": notes} if notes else None
    return rows.updating(before.id, "meta", set_=changed, add=add, default=news, when=when)


def _moving_company(rows: Rows, contact_id: str, before: str | None, after: str | None) -> Iterable[Write]:
    if before != after:
        if before:
            yield rows.deleting(before, contact_id)
        if after:
            yield rows.putting(after, contact_id, {})


def _putting_words(rows: Rows, contact: Contact) -> list[Write]:
    words = contact.words
    row = {"w": " ".join(words), "com": contact.company_id}
    return [rows.putting(partition_of(word), f"{word}#{contact.id}", row) for word in words]


def _guards_of(contact: Contact) -> list[str]:
    return [
        *(_guard(EMAIL, email) for email in contact.emails),
        *(_guard(EXTERNAL_ID, external_id) for external_id in contact.external_ids),
    ]


def _guard(kind: str, value: str) -> str:
    return f"u#{kind}#{value}"
