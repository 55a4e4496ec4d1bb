"""Other settings than the tests' own, for a while."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from chalicelib.core.config import settings


@contextmanager
def changed(**values: str) -> Iterator[None]:
    """Set `PARLEY_<NAME>` variables inside the block."""
    before = dict(os.environ)
    os.environ |= {f"PARLEY_{name}": value for name, value in values.items()}
    settings.cache_clear()
    try:
        yield
    finally:
        os.environ.clear()
        os.environ |= before
        settings.cache_clear()
