"""Two regions in one process: what is made `abroad` belongs to the other one."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from botocore.exceptions import ClientError

from chalicelib.core import keyring
from tests.support import dynamodb
from tests.support.settings import changed

HOME = "https://api.test"
ABROAD = "https://api.us1.test"
DIRECTORY = "parley-test-directory"
TABLE_ABROAD = "parley-us1-main"
_BOTH = json.dumps({"eu1": HOME, "us1": ABROAD})


def make_tables() -> None:
    """Make the directory and the other region's table anew, empty."""
    from local.engines import directory_definition, table_definition

    for name, definition in ((DIRECTORY, directory_definition()), (TABLE_ABROAD, table_definition())):
        with suppress(ClientError):  # there is none yet
            dynamodb.call("delete_table", {"TableName": name})
        dynamodb.call("create_table", {"TableName": name, **definition})


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
