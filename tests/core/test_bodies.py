"""Bodies and queries that nobody should send: each is a 4xx that says what is wrong, on every route, never a 5xx."""

import json
from collections.abc import Iterator

import pytest

from chalicelib.core import ids
from chalicelib.core.http.route import Route
from tests.support.chats import ORIGIN, Chat, new_chat, new_site, reply
from tests.support.client import Answer, Client
from tests.support.settings import changed
from tests.support.tenants import Organisation, anonymous, new_tenant


def routes() -> list[Route]:
    from app import APIS

    return [route for api in APIS for route in api.routes]


def with_body() -> list[Route]:
    return [route for route in routes() if route.body is not None]


DEEP = 10_000
BODIES = {
    "a list": b"[]",
    "a string": b'"x"',
    "a number": b"1",
    "null": b"null",
    "true": b"true",
    "half": b"{",
    "two": b"{}{}",
    "a NUL": b'{"content": "a\\u0000b", "name": "a\\u0000b", "email": "\\u0000"}',
    "a bare NUL": b'{"content": "a\x00b"}',
    "half a pair": b'{"content": "\\ud800", "name": "\\udfff", "email": "\\ud800"}',
    "half a pair as a name": b'{"\\ud800": 1}',
    "1e400": b'{"content": 1e400, "score": 1e400}',
    "NaN": b'{"content": NaN}',
    "Infinity": b'{"content": -Infinity}',
    "deep": b'{"content":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep objects": b'{"custom_attributes":' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}",
    "a name twice": b'{"content": "x", "content": "y", "name": "x", "name": "y"}',
    "many digits": b'{"content": ' + b"9" * 5000 + b"}",
    "invalid UTF-8": b'{"content": "\xff"}',
    "UTF-16": '{"content": "x"}'.encode("utf-16"),
    "a BOM": b'\xef\xbb\xbf{"content": "x"}',
    "form": b"content=x&name=y",
    "an unknown field": b'{"constructor": {"prototype": 1}, "__proto__": 1}',
}
TYPES = {"none": "", "text": "text/plain", "form": "application/x-www-form-urlencoded", "almost": "application/jsonx"}


@pytest.fixture(scope="module")
def made() -> list[tuple[Organisation, Chat]]:
    return []


@pytest.fixture
def callers(made: list[tuple[Organisation, Chat]]) -> Iterator[tuple[Organisation, Chat]]:
    """A tenant and its visitor, made once, as the table lives as long. With billing, or its routes say that first."""
    if not made:
        tenant = new_site()
        made.append((tenant, new_chat(tenant)))
    with changed(BILLING="stripe"):
        yield made[0]


def caller(route: Route, callers: tuple[Organisation, Chat]) -> Client:
    tenant, chat = callers
    if route.public:
        return anonymous().using(Origin=ORIGIN)
    return chat.client if "visitor" in route.kinds else tenant.owner.client


def url(route: Route, tenant: Organisation) -> str:
    path = route.path.replace("{tenant_id}", tenant.id)
    return "/".join(ids.new("conv") if part.startswith("{") else part for part in path.split("/"))


def is_refusal(answer: Answer) -> bool:
    error = answer.json["error"]
    return 400 <= answer.status < 500 and error["message"] and error["code"] != "internal_error"


@pytest.mark.parametrize("route", with_body(), ids=lambda route: f"{route.method} {route.path}")
def test_no_route_breaks_on_any_body_or_content_type(route, callers):
    client = caller(route, callers)
    for name, body in BODIES.items():
        answer = client.send(route.method, url(route, callers[0]), body)
        assert is_refusal(answer), (name, answer)
        assert answer.status in {400, 401, 404, 422}, (name, answer)
    for name, media_type in TYPES.items():
        answer = client.send(route.method, url(route, callers[0]), b"{}", {"Content-Type": media_type})
        assert answer.status == 415, (name, answer)


@pytest.mark.parametrize("route", routes(), ids=lambda route: f"{route.method} {route.path}")
def test_no_route_breaks_on_any_query(route, callers):
    if route.query is None or route.path == "/docs":
        return
    client, path = caller(route, callers), url(route, callers[0])
    for query in (
        "limit=" + "1" * 10_000,
        "%00=%00",
        "a[]=1&a[]=2",
        "x" * 50_000,
        "limit=1&limit=2",
        "limit=%ED%A0%80",
    ):
        answer = client.send(route.method, f"{path}?{query}")
        assert answer.status in {404, 422}, (query[:30], answer)


class TestBody:
    @pytest.fixture
    def found(self, callers: tuple[Organisation, Chat]) -> str:
        return callers[1].begin()

    def send(self, callers: tuple[Organisation, Chat], found: str, raw: str) -> Answer:
        return callers[0].owner.client.patch(f"/v1/conversations/{found}", raw.encode("utf-8", "surrogatepass"))

    @pytest.mark.parametrize(
        ("raw", "param"),
        [
            ('{"subject": "\\u0000"}', "subject"),
            ('{"subject": "\\ud800"}', "subject"),
            ('{"custom_attributes": {"a": [1, {"b": "\\udc00"}]}}', "custom_attributes.a.1.b"),
            ('{"custom_attributes": {"\\u0000": 1}}', "custom_attributes"),
            ('{"tags": ["a", "b\\u0000"]}', "tags.1"),
        ],
    )
    def test_text_that_cannot_be_kept_is_named(self, callers, found, raw, param):
        answer = self.send(callers, found, raw)
        assert (answer.status, answer.params) == (422, {param})

    @pytest.mark.parametrize("depth", [20, 60])
    def test_what_is_not_too_deep_comes_out_as_it_went_in(self, callers, found, depth):
        value = {"a": json.loads("[" * depth + "]" * depth)}
        answer = self.send(callers, found, json.dumps({"custom_attributes": value}))
        assert (answer.status, answer.json["custom_attributes"]) == (200, value)

    @pytest.mark.parametrize("depth", [70, 200, 300, 900, 5000])
    @pytest.mark.parametrize("opening", ["[", '{"a":'])
    def test_what_is_too_deep_is_malformed(self, callers, found, depth, opening):
        closing = "]" if opening == "[" else "}"
        raw = '{"custom_attributes": {"x": ' + opening * depth + "1" + closing * depth + "}}"
        for text in (raw, raw.replace("1", '"\\u00e9"')):
            answer = self.send(callers, found, text)
            assert (answer.status, answer.code) == (400, "malformed_request")

    def test_brackets_in_text_are_no_depth(self, callers, found):
        assert self.send(callers, found, json.dumps({"subject": "[{" * 90})).status == 200

    def test_numbers_keep_their_value(self, callers, found):
        raw = '{"custom_attributes": {"a": 99999999999999999999, "b": -0.0, "c": 1e300, "d": 9007199254740993}}'
        assert self.send(callers, found, raw).status == 200
        text = callers[0].owner.client.get(f"/v1/conversations/{found}").text
        assert '"a":99999999999999999999' in text
        assert '"d":9007199254740993' in text

    @pytest.mark.parametrize("private", ['"yes"', '"true"', "1", "0.0"])
    def test_what_looks_like_a_boolean_is_none(self, callers, found, private):
        raw = b'{"content": "x", "private": %s}' % private.encode()
        answer = callers[0].owner.client.send("POST", f"/v1/conversations/{found}/messages", raw)
        assert (answer.status, answer.params) == (422, {"private"})

    @pytest.mark.parametrize("score", ['"5"', "true", "4.0"])
    def test_what_looks_like_a_number_is_none(self, callers, found, score):
        raw = b'{"score": %s}' % score.encode()
        answer = callers[1].client.send("POST", f"/widget/v1/conversations/{found}/rate", raw)
        assert (answer.status, answer.params) == (422, {"score"})

    def test_a_field_that_only_the_service_can_judge_is_listed_too(self, callers, found):
        answer = self.send(callers, found, '{"assigned_to": "usr_nobody"}')
        assert (answer.status, answer.code, answer.params) == (422, "not_a_member", {"assigned_to"})

    def test_an_empty_body_is_an_empty_object(self, callers, found):
        answer = reply(callers[0].owner.client, found)
        assert answer.status == 201
        empty = callers[0].owner.client.send("POST", f"/v1/conversations/{found}/messages", b" \n")
        assert (empty.status, empty.params) == (422, {"content"})

    def test_a_charset_and_capitals_are_fine(self, callers, found):
        path = f"/v1/conversations/{found}"
        sent = {"Content-Type": "Application/JSON; charset=utf-8"}
        assert callers[0].owner.client.send("PATCH", path, b'{"subject": "x"}', sent).status == 200

    def test_a_body_where_none_is_wanted_is_ignored(self, callers, found):
        path = f"/v1/conversations/{found}/close"
        assert callers[0].owner.client.send("POST", path, b"\xff", {"Content-Type": "x/y"}).status == 200

    def test_a_body_that_is_not_base64_is_malformed(self, callers, found):
        from app import app

        event = {
            "httpMethod": "PATCH",
            "path": f"/v1/conversations/{found}",
            "resource": "/v1/conversations/{conversation_id}",
            "headers": {"Content-Type": "application/json"},
            "multiValueHeaders": {},
            "pathParameters": {"conversation_id": found},
            "multiValueQueryStringParameters": None,
            "requestContext": {
                "httpMethod": "PATCH",
                "resourcePath": "/v1/conversations/{conversation_id}",
                "authorizer": {"kind": "user", "id": "usr_x", "memberships": f"{callers[0].id}:owner"},
                "requestId": "r",
                "identity": {},
            },
            "body": "%%%",
            "isBase64Encoded": True,
            "stageVariables": None,
        }
        assert app(event, None)["statusCode"] == 400


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "\x01"])
def test_an_idempotency_key_that_is_none_is_named(callers, key):
    answer = callers[1].client.post(
        "/widget/v1/conversations", {"message": {"content": "x"}}, **{"Idempotency-Key": key}
    )
    assert (answer.status, answer.params) == (422, {"Idempotency-Key"})


def test_a_refusal_stays_small_however_much_it_refuses(services):
    body = {"shortcut": "/a", "content": "a", **{f"field{number}": 1 for number in range(500)}, "x" * 5000: 1}
    error = new_tenant().owner.client.post("/v1/canned-responses", body).json["error"]
    assert len(error["errors"]) == 100
    assert max(len(each["param"]) for each in error["errors"]) <= 500
    assert len(error["message"]) <= 500
