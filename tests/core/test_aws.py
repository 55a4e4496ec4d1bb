"""Our shortcuts past botocore answer what botocore does, and what is not harmless twice is sent once."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import botocore.parsers
import botocore.session
import pytest
from botocore.exceptions import ClientError

from chalicelib.core import aws
from chalicelib.core.aws import ItemParserFactory
from chalicelib.core.errors import UnavailableError
from tests.support import dynamodb
from tests.support.aws import Services

TABLE = "parley-test-main"
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
HELD = {"pk": ROW["pk"], "sk": ROW["sk"]}


def _client(*, fast: bool):
    session = botocore.session.Session()
    if fast:
        session.register_component("response_parser_factory", ItemParserFactory())
    return session.create_client("dynamodb")


@pytest.mark.parametrize("operation", ["get_item", "query", "batch_get_item"])
def test_an_answer_is_the_same_either_way(services: Services, operation: str):
    _client(fast=False).put_item(TableName=TABLE, Item=ROW)
    requests: dict[str, dict[str, Any]] = {
        "get_item": {"TableName": TABLE, "Key": HELD},
        "query": {
            "TableName": TABLE,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": ROW["pk"]},
        },
        "batch_get_item": {"RequestItems": {TABLE: {"Keys": [HELD]}}},
    }
    params = requests[operation]
    plain, fast = (getattr(_client(fast=each), operation)(**params) for each in (False, True))
    assert "\\x00\\xff" in str(plain)
    for answer in (plain, fast):
        answer.pop("ResponseMetadata")
    assert fast == plain


ONLY_NEW = {"ConditionExpression": "attribute_not_exists(pk)", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
UNLIKE = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": ROW["bytes"]}}


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("get_item", {"TableName": TABLE, "Key": HELD}),
        ("get_item", {"TableName": TABLE, "Key": {**HELD, "sk": {"S": "none such"}}}),
        ("query", {"TableName": TABLE, **UNLIKE}),
        ("put_item", {"TableName": TABLE, "Item": ROW}),
        ("put_item", {"TableName": TABLE, "Item": ROW, **ONLY_NEW}),
        ("transact_write_items", {"TransactItems": [{"Put": {"TableName": TABLE, "Item": ROW, **ONLY_NEW}}]}),
    ],
)
def test_the_tests_own_way_to_the_engine_answers_what_botocore_does(services: Services, operation: str, params: Any):
    client = _client(fast=False)
    client.put_item(TableName=TABLE, Item=ROW)
    answers = []
    for call in (lambda: dynamodb.call(operation, params), lambda: getattr(client, operation)(**params)):
        try:
            answers.append(call())
        except ClientError as exc:
            answers.append({**exc.response})
        answers[-1]["status"] = answers[-1].pop("ResponseMetadata", {}).get("HTTPStatusCode", 200)
    ours, botocores = answers
    assert ours == botocores


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("get_item", {"TableName": TABLE, "Key": HELD, "consistentread": True}),
        ("batch_get_item", {"RequestItems": {TABLE: {"Keys": [HELD], "Consistent": True}}}),
        ("transact_write_items", {"TransactItems": [{"Put": {"TableName": TABLE, "Item": ROW, "When": ""}}]}),
    ],
)
def test_the_tests_own_way_knows_the_names_that_botocore_does(services: Services, operation: str, params: Any):
    for call in (
        lambda: dynamodb.call(operation, params),
        lambda: getattr(aws._client("dynamodb"), operation)(**params),
    ):
        with pytest.raises(KeyError):
            call()


def _lack_handle_map(patch: pytest.MonkeyPatch) -> None:
    patch.delattr(botocore.parsers.BaseJSONParser, "_handle_map")


def _lack_blob_parser(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(botocore.parsers.ResponseParser, "__init__", lambda _self, **_defaults: None)


def _lack_defaults(patch: pytest.MonkeyPatch) -> None:
    factory = botocore.parsers.ResponseParserFactory
    patch.setattr(factory, "__init__", lambda _self: None)
    patch.setattr(factory, "create_parser", lambda _self, _name: botocore.parsers.JSONParser())


@pytest.mark.parametrize("lack", [_lack_handle_map, _lack_blob_parser, _lack_defaults])
def test_a_botocore_that_is_made_differently_parses_by_itself(monkeypatch: pytest.MonkeyPatch, lack: Any):
    assert isinstance(ItemParserFactory().create_parser("json"), aws._ItemParser)
    lack(monkeypatch)
    assert type(ItemParserFactory().create_parser("json")) is botocore.parsers.JSONParser


def test_an_error_keeps_its_code(services: Services):
    client = _client(fast=True)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_item(TableName="parley-test-none", Key={"pk": {"S": "x"}, "sk": {"S": "x"}})


class _HangsUp(BaseHTTPRequestHandler):
    """Takes a request and closes the connection, as when an answer is lost on its way."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests += 1  # type: ignore[attr-defined]
        self.close_connection = True

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize(
    ("service", "operation", "params", "requests"),
    [
        ("sesv2", "send_email", {"FromEmailAddress": "a@example.com"}, 1),
        ("sqs", "send_message", {"QueueUrl": "https://queue.test/1/x", "MessageBody": "x"}, 2),
    ],
)
def test_what_must_not_happen_twice_is_not_sent_again_by_itself(
    monkeypatch: pytest.MonkeyPatch, service: str, operation: str, params: dict[str, Any], requests: int
):
    server = HTTPServer(("127.0.0.1", 0), _HangsUp)
    server.requests = 0  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service.upper()}", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(aws, "interceptors", [])
    aws._client.cache_clear()
    try:
        with pytest.raises(UnavailableError):
            aws.call(service, operation, params)
    finally:
        aws._client.cache_clear()
        server.shutdown()
        server.server_close()
    assert server.requests == requests  # type: ignore[attr-defined]
