"""Two regions that share a directory: `home` is eu1, and what is inside `abroad()` has a table of its own."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from chalicelib.core.items import Item, from_attributes, to_attributes
from tests.support import dynamodb
from tests.support.regions import DIRECTORY, make_tables, two_regions


@pytest.fixture(scope="module")
def _tables(engine: str) -> None:
    make_tables()


@dataclass(frozen=True)
class Directory:
    """What the directory holds, by key."""

    def __call__(self) -> dict[str, Item]:
        """Read it."""
        found = dynamodb.call("scan", {"TableName": DIRECTORY, "ConsistentRead": True})["Items"]
        return {row.pop("pk"): row for row in map(from_attributes, found)}

    def put_back(self, rows: dict[str, Item]) -> None:
        """Make it what it was."""
        for pk in self().keys() - rows.keys():
            dynamodb.call("delete_item", {"TableName": DIRECTORY, "Key": to_attributes({"pk": pk})})
        for pk, row in rows.items():
            dynamodb.call("put_item", {"TableName": DIRECTORY, "Item": to_attributes({"pk": pk, **row})})


@pytest.fixture
def directory(_tables: None, services: object) -> Iterator[Directory]:
    """Share a directory."""
    with two_regions(DIRECTORY_TABLE=DIRECTORY):
        yield Directory()
