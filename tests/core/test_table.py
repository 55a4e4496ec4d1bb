"""What the table layer does when DynamoDB, or something in front of it, has a bad moment."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib.core.errors import UnavailableError
from chalicelib.core.table import LIMITS
from tests.support.faults import At, injected, is_table


def bad_gateway(operation: str) -> ClientError:
    """Return what botocore makes of a 502 whose body is no DynamoDB error."""
    return _error(operation, "502", 502)


def refused(operation: str) -> ClientError:
    return _error(operation, "AccessDeniedException", 400)


def _error(operation: str, code: str, status: int) -> ClientError:
    answer: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
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
