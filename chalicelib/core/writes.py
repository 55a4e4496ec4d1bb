"""Committing writes, one alone or all together, and repeating what somebody else was faster at."""

import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from chalicelib.core import aws, dynamodb, ids, upgrades
from chalicelib.core.config import settings
from chalicelib.core.dynamodb import Key
from chalicelib.core.errors import ContentionError, UnavailableError
from chalicelib.core.items import Item, from_attributes

Result = TypeVar("Result")

# A transaction's last attempt begins after the deadline and a pause, and may take as long as a call can.
LATEST_COMMIT_SECONDS = dynamodb.MAX_SECONDS + dynamodb.MAX_PAUSE_SECONDS + aws.WORST_CALL_SECONDS

_RETRIABLE_REASONS = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}


@dataclass(frozen=True, eq=False)
class Write:
    """One write, made by a view, for `transact` or to be run alone."""

    kind: str  # Put, Update, Delete or ConditionCheck
    key: Key
    params: dict[str, Any]


class ConditionFailedError(Exception):
    """A condition did not hold, so nothing was written; `failed` are the writes whose conditions did not."""

    def __init__(self, failed: Sequence["Write"]) -> None:
        super().__init__(f"{len(failed)} conditions failed")
        self.failed = failed


class AlreadyRecordedError(Exception):
    """The request's Idempotency-Key has had its effect already; caught by `core.idempotency`."""


class StaleError(Exception):
    """What was read has changed meanwhile: read again and repeat. Caught by `retrying`."""


def run(write: Write, *, returning: bool = False, place: aws.Place = aws.HERE) -> Item:
    """Run one write alone, of our table unless it names its own; with `returning`, an update answers the new row."""
    operation = {"Put": "put_item", "Update": "update_item", "Delete": "delete_item"}[write.kind]
    params = dict(write.params)
    if returning:
        params["ReturnValues"] = "ALL_NEW"
    caught_up = False
    while True:
        try:
            answer = dynamodb.call(operation, params, table_name="TableName" not in write.params, place=place)
        except ClientError as exc:
            if aws.error_code(exc) != "ConditionalCheckFailedException":
                raise
            if caught_up or not upgrades.catch_up(_changes([write])):
                raise ConditionFailedError([write]) from exc
            caught_up = True
        else:
            row = from_attributes(answer.get("Attributes", {}))
            return upgrades.read(row) if row else row


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
    deadline, lost, caught_up = time.monotonic() + dynamodb.MAX_SECONDS, False, False
    for attempt in range(dynamodb.MAX_ATTEMPTS):
        try:
            dynamodb.call("transact_write_items", params, table_name=False, attempts=1)
        except ClientError as exc:
            failed = _failed(all_writes, exc)
            if kept in failed:
                raise AlreadyRecordedError from exc
            if failed:
                if caught_up or not upgrades.catch_up(_changes(failed)):
                    raise ConditionFailedError(failed) from exc
                caught_up = True
                params["ClientRequestToken"] = ids.new_ulid()  # the same one would be answered as it was
            lost = False
        except UnavailableError:
            lost = True
        else:
            return
        if time.monotonic() > deadline:
            break
        dynamodb.pause(attempt)
    raise UnavailableError if lost else ContentionError


def _failed(writes: Sequence[Write], exc: ClientError) -> list[Write]:
    """Return the writes whose conditions did not hold; none where trying again may help. Raises what is neither."""
    if aws.error_code(exc) != "TransactionCanceledException":
        raise exc
    reasons = [reason["Code"] for reason in exc.response["CancellationReasons"]]
    failed = [write for write, reason in zip(writes, reasons, strict=False) if reason == "ConditionalCheckFailed"]
    if not failed and not _RETRIABLE_REASONS & set(reasons):
        raise exc
    return failed


def _changes(failed: Sequence[Write]) -> list[Key]:
    """Return the rows that writes rely on: all but those that are put whole."""
    return [write.key for write in failed if write.kind != "Put"]


def retrying(attempt: Callable[[], Result]) -> Result:
    """Run `attempt` until it does not raise StaleError: at most 20 times within 5 s, then ContentionError."""
    deadline = time.monotonic() + dynamodb.MAX_SECONDS
    for number in range(dynamodb.MAX_ATTEMPTS):
        try:
            return attempt()
        except StaleError:
            if time.monotonic() > deadline:
                break
            dynamodb.pause(number)
    raise ContentionError
