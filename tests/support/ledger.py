"""The rows that were written while it stood by: what an audit reads, and what a world is put back to.

It knows them without scanning the table, which tests share.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from chalicelib.core.aws import Params, Proceed
from chalicelib.core.config import settings
from chalicelib.core.items import Item, from_attributes
from chalicelib.core.table import Key
from tests.support import dynamodb

_WRITES = {"put_item", "update_item", "delete_item"}
_A_READ, _A_WRITE = 100, 25  # rows in a batch, DynamoDB's own limits

Raw = dict[str, Any]


@dataclass
class Ledger:
    """An interceptor that notes the key of every write, tried or done."""

    keys: dict[Key, None] = field(default_factory=dict)  # in the order of their first writes

    def __call__(self, service: str, operation: str, params: Params, proceed: Proceed) -> Params:
        """Take note, then let the call through."""
        if service == "dynamodb":
            for write in _written(operation, params):
                self.keys[_key(write)] = None
        return proceed()

    def rows(self) -> dict[Key, Item]:
        """Return the rows that are there now."""
        return {key: from_attributes(row) for key, row in self.raw().items()}

    def raw(self) -> dict[Key, Raw]:
        """Return the rows as DynamoDB keeps them."""
        wanted = [key.wire for key in self.keys]
        found: dict[Key, Raw] = {}
        for start in range(0, len(wanted), _A_READ):
            asked = {settings().table: {"Keys": wanted[start : start + _A_READ], "ConsistentRead": True}}
            answer = dynamodb.call("batch_get_item", {"RequestItems": asked})
            assert not answer.get("UnprocessedKeys")
            found |= {_key(row): row for row in answer["Responses"][settings().table]}
        return found

    def put_back(self, before: dict[Key, Raw]) -> None:
        """Make all noted rows what they were."""
        now = self.raw()
        changes: list[Raw] = [{"PutRequest": {"Item": row}} for key, row in before.items() if now.get(key) != row]
        changes += [{"DeleteRequest": {"Key": key.wire}} for key in now.keys() - before.keys()]
        for start in range(0, len(changes), _A_WRITE):
            wanted = {settings().table: changes[start : start + _A_WRITE]}
            answer = dynamodb.call("batch_write_item", {"RequestItems": wanted})
            assert not answer.get("UnprocessedItems")


def _written(operation: str, params: Params) -> Iterator[Params]:
    if operation in _WRITES and params["TableName"] == settings().table:
        yield params.get("Key") or params["Item"]
    for item in params.get("TransactItems", []):
        yield from (write.get("Key") or write["Item"] for kind, write in item.items() if kind != "ConditionCheck")


def _key(row: Params) -> Key:
    return Key(row["pk"]["S"], row["sk"]["S"])
