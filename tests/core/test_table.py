"""What the table layer does when DynamoDB, or something in front of it, has a bad moment."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib.core import ids
from chalicelib.core.aws import Params, Proceed
from chalicelib.core.dynamodb import MAX_ATTEMPTS
from chalicelib.core.errors import UnavailableError
from chalicelib.core.table import LIMITS, ForeignRowError, Key, delete_all, run, transact
from tests.support.aws import Services
from tests.support.faults import At, injected, is_table


class Busy:
    """A table that reads or deletes one row of a batch and leaves the others for the next try, so many times."""

    def __init__(self, times: int) -> None:
        self._left = times

    def __call__(self, service: str, operation: str, params: Params, proceed: Proceed) -> Params:
        if operation not in {"batch_get_item", "batch_write_item"} or not self._left:
            return proceed()
        self._left -= 1
        ((table, asked),) = params["RequestItems"].items()
        if operation == "batch_write_item":
            params["RequestItems"][table] = asked[:1]
            return {**proceed(), "UnprocessedItems": {table: asked[1:]} if asked[1:] else {}}
        keys, asked["Keys"] = asked["Keys"], asked["Keys"][:1]
        answer = proceed()
        left = {table: {**asked, "Keys": keys[1:]}}
        return {**answer, "UnprocessedKeys": left if keys[1:] else {}}


@pytest.fixture
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda _low, _high: 0)


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


def rows_of(pk: str, count: int) -> list[Key]:
    keys = [LIMITS.key(pk, f"{number:02}") for number in range(count)]
    for key in keys:
        run(LIMITS.putting(pk, key.sk, {}))
    return keys


@pytest.mark.usefixtures("_no_pauses")
@pytest.mark.parametrize("times", [0, 3])
def test_rows_are_deleted_25_a_call_and_those_that_a_busy_table_has_left_again(services: Services, times: int):
    pk = ids.new_ulid()
    keys = rows_of(pk, 32)
    services.reset()
    with injected(Busy(times)):
        delete_all([*keys[:30], *keys[:30], LIMITS.key(pk, "none")])
    assert services.calls == [("dynamodb", "batch_write_item")] * (2 + times)
    assert [row["sk"] for row in LIMITS.query(pk).items] == ["30", "31"]


@pytest.mark.usefixtures("_no_pauses")
def test_deleting_from_a_table_that_stays_busy_is_a_503_in_the_end(services: Services):
    keys = rows_of(ids.new_ulid(), 30)
    services.reset()
    with injected(Busy(10_000)), pytest.raises(UnavailableError):
        delete_all(keys)
    assert len(services.calls) == MAX_ATTEMPTS


@pytest.mark.parametrize(
    "read", [lambda: LIMITS.get("x", "-"), lambda: LIMITS.query("x"), lambda: LIMITS.query("x", index="activity")]
)
def test_a_row_of_another_view_is_an_error_and_no_answer(read: Callable[[], object]):
    foreign = {"pk": {"S": "tn_01JB3D2N6T8V4W5X7Y9Z0A1B2C#x"}, "sk": {"S": "-"}}
    with injected(lambda _s, _o, _p, _proceed: {"Item": foreign, "Items": [foreign]}), pytest.raises(ForeignRowError):
        read()
