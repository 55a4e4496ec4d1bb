"""One call of DynamoDB, made again while it is throttled or has trouble of its own."""

import random
import time
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from chalicelib.core import aws
from chalicelib.core.config import settings
from chalicelib.core.errors import UnavailableError

MAX_ATTEMPTS = 20  # of what is repeated because others were faster
MAX_SECONDS = 5.0
MAX_PAUSE_SECONDS = 0.4

_ATTEMPTS = 3
_THROTTLES = {
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "InternalServerError",
    "ServiceUnavailable",
    "TransactionConflictException",  # a single write that met a transaction
    "TransactionInProgressException",
}


class Key(NamedTuple):
    """The primary key of a row."""

    pk: str
    sk: str

    @property
    def wire(self) -> dict[str, dict[str, str]]:
        """The key as DynamoDB reads it."""
        return {"pk": {"S": self.pk}, "sk": {"S": self.sk}}


def call(
    operation: str,
    params: dict[str, Any],
    *,
    table_name: bool = True,
    attempts: int = _ATTEMPTS,
    place: aws.Place = aws.HERE,
) -> dict[str, Any]:
    """Call an operation, of our table unless `params` names it. Raises ClientError, and UnavailableError."""
    if table_name:
        params["TableName"] = settings().table
    for attempt in range(attempts):
        try:
            return aws.call("dynamodb", operation, params, place=place)
        except ClientError as exc:
            if not _may_pass(exc):
                raise
            if attempt + 1 < attempts:
                pause(attempt)
    raise UnavailableError


def update_if(params: dict[str, Any]) -> dict[str, Any] | None:
    """Update a row of our table; None when the condition did not hold. Raises as `call`."""
    try:
        return call("update_item", params)
    except ClientError as exc:
        if aws.error_code(exc) == "ConditionalCheckFailedException":
            return None
        raise


def _may_pass(exc: ClientError) -> bool:
    # A 5xx may come from something in front of DynamoDB and then has no code of its own.
    status = exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= 500 or aws.error_code(exc) in _THROTTLES


def pause(attempt: int) -> None:
    """Wait a random moment, on average longer after each attempt."""
    time.sleep(random.uniform(0, min(MAX_PAUSE_SECONDS, 0.01 * 2**attempt)))  # noqa: S311 - jitter, not a secret
