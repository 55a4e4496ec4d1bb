"""Finding a canned response by what an agent types: the beginning of its shortcut, or of words in it."""

import re
import unicodedata
from collections.abc import Sequence

from chalicelib.canned_responses.models import CannedResponse
from chalicelib.canned_responses.template import without_variables

_WORD = re.compile(r"[^\W_]+")


def matching(responses: Sequence[CannedResponse], text: str) -> list[CannedResponse]:
    """Return those in which every word of `text` begins the shortcut, or a word of title or content.

    Case and accents make no difference; a word that begins with a slash is looked for in shortcuts only.
    """
    wanted = folded(text).split()
    return [response for response in responses if _matches(response, wanted)]


def folded(text: str) -> str:
    """Return the text without case and accents: `Jürgen` and `JURGEN` are one."""
    if text.isascii():
        return text.lower()
    # Folding the case may leave something to take apart again, and the other way round.
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(char for char in apart if not unicodedata.combining(char))


def _matches(response: CannedResponse, wanted: Sequence[str]) -> bool:
    words: list[str] | None = None
    for each in wanted:
        if response.shortcut.startswith("/" + each.removeprefix("/")):
            continue
        if words is None:
            words = _words_of(response)
        parts = [] if each.startswith("/") else _WORD.findall(each)
        if not parts or not all(any(word.startswith(part) for word in words) for part in parts):
            return False
    return True


def _words_of(response: CannedResponse) -> list[str]:
    return _WORD.findall(folded(f"{response.title or ''} {without_variables(response.content)}"))
