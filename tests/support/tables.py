"""Watches what the app writes to and asks of the table, with everything that chance made replaced by its kind."""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from chalicelib.core.aws import Params, Proceed
from chalicelib.core.config import settings
from chalicelib.core.items import Item, from_attributes
from tests.support import dynamodb

_WRITES = {"put_item": "Put", "update_item": "Update", "delete_item": "Delete"}
_ULID = "[0-9A-HJKMNP-TV-Z]{26}"
# In this order: what is found first is not looked at again.
_KINDS = [
    (rf"\btn_{_ULID}(~test)?", "T"),
    (rf"\b([a-z]{{2,5}})_{_ULID}", r"\1_…"),
    (_ULID, "<ulid>"),
    (r"\b[0-9a-f]{32,64}\b", "<hash>"),
    (r"\b\d{13}\b", "<ms>"),
    (r"(?<=^[em]#)\d{10}$", "<n>"),
    (r"(?<=^(?:ids|txt)#)\d{6}$", "<n>"),
    (r"(?<=^v#)\d{2}$", "<place>"),
    (r"(?<=^t#<ulid>#)\d{4}$", "<number>"),
    (r"#\d{10}$", "#<s>"),
    (r"(?<=#idem#)[0-9a-f]$", "<digit>"),
    (r"(?<=slug#).+", "<slug>"),
    (r"(?<=#)(cus|evt)_[A-Za-z0-9]+$", r"\1_…"),
    (r"(?<=#u#domain#).+", "<domain>"),
    (r"(?<=#u#shortcut#).+", "<shortcut>"),
    (r"(?<=#u#con-email#).+", "<e-mail>"),
    (r"(?<=#u#con-ext#).+", "<external id>"),
    (r"(?<=T#[sw]#).+", "<2 letters>"),
    (r"(?<=#u#conv-no#).+", "<number>"),
    (r"^(?!T#|<ms>).+(?=#conv?_…$)", "<word>"),
    (r"(?<=#f#tag#).+|(?<=#u#tag#).+", "<tag>"),
    (r"(?<=#)(open|pending|snoozed|closed)(?=#)", "<status>"),
    (r"(?<=<status>#)(usr_…|-)$", "<assignee>"),
    (r"(?<=#)\d+$", "<shard>"),
]
_SLOT = re.compile(r"^k\d$")
_MONTHS = re.compile(r"^n_\d{4}-\d\d$")
_COUNTERS = re.compile(r"^(conv_\w+|visitors|contacts|companies|files|file_bytes|opened_\d{4}-\d\d)$")


def shape(key: str) -> str:
    """Return a key as the documentation writes it."""
    for pattern, kind in _KINDS:
        key = re.sub(pattern, kind, key)
    return key


class Watch:
    """An interceptor: rows by the shape of their keys, with their attributes; index entries; queries; keys read.

    And the rows of the log as they are.
    """

    def __init__(self) -> None:
        self.pks: set[str] = set()  # of the rows put, as they are
        self.rows: dict[tuple[str, str], set[str]] = defaultdict(set)
        self.logged: list[Item] = []  # rows that stand in a tenant's log
        self._indexed: dict[tuple[str, str], set[str]] = defaultdict(set)
        self.queries: set[tuple[str, str, str]] = set()
        self.read: set[tuple[str, str]] = set()
        self.left: list[Item] = []  # of tenants that were erased in the end
        self.erasing = False  # then every partition is asked for

    def __call__(self, service: str, operation: str, params: Params, proceed: Proceed) -> Params:
        """Take note, then let the call through."""
        if service == "dynamodb":
            for kind, write in _writes(operation, params):
                self._note(kind, write)
            self.read.update(_shapes(key) for key in _keys_read(operation, params))
            if operation == "query" and not self.erasing:
                self.queries.add(_query(params))
        return proceed()

    @property
    def indexed(self) -> set[tuple[str, str, str]]:
        """Index entries: the index's first letter, partition and sort key."""
        return {
            (index, partition, sort)
            for (index, partition), sorts in self._indexed.items()
            for sort in (sorts - {"as before"} or sorts)  # a move within the index may leave the sort key as it is
        }

    def _note(self, kind: str, write: Params) -> None:
        if kind == "ConditionCheck":
            self.read.add(_shapes(write["Key"]))
            return
        key = _shapes(write["Item"] if kind == "Put" else write["Key"])
        if kind == "Put":
            self.pks.add(write["Item"]["pk"]["S"])
            if "l_sk" in write["Item"]:
                self.logged.append(from_attributes(write["Item"]))
        set_ = {name: value for name, value in _set(kind, write).items() if name not in {"pk", "sk"}}
        self.rows[key] |= {_name(name) for name in set_}
        for index in "aolp":
            if partition := set_.get(f"{index}_pk"):
                sort = set_.get(f"{index}_sk")
                self._indexed[index, shape(partition["S"])].add(shape(sort["S"]) if sort else "as before")


def _name(attribute: str) -> str:
    if _COUNTERS.match(attribute):
        return "<counter>"
    if _MONTHS.match(attribute):
        return "n_<month>"
    return "<slot>" if _SLOT.match(attribute) else attribute


def _set(kind: str, write: Params) -> dict[str, Any]:
    """Return the attributes that a write sets or removes, by name; the value of a removed one is None."""
    if kind == "Put":
        found: dict[str, Any] = write["Item"]
        return found
    if kind == "Delete":
        return {}
    names, values = write["ExpressionAttributeNames"], write.get("ExpressionAttributeValues", {})
    update = write["UpdateExpression"]
    given = dict(re.findall(r"(?<![.\w])(#\d+) = (?:if_not_exists\(#\d+, )?(:\d+)", update))
    others = re.findall(r"(?<![.\w(])#\d+", update)  # added to, removed, or an entry of a map
    return {names[name]: None for name in others} | {names[name]: values[value] for name, value in given.items()}


def _writes(operation: str, params: Params) -> Iterable[tuple[str, Params]]:
    if operation in _WRITES:
        return [(_WRITES[operation], params)]
    items: list[dict[str, Params]] = params.get("TransactItems", []) if operation == "transact_write_items" else []
    return [pair for item in items for pair in item.items()]


def _keys_read(operation: str, params: Params) -> list[dict[str, Any]]:
    if operation == "get_item":
        return [params["Key"]]
    if operation == "batch_get_item":
        return [key for asked in params["RequestItems"].values() for key in asked["Keys"]]
    return []


def _query(params: Params) -> tuple[str, str, str]:
    values = params["ExpressionAttributeValues"]
    condition = params["KeyConditionExpression"]
    sort = next((word for word in ("BETWEEN", "begins_with", "<") if word in condition), "whole")
    return params.get("IndexName", "table"), shape(values[":0"]["S"]), sort


def _shapes(key: Params) -> tuple[str, str]:
    return shape(key["pk"]["S"]), shape(key["sk"]["S"])


def everything() -> list[Item]:
    """Return all rows of the table, by a scan: what the product never does."""
    found: list[Item] = []
    params: Params = {"TableName": settings().table, "ConsistentRead": True}
    while True:
        answer = dynamodb.call("scan", params)
        found += [from_attributes(row) for row in answer["Items"]]
        if "LastEvaluatedKey" not in answer:
            return found
        params["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def everything_of(tenant_id: str) -> list[Item]:
    """Return all rows of a tenant, its test data included."""
    return [row for row in everything() if row["pk"].startswith((f"{tenant_id}#", f"{tenant_id}~test#"))]
