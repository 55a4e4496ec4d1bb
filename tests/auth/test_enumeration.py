"""Nothing tells a stranger whether an address has an account: not the answer, not the work, not the calls."""

import json
from typing import Any

import pytest

from chalicelib.auth import passwords
from tests.support.aws import Services
from tests.support.client import Client
from tests.support.clocks import later
from tests.support.people import PASSWORD, new_email, registered, verified
from tests.support.queues import drain
from tests.support.totp import with_totp


class CountingHasher:
    """Counts how often argon2 ran."""

    def __init__(self) -> None:
        self.inner, self.runs = passwords._hasher(), 0

    def hash(self, password):
        self.runs += 1
        return self.inner.hash(password)

    def verify(self, stored, password):
        self.runs += 1
        return self.inner.verify(stored, password)


@pytest.fixture
def hasher(monkeypatch):
    counting = CountingHasher()
    monkeypatch.setattr(passwords, "_hasher", lambda: counting)
    return counting


def observed(
    client: Client, services: Services, hasher: CountingHasher, path: str, body: dict[str, str], email: str
) -> dict[str, Any]:
    """Return all that a caller, or somebody who watches AWS, could tell two requests apart by."""
    services.reset()
    hasher.runs = 0
    answer = client.post(path, {**body, "email": email})
    shown = answer.text.replace(email, "<email>").replace(answer.headers["X-Request-Id"], "<request>")
    headers = {name: value for name, value in answer.headers.items() if name != "X-Request-Id"}
    return {
        "status": answer.status,
        "text": shown,
        "headers": headers,
        "calls": list(services.calls),
        "queued": {url: len(queue) for url, queue in services.queues.items()},
        "argon2": hasher.runs,
    }


@pytest.mark.parametrize(
    ("path", "body", "status", "argon2"),
    [
        ("/v1/auth/register", {"password": PASSWORD}, 201, 1),
        ("/v1/auth/login", {"password": "not the password"}, 401, 1),
        ("/v1/auth/login", {"password": "not the password", "totp": "123456"}, 401, 1),
        ("/v1/auth/forgot-password", {}, 202, 0),
    ],
)
def test_a_known_a_registered_and_an_unknown_address_look_the_same(
    client, services, hasher, path, body, status, argon2
):
    known, unverified, unknown = new_email(), new_email(), new_email()
    verified(client, services, known)
    guarded = with_totp(client, services).email
    registered(client, services, unverified)
    client.post("/v1/auth/register", {"email": unknown + "x", "password": PASSWORD})
    drain(services)
    seen = []
    for email in (known, unverified, unknown, guarded):
        seen.append(observed(client, services, hasher, path, body, email))
        drain(services)
    assert seen[0] == seen[1] == seen[2] == seen[3]
    assert (seen[0]["status"], seen[0]["argon2"]) == (status, argon2)
    assert len(seen[0]["calls"]) >= 3


def test_a_locked_account_looks_the_same_whether_it_exists_or_not(client, services, hasher):
    known, unknown = new_email(), new_email()
    verified(client, services, known)
    body = {"password": "not the password"}
    with later(0):
        seen = {
            email: [observed(client, services, hasher, "/v1/auth/login", body, email) for _ in range(13)]
            for email in (known, unknown)
        }
    assert json.dumps(seen[known]) == json.dumps(seen[unknown])
    assert seen[known][-1]["status"] == 429
    assert seen[known][-1]["argon2"] == 0
