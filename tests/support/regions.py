"""Two regions in one process: what is made `abroad` belongs to the other one."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from chalicelib.core import keyring
from tests.support.settings import changed

HOME = "https://api.test"
ABROAD = "https://api.us1.test"
DIRECTORY = "parley-test-directory"
TABLE_ABROAD = "parley-us1-main"
_BOTH = json.dumps({"eu1": HOME, "us1": ABROAD})


@contextmanager
def two_regions(**values: str) -> Iterator[None]:
    """Be eu1, with us1 beside it."""
    with changed(**{"REGIONS": _BOTH, **values}):
        yield


@contextmanager
def abroad(**values: str) -> Iterator[None]:
    """Be us1, which shares only the signing keys, so that no test waits for new ones."""
    with changed(**{"REGIONS": _BOTH, "REGION": "us1", "API_URL": ABROAD, **values}):
        yield
    keyring._cached = None
