"""What the table holds when everything is quiet, and whether any of it is half done."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from chalicelib.core.items import Item, from_attributes
from local.engines import aws_client

STATUS_OF = {
    "conversation.created": "open",
    "conversation.reopened": "open",
    "conversation.closed": "closed",
}


@dataclass
class Conversation:
    """The rows of one conversation."""

    id: str
    meta: Item = field(default_factory=dict)
    info: Item | None = None
    messages: list[Item] = field(default_factory=list)
    events: list[Item] = field(default_factory=list)

    def problems(self) -> Iterator[str]:
        """Say what is missing, doubled or out of step."""
        meta = self.meta
        if not meta:
            yield f"{self.id} has rows but no main one"
            return
        if not self.messages:
            yield f"{self.id} has no first message"
        if self.info is None:
            yield f"{self.id} lacks its second row"
        numbers = [row["seq"] for row in self.messages]
        if numbers != list(range(1, meta["seq"] + 1)):
            yield f"{self.id} says it has {meta['seq']} messages and has {numbers}"
        positions = sorted(row["pos"] for row in (*self.messages, *self.events))
        if positions != list(range(1, meta["pos"] + 1)):
            yield f"{self.id} is at position {meta['pos']} and has events {positions}"
        sent = Counter((row["ai"], row["cm"]) for row in self.messages if "cm" in row)
        for (_, client_msg_id), count in sent.items():
            if count > 1:
                yield f"{self.id} has {client_msg_id} {count} times"
        if meta["dpos"] != meta["pos"] or "p_pk" in meta:
            yield f"{self.id} is dispatched up to {meta['dpos']} of {meta['pos']}"
        told = [STATUS_OF[row["ty"]] for row in self.events if row["ty"] in STATUS_OF]
        if told[-1:] != [meta["st"]]:
            yield f"{self.id} is {meta['st']}, and its events say {told[-1:]}"


@dataclass
class Truth:
    """All conversations, by id, and the sums of the counters."""

    conversations: dict[str, Conversation]
    counters: Counter[str]
    lists: dict[str, set[str]]  # by conversation: the lists (`vis`, `wgt`) it stands in

    @property
    def statuses(self) -> Counter[str]:
        """How many conversations are in each status."""
        return Counter(each.meta.get("st", "?") for each in self.conversations.values())

    def message_ids(self) -> Counter[str]:
        """The ids of all messages."""
        return Counter(row["id"] for each in self.conversations.values() for row in each.messages)

    def problems(self) -> Iterator[str]:
        """Say what is wrong with the table."""
        for each in self.conversations.values():
            yield from each.problems()
            if missing := {"vis", "wgt"} - self.lists.get(each.id, set()):
                yield f"{each.id} is missing from the lists {sorted(missing)}"
        for status in {*self.statuses, "open", "closed"}:
            if self.counters[f"conv_{status}"] != self.statuses[status]:
                counted = self.counters[f"conv_{status}"]
                yield f"{counted} conversations are counted as {status}, and {self.statuses[status]} are"


def read(endpoint: str, table: str) -> Truth:
    """Read the whole table."""
    conversations: dict[str, Conversation] = {}
    counters: Counter[str] = Counter()
    lists: dict[str, set[str]] = defaultdict(set)
    for row in _rows(endpoint, table):
        name, sk = row["pk"].partition("#")[2], row["sk"]
        if name.startswith("n#"):
            counters.update({key: value for key, value in row.items() if isinstance(value, int)})
        elif name.startswith("f#") and sk.startswith("conv_"):
            lists[sk].add(name.split("#")[1])
        elif name.startswith("conv_"):
            _put(conversations.setdefault(name, Conversation(name)), row)
    return Truth(conversations, counters, lists)


def _put(conversation: Conversation, row: Item) -> None:
    sk = row["sk"]
    if sk == "meta":
        conversation.meta = row
    elif sk == "meta~info":
        conversation.info = row
    elif sk.startswith("m#"):
        conversation.messages.append(row)
    elif sk.startswith("e#"):
        conversation.events.append(row)


def _rows(endpoint: str, table: str) -> Iterator[Item]:
    client = aws_client("dynamodb", endpoint)
    more: dict[str, Any] = {}
    while True:
        found = client.scan(TableName=table, **more)
        yield from (from_attributes(item) for item in found["Items"])
        if "LastEvaluatedKey" not in found:
            return
        more = {"ExclusiveStartKey": found["LastEvaluatedKey"]}


def brief(problems: list[str], most: int = 20) -> str:
    """Return the first problems, one a line."""
    more = [f"… and {len(problems) - most} more"] if len(problems) > most else []
    return "\n".join(f"  - {json.dumps(each, ensure_ascii=False)[1:-1][:300]}" for each in [*problems[:most], *more])
