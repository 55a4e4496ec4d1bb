"""Two regions that share a directory: `home` is eu1, and what is inside `abroad()` has a table of its own."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib.core.items import from_attributes
from tests.support import dynamodb
from tests.support.regions import DIRECTORY, TABLE_ABROAD, two_regions


@pytest.fixture(scope="module")
def _tables(engine: str) -> None:
    from local.engines import directory_definition, table_definition

    for name, definition in ((DIRECTORY, directory_definition()), (TABLE_ABROAD, table_definition())):
        with contextlib.suppress(ClientError):  # the first module finds none
            dynamodb.call("delete_table", {"TableName": name})
        dynamodb.call("create_table", {"TableName": name, **definition})


@pytest.fixture
def directory(_tables: None, services: object) -> Iterator[Callable[[], dict[str, Any]]]:
    """Share a directory; gives what it holds, by key."""

    def read() -> dict[str, Any]:
        found = dynamodb.call("scan", {"TableName": DIRECTORY, "ConsistentRead": True})["Items"]
        return {row.pop("pk"): row for row in map(from_attributes, found)}

    with two_regions(DIRECTORY_TABLE=DIRECTORY):
        yield read
