"""Our shortcut through botocore's parser answers what botocore does."""

from typing import Any

import botocore.session
import pytest

from chalicelib.core.aws import ItemParserFactory
from tests.support.aws import Services

ROW = {
    "pk": {"S": "tn_x#parser"},
    "sk": {"S": "-"},
    "text": {"S": "ä"},
    "number": {"N": "12"},
    "bytes": {"B": b"\x00\xff"},
    "flag": {"BOOL": True},
    "set": {"SS": ["a", "b"]},
    "list": {"L": [{"M": {"n": {"N": "1"}}}, {"S": "x"}]},
}


def _client(*, fast: bool):
    session = botocore.session.Session()
    if fast:
        session.register_component("response_parser_factory", ItemParserFactory())
    return session.create_client("dynamodb")


@pytest.mark.parametrize("operation", ["get_item", "query", "batch_get_item"])
def test_an_answer_is_the_same_either_way(services: Services, operation: str):
    table, key = "parley-test-main", {"pk": ROW["pk"], "sk": ROW["sk"]}
    _client(fast=False).put_item(TableName=table, Item=ROW)
    requests: dict[str, dict[str, Any]] = {
        "get_item": {"TableName": table, "Key": key},
        "query": {
            "TableName": table,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": ROW["pk"]},
        },
        "batch_get_item": {"RequestItems": {table: {"Keys": [key]}}},
    }
    params = requests[operation]
    plain, fast = (getattr(_client(fast=each), operation)(**params) for each in (False, True))
    assert "\\x00\\xff" in str(plain)
    for answer in (plain, fast):
        answer.pop("ResponseMetadata")
    assert fast == plain


def test_an_error_keeps_its_code(services: Services):
    client = _client(fast=True)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_item(TableName="parley-test-none", Key={"pk": {"S": "x"}, "sk": {"S": "x"}})
