"""Identifiers: `prefix_ULID`, sortable by creation, opaque to callers."""

import hashlib
import re
import secrets

from ulid import ULID

from chalicelib.core import clock

_SHAPE = re.compile(r"[a-z]{2,5}_[0-7][0-9A-HJKMNP-TV-Z]{25}")  # 26 signs of 5 bits: 128, so no 8 comes first


def new(prefix: str) -> str:
    """Return a fresh id such as `conv_01JB…`."""
    return f"{prefix}_{new_ulid()}"


def new_ulid() -> str:
    """Return a bare ULID of this moment; those of one process and millisecond sort in the order they were made."""
    return str(ULID.from_timestamp(clock.now_ms()))


def new_numbered(prefix: str, number: int) -> str:
    """Return a fresh id that carries a number below 2**32, so that what it names is found without an index."""
    moment = ULID.from_timestamp(clock.now_ms()).bytes[:6]
    return from_bytes(prefix, moment + secrets.token_bytes(6) + number.to_bytes(4, "big"))


def number_in(identifier: str) -> int:
    """Return the number that `new_numbered` put into an id; any number for an id made otherwise."""
    return int.from_bytes(to_bytes(identifier)[12:], "big")


def derived(prefix: str, *source: str) -> str:
    """Return the id that belongs to `source`: the same for the same source, so an effect made twice has one id."""
    digest = hashlib.sha256("\x00".join(source).encode()).digest()
    return f"{prefix}_{ULID.from_bytes(digest[:16])}"


def derived_at(prefix: str, moment: int, *source: str) -> str:
    """As `derived`, but sorted as if it had been made at a moment (milliseconds), for what stands in lists."""
    return from_bytes(prefix, ULID.from_timestamp(moment).bytes[:6] + to_bytes(derived(prefix, *source))[:10])


def is_id(prefix: str, text: str) -> bool:
    """Tell whether `text` could be an id of this kind; anything else can be answered 404 without a read."""
    return text.startswith(prefix + "_") and _SHAPE.fullmatch(text) is not None


def to_bytes(identifier: str) -> bytes:
    """Return the 16 bytes of the ULID inside an id."""
    return ULID.from_str(identifier.rpartition("_")[2]).bytes


def from_bytes(prefix: str, raw: bytes) -> str:
    """The inverse of `to_bytes`."""
    return f"{prefix}_{ULID.from_bytes(raw)}"
