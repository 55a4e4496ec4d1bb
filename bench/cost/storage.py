"""What a message leaves behind in the table and its indexes, in bytes as DynamoDB stores them."""

from typing import Any

from bench.cost.acts import World
from bench.inprocess import TABLE

OVERHEAD = 100  # bytes of each row, and of each index entry
VISITORS, AGENTS = 4, 4  # messages of the conversation that is looked at


def stored_bytes(world: World) -> float:
    """Return what a message leaves in table and indexes, its share of the conversation and its events included."""
    before = _table_bytes()
    world.conversation = world.begin()
    for _ in range(VISITORS - 1):
        world.say()
        world.meter.drain()
    for _ in range(AGENTS):
        world.reply()
        world.meter.drain()
    world.agent("POST", f"/v1/conversations/{world.conversation}/close")
    world.meter.drain()
    return round((_table_bytes() - before) / (VISITORS + AGENTS))


def _table_bytes() -> int:
    """Return the size of all rows as DynamoDB stores them: with 100 bytes for each row, and for each index entry."""
    from chalicelib.core import aws

    total, start = 0, None
    while True:
        page = aws.call("dynamodb", "scan", {"TableName": TABLE} | ({"ExclusiveStartKey": start} if start else {}))
        for row in page["Items"]:
            total += OVERHEAD + sum(len(name) + _value_bytes(value) for name, value in row.items())
            keys = _value_bytes(row["pk"]) + _value_bytes(row["sk"])
            for index in "aolp":
                if f"{index}_pk" in row:
                    total += OVERHEAD + keys + _value_bytes(row[f"{index}_pk"]) + _value_bytes(row[f"{index}_sk"])
        if not (start := page.get("LastEvaluatedKey")):
            return total


def _value_bytes(attribute: dict[str, Any]) -> int:
    ((kind, value),) = attribute.items()
    if kind == "N":
        return len(value) // 2 + 2
    if kind in {"L", "M"}:
        inner = value if kind == "L" else value.values()
        names = 0 if kind == "L" else sum(map(len, value))
        return 3 + names + sum(1 + _value_bytes(each) for each in inner)
    return len(value.encode() if isinstance(value, str) else value) if kind in {"S", "B"} else 1
