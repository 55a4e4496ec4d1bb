"""Calls the DynamoDB engine without botocore, which takes ten times as long over a call as the engine does.

Its answers and errors are botocore's: tests/core/test_aws.py compares them. Stack tests and benches use botocore.
"""

import base64
import json
import os
import socket
from http.client import HTTPResponse
from typing import Any

from botocore.exceptions import ClientError

_HEAD = (
    "POST / HTTP/1.1\r\nHost: dynamodb\r\nContent-Type: application/x-amz-json-1.0\r\n"
    "X-Amz-Date: 20250101T000000Z\r\nAuthorization: AWS4-HMAC-SHA256 Credential=test/20250101/eu-west-1/dynamodb/"
    "aws4_request, SignedHeaders=host, Signature=none\r\n"
    "X-Amz-Target: DynamoDB_20120810.{operation}\r\nContent-Length: {length}\r\n\r\n"
)
_idle: list[socket.socket] = []  # each call takes one, or connects, so that threads never share


def call(operation: str, params: dict[str, Any]) -> dict[str, Any]:
    """Call an operation, named as botocore's method is (`get_item`). Raises ClientError."""
    name = "".join(word.capitalize() for word in operation.split("_"))
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
