"""Pagination cursors: opaque, signed, and bound to the tenant and to the list they came from."""

import base64
import binascii
import hashlib
import hmac
import json

from chalicelib.core import keyring
from chalicelib.core.errors import InvalidError
from chalicelib.core.frozen import frozen

_MAC_BYTES = 12


@frozen
class Position:
    """Where a page ended: the sort key of its last row, and how many rows came before the next page."""

    after: str
    seen: int


def encode(tenant_id: str, list_name: str, position: Position) -> str:
    """Return the cursor that continues `list_name` (the list's name with its filters) at `position`."""
    payload = json.dumps([position.after, position.seen], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_mac(tenant_id, list_name, payload) + payload).decode().rstrip("=")


def decode(tenant_id: str, list_name: str, cursor: str) -> Position:
    """Return the position; raises InvalidError on `cursor` if it was made for another list, tenant or not by us."""
    try:
        raw = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
    except (binascii.Error, UnicodeEncodeError):
        raise _refused() from None
    mac, payload = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(tenant_id, list_name, payload)):
        raise _refused()
    after, seen = json.loads(payload)
    return Position(after, seen)


def list_name(name: str, filters: dict[str, object]) -> str:
    """Return a list's name with its filters, so that a cursor is not continued under other filters."""
    text = json.dumps(filters, sort_keys=True, default=str)
    return f"{name}:{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _mac(tenant_id: str, list_name: str, payload: bytes) -> bytes:
    return keyring.keyed_hash("cursor", tenant_id, list_name, payload)[:_MAC_BYTES]


def _refused() -> InvalidError:
    return InvalidError.field(
        "cursor", "This cursor is not one of this list's. Start again without it.", "invalid_cursor"
    )
