"""The gateway does what API Gateway does, seen from a client."""

import base64
import http.client
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from app import app
from chalicelib.core.http.schema import Response
from local.gateway.http import Gateway

MB = 1024 * 1024


class TestEvents:
    def test_an_event_has_what_a_proxy_event_has(self, toy):
        answer = toy.request("GET", "/echo?a=1&a=2&b=%C3%BC&empty=", headers={"X-Two": "x", "User-Agent": "curl"})
        event = answer.json()
        assert event["httpMethod"] == "GET"
        assert event["resource"] == event["path"] == "/echo"
        assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"], "b": ["ü"], "empty": [""]}
        assert event["queryStringParameters"]["a"] == "2"
        assert event["pathParameters"] is None
        assert event["body"] is None
        assert event["isBase64Encoded"] is False
        assert event["stageVariables"] is None
        assert event["headers"]["x-two"] == "x"
        assert event["multiValueHeaders"]["x-two"] == ["x"]
        context = event["requestContext"]
        assert context["identity"] == {"sourceIp": "127.0.0.1", "userAgent": "curl"}
        assert context["resourcePath"] == "/echo"
        assert context["stage"] == "local"
        assert context["requestId"] == answer.headers["x-amzn-requestid"]
        assert "authorizer" not in context

    def test_there_are_no_query_parameters_without_a_query(self, toy):
        event = toy.request("GET", "/echo").json()
        assert event["multiValueQueryStringParameters"] is None
        assert event["queryStringParameters"] is None

    def test_the_client_cannot_forge_its_address(self, toy):
        event = toy.request("GET", "/echo", headers={"X-Forwarded-For": "6.6.6.6"}).json()
        assert event["requestContext"]["identity"]["sourceIp"] == "127.0.0.1"
        assert event["headers"]["x-forwarded-for"] == "6.6.6.6, 127.0.0.1"

    def test_a_text_body_arrives_as_text(self, toy):
        body = json.dumps({"a": "ü"}, ensure_ascii=False).encode()
        event = toy.request("POST", "/echo", body, {"Content-Type": "application/json"}).json()
        assert json.loads(event["body"]) == {"a": "ü"}
        assert event["isBase64Encoded"] is False

    @pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "Application/Octet-Stream"])
    def test_a_binary_body_arrives_unharmed(self, toy, kind):
        body = bytes(range(256))
        event = toy.request("POST", "/echo", body, {"Content-Type": kind}).json()
        assert event["isBase64Encoded"] is True
        assert base64.b64decode(event["body"]) == body

    def test_a_chunked_body_arrives_whole(self, toy):
        headers = {"Content-Type": "text/plain", "Transfer-Encoding": "chunked"}
        answer = toy.request("POST", "/echo", iter([b"one ", b"two ", b"three"]), headers, encode_chunked=True)
        assert answer.json()["body"] == "one two three"

    def test_half_a_body_reaches_no_function(self, toy):
        with socket.create_connection(("127.0.0.1", toy.port)) as client:
            client.sendall(b"GET /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
        assert toy.request("GET", "/echo").status == 200
        assert not toy.app.waiting.is_set()

    def test_a_connection_is_kept_for_the_next_request(self, toy):
        connection = http.client.HTTPConnection("127.0.0.1", toy.port, timeout=10)
        connection.request("GET", "/text")
        connection.getresponse().read()
        used = connection.sock
        connection.request("POST", "/echo", b"x", {"Content-Type": "text/plain"})
        assert connection.getresponse().read()
        assert connection.sock is used
        connection.close()


class TestRoutes:
    def test_static_wins_over_a_variable(self, toy):
        assert toy.request("GET", "/things/special").json() == {"special": True}

    def test_a_variable_is_decoded_and_may_hold_a_slash(self, toy):
        assert toy.request("GET", "/things/a%2Fb%20%C3%BC").json() == {"thing": "a/b ü", "resource": "/things/{thing}"}

    def test_a_static_dead_end_falls_back_to_the_variable(self, toy):
        assert toy.request("GET", "/things/special/parts/2").json() == {"thing": "special", "part": "2"}

    def test_a_greedy_resource_takes_everything_below(self, toy):
        assert toy.request("GET", "/any/a/b%20c/d").json() == {"proxy": "a/b c/d"}

    def test_a_greedy_resource_wants_at_least_one_segment(self, toy):
        assert toy.request("GET", "/any").status == 404

    def test_a_trailing_slash_makes_no_difference(self, toy):
        assert toy.request("GET", "/things/x/").json()["thing"] == "x"

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/nowhere"),
            ("DELETE", "/echo"),
            ("HEAD", "/echo"),
            ("OPTIONS", "/text"),
            ("GET", "/"),
            ("GET", "//"),
        ],
    )
    def test_what_no_route_has_is_404_in_our_envelope(self, toy, method, path):
        answer = toy.request(method, path)
        assert answer.status == 404
        assert answer.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException"
        assert answer.headers["access-control-allow-origin"] == "*"
        if method != "HEAD":
            error = answer.json()["error"]
            assert error["code"] == "route_not_found"
            assert error["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    "raw",
    [
        b"BREW /echo HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x16\x03\x01\x00\xa5\r\n\r\n",
    ],
)
def test_what_is_no_http_is_400_in_our_envelope(toy, raw):
    with socket.create_connection(("127.0.0.1", toy.port), timeout=10) as client:
        client.sendall(raw)
        answer = http.client.HTTPResponse(client)
        answer.begin()
        error = json.loads(answer.read())["error"]
    assert (answer.status, error["code"], error["errors"]) == (400, "bad_request", [])
    assert error["request_id"] == answer.headers["X-Request-Id"]


class TestPreflight:
    def test_it_is_answered_without_the_function_and_without_a_credential(self, toy):
        answer = toy.request("OPTIONS", "/private/1", headers={"Origin": "https://x.example"})
        assert answer.status == 200
        assert answer.body == b""
        assert answer.headers["x-request-id"] == answer.headers["x-amzn-requestid"]
        assert answer.headers["access-control-allow-methods"] == "GET,POST,OPTIONS"
        assert "Authorization" in answer.headers["access-control-allow-headers"]
        assert toy.app.authorized == []

    def test_it_says_what_the_route_allows(self, toy):
        answer = toy.request("OPTIONS", "/echo")
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "X-Special" in answer.headers["access-control-allow-headers"]
        assert answer.headers["access-control-max-age"] == "600"


class TestAnswers:
    def test_some_headers_are_renamed_and_some_dropped(self, toy):
        answer = toy.request("GET", "/headers")
        assert answer.status == 201
        assert answer.headers["x-amzn-remapped-www-authenticate"] == "Bearer"
        assert answer.headers["x-amzn-remapped-server"] == "toy"
        assert "www-authenticate" not in answer.headers
        assert "transfer-encoding" not in answer.headers
        assert answer.headers["etag"] == '"1"'

    def test_a_repeated_header_stays_repeated(self, toy):
        connection = http.client.HTTPConnection("127.0.0.1", toy.port, timeout=10)
        connection.request("GET", "/headers")
        answer = connection.getresponse()
        assert answer.headers.get_all("set-cookie") == ["a=1", "b=2"]
        connection.close()

    def test_a_binary_answer_is_decoded_for_who_accepts_it(self, toy):
        answer = toy.request("GET", "/picture", headers={"Accept": "image/png"})
        assert answer.body == bytes(range(256))
        assert answer.headers["content-type"] == "image/png"

    def test_text_keeps_its_letters_and_204_has_no_body(self, toy):
        assert toy.request("GET", "/text").body.decode() == "Grüße"
        answer = toy.request("DELETE", "/nothing")
        assert (answer.status, answer.body) == (204, b"")

    @pytest.mark.parametrize("result", [None, "text", {"statusCode": "x"}, {"statusCode": 200, "body": {"a": 1}}])
    def test_a_malformed_answer_is_502(self, serve, toy_application, monkeypatch, result):
        app = toy_application()
        monkeypatch.setattr(type(app), "__call__", lambda _self, _event, _context: result)
        with serve(app) as site:
            answer = site.request("GET", "/text")
        assert answer.status == 502
        assert answer.json()["error"]["type"] == "api_error"

    def test_a_function_that_fails_is_502(self, serve, toy_application, monkeypatch):
        app = toy_application()
        monkeypatch.setattr(type(app), "__call__", lambda _self, _event, _context: 1 / 0)
        with serve(app) as site:
            assert site.request("GET", "/text").status == 502


class TestLimits:
    def test_a_body_over_10_mb_is_413(self, toy):
        answer = toy.request("POST", "/echo", b"x" * (10 * MB + 1), {"Content-Type": "text/plain"})
        assert answer.status == 413
        assert answer.json()["error"]["code"] == "too_large"

    def test_a_body_that_lambda_would_not_take_is_413(self, toy):
        binary = {"Content-Type": "application/octet-stream"}
        answer = toy.request("PUT", "/echo", b"x" * (5 * MB), binary)
        assert answer.status == 413
        assert "6 MB" in answer.json()["error"]["message"]

    def test_an_answer_that_takes_too_long_is_504(self, serve, toy_application):
        app = toy_application()
        with serve(app, timeout=0.05) as site:
            answer = site.request("GET", "/wait")
            app.go_on.set()
        assert answer.status == 504
        assert answer.json()["error"]["code"] == "timeout"

    def test_64_requests_run_at_once(self, toy):
        with ThreadPoolExecutor(63) as pool:
            waiting = [pool.submit(toy.request, "GET", "/wait") for _ in range(63)]
            assert toy.app.waiting.wait(10)
            assert toy.request("GET", "/text").status == 200
            toy.app.go_on.set()
            assert {future.result().status for future in waiting} == {200}


class TestReadiness:
    def test_ready_is_held_back_until_the_stack_is(self, toy):
        toy.gateway.ready = False
        answer = toy.request("GET", "/health/ready")
        assert answer.status == 503
        assert answer.json()["error"]["code"] == "unavailable"
        assert toy.request("GET", "/text").status == 200
        toy.gateway.ready = True
        assert toy.request("GET", "/health/ready").json() == {"ready": True}


def test_lambda_context_counts_down(toy):
    toy.request("GET", "/echo")
    from local.context import LambdaContext

    context = LambdaContext("f", 10, _started=time.monotonic() - 4)
    assert 5000 < context.get_remaining_time_in_millis() <= 6000


def test_no_two_requests_build_a_model_at_once():
    class Waiting(Response):
        __module__ = "chalicelib.tests"
        name: str

    assert not Waiting.__pydantic_complete__
    Gateway(app, threads=1)
    assert Waiting.__pydantic_complete__
