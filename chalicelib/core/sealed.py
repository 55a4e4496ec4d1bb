"""Tokens that say what they allow and cannot be forged: parts in the clear, and a MAC under the pepper."""

import hmac

from chalicelib.core import keyring, tokens

_MAC_BYTES = 16


def seal(prefix: str, *parts: bytes) -> str:
    """Return the token of these parts; `prefix` says what it is for, and one for another use does not open."""
    return tokens.pack(prefix, *parts, keyring.keyed_hash(prefix, *parts)[:_MAC_BYTES])


def opened(prefix: str, token: str, *lengths: int) -> tuple[bytes, ...] | None:
    """Return the parts of these lengths; None for anything that `seal` did not make."""
    found = tokens.unpack(prefix, token, *lengths, _MAC_BYTES)
    if found is None:
        return None
    *parts, mac = found
    return tuple(parts) if hmac.compare_digest(keyring.keyed_hash(prefix, *parts)[:_MAC_BYTES], mac) else None
