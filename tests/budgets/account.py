"""The requests by which people look after their own account."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from chalicelib.auth import pool_tokens
from chalicelib.core import clock
from tests.support.client import Answer
from tests.support.people import PASSWORD, claims_of, link_token, logged_in, new_email, signed_in
from tests.support.queues import drain
from tests.support.settings import changed
from tests.support.tenants import anonymous
from tests.support.totp import URL as TOTP
from tests.support.totp import code_of, with_totp

POOL = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Budget"

Send = Callable[[], Answer]
Prepare = Callable[[Any], Send]  # of a World


def _own(method: str, url: str, body: object = None) -> Prepare:
    def prepare(world: Any) -> Send:
        person = signed_in(anonymous(), world.services)
        return lambda: person.client.send(method, url, body)

    return prepare


def _end_session(world: Any) -> Send:
    person = signed_in(anonymous(), world.services)
    other = claims_of(logged_in(anonymous(), person.email)["access_token"])["origin_jti"]
    return lambda: person.client.delete(f"/v1/auth/sessions/{other}")


def _change_email(world: Any) -> Send:
    person, body = signed_in(anonymous(), world.services), {"email": new_email(), "password": PASSWORD}
    return lambda: person.client.post("/v1/auth/change-email", body)


def _confirm_email(world: Any) -> Send:
    email = new_email()
    body = {"email": email, "password": PASSWORD}
    assert signed_in(anonymous(), world.services).client.post("/v1/auth/change-email", body).status == 202
    drain(world.services)
    token = link_token(world.services, email)
    return lambda: anonymous().post("/v1/auth/confirm-email", {"token": token})


def _enrol(world: Any) -> Send:
    person = signed_in(anonymous(), world.services)
    return lambda: person.client.post(TOTP, {"password": PASSWORD})


def _verify(world: Any) -> Send:
    person = signed_in(anonymous(), world.services)
    code = code_of(person.client.post(TOTP, {"password": PASSWORD}).json["secret"])
    return lambda: person.client.post(f"{TOTP}/verify", {"code": code})


def _with_code(method: str, path: str) -> Prepare:
    def prepare(world: Any) -> Send:
        ada = with_totp(anonymous(), world.services)
        return lambda: ada.client.send(method, TOTP + path, {"password": PASSWORD, "code": ada.recovery_codes[0]})

    return prepare


def _log_in(world: Any, *, recovery: bool) -> Send:
    ada = with_totp(anonymous(), world.services)
    code = ada.recovery_codes[0] if recovery else code_of(ada.secret)
    return lambda: anonymous().post("/v1/auth/login", {"email": ada.email, "password": PASSWORD, "totp": code})


def known_pool_user(_world: Any = None) -> Send:
    """Make a pool's user known here, on a stage that trusts the pool and has its keys; returns doing so again."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    claims: dict[str, Any] = {"iss": POOL, "sub": new_email(), "aud": "app", "token_use": "id", "email": new_email()}
    claims |= {"email_verified": True, "iat": clock.now_s(), "exp": clock.now_s() + 3600}
    access = {**claims, "token_use": "access", "client_id": "app"}
    tokens = [jwt.encode(each, key, algorithm="RS256", headers={"kid": "one"}) for each in (claims, access)]

    def send() -> Answer:
        with _trusting(key):
            return anonymous().post("/v1/auth/cognito", {"id_token": tokens[0]})

    assert send().status == 200
    with _trusting(key):
        assert anonymous().using(tokens[1]).get("/v1/auth/me").status == 200
    return send


@contextmanager
def _trusting(key: rsa.RSAPrivateKey) -> Iterator[None]:
    """Be a stage that trusts the pool, and has its keys."""
    keys, asked = pool_tokens._keys, pool_tokens._asked_at
    pool_tokens._keys, pool_tokens._asked_at = {"one": key.public_key()}, clock.now_ms()
    try:
        with changed(COGNITO_ISSUER=POOL, COGNITO_CLIENT_IDS="app"):
            yield
    finally:
        pool_tokens._keys, pool_tokens._asked_at = keys, asked


NEW_PASSWORD = {"current_password": PASSWORD, "new_password": "another long password"}

ACCOUNT: dict[str, Prepare] = {
    "GET /v1/auth/sessions": _own("GET", "/v1/auth/sessions"),
    "DELETE /v1/auth/sessions": _own("DELETE", "/v1/auth/sessions"),
    "DELETE /v1/auth/sessions/{session_id}": _end_session,
    "PATCH /v1/auth/me": _own("PATCH", "/v1/auth/me", {"name": "Ada King"}),
    "POST /v1/auth/change-password": _own("POST", "/v1/auth/change-password", NEW_PASSWORD),
    "POST /v1/auth/change-email": _change_email,
    "POST /v1/auth/confirm-email": _confirm_email,
    "POST /v1/auth/totp": _enrol,
    "POST /v1/auth/totp/verify": _verify,
    "DELETE /v1/auth/totp": _with_code("DELETE", ""),
    "POST /v1/auth/totp/recovery-codes": _with_code("POST", "/recovery-codes"),
    "POST /v1/auth/cognito": known_pool_user,
    "GET /auth/confirm-email": lambda _world: lambda: anonymous().get("/auth/confirm-email?token=x"),
}
MORE_OF_ACCOUNT: dict[str, Prepare] = {
    "POST /v1/auth/login (code)": lambda world: _log_in(world, recovery=False),
    "POST /v1/auth/login (recovery code)": lambda world: _log_in(world, recovery=True),
}
