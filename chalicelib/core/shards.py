"""Over how many partitions each index key of a tenant is spread: docs/decisions/index-shards.md."""

import zlib

from chalicelib.core.config import settings
from chalicelib.core.table import TEST_SUFFIX


def of(space: str, pk: str) -> int:
    """Return the shard that an aggregate's index entries are written to. `space` is `tn_…`, or `tn_…~test`."""
    return zlib.crc32(pk.encode()) % _numbers(space)[0]


def read(space: str) -> range:
    """Return the shards that a read merges: all that any function may write to."""
    return range(_numbers(space)[1])


def _numbers(space: str) -> tuple[int, int]:
    found = settings()
    own_written, own_read = found.tenant_index_shards.get(space.removesuffix(TEST_SUFFIX), (1, 1))
    written = max(found.index_shards, own_written)
    return written, max(found.index_shards_read, own_read, written)
