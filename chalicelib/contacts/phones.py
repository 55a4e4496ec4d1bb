"""Phone numbers as E.164 writes them: a plus, the country's code and the number, 15 digits at most.

No numbering plan is consulted: its library takes 70 to 120 ms to import, and refuses numbers that are newer than it
is or that examples use.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

_WRITTEN = re.compile(r"(?:\+|00)\s*[1-9][\d\s()/.-]*")
_TRUNK_ZERO = re.compile(r"\(0+\)")
MIN_DIGITS, MAX_DIGITS = 6, 15


def normalised(text: str) -> str:
    """Return `+49 (0)30 1234-567` as `+49301234567`. Raises ValueError for what has no country code or is too long."""
    if not _WRITTEN.fullmatch(text) or not text.isascii():
        raise ValueError("write it with its country code, as in +49 30 1234567")
    digits = re.sub(r"\D", "", _TRUNK_ZERO.sub("", text)).removeprefix("00")
    if not MIN_DIGITS <= len(digits) <= MAX_DIGITS:
        raise ValueError(f"a number has {MIN_DIGITS} to {MAX_DIGITS} digits with its country code")
    return f"+{digits}"


Phone = Annotated[
    str,
    StringConstraints(max_length=40),
    AfterValidator(normalised),
    Field(description="With its country code; stored as E.164 (`+49301234567`).", examples=["+49 30 1234567"]),
]
