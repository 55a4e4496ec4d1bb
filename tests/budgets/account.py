"""The requests by which people look after their own account."""

from collections.abc import Callable
from typing import Any

from tests.support.client import Answer
from tests.support.people import claims_of, logged_in, signed_in
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


ACCOUNT: dict[str, Prepare] = {
    "GET /v1/auth/sessions": _own("GET", "/v1/auth/sessions"),
    "DELETE /v1/auth/sessions": _own("DELETE", "/v1/auth/sessions"),
    "DELETE /v1/auth/sessions/{session_id}": _end_session,
}
