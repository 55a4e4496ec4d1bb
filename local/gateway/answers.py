"""What goes back to the client: a function's answer with API Gateway's manners, or the gateway's own refusal."""

import base64
import binascii
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from infra import gateway_responses
from local.kinds import Returned, Send

Headers = list[tuple[bytes, bytes]]

# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
_REMAPPED = frozenset(
    (
        *("authorization", "connection", "content-length", "content-md5", "date", "expect", "host", "max-forwards"),
        *("server", "trailer", "user-agent", "www-authenticate"),
    )
)
_DROPPED = frozenset(("keep-alive", "proxy-authenticate", "proxy-authorization", "te", "transfer-encoding", "upgrade"))
_ERROR_TYPES = {
    "ACCESS_DENIED": b"AccessDeniedException",
    "INTEGRATION_TIMEOUT": b"InternalServerErrorException",
    "MISSING_AUTHENTICATION_TOKEN": b"MissingAuthenticationTokenException",
    "REQUEST_TOO_LARGE": b"RequestTooLargeException",
    "UNAUTHORIZED": b"UnauthorizedException",
}


@dataclass(slots=True)
class Answer:
    """A complete HTTP answer."""

    status: int
    headers: Headers
    body: bytes

    async def send(self, send: Send) -> None:
        headers = [*self.headers, (b"content-length", b"%d" % len(self.body))]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


class Malformed(Exception):
    """The function's result is not one that API Gateway can turn into an answer."""


def refusal(kind: str, request_id: str, status: int | None = None) -> Answer:
    """The gateway's own answer of one kind, in the product's envelope."""
    own = gateway_responses.headers(kind)
    headers = [(name.lower().encode(), value.encode()) for name, value in own.items()]
    headers += [
        (b"content-type", b"application/json"),
        (b"x-request-id", request_id.encode()),
        (b"x-amzn-requestid", request_id.encode()),
        (b"x-amzn-errortype", _ERROR_TYPES.get(kind, b"InternalServerErrorException")),
    ]
    body = json.dumps(gateway_responses.envelope(kind, request_id)).encode()
    return Answer(status or gateway_responses.GATEWAY_RESPONSES[kind].status, headers, body)


def not_ready(request_id: str) -> Answer:
    """503 while the stack is still starting; no kind of API Gateway's, because a deployed API has no such time."""
    answer = refusal("INTEGRATION_FAILURE", request_id, 503)
    answer.headers.append((b"retry-after", b"1"))
    return answer


def preflight(headers: dict[str, str], request_id: str) -> Answer:
    """The mock integration's answer to OPTIONS; no function runs and no credential is looked at."""
    found = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    found += [
        (b"content-type", b"application/json"),
        (b"x-request-id", request_id.encode()),
        (b"x-amzn-requestid", request_id.encode()),
    ]
    return Answer(200, found, b"")


def not_http(request_id: str) -> bytes:
    """The whole answer, head included, to bytes that are no request: an unknown method, a broken chunk or length."""
    answer = refusal("DEFAULT_4XX", request_id, 400)
    fields = [*answer.headers, (b"content-length", b"%d" % len(answer.body)), (b"connection", b"close")]
    head = b"".join(b"%s: %s\r\n" % field for field in fields)
    return b"HTTP/1.1 400 Bad Request\r\n" + head + b"\r\n" + answer.body


def from_function(result: Returned, request_id: str, *, accepts_binary: bool) -> Answer:
    """Turn a proxy result into an answer. Raises Malformed."""
    if not isinstance(result, dict):
        raise Malformed("the result is not an object")
    try:
        status = int(result.get("statusCode", 200))
        headers = _headers(result)
        body = _body(result, accepts_binary=accepts_binary)
    except (TypeError, ValueError, AttributeError, UnicodeEncodeError, binascii.Error) as error:
        raise Malformed(str(error)) from error
    if not any(name == b"content-type" for name, _ in headers):
        headers.append((b"content-type", b"application/json"))
    headers.append((b"x-amzn-requestid", request_id.encode()))
    return Answer(status, headers, body)


def _body(result: dict[str, Any], *, accepts_binary: bool) -> bytes:
    body = result.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise TypeError("the body is not a string")
    # API Gateway decodes only where the first type of Accept is among the API's binary types.
    if result.get("isBase64Encoded") and accepts_binary:
        return base64.b64decode(body, validate=True)
    return body.encode("utf-8")


def _headers(result: dict[str, Any]) -> Headers:
    several: dict[str, list[Any]] = result.get("multiValueHeaders") or {}
    listed = {name.lower() for name in several}
    headers: Headers = []
    for name, value in (result.get("headers") or {}).items():
        if name.lower() not in listed:
            _append(headers, name, (value,))
    for name, values in several.items():
        _append(headers, name, values)
    return headers


def _append(headers: Headers, name: str, values: Iterable[Any]) -> None:
    lower = name.lower()
    if lower in _DROPPED:
        return
    key = ("x-amzn-remapped-" + lower if lower in _REMAPPED else lower).encode("ascii")
    for value in values:
        text = str(value).lower() if isinstance(value, bool) else str(value)
        headers.append((key, text.encode("utf-8")))
