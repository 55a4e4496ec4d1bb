"""What the table layer does when DynamoDB, or something in front of it, has a bad moment."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib.core import ids
from chalicelib.core.aws import Params, Proceed
from chalicelib.core.errors import UnavailableError
from chalicelib.core.table import LIMITS, run, transact
from tests.support.faults import At, injected, is_table


class Busy:
    """A table that reads one row of a batch and leaves the others for the next try, so many times."""

    def __init__(self, times: int) -> None:
        self._left = times

    def __call__(self, service: str, operation: str, params: Params, proceed: Proceed) -> Params:
        if (service, operation) != ("dynamodb", "batch_get_item") or not self._left:
            return proceed()
        self._left -= 1
        ((table, asked),) = params["RequestItems"].items()
        keys, asked["Keys"] = asked["Keys"], asked["Keys"][:1]
        answer = proceed()
        left = {table: {**asked, "Keys": keys[1:]}}
        return {**answer, "UnprocessedKeys": left if keys[1:] else {}}


@pytest.fixture
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chalicelib.core.dynamodb.pause", lambda _attempt: None)


def bad_gateway(operation: str) -> ClientError:
    """Return what botocore makes of a 502 whose body is no DynamoDB error."""
    return _error(operation, "502", 502)


def refused(operation: str) -> ClientError:
    return _error(operation, "AccessDeniedException", 400)


def too_large(operation: str) -> ClientError:
    """Return what a transaction is answered of which one item cannot be stored."""
    reasons = [{"Code": "None"}, {"Code": "ValidationError"}]
    return _error(operation, "TransactionCanceledException", 400, CancellationReasons=reasons)


def _error(operation: str, code: str, status: int, **more: Any) -> ClientError:
    answer: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}, **more}
    return ClientError(answer, operation)


def test_a_server_error_with_a_name_we_do_not_know_is_tried_again():
    fault = At(0, "before", bad_gateway, is_table)
    with injected(fault):
        assert LIMITS.get("nobody", "-") is None
    assert fault.fired == 1


def test_a_server_error_that_lasts_is_a_503():
    with injected(At(0, "before", bad_gateway, is_table, times=99)), pytest.raises(UnavailableError):
        LIMITS.get("nobody", "-")


def test_our_own_mistakes_are_not_tried_again():
    fault = At(0, "before", refused, is_table, times=99)
    with injected(fault), pytest.raises(ClientError):
        LIMITS.get("nobody", "-")
    assert fault.seen == 1


@pytest.mark.usefixtures("_no_pauses")
@pytest.mark.parametrize("error", [refused, too_large])
def test_nor_are_those_in_a_transaction(error: Any):
    fault = At(0, "before", error, is_table, times=99)
    with injected(fault), pytest.raises(ClientError):
        transact([LIMITS.putting(ids.new_ulid(), "-", {}), LIMITS.putting(ids.new_ulid(), "-", {})])
    assert fault.seen == 1


@pytest.mark.usefixtures("_no_pauses")
def test_rows_that_a_busy_table_has_left_out_are_asked_for_again():
    pk = ids.new_ulid()
    keys = [LIMITS.key(pk, str(number)) for number in range(4)]
    for key in keys:
        run(LIMITS.putting(pk, key.sk, {"of": key.sk}))
    with injected(Busy(3)):
        assert [row["of"] for row in LIMITS.batch_get(keys).values()] == ["0", "1", "2", "3"]


@pytest.mark.usefixtures("_no_pauses")
def test_a_table_that_stays_busy_is_a_503_and_not_a_part_of_the_rows():
    with injected(Busy(10_000)), pytest.raises(UnavailableError):
        LIMITS.batch_get([LIMITS.key("x", str(number)) for number in range(30)])
