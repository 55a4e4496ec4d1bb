"""What DynamoDB and SQS do on bad days, put around every AWS call of the app.

The local engine never conflicts, never throttles, and its indexes never lag; so these are added here. It does honour
ClientRequestToken, as DynamoDB does.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import stripe
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

from chalicelib.core import aws
from chalicelib.core.aws import Interceptor, Params, Proceed
from chalicelib.core.config import settings
from tests.support import permissions
from tests.support.aws import Services

When = Literal["before", "after"]
WRITES = frozenset({"put_item", "update_item", "delete_item", "transact_write_items"})


class Crash(BaseException):
    """The process died here; nothing in the app may catch it."""


@contextmanager
def injected(fault: Interceptor) -> Iterator[None]:
    """Put `fault` around the stand-ins inside the block."""
    aws.interceptors.append(fault)
    try:
        yield
    finally:
        aws.interceptors.remove(fault)


@dataclass
class At:
    """Raise at the `number`th call (from 0) that `of` accepts, before it is made or after it has had its effect."""

    number: int
    when: When
    error: Callable[[str], BaseException]  # given the operation
    of: Callable[[str, str], bool] = lambda service, operation: True
    times: int = 1
    seen: int = 0
    fired: int = 0

    def __call__(self, service: str, operation: str, params: Params, proceed: Proceed) -> Params:
        """Count the call and fail if its turn has come."""
        if not self.of(service, operation):
            return proceed()
        mine = self.number <= self.seen < self.number + self.times
        self.seen += 1
        if mine:
            self.fired += 1
            if self.when == "after":
                proceed()
            raise self.error(operation)
        return proceed()


def exposed(service: str, operation: str, act: Callable[[], Any]) -> Any:
    """Let something that is no call of AWS be one that faults can be put around; the stand-ins do not see it."""
    proceed = act
    for interceptor in aws.interceptors:
        if not isinstance(interceptor, Services):
            proceed = aws._around(interceptor, service, operation, {}, proceed)
    return proceed()


def is_write(service: str, operation: str) -> bool:
    """Accept what changes the table."""
    return service == "dynamodb" and operation in WRITES


def is_table(service: str, operation: str) -> bool:
    """Accept every call of the table."""
    return service == "dynamodb" and bool(operation)


def is_queue(service: str, operation: str) -> bool:
    """Accept what goes to a queue."""
    return (service, operation) == ("sqs", "send_message")


def is_stripe(service: str, operation: str) -> bool:
    """Accept what is asked of Stripe."""
    return service == "stripe" and bool(operation)


def is_functions(_service: str, _operation: str) -> bool:
    """Accept the calls of the function itself; the authorizer has a Lambda, and failures, of its own."""
    return permissions.function() != "authorize"


def is_functions_table(service: str, operation: str) -> bool:
    """Accept the function's own calls of the table."""
    return service == "dynamodb" and is_functions(service, operation)


def crash(_operation: str) -> Crash:
    """Return the death of the process."""
    return Crash()


def no_answer(_operation: str) -> ReadTimeoutError:
    """Return what botocore raises when no answer came."""
    return ReadTimeoutError(endpoint_url="http://table.test")


def no_connection(_operation: str) -> ConnectTimeoutError:
    """Return what botocore raises when it could not connect in time."""
    return ConnectTimeoutError(endpoint_url="http://table.test")


def no_endpoint(_operation: str) -> EndpointConnectionError:
    """Return what botocore raises when nobody listens."""
    return EndpointConnectionError(endpoint_url="http://table.test")


def throttled(operation: str) -> ClientError:
    """Return DynamoDB's answer to too much."""
    return ClientError({"Error": {"Code": "ProvisionedThroughputExceededException"}}, operation)


def server_error(operation: str) -> ClientError:
    """Return DynamoDB's answer when it has a problem itself."""
    return ClientError({"Error": {"Code": "InternalServerError"}}, operation)


def conflict(operation: str) -> ClientError:
    """Return DynamoDB's answer when another transaction is working on the same row."""
    if operation != "transact_write_items":
        return ClientError({"Error": {"Code": "TransactionConflictException"}}, operation)
    answer: Any = {
        "Error": {"Code": "TransactionCanceledException"},
        "CancellationReasons": [{"Code": "None"}, {"Code": "TransactionConflict"}],
    }
    return ClientError(answer, operation)


def stripe_silent(_operation: str) -> stripe.APIConnectionError:
    """Return what Stripe's library raises when no answer came."""
    return stripe.APIConnectionError("no answer")


def stripe_busy(_operation: str) -> stripe.RateLimitError:
    """Return Stripe's answer to too much."""
    return stripe.RateLimitError("too many requests", http_status=429)


_Row = dict[str, Any]


@dataclass
class _Behind:
    """Knows rows written since this came into force as they were before, and sets answers back to that."""

    before: dict[tuple[str, str], _Row] = field(default_factory=dict)

    def __call__(self, service: str, operation: str, params: Params, proceed: Proceed) -> Params:
        """Remember what a write changes, and answer from what was."""
        if service != "dynamodb":
            return proceed()
        for table, key in _written(operation, params):
            if _name(key) not in self.before:
                found = aws._client("dynamodb").get_item(TableName=table, Key=key, ConsistentRead=True)
                self.before[_name(key)] = found.get("Item", {})
        answer = proceed()
        self._answer(operation, params, answer)
        return answer

    def _answer(self, operation: str, params: Params, answer: Params) -> None:
        raise NotImplementedError

    def _set_back_query(self, pk_name: str, sk_name: str, params: Params, answer: Params) -> None:
        values = [each["S"] for each in params["ExpressionAttributeValues"].values()]
        fits = _range(params["KeyConditionExpression"], values[1:])
        old = [row for row in self.before.values() if row.get(pk_name, {}).get("S") == values[0]]
        old = [row for row in old if fits(row[sk_name]["S"])]
        if "IndexName" in params:
            old = [{name: row[name] for name in ("pk", "sk", pk_name, sk_name)} for row in old]
        shown = [row for row in answer.get("Items", []) if _name(row) not in self.before] + old
        shown.sort(key=lambda row: str(row[sk_name]["S"]), reverse=not params.get("ScanIndexForward", True))
        if "Items" in answer:
            answer["Items"] = shown[: params.get("Limit")]


class StaleReplica(_Behind):
    """Reads that do not ask for consistency see no write made since this came into force. Indexes are as they are."""

    def _answer(self, operation: str, params: Params, answer: Params) -> None:
        if operation == "batch_get_item":
            for table, asked in params["RequestItems"].items():
                if not asked.get("ConsistentRead"):
                    answer["Responses"][table] = self._old(answer["Responses"][table], asked["Keys"])
        elif params.get("ConsistentRead"):
            return
        elif operation == "get_item":
            shown = self._old([answer.pop("Item")] if "Item" in answer else [], [params["Key"]])
            answer |= {"Item": shown[0]} if shown else {}
        elif operation == "query" and "IndexName" not in params:
            self._set_back_query("pk", "sk", params, answer)

    def _old(self, shown: list[_Row], keys: list[_Row]) -> list[_Row]:
        old = [self.before[_name(key)] for key in keys if _name(key) in self.before]
        return [row for row in shown if _name(row) not in self.before] + [row for row in old if row]


_INDEXES = {"activity": "a", "owner": "o", "log": "l", "pending": "p"}


class IndexLag(_Behind):
    """Indexes that show no write made since this came into force: neither new entries nor the going of old ones."""

    def _answer(self, operation: str, params: Params, answer: Params) -> None:
        if operation == "query" and "IndexName" in params:
            self._set_back(params, answer)

    def _set_back(self, params: Params, answer: Params) -> None:
        letter = _INDEXES[params["IndexName"]]
        self._set_back_query(f"{letter}_pk", f"{letter}_sk", params, answer)


def _name(key: _Row) -> tuple[str, str]:
    return key["pk"]["S"], key["sk"]["S"]


def _range(condition: str, bounds: list[str]) -> Callable[[str], bool]:
    if "begins_with" in condition:
        return lambda text: text.startswith(bounds[0])
    if "BETWEEN" in condition:
        return lambda text: bounds[0] <= text <= bounds[1]
    if "<" in condition:
        return lambda text: text < bounds[0]
    return lambda _text: True


def _written(operation: str, params: Params) -> Iterator[tuple[str, _Row]]:
    if operation == "transact_write_items":
        for item in params["TransactItems"]:
            ((kind, write),) = item.items()
            if kind != "ConditionCheck":
                yield write["TableName"], _key(write)
    elif operation in WRITES and params["TableName"] == settings().table:
        yield params["TableName"], _key(params)


def _key(write: _Row) -> _Row:
    found: _Row = write.get("Key") or {name: write["Item"][name] for name in ("pk", "sk")}
    return found
