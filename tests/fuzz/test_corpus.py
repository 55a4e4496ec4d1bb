"""Bodies that break servers, sent to every route that reads one, through the gateway and as bytes."""

import json
from typing import Any

import pytest

from tests.budgets.requests import REQUESTS
from tests.matrix.policy import is_public, is_visitors
from tests.matrix.requests import Recipe, Sent
from tests.matrix.test_matrix import routes
from tests.support.chats import ORIGIN
from tests.support.gateway import Door
from tests.support.openapi import declared

JSON = "application/json"
DEEP = 10_000
LARGE = 5 * 1024 * 1024

# What is sent, as which content type, and what it may be answered.
CORPUS: dict[str, tuple[bytes, str | None, set[int]]] = {
    "a list": (b"[]", JSON, {422}),
    "a string": (b'"text"', JSON, {422}),
    "a number": (b"1", JSON, {422}),
    "null": (b"null", JSON, {422}),
    "true": (b"true", JSON, {422}),
    "half an object": (b'{"name": ', JSON, {400}),
    "two objects": (b"{}{}", JSON, {400}),
    "no JSON": (b"name=x", JSON, {400}),
    "XML": (b"<a/>", JSON, {400}),
    "no UTF-8": (b'{"name": "\xff"}', JSON, set(range(200, 500))),  # API Gateway puts a sign for what it cannot read
    "UTF-16": ('{"name": "x"}'.encode("utf-16"), JSON, {400}),
    "a byte order mark": (b"\xef\xbb\xbf{}", JSON, {400}),
    "NUL, escaped": (b'{"name": "a\\u0000b"}', JSON, {422}),
    "NUL, as it is": (b'{"name": "a\x00b"}', JSON, {400}),
    "NUL in a name": (b'{"a\\u0000b": 1}', JSON, {422}),
    "half a surrogate pair": (b'{"name": "\\ud800"}', JSON, {422}),
    "the other half": (b'{"name": "\\udc00x"}', JSON, {422}),
    "1e400": (b'{"name": 1e400}', JSON, {400}),
    "-1e400": (b'{"name": -1e400}', JSON, {400}),
    "NaN": (b'{"name": NaN}', JSON, {400}),
    "Infinity": (b'{"name": -Infinity}', JSON, {400}),
    "a number of 5,000 digits": (b'{"name": ' + b"9" * 5000 + b"}", JSON, {400}),
    "lists 10,000 deep": (b'{"name": ' + b"[" * DEEP + b"]" * DEEP + b"}", JSON, {400}),
    "objects 10,000 deep": (b'{"a":' * DEEP + b"1" + b"}" * DEEP, JSON, {400}),
    "10,000 brackets": (b"[" * DEEP, JSON, {400}),
    "5 MB of text": (b'{"name": "' + b"x" * LARGE + b'"}', JSON, {413, 422}),
    "5 MB of fields": (json.dumps({f"f{number}": number for number in range(280_000)}).encode(), JSON, {413, 422}),
    "a name of 4 MB": (b'{"' + b"x" * 4 * 1024 * 1024 + b'": "\\u0000"}', JSON, {422}),
    "a name twice": (b'{"name": "a", "name": "b"}', JSON, {400}),
    "an unknown field": (b'{"__proto__": {"a": 1}}', JSON, {422}),
    "another content type": (b"{}", "text/plain", {415}),
    "a form": (b"name=x", "application/x-www-form-urlencoded", {415}),
    "several parts": (b"--x--", "multipart/form-data; boundary=x", {415}),
    "no content type": (b"{}", None, {415}),
    "nonsense for a content type": (b"{}", ";;/", {415}),
}
HEAVY = {"5 MB of fields", "5 MB of text", "a name of 4 MB"}  # every twenty-fourth route does: they take seconds
WITH_BODY = [name for name, route in routes().items() if route.body is not None]


@pytest.mark.parametrize("name", WITH_BODY)
@pytest.mark.usefixtures("paying")
def test_a_body_that_breaks_servers_is_refused(services, gateway, playing, name):
    sent = Recipe(name, playing.tenant, services).fresh(playing.chat if is_visitors(name) else None)
    client = playing.everybody["visitor" if is_visitors(name) else "owner"].client
    headers = {"Host": "api.test", "Origin": ORIGIN, **client.headers}
    if not is_public(name):
        headers["Authorization"] = f"Bearer {client.token}"
    wrong = []
    for what, (body, kind, fine) in CORPUS.items():
        if what in HEAVY and name not in WITH_BODY[::24]:
            continue
        answer = _ask(gateway, sent, {**headers, **({"Content-Type": kind} if kind else {})}, body)
        if answer not in fine:
            wrong.append(f"{what}: {answer}, expected {fine}")
    for what, body in _spoilt(sent.body):
        answer = _ask(gateway, sent, {**headers, "Content-Type": JSON}, body)
        if answer not in {400, 422}:
            wrong.append(f"{what}: {answer}")
    assert wrong == []


def _ask(gateway: Door, sent: Sent, headers: dict[str, str], body: bytes) -> int:
    answer = gateway.send(sent.method, sent.path, headers, body)
    declared(sent.method, sent.path, answer.status, answer.headers, answer.text)
    return answer.status


def _spoilt(body: Any) -> list[tuple[str, bytes]]:
    """Return the good body with each of its fields made bad, one at a time."""
    bad = {
        "a NUL": "a\x00b",
        "half a surrogate": "\ud800",
        "a number too large": float("inf"),
        "a list in a list": [[[]]],
    }
    found = []
    for name in body or ():
        for what, value in bad.items():
            text = json.dumps({**body, name: value}).replace("Infinity", "1e400")
            found.append((f"{what} for {name}", text.encode()))
    return found


def test_every_route_with_a_body_is_here():
    assert set(WITH_BODY) <= set(REQUESTS)
    assert len(WITH_BODY) >= 35
