"""Calls the DynamoDB engine without botocore, which takes ten times as long over a call as the engine does.

Its answers and errors are botocore's: tests/core/test_aws.py compares them. Stack tests and benches use botocore.
"""

import base64
import json
import os
import socket
from functools import lru_cache
from http.client import HTTPResponse
from typing import Any

from botocore.exceptions import ClientError
from botocore.model import ListShape, MapShape, Shape, StructureShape

from chalicelib.core import aws

_HEAD = (
    "POST / HTTP/1.1\r\nHost: dynamodb\r\nContent-Type: application/x-amz-json-1.0\r\n"
    "X-Amz-Date: 20250101T000000Z\r\nAuthorization: AWS4-HMAC-SHA256 Credential=test/20250101/eu-west-1/dynamodb/"
    "aws4_request, SignedHeaders=host, Signature=none\r\n"
    "X-Amz-Target: DynamoDB_20120810.{operation}\r\nContent-Length: {length}\r\n\r\n"
)
_idle: list[socket.socket] = []  # each call takes one, or connects, so that threads never share


def call(operation: str, params: dict[str, Any]) -> dict[str, Any]:
    """Call an operation, named as botocore's method is (`get_item`). Raises ClientError, and KeyError as botocore."""
    name = "".join(word.capitalize() for word in operation.split("_"))
    _check_names(params, _input_of(name))
    body = json.dumps(params, default=_to_base64).encode()
    connection = _idle.pop() if _idle else _connect()
    try:
        connection.sendall(_HEAD.format(operation=name, length=len(body)).encode() + body)
        answer = HTTPResponse(connection, method="POST")
        answer.begin()
        text = answer.read()
    except BaseException:
        connection.close()
        raise
    _idle.append(connection)
    found: dict[str, Any] = json.loads(text, object_hook=_from_base64 if b'"B":' in text else None)
    if answer.status != 200:
        raise _error(answer.status, found, name)
    return found


def close() -> None:
    """Close the connections, before the engine goes."""
    while _idle:
        _idle.pop().close()


@lru_cache
def _input_of(name: str) -> Shape | None:
    return aws.session().get_service_model("dynamodb").operation_model(name).input_shape


def _check_names(value: Any, shape: Shape | None) -> None:
    """Raise KeyError for a name that the operation does not know: the engine ignores it. Items are not looked into."""
    if isinstance(shape, StructureShape) and shape.name != "AttributeValue":
        for name, each in value.items():
            _check_names(each, shape.members[name])
    elif (
        isinstance(shape, MapShape) and isinstance(shape.value, StructureShape) and shape.value.name != "AttributeValue"
    ):
        for each in value.values():
            _check_names(each, shape.value)
    elif isinstance(shape, ListShape):
        for each in value:
            _check_names(each, shape.member)


def _connect() -> socket.socket:
    host, _, port = os.environ["AWS_ENDPOINT_URL_DYNAMODB"].removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)))


def _to_base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _from_base64(found: dict[str, Any]) -> dict[str, Any]:
    if isinstance(found.get("B"), str):
        return {"B": base64.b64decode(found["B"])}
    return found


def _error(status: int, found: Any, operation: str) -> ClientError:
    code = found.pop("__type").rpartition("#")[2]
    message = found.get("message", found.get("Message", ""))
    found |= {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(found, operation)
