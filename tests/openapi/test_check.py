"""The check every test's answers go through: it must go red."""

import json

import pytest

from chalicelib.core.http import Api, Call, PageQuery, Raw, Response
from chalicelib.core.http.openapi import openapi
from chalicelib.core.http.schema import Timestamp
from tests.support.openapi import ResponseCheck, UndeclaredAnswerError


class Inner(Response):
    text: str


class LampOut(Response):
    id: str
    lit_at: Timestamp | None
    inner: Inner
    free: dict[str, object]


api = Api("Lamps")


@api.get("/v1/lamps", query=PageQuery, answer=LampOut, paged=True, scope="lamps:read")
def list_lamps(call: Call, query: PageQuery) -> None: ...


@api.get("/v1/lamps/{lamp_id}", answer=LampOut, scope="lamps:read")
def get_lamp(call: Call, lamp_id: str) -> None: ...


@api.get("/v1/lamps/newest", answer=Inner, scope="lamps:read")
def get_newest(call: Call) -> None: ...


@api.delete("/v1/lamps/{lamp_id}", scope="lamps:write")
def delete_lamp(call: Call, lamp_id: str) -> None: ...


@api.get("/lamp", public=True, raw="text/html; charset=utf-8")
def show_lamp(call: Call) -> Raw: ...  # type: ignore[empty-body]


LAMP = {"id": "1", "lit_at": "2026-01-01T00:00:00Z", "inner": {"text": "a"}, "free": {"any": 1}}
PAGE = {"total": 1, "limit": 20, "offset": 0, "has_more": False, "next_cursor": None, "total_capped": False}
HEADERS = {"Content-Type": "application/json", "X-Request-Id": "r"}
ERROR: dict[str, object] = {
    "type": "not_found_error",
    "code": "not_found",
    "message": "No.",
    "param": None,
    "doc_url": "https://api.test/docs#error-not_found",
    "request_id": "r",
    "errors": [],
}


@pytest.fixture(scope="module")
def check() -> ResponseCheck:
    return ResponseCheck(openapi(api.routes, "https://api.test", version="1", description="", samples={}))


@pytest.mark.parametrize(
    ("method", "path", "status", "headers", "body"),
    [
        ("GET", "/v1/lamps/1", 200, HEADERS, LAMP),
        ("GET", "/v1/lamps/1", 200, HEADERS | {"ETag": '"1"'}, LAMP | {"lit_at": None}),
        ("GET", "/v1/lamps/1", 404, HEADERS, {"error": ERROR}),
        ("GET", "/v1/lamps", 200, HEADERS, {"data": [LAMP], "pagination": PAGE}),
        ("GET", "/v1/lamps/newest", 200, HEADERS, {"text": "a"}),
        ("DELETE", "/v1/lamps/1", 204, {"X-Request-Id": "r"}, None),
        ("GET", "/v1/lamps/1", 304, HEADERS | {"ETag": '"1"'}, None),
        ("GET", "/lamp", 200, HEADERS | {"Content-Type": "text/html; charset=utf-8"}, "<p>"),
        ("GET", "/nowhere", 404, {}, None),
    ],
)
def test_a_declared_answer_passes(
    check: ResponseCheck, method: str, path: str, status: int, headers: dict[str, str], body: object
) -> None:
    check(method, path, status, headers, "" if body is None else json.dumps(body))


@pytest.mark.parametrize(
    ("method", "path", "status", "headers", "body", "complaint"),
    [
        ("GET", "/v1/lamps/1", 200, HEADERS, LAMP | {"secret": 1}, "secret"),
        ("GET", "/v1/lamps/1", 200, HEADERS, LAMP | {"inner": {"text": "a", "more": 1}}, "more"),
        ("GET", "/v1/lamps", 200, HEADERS, {"data": [LAMP | {"secret": 1}], "pagination": PAGE}, "secret"),
        ("GET", "/v1/lamps", 200, HEADERS, [LAMP], "not of type 'object'"),
        ("GET", "/v1/lamps/1", 200, HEADERS, {"id": "1"}, "required"),
        ("GET", "/v1/lamps/1", 200, HEADERS, LAMP | {"id": 1}, "not of type 'string'"),
        ("GET", "/v1/lamps/1", 200, HEADERS, LAMP | {"lit_at": "yesterday"}, "not valid under any"),
        ("GET", "/v1/lamps/1", 500, HEADERS, {"error": ERROR}, "declared are"),
        ("GET", "/v1/lamps/1", 201, HEADERS, LAMP, "declared are"),
        ("GET", "/v1/lamps/1", 404, HEADERS, {"error": ERROR | {"code": "gone"}}, "code gone"),
        ("GET", "/v1/lamps/1", 404, HEADERS, {"error": ERROR | {"trace": "…"}}, "trace"),
        ("GET", "/v1/lamps/1", 200, {"Content-Type": "application/json"}, LAMP, "X-Request-Id"),
        ("GET", "/v1/lamps/1", 200, HEADERS | {"Content-Type": "text/plain"}, LAMP, "text/plain"),
        ("GET", "/v1/lamps/1", 200, HEADERS | {"Retry-After": "1"}, LAMP, "retry-after"),
        ("DELETE", "/v1/lamps/1", 204, HEADERS, {}, "has a body"),
        ("GET", "/v1/chairs", 200, HEADERS, {}, "no operation"),
        ("POST", "/v1/lamps", 200, HEADERS, {}, "no operation"),
    ],
)
def test_an_undeclared_answer_is_found(
    check: ResponseCheck, method: str, path: str, status: int, headers: dict[str, str], body: object, complaint: str
) -> None:
    with pytest.raises(UndeclaredAnswerError, match=complaint):
        check(method, path, status, headers, "" if body is None else json.dumps(body))
