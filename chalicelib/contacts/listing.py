"""Lists of contacts: all, a company's, by e-mail address or external id, and the search by words.

A search reads the rows of one word's beginning, the longest of those asked for. Each row carries all the words of its
contact, so that the other words and the company are checked without reading contacts: at most two queries and one
BatchGet, however many contacts there are. Where both queries were not enough to fill the page, it ends short with a
cursor.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from chalicelib.contacts import store
from chalicelib.contacts.models import Contact
from chalicelib.contacts.schemas import ListContacts
from chalicelib.contacts.words import matches, partition_of, terms_of
from chalicelib.core.errors import InvalidError
from chalicelib.core.http import Page
from chalicelib.core.http.pages import page_of
from chalicelib.core.items import Item
from chalicelib.core.listing import OFFSET_QUERIES, page_of_source
from chalicelib.core.table import Key, tenant_rows
from chalicelib.events import counters

ROWS_A_QUERY = 1000  # as many as a total is counted to
SEARCH_QUERIES = 2
_NAME, _SEARCHED = "contacts", "contacts-searched"
_LAST = "\U0010ffff"  # behind every text that begins with what stands before it


def list_contacts(tenant_id: str, query: ListContacts) -> Page[Contact]:
    """List contacts, newest first; those that are searched for in the order of their words."""
    if query.email or query.external_id:
        return _by_guard(tenant_id, query)
    if query.search:
        return _searched(tenant_id, query, terms_of(query.search))
    source = store.of_company(tenant_id, query.company_id) if query.company_id else store.everybody(tenant_id)
    rows = tenant_rows(tenant_id)
    counted: dict[Key, Item] = {}

    def load(keys: Sequence[Key]) -> dict[Key, Contact]:
        places = {key: store.key(tenant_id, store.contact_id_of(key)) for key in keys}
        counted.update(rows.batch_get([*places.values(), *counters.keys(rows)]))
        found = {key: store.from_item(counted.get(place)) for key, place in places.items()}
        return {key: row for key, row in found.items() if isinstance(row, Contact) and _fits(row, query)}

    def count() -> tuple[int, bool]:
        return (counters.total(counted, rows, "contacts") if counted else counters.read_total(rows, "contacts")), False

    return page_of_source(source, query, tenant_id, _NAME, load=load, count=source.count if query.company_id else count)


def _by_guard(tenant_id: str, query: ListContacts) -> Page[Contact]:
    kind = store.EMAIL if query.email else store.EXTERNAL_ID
    owner = store.find_owner(tenant_id, kind, (query.email or "").lower() or query.external_id or "")
    found = store.find(tenant_id, owner) if owner else None
    rows = [found] if isinstance(found, Contact) and _fits(found, query) else []
    return page_of(rows, query, tenant_id, _NAME, lambda contact: contact.id)


def _fits(contact: Contact, query: ListContacts) -> bool:
    """Tell whether a contact has all that is asked for: an index may lag, and filters come together."""
    return (
        query.company_id in {None, contact.company_id}
        and (query.email is None or query.email.lower() in contact.emails)
        and (query.external_id is None or query.external_id in contact.external_ids)
        and (query.search is None or matches(contact.found_by, terms_of(query.search)))
    )


@dataclass
class _Reading:
    """How far a search has come."""

    after: str | None
    skip: int
    queries: int = 0
    more: bool = True  # rows that were not read
    found: list[str] = field(default_factory=list)  # sort keys


def _searched(tenant_id: str, query: ListContacts, terms: list[str]) -> Page[Contact]:
    position = query.position(tenant_id, _SEARCHED)
    seen = position.seen if position else query.offset
    reading = _Reading(position.after if position else None, 0 if position else query.offset)
    while reading.more and len(reading.found) <= query.limit and reading.queries < _queries_allowed(reading):
        _read_on(tenant_id, reading, terms, query.company_id)
    if reading.skip and reading.more:
        raise InvalidError.field("offset", "Too deep for a search. Go on with `cursor`.", "offset_too_deep")
    shown = reading.found[: query.limit]
    more = len(reading.found) > len(shown) or reading.more
    after = shown[-1] if len(reading.found) > len(shown) else reading.after
    follow = query.next_cursor(tenant_id, _SEARCHED, after or "", seen + len(shown)) if more else None
    contacts = _load(tenant_id, shown, query)
    total = max(0, seen - reading.skip) + len(reading.found)
    return Page(contacts, total, query.limit, seen, more, follow, total_capped=reading.more)


def _queries_allowed(reading: _Reading) -> int:
    return OFFSET_QUERIES if reading.skip else max(SEARCH_QUERIES, reading.queries)


def _read_on(tenant_id: str, reading: _Reading, terms: Sequence[str], company_id: str | None) -> None:
    low = terms[0] if reading.after is None else f"{reading.after} "
    found = tenant_rows(tenant_id).query(partition_of(terms[0]), between=(low, terms[0] + _LAST), limit=ROWS_A_QUERY)
    reading.queries, reading.more = reading.queries + 1, found.more
    for row in found.items:
        reading.after = row["sk"]
        if not _is_found(row, terms, company_id):
            continue
        if reading.skip:
            reading.skip -= 1
        else:
            reading.found.append(row["sk"])


def _is_found(row: Item, terms: Sequence[str], company_id: str | None) -> bool:
    """Tell whether a word's row has all that is asked for, and is the first of its contact's rows that has."""
    words = row["w"].split()
    own = row["sk"].rpartition("#")[0]
    first = next(word for word in words if word.startswith(terms[0]))  # they are sorted
    return own == first and company_id in {None, row.get("com")} and matches(words, terms[1:])


def _load(tenant_id: str, sort_keys: Sequence[str], query: ListContacts) -> list[Contact]:
    ids = [sort_key.rpartition("#")[2] for sort_key in sort_keys]
    found = store.find_all(tenant_id, ids)
    rows = [found.get(each) for each in ids]
    return [row for row in rows if isinstance(row, Contact) and _fits(row, query)]
