"""A file's bytes for workers, block by block: a large one takes little memory, and a block is fetched once a slice."""

from functools import lru_cache

from chalicelib.files import s3_gateway
from chalicelib.files.models import File, FileNotFoundInTenantError
from chalicelib.files.showing import object_prefix

BLOCK = 256 * 1024


def read(file: File, start: int, length: int) -> bytes:
    """Return bytes of a ready file, fewer at its end. Raises FileNotFoundInTenantError when it was deleted."""
    key = object_prefix(file.tenant_id, file.id) + file.part
    end = min(start + length, file.size)
    blocks = [_block(key, number) for number in range(start // BLOCK, -(-end // BLOCK))]
    return b"".join(blocks)[start % BLOCK :][: end - start]


@lru_cache(maxsize=4)
def _block(key: str, number: int) -> bytes:
    """Read a block. What is under a key never changes: its last part derives from the bytes."""
    stored = s3_gateway.find(key)
    if stored is None:
        raise FileNotFoundInTenantError
    return s3_gateway.read(stored, number * BLOCK, BLOCK)
