"""A stage whose users come from a Cognito user pool: a stand-in for its keys, the real engine for all else."""

import base64
import hashlib
import hmac
import json
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from chalicelib.auth import cognito_gateway, pool_tokens, store
from chalicelib.auth.authorizer import authenticate
from chalicelib.core import clock, ids
from chalicelib.core.clock import reading
from chalicelib.core.errors import UnauthenticatedError, UnavailableError
from chalicelib.core.table import USERS, run
from chalicelib.tenants.standing import suspend_tenant
from tests.support.client import Client
from tests.support.clocks import later
from tests.support.faults import StaleReplica, injected
from tests.support.people import claims_of, new_email, signed_in
from tests.support.queues import drain
from tests.support.receivers import Listener
from tests.support.settings import changed
from tests.support.threads import at_once

ISSUER, CLIENT = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Test", "client-one"
URL = "/v1/auth/cognito"


class Pool:
    """Signs tokens as Cognito does and publishes the keys; counts how often it is asked for them."""

    def __init__(self) -> None:
        self.keys = {"one": rsa.generate_private_key(public_exponent=65537, key_size=2048)}
        self.asked, self.down = 0, False

    def fetch_keys(self, url: str) -> list[dict[str, Any]]:
        assert url == f"{ISSUER}/.well-known/jwks.json"
        self.asked += 1
        if self.down:
            raise UnavailableError from ConnectionRefusedError()
        found = []
        for kid, key in self.keys.items():
            published = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
            found.append({**published, "kid": kid, "use": "sig", "alg": "RS256"})
        return [*found, {"kty": "EC", "kid": "other"}, {"kty": "RSA", "kid": "broken", "use": "sig"}]

    def access(self, sub: str = "sub-1", kid: str = "one", **claims: Any) -> str:
        return self._token(kid, {"sub": sub, "token_use": "access", "client_id": CLIENT, **claims})

    def identity(self, sub: str = "sub-1", **claims: Any) -> str:
        return self._token("one", {"sub": sub, "token_use": "id", "aud": CLIENT, "email_verified": True, **claims})

    def _token(self, kid: str, claims: dict[str, Any]) -> str:
        now = clock.now_s()
        wanted = {"iss": ISSUER, "iat": now, "exp": now + 3600, "auth_time": now, "jti": ids.new_ulid(), **claims}
        key = self.keys.get(kid) or self.keys["one"]
        return jwt.encode(wanted, key, algorithm="RS256", headers={"kid": kid})


@pytest.fixture
def pool(services, monkeypatch) -> Iterator[Pool]:
    standing = Pool()
    monkeypatch.setattr(cognito_gateway, "fetch_keys", standing.fetch_keys)
    for name, value in (("_keys", {}), ("_asked_at", 0), ("_ask_again_at", 0)):
        monkeypatch.setattr(pool_tokens, name, value)
    with changed(COGNITO_ISSUER=ISSUER + "/", COGNITO_CLIENT_IDS=f"{CLIENT} client-two"):
        yield standing


def known(client: Client, pool: Pool, email: str = "") -> tuple[str, str]:
    """Make a new pool user known here; returns their `sub` and our user's id."""
    sub = ids.new_ulid()
    answer = client.post(URL, {"id_token": pool.identity(sub, email=email or new_email(), name="Ada")})
    assert answer.status == 200, answer.text
    return sub, answer.json["id"]


class TestAccessTokens:
    def test_one_is_its_user_with_their_tenants(self, client, pool, services):
        sub, user_id = known(client, pool)
        ada = client.using(pool.access(sub))
        assert ada.get("/v1/auth/me").json["id"] == user_id
        tenant = ada.post("/v1/tenants", {"name": "Acme"}).json["id"]
        assert ada.get(f"/v1/tenants/{tenant}").json["name"] == "Acme"
        assert ada.get("/v1/widgets").status == 200
        services.reset()
        caller = authenticate(f"Bearer {pool.access(sub)}")
        assert services.calls == [("dynamodb", "get_item"), ("dynamodb", "batch_get_item")]
        assert (caller.id, caller.name, list(caller.memberships)) == (user_id, "Ada", [tenant])
        suspend_tenant(tenant)
        drain(services)
        assert authenticate(f"Bearer {pool.access(sub)}").suspended == {tenant}
        assert ada.patch("/v1/auth/me", {"name": "Ada King"}).json["name"] == "Ada King"

    @pytest.mark.parametrize(
        "claims",
        [
            {"iss": ISSUER[:-1] + "x"},
            {"iss": "https://api.test"},
            {"client_id": "another"},
            {"client_id": None},
            {"client_id": [CLIENT]},
            {"token_use": "id"},
            {"token_use": "id", "aud": CLIENT},
            {"exp": 1},
            {"sub": "nobody-here"},
            {"kid": "unknown"},
        ],
    )
    def test_what_is_wrong_is_nobody(self, client, pool, claims):
        sub, _ = known(client, pool)
        with pytest.raises(UnauthenticatedError):
            authenticate(f"Bearer {pool.access(**{'sub': sub, **claims})}")

    def test_neither_is_an_id_token_nor_one_of_ours(self, client, services, pool):
        sub, _ = known(client, pool)
        with changed(COGNITO_ISSUER=""):
            ours = signed_in(client, services).tokens["access_token"]
            assert client.using(ours).get("/v1/auth/me").status == 200
        for token in (pool.identity(sub), ours):
            assert client.using(token).get("/v1/auth/me").status == 401

    def test_neither_is_one_that_is_unsigned_or_signed_with_the_public_key(self, client, pool):
        sub, _ = known(client, pool)
        good = pool.access(sub)
        body = good.split(".")[1]
        public = pool.keys["one"].public_key()
        pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        forged = []
        for alg in ("none", "None", "HS256"):
            header = base64.urlsafe_b64encode(json.dumps({"alg": alg, "kid": "one"}).encode()).rstrip(b"=").decode()
            mac = hmac.new(pem, f"{header}.{body}".encode(), hashlib.sha256).digest() if alg == "HS256" else b""
            forged.append(f"{header}.{body}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}")
        stranger = Pool().access(sub)  # the same kid, another key
        for token in (*forged, stranger, good[:-8] + "AAAAAAAA"):
            assert client.using(token).get("/v1/auth/me").status == 401
        assert client.using(good).get("/v1/auth/me").status == 200

    def test_it_ends_when_it_says_and_a_disabled_user_at_once(self, client, pool):
        sub, user_id = known(client, pool)
        token = pool.access(sub)
        end_ms = claims_of(token)["exp"] * 1000
        with reading(lambda: end_ms - 1):
            assert authenticate(f"Bearer {token}").expires_at == end_ms
        with reading(lambda: end_ms), pytest.raises(UnauthenticatedError):
            authenticate(f"Bearer {token}")
        with injected(StaleReplica()):
            run(USERS.updating(user_id, "meta", set_={"off": True}))
            assert client.using(token).get("/v1/auth/me").status == 401
            assert client.post(URL, {"id_token": pool.identity(sub, email="x@example.com")}).status == 401

    def test_keys_and_visitors_work_as_ever(self, client, pool):
        sub, _ = known(client, pool)
        ada = client.using(pool.access(sub))
        created = ada.post("/v1/tenants", {"name": "Acme", "domain": "www.example.com"}).json
        key = ada.post("/v1/api-keys", {"name": "k"}).json["secret"]
        assert client.using(key).get("/v1/widgets").status == 200
        body = {"client_token": created["default_widget"]["client_token"]}
        visitor = client.post("/widget/v1/sessions", body, Origin="https://www.example.com").json["token"]
        chats = client.using(visitor).get("/widget/v1/conversations", Origin="https://www.example.com")
        assert chats.status == 200


class TestKeys:
    def test_they_are_asked_for_once_an_hour(self, client, pool):
        sub, _ = known(client, pool)
        for _ in range(3):
            authenticate(f"Bearer {pool.access(sub)}")
        with later(3_500_000):
            authenticate(f"Bearer {pool.access(sub)}")
        assert pool.asked == 1
        with later(3_601_000):
            authenticate(f"Bearer {pool.access(sub)}")
        assert pool.asked == 2

    def test_an_unknown_one_has_them_asked_for_at_most_once_a_minute(self, client, pool):
        sub, _ = known(client, pool)
        pool.keys["two"] = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        with later(61_000):
            authenticate(f"Bearer {pool.access(sub, kid='two')}")
            for number in range(20):
                with pytest.raises(UnauthenticatedError):
                    authenticate(f"Bearer {pool.access(sub, kid=f'made-up-{number}')}")
        assert pool.asked == 2

    def test_while_the_pool_is_down_known_ones_are_believed(self, client, pool):
        sub, user_id = known(client, pool)
        pool.down = True
        with later(3_601_000):
            assert authenticate(f"Bearer {pool.access(sub)}").id == user_id
            with pytest.raises(UnauthenticatedError):
                authenticate(f"Bearer {pool.access(sub, kid='two')}")

    def test_without_any_it_is_our_fault_and_logged_and_tried_again_soon(self, pool, logged):
        pool.down = True
        for _ in range(3):
            with pytest.raises(UnavailableError):
                authenticate(f"Bearer {pool.access()}")
        assert pool.asked == 1
        (line,) = [line for line in map(json.loads, logged) if line["message"] == "pool_keys_not_read"]
        assert line["cause"] == "ConnectionRefusedError"
        pool.down = False
        with later(6_000), pytest.raises(UnauthenticatedError):
            authenticate(f"Bearer {pool.access()}")


class TestSignIn:
    def test_it_makes_a_user_once(self, client, pool):
        sub, email = ids.new_ulid(), new_email()
        answers = [client.post(URL, {"id_token": pool.identity(sub, email=email.upper())}) for _ in range(2)]
        assert [answer.status for answer in answers] == [200, 200]
        assert answers[0].json == answers[1].json
        assert answers[0].json["email"] == email
        assert ids.is_id("usr", answers[0].json["id"])

    @pytest.mark.parametrize(
        ("name", "taken"),
        [("A", "A"), ("a" * 200, "a" * 200), ("a" * 201, None), ("", None), ("a\nb", None), (7, None), (None, None)],
    )
    def test_it_takes_a_name_that_can_be_shown(self, client, pool, name, taken):
        sub = ids.new_ulid()
        made = client.post(URL, {"id_token": pool.identity(sub, email=new_email(), name=name)})
        assert (made.status, made.json["name"]) == (200, taken)
        assert authenticate(f"Bearer {pool.access(sub)}").name == (taken or "")

    def test_of_many_at_once_one_makes_the_user(self, client, pool):
        token = pool.identity(ids.new_ulid(), email=new_email())
        answers = at_once(16, lambda: client.post(URL, {"id_token": token}))
        assert Counter(answer.status for answer in answers) == {200: 16}
        assert len({answer.json["id"] for answer in answers}) == 1

    def test_a_verified_address_that_has_a_user_is_that_user(self, client, services, pool):
        with changed(COGNITO_ISSUER=""):
            ada = signed_in(client, services)
        sub, user_id = known(client, pool, ada.email)
        assert user_id == ada.user_id
        assert client.using(pool.access(sub)).get("/v1/auth/me").json["id"] == ada.user_id
        assert [row["ty"] for row in USERS.query(user_id, prefix="e#").items] == ["user.linked"]
        other = client.post(URL, {"id_token": pool.identity(ids.new_ulid(), email=ada.email)})
        assert (other.status, other.code) == (409, "address_taken")
        drain(services)

    def test_an_address_that_is_not_verified_is_nobodys(self, client, services, pool):
        with changed(COGNITO_ISSUER=""):
            ada = signed_in(client, services)
        for claims in ({"email_verified": False}, {"email_verified": "true"}, {"email": "x"}, {"email": None}):
            answer = client.post(URL, {"id_token": pool.identity(ids.new_ulid(), **{"email": ada.email, **claims})})
            assert (answer.status, answer.code) == (403, "email_not_verified")
        user = store.find_user(ada.user_id)
        assert user
        assert user.pool_subject is None

    def test_a_second_pool_user_with_the_address_does_not_get_at_the_first(self, client, pool):
        email = new_email()
        known(client, pool, email)
        answer = client.post(URL, {"id_token": pool.identity(ids.new_ulid(), email=email)})
        assert (answer.status, answer.code) == (409, "address_taken")

    def test_other_tokens_are_refused(self, client, pool):
        email = new_email()
        for token in (
            pool.access(),
            pool.identity(email=email, aud="another"),
            pool.identity(email=email, exp=1),
            pool.identity(email=email, iss=f"{ISSUER}x"),
            Pool().identity(email=email),
            "nonsense",
        ):
            answer = client.post(URL, {"id_token": token})
            assert (answer.status, answer.code) == (401, "invalid_id_token")

    def test_bad_input_is_refused(self, client, pool):
        assert client.post(URL, {"token": "x"}).params == {"id_token", "token"}

    def test_without_a_pool_there_is_no_such_thing(self, client):
        assert client.post(URL, {"id_token": "x"}).status == 404


class TestOwnIssuer:
    def test_what_the_pool_does_answers_so(self, client, pool):
        from chalicelib.auth.routes import own_api

        sub, _ = known(client, pool)
        ada = client.using(pool.access(sub))
        for route in own_api.routes:
            answer = ada.send(route.method, route.path.replace("{session_id}", ids.new("ses")), {})
            assert (answer.status, answer.code) == (409, "login_is_elsewhere"), route.path

    def test_an_invitation_is_accepted_by_who_is_known_and_makes_no_password(self, client, services, pool):
        sub, _ = known(client, pool)
        owner, email = client.using(pool.access(sub)), new_email()
        tenant = owner.post("/v1/tenants", {"name": "Acme"}).json["id"]
        owner.post(f"/v1/tenants/{tenant}/members", {"email": email, "role": "agent"})
        drain(services)
        from tests.support.people import link_token

        body = {"token": link_token(services, email), "password": "correct horse battery"}
        assert client.post("/v1/auth/accept-invite", body).code == "login_is_elsewhere"
        joined, _ = known(client, pool, email)
        assert client.post("/v1/auth/accept-invite", body).status == 200
        assert client.using(pool.access(joined)).get(f"/v1/tenants/{tenant}").status == 200


class TestGateway:
    @pytest.mark.parametrize(
        "url", ["http://example.com/keys", "ftp://127.0.0.1/keys", "file:///etc/passwd", "http://127.0.0.1:1/keys", ""]
    )
    def test_it_asks_https_and_the_local_emulator_only_and_says_when_nobody_answers(self, services, url):
        with pytest.raises(UnavailableError):
            cognito_gateway.fetch_keys(url)

    def test_loopback_is_for_the_local_stack(self, services, monkeypatch):
        def nothing(*_: Any, **__: Any) -> None:
            raise AssertionError("connected")

        monkeypatch.setattr("http.client.HTTPConnection", nothing)
        with changed(ALLOW_LOOPBACK_DOMAINS="0"), pytest.raises(UnavailableError):
            cognito_gateway.fetch_keys("http://127.0.0.1:9/keys")

    def test_it_gets_the_keys_that_the_document_has(self, services):
        asked, keys = fetched(200, b'{"keys": [{"kid": "one"}, "nonsense"]}')
        assert keys == [{"kid": "one"}]
        assert asked[0].startswith(b"GET /pool/keys HTTP/1.1\r\n")
        assert b"\r\nAccept: application/json\r\n" in asked[0]

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (404, b'{"keys": []}'),
            (302, b'{"keys": []}'),
            (200, b"nonsense"),
            (200, b"[]"),
            (200, b'{"key": []}'),
            (200, b'{"keys": 7}'),
            (200, b" " * cognito_gateway.LONGEST + b'{"keys": []}'),
        ],
    )
    def test_anything_else_is_no_answer(self, services, status, body):
        asked, keys = fetched(status, body)
        assert (len(asked), keys) == (1, None)

    def test_it_goes_to_the_pools_own_server_and_does_not_wait_for_long(self, services, monkeypatch):
        made = []

        def connect(connection: Any) -> None:
            made.append((connection.host, connection.port, connection.timeout))
            raise OSError

        monkeypatch.setattr("http.client.HTTPSConnection.connect", connect)
        for url in (f"{ISSUER}/keys", "https://pool.test:8443/keys"):
            with pytest.raises(UnavailableError):
                cognito_gateway.fetch_keys(url)
        assert made == [("cognito-idp.eu-west-1.amazonaws.com", 443, 3), ("pool.test", 8443, 3)]


def fetched(status: int, body: bytes) -> tuple[list[bytes], list[dict[str, Any]] | None]:
    """Fetch keys from a server on this machine; returns what it was asked, and the keys if there was an answer."""
    asked: list[bytes] = []

    def answer(connection: socket.socket) -> None:
        asked.append(connection.recv(65_536))
        head = f"HTTP/1.1 {status} Any\r\nContent-Length: {len(body)}\r\nLocation: /other\r\n\r\n"
        connection.sendall(head.encode() + body)

    with closing(Listener(answer)) as server:
        try:
            return asked, cognito_gateway.fetch_keys(f"http://127.0.0.1:{server.port}/pool/keys")
        except UnavailableError:
            return asked, None
