"""The requests by which people look after their own account."""

from collections.abc import Callable
from typing import Any

from tests.support.client import Answer
from tests.support.people import PASSWORD, claims_of, link_token, logged_in, new_email, signed_in
from tests.support.queues import drain
from tests.support.tenants import anonymous

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


NEW_PASSWORD = {"current_password": PASSWORD, "new_password": "another long password"}

ACCOUNT: dict[str, Prepare] = {
    "GET /v1/auth/sessions": _own("GET", "/v1/auth/sessions"),
    "DELETE /v1/auth/sessions": _own("DELETE", "/v1/auth/sessions"),
    "DELETE /v1/auth/sessions/{session_id}": _end_session,
    "PATCH /v1/auth/me": _own("PATCH", "/v1/auth/me", {"name": "Ada King"}),
    "POST /v1/auth/change-password": _own("POST", "/v1/auth/change-password", NEW_PASSWORD),
    "POST /v1/auth/change-email": _change_email,
    "POST /v1/auth/confirm-email": _confirm_email,
    "GET /auth/confirm-email": lambda _world: lambda: anonymous().get("/auth/confirm-email?token=x"),
}
