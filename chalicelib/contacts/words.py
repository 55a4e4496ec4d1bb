"""What a contact is found by: its words, folded so that "Jürgen" is found by `jurg` as well as by `jürg`.

A search finds the beginning of any word. The words of a contact are computed from its row alone and stored with it.
"""

import re
import unicodedata
from collections.abc import Iterable

from chalicelib.core.errors import InvalidError

MAX_WORDS = 32  # of a contact: its transactions must stay below DynamoDB's 100 items when all of them change
MAX_NAME_WORDS = 20
MAX_COMPANY_WORDS = 5
MAX_TERMS = 10
MAX_LENGTH = 100  # characters of a word that are looked at
MIN_DIGITS = 3  # of a phone number

WIDE = 0x2E80  # from here on come scripts with thousands of characters, in which one of them is a word's beginning
_LATIN_ACCENTS = re.compile("[\u0300-\u036f]")
_PHONE = re.compile(r"[\d\s()/.+-]+")
_TRUNK_ZERO = re.compile(r"\(0+\)")

# Country codes of one and two digits (ITU-T E.164, list of assigned codes); all others have three.
_ONE_DIGIT = {"1", "7"}
_TWO_DIGITS = {*map(str, range(30, 35)), *map(str, range(43, 50)), *map(str, range(51, 59)), *map(str, range(60, 67))}
_TWO_DIGITS |= {*map(str, range(90, 96)), "20", "27", "36", "39", "40", "41", "81", "82", "84", "86", "98"}


def fold(text: str) -> str:
    """Return the text without case and without the accents of Latin, Greek and Cyrillic letters."""
    bare = _LATIN_ACCENTS.sub("", unicodedata.normalize("NFKD", text.casefold()))
    return unicodedata.normalize("NFC", bare).casefold()


def split(text: str) -> list[str]:
    """Return the folded words of a text: runs of letters, digits and what combines with them."""
    spaced = "".join(char if unicodedata.category(char)[0] in "LNM" else " " for char in fold(text))
    return [word[:MAX_LENGTH] for word in spaced.split()]


def words_of(name: str | None, emails: Iterable[str], phone: str | None, company_name: str | None) -> tuple[str, ...]:
    """Return at most 32 words, the most telling first to be kept; a word that begins another one is left out."""
    whole = [fold(email)[:MAX_LENGTH] for email in emails]
    found = [*whole[:1], *_phone_words(phone), *split(name or "")[:MAX_NAME_WORDS]]
    found += [word for email in whole[:1] for word in split(email)]
    found += [*split(company_name or "")[:MAX_COMPANY_WORDS], *whole[1:]]
    return longest(found, MAX_WORDS)


def longest(words: Iterable[str], limit: int) -> tuple[str, ...]:
    """Return the first of the words, sorted, without those that begin another one: what finds that finds these."""
    kept = list(dict.fromkeys(words))[:limit]
    return tuple(sorted(word for word in kept if not any(o != word and o.startswith(word) for o in kept)))


def terms_of(search: str, param: str = "search") -> list[str]:
    """Return what a search asks for, the longest first: that one is looked up, the others are checked.

    Raises InvalidError when it has no term that can be looked up: two characters, or one Chinese, Japanese or Korean.
    """
    terms = sorted(dict.fromkeys(_terms(search)), key=lambda term: (-len(term), term))[:MAX_TERMS]
    if not terms or not can_look_up(terms[0]):
        raise InvalidError.field(param, "Give at least two letters or digits of a word.", "too_short")
    return terms


def can_look_up(term: str) -> bool:
    """Tell whether there is one partition that has all the words with this beginning."""
    return len(term) > 1 or ord(term) >= WIDE


def partition_of(word: str) -> str:
    """Return the partition of a word: its first two characters, or one from a script with thousands of them."""
    return "s#" + (word[:1] if ord(word[0]) >= WIDE else word[:2])


def matches(words: Iterable[str], terms: Iterable[str]) -> bool:
    """Tell whether each term begins one of the words."""
    words = list(words)
    return all(any(word.startswith(term) for word in words) for term in terms)


def _terms(search: str) -> list[str]:
    digits = "".join(filter(str.isdecimal, _TRUNK_ZERO.sub("", search)))
    if _PHONE.fullmatch(search) and len(digits) >= MIN_DIGITS:
        # 0170… and 0049 170…: the zeros stand for a country's code, or before one.
        bare = digits.lstrip("0")
        return [bare if len(bare) >= MIN_DIGITS else digits]
    found: list[str] = []
    for part in search.split():
        address = fold(part.lstrip("@"))[:MAX_LENGTH]
        found += [address] if "@" in address else split(part)
    return found


def _phone_words(phone: str | None) -> list[str]:
    """Return a number's digits with and without its country code."""
    if phone is None:
        return []
    digits = phone.lstrip("+")
    code = 1 if digits[:1] in _ONE_DIGIT else 2 if digits[:2] in _TWO_DIGITS else 3
    return [digits, digits[code:]]
