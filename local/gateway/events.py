"""An HTTP request as the event that API Gateway's REST APIs hand to a function (proxy integration, payload v1)."""

import base64
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

ACCOUNT = "000000000000"


@dataclass(frozen=True)
class Api:
    """What all requests to one API have in common."""

    api_id: str
    stage: str
    region: str

    def method_arn(self, method: str, path: str) -> str:
        return f"arn:aws:execute-api:{self.region}:{ACCOUNT}:{self.api_id}/{self.stage}/{method}{path}"


class BinaryTypes:
    """The API's binary media types; `*/*` and `image/*` are understood."""

    def __init__(self, types: Iterable[str]) -> None:
        self._types = frozenset(t.lower() for t in types)
        self._known: dict[str, bool] = {}

    def match(self, header: str) -> bool:
        """Say whether the first media type of a Content-Type or Accept header is binary."""
        known = self._known.get(header)
        if known is None:
            media = header.split(",", 1)[0].split(";", 1)[0].strip().lower()
            wildcard = media.split("/", 1)[0] + "/*"
            known = bool(media) and not self._types.isdisjoint({media, wildcard, "*/*"})
            if len(self._known) < 1000:  # multipart boundaries make each header new
                self._known[header] = known
        return known


@dataclass(slots=True)
class Incoming:
    """A request, read once from its ASGI scope."""

    scope: Any
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    method: str = ""
    path: str = ""  # as sent, percent-encoded
    source_ip: str = "127.0.0.1"
    headers: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        scope = self.scope
        self.method = scope.get("method", "GET")
        self.path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        if scope.get("client"):
            self.source_ip = scope["client"][0]
        for name, value in scope["headers"]:
            self.headers.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))

    def header(self, lower_name: str) -> str:
        """The last value, as API Gateway's `headers` has it; empty when absent."""
        values = self.headers.get(lower_name)
        return values[-1] if values else ""


def forwarded_headers(request: Incoming) -> dict[str, list[str]]:
    """The client's headers and those API Gateway adds."""
    port = str((request.scope.get("server") or ("", 80))[1])
    came_from = [*request.headers.get("x-forwarded-for", []), request.source_ip]
    return {
        **request.headers,
        "x-forwarded-for": [", ".join(came_from)],
        "x-forwarded-port": [port],
        "x-forwarded-proto": ["http"],
        "x-amzn-trace-id": [f"Root=1-{int(time.time()):08x}-{request.request_id.replace('-', '')[:24]}"],
    }


def query_parameters(request: Incoming) -> dict[str, list[str]] | None:
    """Every value of every parameter, decoded; None when there is none."""
    query = request.scope["query_string"]
    if not query:
        return None
    values: dict[str, list[str]] = {}
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        values.setdefault(name, []).append(value)
    return values or None


def request_context(api: Api, request: Incoming, resource_path: str) -> dict[str, Any]:
    now = time.time()
    return {
        "accountId": ACCOUNT,
        "apiId": api.api_id,
        "domainName": request.header("host"),
        "domainPrefix": api.api_id,
        "extendedRequestId": request.request_id,
        "httpMethod": request.method,
        "identity": {"sourceIp": request.source_ip, "userAgent": request.header("user-agent") or None},
        "path": request.path,
        "protocol": "HTTP/1.1",
        "requestId": request.request_id,
        "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
        "requestTimeEpoch": int(now * 1000),
        "resourceId": resource_path,
        "resourcePath": resource_path,
        "stage": api.stage,
    }


def proxy_event(
    api: Api, request: Incoming, resource_path: str, path_parameters: dict[str, str], body: bytes, *, binary: bool
) -> dict[str, Any]:
    """Build the whole event; the authorizer's context is added by whoever ran the authorizer."""
    headers = forwarded_headers(request)
    query = query_parameters(request)
    text = base64.b64encode(body).decode("ascii") if binary else body.decode("utf-8", "replace")
    return {
        "resource": resource_path,
        "path": request.path,
        "httpMethod": request.method,
        "headers": {name: values[-1] for name, values in headers.items()},
        "multiValueHeaders": headers,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} if query else None,
        "multiValueQueryStringParameters": query,
        "pathParameters": path_parameters or None,
        "stageVariables": None,
        "requestContext": request_context(api, request, resource_path),
        "body": text if body else None,
        "isBase64Encoded": binary and bool(body),
    }
