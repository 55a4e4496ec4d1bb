"""Rendering: results to JSON, errors to the one envelope, and the headers every answer has."""

import json
from typing import Any

from chalicelib.core import log
from chalicelib.core.config import settings
from chalicelib.core.errors import ApiError, InvalidError, type_of
from chalicelib.core.http import limits
from chalicelib.core.http.call import Call
from chalicelib.core.http.pages import Page, render_page
from chalicelib.core.http.route import Raw, Route
from chalicelib.core.idempotency import Answer
from chalicelib.core.regions import WrongRegionError

NO_ORIGIN = "none"  # taken off again in App: Chalice would otherwise add `*` to an answer without the header

# Lambda lets out 6 MB, of JSON that has the body as a text, whose quotes and backslashes take two bytes there. A
# hundred rows are more if each is as large as it can be.
MOST_BYTES = 6_000_000
_SURELY_FITS = MOST_BYTES // 4  # characters: none takes more bytes

Headers = dict[str, str]


def render(route: Route, result: object) -> Answer:
    """Render what a view returned as its route says."""
    if route.status == 204 or route.answer is None:
        return Answer(route.status, "")
    show = route.answer
    if isinstance(result, Page):
        page = render_page(result, lambda row: show.of(row).model_dump(mode="json"))
        return Answer(route.status, _fitting(_dump(page)))
    version = getattr(result, "version", None) if show.versioned else None
    etag = f'"{version}"' if isinstance(version, int) else ""
    return Answer(route.status, _dump(show.of(result).model_dump(mode="json")), etag)


def _fitting(page: str) -> str:
    """Return a page that fits into an answer; raises InvalidError for `limit` if it does not."""
    if len(page) > _SURELY_FITS and len(_dump(page).encode()) > MOST_BYTES:
        raise InvalidError.field("limit", "These rows are too large for one answer. Ask for fewer.", "page_too_large")
    return page


def render_for_replay(route: Route, result: object) -> Answer:
    """Render what is kept for a repeated Idempotency-Key: a secret that is shown once is not kept."""
    answer = render(route, result)
    secrets: frozenset[str] = getattr(route.answer, "shown_once", frozenset())
    if not secrets:
        return answer
    body = {name: None if name in secrets else value for name, value in json.loads(answer.body).items()}
    return Answer(answer.status, _dump(body), answer.etag)


def to_gateway(call: Call, route: Route, answer: Answer | Raw) -> tuple[str, int, Headers]:
    """Return body, status and headers of a good answer."""
    headers = _headers(call, route)
    if isinstance(answer, Raw):
        return answer.body, answer.status, headers | {"Content-Type": answer.content_type} | call.answer_headers
    if answer.etag:
        headers["ETag"] = answer.etag
        if call.event["httpMethod"] == "GET" and call.headers.get("if-none-match") == answer.etag:
            return "", 304, headers | call.answer_headers
    if answer.status == 204:
        headers.pop("Content-Type")
    return answer.body, 201 if call.made else answer.status, headers | call.answer_headers


def to_gateway_error(call: Call, route: Route, exc: Exception) -> tuple[str, int, Headers]:
    """Return body, status and headers of the error envelope; what is not an ApiError is logged and becomes a 500."""
    if isinstance(exc, ApiError):
        error = exc
        if error.status >= 500:
            cause = type(exc.__cause__).__name__
            log.warning(error.code, cause=cause, route=f"{route.method} {route.path}", request_id=call.request_id)
    else:
        log.error("unhandled", exc=exc, route=f"{route.method} {route.path}", request_id=call.request_id)
        error = ApiError()
    if isinstance(error, WrongRegionError):
        call.allowed_origin = call.origin or None  # any page may read where to go: the answer holds nothing else
    headers = _headers(call, route)
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="parley"'
    return _dump({"error": envelope(error, call.request_id)}), error.status, headers


# A refusal that repeats what it refuses must not outgrow the 6 MB that Lambda lets out.
_MOST_FIELDS = 100
_LONGEST = 500  # characters of a name or a message


def envelope(error: ApiError, request_id: str) -> dict[str, Any]:
    """Return the error as every surface but the dialects shows it: at most 100 bad fields, long names cut."""
    shown = error.errors[:_MOST_FIELDS]
    return {
        "type": type_of(error.status),
        "code": error.code,
        "message": error.message[:_LONGEST],
        "param": error.param and error.param[:_LONGEST],
        "doc_url": f"{settings().api_url}/docs#error-{error.code}",
        "request_id": request_id,
        "errors": [
            {"param": each.param[:_LONGEST], "code": each.code, "message": each.message[:_LONGEST]} for each in shown
        ],
        **error.more,
    }


def _headers(call: Call, route: Route) -> Headers:
    headers = {
        "Content-Type": "application/json",
        "X-Request-Id": call.request_id,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
        **limits.headers(call.standings),
    }
    if route.widget:
        headers["Vary"] = "Origin"
        headers["Access-Control-Allow-Origin"] = call.allowed_origin or NO_ORIGIN
    return headers


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
