"""Opaque tokens: bytes behind a readable prefix, in base 62, with a checksum so that a typo costs no read."""

import zlib

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}


def pack(prefix: str, *parts: bytes) -> str:
    """Return `prefix` + base 62 of the parts and their CRC-32; the length depends on the parts' lengths only."""
    raw = b"".join(parts)
    raw += zlib.crc32(prefix.encode() + raw).to_bytes(4, "big")
    number, digits = int.from_bytes(raw, "big"), []
    for _ in range(_length(len(raw))):
        number, digit = divmod(number, 62)
        digits.append(_DIGITS[digit])
    return prefix + "".join(reversed(digits))


def unpack(prefix: str, token: str, *lengths: int) -> tuple[bytes, ...] | None:
    """The inverse of `pack` for parts of these lengths; None for anything `pack` did not make."""
    size = sum(lengths) + 4
    text = token.removeprefix(prefix)
    if not token.startswith(prefix) or len(text) != _length(size):
        return None
    number = 0
    for digit in text:
        if digit not in _VALUES:
            return None
        number = number * 62 + _VALUES[digit]
    if number >= 1 << (8 * size):
        return None
    raw = number.to_bytes(size, "big")
    if zlib.crc32(prefix.encode() + raw[:-4]).to_bytes(4, "big") != raw[-4:]:
        return None
    parts, start = [], 0
    for length in lengths:
        parts.append(raw[start : start + length])
        start += length
    return tuple(parts)


def _length(size: int) -> int:
    """Return how many base-62 digits hold `size` bytes."""
    limit, digits = 1 << (8 * size), 0
    while limit > 1:
        limit, digits = -(-limit // 62), digits + 1
    return digits
