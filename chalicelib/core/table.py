"""The one DynamoDB table, seen through fenced views: every key a view builds begins with its scope.

A tenant's rows are reachable only through `tenant_rows(tenant_id)`, so a query that forgets the tenant cannot be
written, and a row that comes back without the prefix raises instead of leaking.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any

from chalicelib.core import dynamodb, ids, upgrades
from chalicelib.core.config import settings
from chalicelib.core.dynamodb import Key
from chalicelib.core.errors import NotFoundError, UnavailableError
from chalicelib.core.frozen import frozen
from chalicelib.core.items import Expression, Item, from_attributes, to_attributes
from chalicelib.core.writes import (
    NOTHING,
    AlreadyRecordedError,
    ConditionFailedError,
    StaleError,
    Write,
    effect_record,
    retrying,
    run,
    transact,
)

__all__ = [
    "GUARDS",
    "LIMITS",
    "NOTHING",
    "SENT_MAIL",
    "TEST_SUFFIX",
    "USERS",
    "AlreadyRecordedError",
    "ConditionFailedError",
    "ForeignRowError",
    "Found",
    "Key",
    "Rows",
    "StaleError",
    "Write",
    "batch_get",
    "delete_all",
    "effect_record",
    "live",
    "pending_keys",
    "retrying",
    "rows_of",
    "run",
    "tenant_rows",
    "transact",
    "walk_pending",
]

BATCH_GET_LIMIT = 100  # keys in one BatchGetItem, DynamoDB's own limit
BATCH_WRITE_LIMIT = 25  # writes in one BatchWriteItem, the same


class ForeignRowError(Exception):
    """A row outside the view's scope came back: a bug that must never become an answer."""


@frozen
class Found:
    """A query's rows; `more` when the query ended at its limit or at 1 MB rather than at the last row."""

    items: list[Item] = field(default_factory=list)
    more: bool = False


class Rows:
    """A view of all rows whose partition key begins with `scope#`.

    Reads see every write that was answered before, unless they say that they can do without, or are of an index:
    those lag.
    """

    def __init__(self, scope: str) -> None:
        self.scope = scope
        self._prefix = scope + "#"

    def key(self, pk: str, sk: str) -> Key:
        """Return the full key of a row of this view."""
        return Key(self._prefix + pk, sk)

    def get(self, pk: str, sk: str, *, consistent: bool = True) -> Item | None:
        """Read one row, or None."""
        key = self.key(pk, sk)
        answer = dynamodb.call("get_item", {"Key": key.wire, "ConsistentRead": consistent})
        return upgrades.read(self._fenced(from_attributes(answer["Item"]))) if "Item" in answer else None

    def batch_get(self, keys: Iterable[Key], *, consistent: bool = True) -> dict[Key, Item]:
        """Read many rows of this view, one call per hundred; missing ones are absent from the answer."""
        for key in (keys := list(dict.fromkeys(keys))):
            if not key.pk.startswith(self._prefix):
                raise ForeignRowError(key.pk)
        return batch_get(keys, consistent=consistent)

    def query(
        self,
        pk: str,
        *,
        index: str | None = None,
        prefix: str | None = None,
        between: tuple[str, str] | None = None,
        limit: int = 100,
        newest_first: bool = False,
        consistent: bool = True,
    ) -> Found:
        """Read the rows of one partition, of the table or of an index, in the order of their sort keys."""
        params = self._query_params(pk, index, prefix, between)
        params |= {"Limit": limit, "ScanIndexForward": not newest_first}
        params["ConsistentRead"] = consistent and index is None
        answer = dynamodb.call("query", params)
        rows = [self._fenced(from_attributes(row)) for row in answer["Items"]]
        if index is None:  # an index has keys only
            rows = [upgrades.read(row) for row in rows]
        return Found(rows, "LastEvaluatedKey" in answer)

    def count(
        self, pk: str, *, index: str | None = None, between: tuple[str, str] | None = None, limit: int = 1000
    ) -> tuple[int, bool]:
        """Count up to `limit` rows of a partition in one call; the flag says whether there are more."""
        params = self._query_params(pk, index, None, between) | {"Limit": limit, "Select": "COUNT"}
        params["ConsistentRead"] = index is None
        answer = dynamodb.call("query", params)
        return answer["Count"], "LastEvaluatedKey" in answer

    def putting(
        self,
        pk: str,
        sk: str,
        item: Mapping[str, Any],
        *,
        absent: bool = False,
        absent_or_expired_at: int | None = None,
    ) -> Write:
        """Return the write that puts a whole row; with `absent`, only where there is none yet.

        `absent_or_expired_at` (epoch seconds) also accepts a row whose TTL has passed but which is still there.
        """
        key = self.key(pk, sk)
        params: dict[str, Any] = {"Item": to_attributes({**item, **upgrades.stamp(key), **key._asdict()})}
        if absent:
            params["ConditionExpression"] = "attribute_not_exists(pk)"
        elif absent_or_expired_at is not None:
            params["ConditionExpression"] = "attribute_not_exists(pk) OR exp <= :now"
            params["ExpressionAttributeValues"] = {":now": {"N": str(absent_or_expired_at)}}
        return Write("Put", key, params)

    def updating(
        self,
        pk: str,
        sk: str,
        *,
        set_: Mapping[str, Any] | None = None,
        add: Mapping[str, int] | None = None,
        default: Mapping[str, Any] | None = None,
        when: Mapping[str, Any] | None = None,
        at_most: Mapping[str, Any] | None = None,
        exists: bool | None = None,
    ) -> Write:
        """Return the write that changes attributes of a row; see `Expression` for the mappings' meaning."""
        key, expression = self.key(pk, sk), Expression()
        params: dict[str, Any] = {"Key": key.wire}
        params["UpdateExpression"] = expression.update(
            {**(set_ or {}), **upgrades.stamp(key)}, add or {}, default or {}
        )
        conditions = [expression.condition(when or {}, at_most or {}, exists), upgrades.requirement(key, expression)]
        if condition := " AND ".join(filter(None, conditions)):
            params["ConditionExpression"] = condition
        return Write("Update", key, params | expression.params())

    def deleting(self, pk: str, sk: str, *, when: Mapping[str, Any] | None = None, exists: bool | None = None) -> Write:
        """Return the write that deletes a row."""
        return self._conditional("Delete", self.key(pk, sk), when, exists)

    def checking(
        self,
        pk: str,
        sk: str,
        *,
        when: Mapping[str, Any] | None = None,
        unless: Mapping[str, Any] | None = None,
        exists: bool | None = None,
    ) -> Write:
        """Return a condition on a row that the transaction does not write."""
        return self._conditional("ConditionCheck", self.key(pk, sk), when, exists, unless)

    def _conditional(
        self,
        kind: str,
        key: Key,
        when: Mapping[str, Any] | None,
        exists: bool | None,
        unless: Mapping[str, Any] | None = None,
    ) -> Write:
        expression = Expression()
        params: dict[str, Any] = {"Key": key.wire}
        conditions = [expression.condition(when or {}, {}, exists, unless)]
        if when or unless:  # and so about attributes, which an earlier layout may not have
            conditions.append(upgrades.requirement(key, expression))
        if condition := " AND ".join(filter(None, conditions)):
            params["ConditionExpression"] = condition
        return Write(kind, key, params | expression.params())

    def _query_params(
        self, pk: str, index: str | None, prefix: str | None, between: tuple[str, str] | None
    ) -> dict[str, Any]:
        expression = Expression()
        pk_name, sk_name = (f"{index[0]}_pk", f"{index[0]}_sk") if index else ("pk", "sk")
        condition = f"{expression.name(pk_name)} = {expression.value(self._prefix + pk)}"
        if between:
            low, high = between
            condition += f" AND {expression.name(sk_name)} BETWEEN {expression.value(low)} AND {expression.value(high)}"
        elif prefix:
            condition += f" AND begins_with({expression.name(sk_name)}, {expression.value(prefix)})"
        params = {"KeyConditionExpression": condition, **expression.params()}
        if index:
            params["IndexName"] = index
        return params

    def _fenced(self, item: Item) -> Item:
        if not item["pk"].startswith(self._prefix):
            raise ForeignRowError(item["pk"])
        return item


TEST_SUFFIX = "~test"  # what a test-mode key reads and writes is a tenant of its own to the table: `tn_…~test`


def tenant_rows(tenant_id: str) -> Rows:
    """Return the view of one tenant's rows, or of its test data."""
    if not ids.is_id("tn", tenant_id.removesuffix(TEST_SUFFIX)):
        raise NotFoundError
    return Rows(tenant_id)


USERS = Rows("U")  # people, who may belong to several tenants, and what waits to become one
GUARDS = Rows("G")  # uniqueness across tenants: e-mail, slug
LIMITS = Rows("R")  # attempts and rates, all with a TTL
SENT_MAIL = Rows("M")  # which mails have gone out


def pending_keys(partition: str, before: str, limit: int) -> list[Key]:
    """Return the keys of rows in a partition of the pending index with a sort key below `before`, oldest first.

    The one read that crosses tenants, for the sweeper and timers only; it gives keys, not rows.
    """
    expression = Expression()
    condition = f"{expression.name('p_pk')} = {expression.value(partition)}"
    condition += f" AND {expression.name('p_sk')} < {expression.value(before)}"
    params = {"KeyConditionExpression": condition, "IndexName": "pending", "Limit": limit, **expression.params()}
    return [Key(row["pk"]["S"], row["sk"]["S"]) for row in dynamodb.call("query", params)["Items"]]


def walk_pending(partition: str) -> Iterator[Key]:
    """Yield the keys of all rows in a partition of the pending index, page by page. For operators only."""
    expression = Expression()
    params: dict[str, Any] = {"KeyConditionExpression": f"{expression.name('p_pk')} = {expression.value(partition)}"}
    params |= {"IndexName": "pending", **expression.params()}
    while True:
        answer = dynamodb.call("query", params)
        yield from (Key(row["pk"]["S"], row["sk"]["S"]) for row in answer["Items"])
        if "LastEvaluatedKey" not in answer:
            return
        params["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def rows_of(pk: str) -> Rows:
    """Return the view that a full partition key belongs to, for workers that get keys from a queue."""
    scope = pk.partition("#")[0]
    return USERS if scope == USERS.scope else tenant_rows(scope)


def batch_get(keys: Sequence[Key], *, consistent: bool = True) -> dict[Key, Item]:
    """Read rows of several views at once; a view's own `batch_get` is the fenced way."""
    found: dict[Key, Item] = {}
    for start in range(0, len(keys), BATCH_GET_LIMIT):
        wanted: list[Any] = [key.wire for key in keys[start : start + BATCH_GET_LIMIT]]
        for attempt in range(dynamodb.MAX_ATTEMPTS):
            request = {settings().table: {"Keys": wanted, "ConsistentRead": consistent}}
            answer = dynamodb.call("batch_get_item", {"RequestItems": request}, table_name=False)
            for row in answer["Responses"].get(settings().table, []):
                item = upgrades.read(from_attributes(row))
                found[Key(item["pk"], item["sk"])] = item
            if not (left := answer["UnprocessedKeys"]):
                break
            wanted = left[settings().table]["Keys"]
            dynamodb.pause(attempt)
        else:
            raise UnavailableError
    return found


def delete_all(keys: Iterable[Key]) -> None:
    """Delete rows of several views at once, whatever they are by now; for what may be done twice. 25 a call."""
    left: list[Any] = [{"DeleteRequest": {"Key": key.wire}} for key in dict.fromkeys(keys)]
    attempt = 0
    while left:
        wanted = {settings().table: left[:BATCH_WRITE_LIMIT]}
        answer = dynamodb.call("batch_write_item", {"RequestItems": wanted}, table_name=False)
        again = answer["UnprocessedItems"].get(settings().table, [])
        left = again + left[BATCH_WRITE_LIMIT:]
        if again:
            attempt += 1
            if attempt >= dynamodb.MAX_ATTEMPTS:
                raise UnavailableError
            dynamodb.pause(attempt)


def live(item: Item | None, now_s: int) -> Item | None:
    """Return the row unless its TTL has passed: DynamoDB may take days to remove an expired one."""
    return None if item is None or item.get("exp", now_s + 1) <= now_s else item
