"""Reading the whole table, where no index has what is looked for: said beforehand, bounded, and paid for visibly."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from parley.errors import CommandError, Exit
from parley.session import Session

_UNIT_BYTES = 8192  # what one read unit reads, eventually consistent


@dataclass
class Scan:
    """Rows that a filter lets through, page by page, until `max_units` read units are used."""

    here: Session
    what: str  # for who waits
    filter: str  # DynamoDB's FilterExpression
    values: dict[str, Any]
    max_units: float | None = None  # None: to the end
    begin: str | None = None  # where an earlier one stopped
    units: float = 0.0  # used so far
    next: str | None = None  # where to go on; None: it came to the end

    def pages(self) -> Iterator[list[dict[str, Any]]]:
        """Yield each page's rows; who has enough stops asking, and `next` is where to go on."""
        from chalicelib.core import dynamodb
        from chalicelib.core.items import from_attributes, to_attributes

        params: dict[str, Any] = {
            "FilterExpression": self.filter,
            "ExpressionAttributeValues": to_attributes(self.values),
            "ReturnConsumedCapacity": "TOTAL",
        }
        if self.begin:
            params["ExclusiveStartKey"] = _read(self.begin)
        expected = self._announce(dynamodb.call("describe_table", {})["Table"])
        with self.here.out.progress(self.what, expected) as bar:
            while True:
                page = dynamodb.call("scan", params)
                self.units += page["ConsumedCapacity"]["CapacityUnits"]
                bar.update(bar.task_ids[0], completed=int(self.units))
                last = page.get("LastEvaluatedKey")
                self.next = _written(last) if last else None
                yield [from_attributes(row) for row in page["Items"]]
                if last is None or (self.max_units is not None and self.units >= self.max_units):
                    return
                params["ExclusiveStartKey"] = last

    def _announce(self, table: dict[str, Any]) -> int | None:
        expected = -(-int(table.get("TableSizeBytes", 0)) // _UNIT_BYTES)
        size = f"{table.get('ItemCount', 0):,} rows" + (f", about {expected:,} read units" if expected else "")
        bound = "to its end" if self.max_units is None else f"until {self.max_units:,.0f} read units are used"
        self.here.out.note(f"No index has this: reading the table {table['TableName']} ({size}) {bound}.")
        return expected or None


def _written(key: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def _read(token: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(token))
    except ValueError:
        raise CommandError("--from is not what an earlier run has printed.", Exit.USAGE) from None
    return found
