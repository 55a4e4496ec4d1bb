"""The one DynamoDB table, seen through fenced views: every key a view builds begins with its scope.

A tenant's rows are reachable only through `tenant_rows(tenant_id)`, so a query that forgets the tenant cannot be
written, and a row that comes back without the prefix raises instead of leaking.
"""

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from botocore.exceptions import ClientError

from chalicelib.core import aws, ids
from chalicelib.core.config import settings
from chalicelib.core.errors import ContentionError, NotFoundError, UnavailableError
from chalicelib.core.items import Expression, Item, from_attributes, to_attributes

Result = TypeVar("Result")

MAX_ATTEMPTS = 20
MAX_SECONDS = 5.0
BATCH_GET_LIMIT = 100  # keys in one BatchGetItem, DynamoDB's own limit
TRANSACTION_LIMIT = 100  # writes in one transaction, DynamoDB's own limit

_THROTTLES = {
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "InternalServerError",
    "ServiceUnavailable",
    "TransactionConflictException",  # a single write that met a transaction
    "TransactionInProgressException",
}
_RETRIABLE_REASONS = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}


class Key(NamedTuple):
    """The primary key of a row."""

    pk: str
    sk: str


class ConditionFailedError(Exception):
    """A condition did not hold, so nothing was written; `failed` are the writes whose conditions did not."""

    def __init__(self, failed: Sequence["Write"]) -> None:
        super().__init__(f"{len(failed)} conditions failed")
        self.failed = failed


class AlreadyRecordedError(Exception):
    """The request's Idempotency-Key has had its effect already; caught by `core.idempotency`."""


class StaleError(Exception):
    """What was read has changed meanwhile: read again and repeat. Caught by `retrying`."""


class ForeignRowError(Exception):
    """A row outside the view's scope came back: a bug that must never become an answer."""


@dataclass(frozen=True, eq=False)
class Write:
    """One write, made by a view, for `transact` or to be run alone."""

    kind: str  # Put, Update, Delete or ConditionCheck
    key: Key
    params: dict[str, Any]


@dataclass(frozen=True)
class Found:
    """A query's rows; `more` when the query ended at its limit or at 1 MB rather than at the last row."""

    items: list[Item] = field(default_factory=list)
    more: bool = False


class Rows:
    """A view of all rows whose partition key begins with `scope#`."""

    def __init__(self, scope: str) -> None:
        self.scope = scope
        self._prefix = scope + "#"

    def key(self, pk: str, sk: str) -> Key:
        """Return the full key of a row of this view."""
        return Key(self._prefix + pk, sk)

    def get(self, pk: str, sk: str, *, consistent: bool = False) -> Item | None:
        """Read one row, or None."""
        key = self.key(pk, sk)
        answer = _call("get_item", {"Key": _wire_key(key), "ConsistentRead": consistent})
        return self._fenced(from_attributes(answer["Item"])) if "Item" in answer else None

    def batch_get(self, keys: Iterable[Key], *, consistent: bool = False) -> dict[Key, Item]:
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
        consistent: bool = False,
    ) -> Found:
        """Read the rows of one partition, of the table or of an index, in the order of their sort keys."""
        params = self._query_params(pk, index, prefix, between)
        params |= {"Limit": limit, "ScanIndexForward": not newest_first}
        if consistent:
            params["ConsistentRead"] = True
        answer = _call("query", params)
        rows = [self._fenced(from_attributes(row)) for row in answer["Items"]]
        return Found(rows, "LastEvaluatedKey" in answer)

    def count(
        self, pk: str, *, index: str | None = None, between: tuple[str, str] | None = None, limit: int = 1000
    ) -> tuple[int, bool]:
        """Count up to `limit` rows of a partition in one call; the flag says whether there are more."""
        params = self._query_params(pk, index, None, between) | {"Limit": limit, "Select": "COUNT"}
        answer = _call("query", params)
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
        params: dict[str, Any] = {"Item": to_attributes({**item, "pk": key.pk, "sk": key.sk})}
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
        params: dict[str, Any] = {"Key": _wire_key(key)}
        params["UpdateExpression"] = expression.update(set_ or {}, add or {}, default or {})
        if condition := expression.condition(when or {}, at_most or {}, exists):
            params["ConditionExpression"] = condition
        return Write("Update", key, params | expression.params())

    def deleting(self, pk: str, sk: str, *, when: Mapping[str, Any] | None = None, exists: bool | None = None) -> Write:
        """Return the write that deletes a row."""
        return self._conditional("Delete", self.key(pk, sk), when, exists)

    def checking(self, pk: str, sk: str, *, when: Mapping[str, Any] | None = None, exists: bool | None = None) -> Write:
        """Return a condition on a row that the transaction does not write."""
        return self._conditional("ConditionCheck", self.key(pk, sk), when, exists)

    def _conditional(self, kind: str, key: Key, when: Mapping[str, Any] | None, exists: bool | None) -> Write:
        expression = Expression()
        params: dict[str, Any] = {"Key": _wire_key(key)}
        if condition := expression.condition(when or {}, {}, exists):
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
    return [Key(row["pk"]["S"], row["sk"]["S"]) for row in _call("query", params)["Items"]]


def rows_of(pk: str) -> Rows:
    """Return the view that a full partition key belongs to, for workers that get keys from a queue."""
    scope = pk.partition("#")[0]
    return USERS if scope == USERS.scope else tenant_rows(scope)


def batch_get(keys: Sequence[Key], *, consistent: bool = False) -> dict[Key, Item]:
    """Read rows of several views at once; a view's own `batch_get` is the fenced way."""
    found: dict[Key, Item] = {}
    for start in range(0, len(keys), BATCH_GET_LIMIT):
        wanted: list[Any] = [_wire_key(key) for key in keys[start : start + BATCH_GET_LIMIT]]
        for attempt in range(MAX_ATTEMPTS):
            request = {settings().table: {"Keys": wanted, "ConsistentRead": consistent}}
            answer = _call("batch_get_item", {"RequestItems": request}, table_name=False)
            for row in answer["Responses"].get(settings().table, []):
                item = from_attributes(row)
                found[Key(item["pk"], item["sk"])] = item
            wanted = answer.get("UnprocessedKeys", {}).get(settings().table, {}).get("Keys", [])
            if not wanted:
                break
            _pause(attempt)
        else:
            raise UnavailableError
    return found


def run(write: Write, *, returning: bool = False) -> Item:
    """Run one write alone; with `returning`, an update answers the row as it is afterwards."""
    operation = {"Put": "put_item", "Update": "update_item", "Delete": "delete_item"}[write.kind]
    params = dict(write.params)
    if returning:
        params["ReturnValues"] = "ALL_NEW"
    try:
        answer = _call(operation, params)
    except ClientError as exc:
        if aws.error_code(exc) == "ConditionalCheckFailedException":
            raise ConditionFailedError([write]) from exc
        raise
    return from_attributes(answer.get("Attributes", {}))


# Set by `core.idempotency` around a request: turns the effect's result into the record that commits with it.
effect_record: ContextVar[Callable[[object], Write] | None] = ContextVar("effect_record", default=None)
NOTHING = object()


def transact(writes: Sequence[Write], *, result: object = NOTHING) -> None:
    """Commit all writes or none. `result` is what the request will answer, kept for a repeated Idempotency-Key.

    Raises ConditionFailedError when a condition does not hold and ContentionError when DynamoDB would not take the
    transaction, in both of which nothing is written; UnavailableError when no attempt got an answer.
    """
    record = effect_record.get()
    kept = record(result) if record and result is not NOTHING else None
    all_writes = [*writes, kept] if kept else list(writes)
    if len({write.key for write in all_writes}) != len(all_writes):
        raise ValueError("a transaction may touch each row once")
    items = [{write.kind: {**write.params, "TableName": settings().table}} for write in all_writes]
    # The same token on every attempt: one that committed but whose answer was lost is not applied again.
    params = {"TransactItems": items, "ClientRequestToken": ids.new_ulid()}
    deadline, lost = time.monotonic() + MAX_SECONDS, False
    for attempt in range(MAX_ATTEMPTS):
        try:
            _call("transact_write_items", params, table_name=False)
        except ClientError as exc:
            if aws.error_code(exc) != "TransactionCanceledException":
                raise
            reasons = [reason.get("Code", "None") for reason in exc.response.get("CancellationReasons", [])]
            if failed := [
                write for write, reason in zip(all_writes, reasons, strict=False) if reason == "ConditionalCheckFailed"
            ]:
                raise (AlreadyRecordedError if kept in failed else ConditionFailedError(failed)) from exc
            if not _RETRIABLE_REASONS & set(reasons):
                raise
            lost = False
        except UnavailableError:
            lost = True
        else:
            return
        if time.monotonic() > deadline:
            break
        _pause(attempt)
    raise UnavailableError if lost else ContentionError


def retrying(attempt: Callable[[], Result]) -> Result:
    """Run `attempt` until it does not raise StaleError: at most 20 times within 5 s, then ContentionError."""
    deadline = time.monotonic() + MAX_SECONDS
    for number in range(MAX_ATTEMPTS):
        try:
            return attempt()
        except StaleError:
            if time.monotonic() > deadline:
                break
            _pause(number)
    raise ContentionError


def live(item: Item | None, now_s: int) -> Item | None:
    """Return the row unless its TTL has passed: DynamoDB may take days to remove an expired one."""
    return None if item is None or item.get("exp", now_s + 1) <= now_s else item


def _call(operation: str, params: dict[str, Any], *, table_name: bool = True) -> dict[str, Any]:
    if table_name:
        params["TableName"] = settings().table
    for attempt in range(3):
        try:
            return aws.call("dynamodb", operation, params)
        except ClientError as exc:
            if aws.error_code(exc) not in _THROTTLES:
                raise
            _pause(attempt)
    raise UnavailableError


def _wire_key(key: Key) -> dict[str, dict[str, str]]:
    return {"pk": {"S": key.pk}, "sk": {"S": key.sk}}


def _pause(attempt: int) -> None:
    time.sleep(random.uniform(0, min(0.4, 0.01 * 2**attempt)))  # noqa: S311 - jitter, not a secret
