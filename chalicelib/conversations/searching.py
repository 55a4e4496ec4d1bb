"""Finding conversations by their number, by words of their subject or contact, and by what was said in them last.

Words are found by their beginnings, folded as those of contacts are. All words asked for must be in one place: the
subject, the contact, or one message.
"""

import re
from collections.abc import Callable

from chalicelib.contacts import listing as contacts_listing
from chalicelib.contacts import words
from chalicelib.contacts.schemas import ListContacts
from chalicelib.conversations import store
from chalicelib.conversations.service import find_conversation
from chalicelib.core.frozen import frozen

MOST = 400  # conversations, as many as are sorted exactly
CONTACTS = 10  # whose conversations are looked up
_NUMBER = re.compile(r"#?([1-9]\d{0,11})")

SearchTexts = Callable[[str, Callable[[str], bool], int], tuple[list[str], int | None]]

_search_texts: list[SearchTexts] = []


@frozen
class Search:
    """What a search found; `until` is when the oldest text was said that was looked at (milliseconds)."""

    ids: list[str]
    until: int | None = None


def search_texts_with(search: SearchTexts) -> None:
    """Set what looks through messages: they stand above conversations. Called from app.py."""
    _search_texts.append(search)


def search(tenant_id: str, text: str) -> Search:
    """Find at most 400 conversations; raises InvalidError when there is nothing in `text` to look for.

    A number with its sign (`#12`): two reads. Else at most two queries for the subject, two and a BatchGet for contacts
    and one for each of ten, and what `conversations_saying` takes; two reads more if it may be a number.
    """
    number = _NUMBER.fullmatch(text)
    found: dict[str, None] = {}
    owner = store.find_by_number(tenant_id, int(number[1])) if number else None
    if owner and (numbered := find_conversation(tenant_id, owner)):
        found[numbered.id] = None
    if text.startswith("#"):
        return Search(list(found))
    terms = words.terms_of(text, "q")
    found |= dict.fromkeys(store.find_by_words(tenant_id, terms))
    people = contacts_listing.list_contacts(tenant_id, ListContacts(search=text, limit=CONTACTS)).rows
    for contact in people:
        pairs, _ = store.by_facet(tenant_id, "con", contact.id).read(None, MOST)
        found |= dict.fromkeys(key.sk for _, key in pairs)
    until = None
    for search_texts in _search_texts:
        said, until = search_texts(tenant_id, _saying(terms), MOST)
        found |= dict.fromkeys(said)
    return Search(list(found)[:MOST], until)


def _saying(terms: list[str]) -> Callable[[str], bool]:
    """Return what tells whether each term begins a word of a text; scripts without blanks have words anywhere."""
    patterns = [re.compile(("" if ord(term[0]) >= words.WIDE else r"(?<![^\W_])") + re.escape(term)) for term in terms]

    def matches(text: str) -> bool:
        folded = text.lower() if text.isascii() else words.fold(text)
        return all(pattern.search(folded) for pattern in patterns)

    return matches
