"""Domain names as browsers and mail servers write them: lower case, punycode."""

import re
import unicodedata

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def folded(text: str) -> str:
    """Fold case and width as browsers do; folding the case may leave something to compose again."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).lower())


def encoded_label(label: str) -> str:
    """Return one folded label in punycode; raises ValueError for what is none.

    Python's own `idna` codec speaks IDNA 2003, which turns ß into ss; browsers (UTS 46, non-transitional) keep it.
    """
    was_encoded = label.startswith("xn--")
    text = _decoded(label) if was_encoded else label
    encoded = "xn--" + text.encode("punycode").decode() if _is_international(text) else text
    if not _LABEL.fullmatch(encoded) or (was_encoded and encoded != label):
        raise ValueError("not a label of a domain name")
    return encoded


def _decoded(label: str) -> str:
    try:
        return folded(label.removeprefix("xn--").encode().decode("punycode"))
    except UnicodeError:
        return ""


def _is_international(text: str) -> bool:
    return not text.isascii() and all(char.isalnum() or char == "-" or unicodedata.combining(char) for char in text)
