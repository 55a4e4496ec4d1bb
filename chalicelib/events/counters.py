"""A tenant's list counters: eight rows, added to by the dispatcher, so that no list's total needs a scan."""

import zlib
from collections.abc import Mapping

from chalicelib.core.items import Item
from chalicelib.core.table import Key, Rows, Write

ROWS = 8  # so that a busy tenant's aggregates don't all meet in one row


def adding(rows: Rows, pk: str, counts: Mapping[str, int]) -> Write:
    """Return the write that adds an aggregate's `counts`."""
    shard = zlib.crc32(pk.encode()) % ROWS
    return rows.updating(f"n#{shard}", "-", add={name: by for name, by in counts.items() if by})


def keys(rows: Rows) -> list[Key]:
    """Return the counter rows' keys, to be read with a page's own rows or alone."""
    return [rows.key(f"n#{shard}", "-") for shard in range(ROWS)]


def total(found: Mapping[Key, Item], rows: Rows, *names: str) -> int:
    """Add up counters from the rows that `keys` names."""
    return sum(found.get(key, {}).get(name, 0) for key in keys(rows) for name in names)


def read_total(rows: Rows, *names: str) -> int:
    """Read and add up counters. One call."""
    return total(rows.batch_get(keys(rows)), rows, *names)
