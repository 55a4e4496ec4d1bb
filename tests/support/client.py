"""Calls the app as API Gateway does: authorizer first, then the REST proxy event."""

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from chalice.app import ChaliceAuthorizer

from chalicelib.core import ids
from chalicelib.core.http import App
from tests.support.openapi import declared
from tests.support.permissions import running

Checker = Callable[[str, str, int, Mapping[str, str], str], None]


@dataclass(frozen=True)
class Answer:
    """What the caller got."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.text)

    @property
    def code(self) -> str:
        """The error's code."""
        code: str = self.json["error"]["code"]
        return code

    @property
    def params(self) -> set[str]:
        """The fields that an error names."""
        return {each["param"] for each in self.json["error"]["errors"]}


@dataclass
class Client:
    """A caller with a credential and headers of its own."""

    app: App
    token: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    source_ip: str = "203.0.113.7"
    check: Checker | None = declared  # sees every answer; None for an app that is not the product

    def using(self, token: str = "", **headers: str) -> "Client":
        """Return a client with another credential and more headers (`X_Tenant_ID="…"`)."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return Client(self.app, token or self.token, {**self.headers, **more}, self.source_ip, self.check)

    def get(self, url: str, **headers: str) -> Answer:
        """Send a GET."""
        return self.send("GET", url, headers=headers)

    def post(self, url: str, body: object = None, **headers: str) -> Answer:
        """Send a POST with a JSON body."""
        return self.send("POST", url, body, headers)

    def put(self, url: str, body: object = None, **headers: str) -> Answer:
        """Send a PUT with a JSON body."""
        return self.send("PUT", url, body, headers)

    def patch(self, url: str, body: object = None, **headers: str) -> Answer:
        """Send a PATCH with a JSON body."""
        return self.send("PATCH", url, body, headers)

    def delete(self, url: str, **headers: str) -> Answer:
        """Send a DELETE."""
        return self.send("DELETE", url, headers=headers)

    def upload(
        self, url: str, data: bytes, name: str = "note.txt", content_type: str = "text/plain", **headers: str
    ) -> Answer:
        """Send a file as a browser's form does."""
        form, kind = form_of([("file", name, content_type, data)])
        return self.send("POST", url, form, {"Content-Type": kind, **headers})

    def send(self, method: str, url: str, body: object = None, headers: Mapping[str, str] | None = None) -> Answer:
        """Send anything; bytes go as they are, None sends no body."""
        sent = {"Host": "api.test", **self.headers}
        sent |= {name.replace("_", "-"): value for name, value in (headers or {}).items()}
        if self.token:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        raw = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        if raw is not None:
            sent.setdefault("Content-Type", "application/json")
        answer = self._through_gateway(method, url, raw, sent)
        if self.check:
            self.check(method, urlsplit(url).path, answer.status, answer.headers, answer.text)
        return answer

    def _through_gateway(self, method: str, url: str, raw: bytes | None, headers: dict[str, str]) -> Answer:
        parts = urlsplit(url)
        resource, path = _match(self.app, method, parts.path)
        if resource is None:
            return Answer(404, {}, json.dumps({"error": {"code": "route_not_found"}}))
        context: dict[str, Any] = {
            "httpMethod": method,
            "resourcePath": resource,
            "requestId": ids.new_ulid(),
            "identity": {"sourceIp": self.source_ip},
            "apiId": "test",
            "stage": "api",
            "path": parts.path,
        }
        authorizer: Any = self.app.routes[resource][method].authorizer
        if authorizer is not None:
            found = _authorize(authorizer, headers.get("Authorization"))
            if found is None:
                return Answer(401, {}, json.dumps({"error": {"code": "unauthenticated"}}))
            context["authorizer"] = found
        query: dict[str, list[str]] = {}
        for name, value in parse_qsl(parts.query, keep_blank_values=True):
            query.setdefault(name, []).append(value)
        event = {
            "httpMethod": method,
            "path": parts.path,
            "resource": resource,
            "headers": headers,
            "multiValueHeaders": {name: [value] for name, value in headers.items()},
            "multiValueQueryStringParameters": query or None,
            "pathParameters": path or None,
            "requestContext": context,
            "body": base64.b64encode(raw).decode() if raw is not None else None,
            "isBase64Encoded": raw is not None,
            "stageVariables": None,
        }
        with running("api_handler"):
            answer = self.app(event, None)
        return Answer(answer["statusCode"], answer["headers"], answer["body"])


def form_of(parts: Iterable[tuple[str, str | None, str, bytes]]) -> tuple[bytes, str]:
    """Return a multipart/form-data body of (part, file name, type, bytes), and its content type."""
    boundary = ids.new_ulid()
    body = b""
    for part, name, content_type, data in parts:
        filename = "" if name is None else '; filename="' + name.replace("\\", "\\\\").replace('"', "%22") + '"'
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{part}"{filename}\r\n'
        body += f"{head}Content-Type: {content_type}\r\n\r\n".encode() + data + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def _authorize(authorizer: ChaliceAuthorizer, header: str | None) -> dict[str, str] | None:
    if not header:
        return None
    event = {"type": "TOKEN", "authorizationToken": header, "methodArn": "arn:aws:execute-api:eu-west-1:1:test/x/GET/x"}
    try:
        with running("authorize"):
            policy = authorizer(event, {})
    except Exception as exc:
        if str(exc) == "Unauthorized":
            return None
        raise
    context: dict[str, str] = policy["context"]
    return context


def _match(app: App, method: str, path: str) -> tuple[str | None, dict[str, str]]:
    for resource, pattern in _patterns(tuple(app.routes)):
        found = pattern.fullmatch(path)
        if found and method in app.routes[resource]:
            return resource, {name: unquote(value) for name, value in found.groupdict().items()}
    return None, {}


@lru_cache(maxsize=8)
def _patterns(resources: tuple[str, ...]) -> list[tuple[str, re.Pattern[str]]]:
    # Fixed parts before variables, as API Gateway matches.
    ordered = sorted(resources, key=lambda resource: [part.startswith("{") for part in resource.split("/")])
    return [(each, re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(each)))) for each in ordered]
