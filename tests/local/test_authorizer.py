"""The authorizer runs as API Gateway runs it: on the Authorization header, its answer cached by token."""

import asyncio
from typing import Any

import pytest

from local.engines import aws_client
from local.gateway.authorizer import CachedAuthorizer, Refused, parse_policy


class TestThroughTheGateway:
    def test_its_context_reaches_the_function_as_strings(self, toy):
        answer = toy.request("GET", "/private/1", headers={"Authorization": "good"})
        assert answer.json() == {"admin": "true", "level": "7", "name": "Ada", "principalId": "usr_1"}

    def test_without_a_credential_it_is_not_even_asked(self, toy):
        answer = toy.request("GET", "/private/1")
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["error"]["code"] == "unauthenticated"
        assert toy.app.authorized == []

    @pytest.mark.parametrize(
        ("token", "status"), [("bad", 401), ("good-but-denied", 403), ("boom", 500), ("list", 500)]
    )
    def test_refusals(self, toy, token, status):
        answer = toy.request("GET", "/private/1", headers={"Authorization": token})
        assert answer.status == status
        assert answer.json()["error"]["request_id"] == answer.headers["x-amzn-requestid"]

    def test_it_is_asked_once_for_every_token_and_again_after_a_flush(self, toy):
        def get():
            return toy.request("GET", "/private/1", headers={"Authorization": "good"}).status

        assert [get(), get(), toy.request("POST", "/private/2", "", {"Authorization": "good"}).status] == [200] * 3
        assert toy.app.authorized == ["good"]
        client = aws_client("apigateway", f"http://127.0.0.1:{toy.inner_port}")
        client.flush_stage_authorizers_cache(restApiId="local", stageName="local")
        assert get() == 200
        assert toy.app.authorized == ["good", "good"]

    def test_a_refused_token_is_asked_about_again(self, toy):
        for _ in range(2):
            toy.request("GET", "/private/1", headers={"Authorization": "bad"})
        assert toy.app.authorized == ["bad", "bad"]


class Handler:
    class config:  # noqa: N801 - Chalice's attribute
        name, header, ttl_seconds = "authorize", None, 60


def policy(resource, effect="Allow"):
    statement = {"Effect": effect, "Action": "execute-api:Invoke", "Resource": resource}
    return {"principalId": "p", "policyDocument": {"Statement": [statement]}}


class TestCache:
    def make(self, results: Any, **options: Any) -> tuple[CachedAuthorizer, list[str]]:
        asked: list[str] = []

        async def call(_handler, event, _name):
            asked.append(event["authorizationToken"])
            result = results[event["authorizationToken"]]
            return result() if callable(result) else result

        return CachedAuthorizer(Handler(), call, **options), asked

    async def ask(self, authorizer, *tokens):
        for token in tokens:
            await authorizer.authorize(token, "arn:GET/x")

    def run(self, coroutine):
        return asyncio.run(coroutine)

    def test_an_entry_expires(self):
        now = [0.0]
        authorizer, asked = self.make({"a": policy("*")}, clock=lambda: now[0])
        self.run(self.ask(authorizer, "a", "a"))
        now[0] = 60.0
        self.run(self.ask(authorizer, "a"))
        assert asked == ["a", "a"]

    def test_the_least_recently_used_leaves_first(self):
        authorizer, asked = self.make({name: policy("*") for name in "abc"}, size=2)
        self.run(self.ask(authorizer, "a", "b", "a", "c", "a", "b"))
        assert asked == ["a", "b", "c", "b"]

    def test_an_answer_from_before_a_flush_is_not_kept(self):
        made: list[CachedAuthorizer] = []

        def flush_meanwhile():
            made[0].flush()
            return policy("*")

        authorizer, asked = self.make({"a": flush_meanwhile})
        made.append(authorizer)
        self.run(self.ask(authorizer, "a", "a"))
        assert asked == ["a", "a"]

    def test_the_cached_policy_is_held_against_each_method(self):
        authorizer, asked = self.make({"a": policy("arn:GET/*")})
        self.run(self.ask(authorizer, "a"))
        with pytest.raises(Refused, match="ACCESS_DENIED"):
            self.run(authorizer.authorize("a", "arn:POST/x"))
        assert asked == ["a"]


class TestPolicy:
    def test_an_explicit_denial_wins(self):
        both = policy(["*"])
        both["policyDocument"]["Statement"] += policy("arn:aws:x/secret/*", "Deny")["policyDocument"]["Statement"]
        parsed = parse_policy(both)
        assert parsed.allows("arn:aws:x/open")
        assert not parsed.allows("arn:aws:x/secret/1")

    def test_nothing_said_is_denied(self):
        assert not parse_policy(policy([])).allows("arn:x")

    @pytest.mark.parametrize("result", [None, {}, {"policyDocument": {"Statement": []}}, "no"])
    def test_anything_else_is_an_error(self, result):
        with pytest.raises((KeyError, TypeError, AttributeError)):
            parse_policy(result)
