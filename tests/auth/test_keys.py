"""Rotation of the signing keys: nobody ever meets a token whose key they cannot have seen."""

import base64
import json
from typing import Any, cast

import jwt
import pytest

from chalicelib.auth import jwts, keys
from chalicelib.core import clock, keyring
from chalicelib.core.clock import reading

DAY_MS = 86_400_000
MINUTE_MS = 60_000


@pytest.fixture
def at(services):
    """Return a function that sets the time, beginning now."""
    start = clock.now_ms()
    moment = [start]

    def set_time(ms):
        moment[0] = start + ms

    with reading(lambda: moment[0]):
        yield set_time


def kid_of(token: str) -> str:
    kid: str = jwt.get_unverified_header(token)["kid"]
    return kid


def published() -> list[str]:
    return [key["kid"] for key in keys.public_jwks()]


def token() -> str:
    return jwts.sign({"sub": "usr_x", "token_use": "access"}, 200 * 86_400)


def test_a_new_key_is_published_before_it_signs_and_an_old_one_after(at, services):
    (old,) = published()
    keys.rotate()
    assert len(published()) == 2
    new = published()[1]
    at(-DAY_MS)
    assert kid_of(token()) == old  # where the clock is behind that of who made them
    at(9 * MINUTE_MS)
    early = token()
    assert kid_of(early) == old
    at(10 * MINUTE_MS)
    assert kid_of(token()) == new
    assert jwts.read(early, "access")


def test_a_superseded_key_is_dropped_when_its_last_token_may_not_be_read_and_it_is_logged(at, services, logged):
    (old,) = published()
    keys.rotate()
    at(180 * DAY_MS)
    keys.rotate()
    assert old in published()
    at(182 * DAY_MS)
    keys.rotate()
    assert old not in published()
    assert len(published()) == 3
    line = [line for line in map(json.loads, logged) if line["message"] == "signing_keys_rotated"][-1]
    assert (line["kid"], line["kept"], line["dropped"]) == (published()[-1], 2, 1)


def test_the_schedule_rotates_a_key_of_ninety_days(at, services):
    import app

    event = {"version": "0", "account": "", "region": "", "detail": {}, "detail-type": "", "source": "", "time": ""}
    event |= {"id": "", "resources": []}
    at(DAY_MS)
    app.rotate_signing_keys(event, None)
    assert len(published()) == 1
    at(90 * DAY_MS)
    app.rotate_signing_keys(event, None)
    app.rotate_signing_keys(event, None)
    assert len(published()) == 2


def test_the_schedule_does_not_rotate_what_another_process_just_has(at, services):
    at(91 * DAY_MS)
    (old,) = published()  # this process knows the old document, and for five minutes no other
    fresh = json.loads(services.secret)
    fresh["signing_keys"] += keys.new_key_set()["signing_keys"]
    services.secret = json.dumps(fresh)
    at(91 * DAY_MS + 1)
    keys.rotate_if_due()
    assert json.loads(services.secret) == fresh
    assert old == fresh["signing_keys"][0]["kid"]


def test_the_pepper_stays(at, services):
    before = json.loads(services.secret)["pepper"]
    keys.rotate()
    assert json.loads(services.secret)["pepper"] == before


def test_a_process_that_has_not_seen_a_key_looks_again_once_a_minute(at, services, monkeypatch):
    assert published()
    stale = keyring._cached
    keys.rotate()
    at(10 * MINUTE_MS)
    signed = token()
    monkeypatch.setattr(keyring, "_cached", stale)  # another process, which has not read since
    services.reset()
    assert jwts.read(signed, "access")
    assert jwts.read(signed, "access")
    assert services.calls == [("secretsmanager", "get_secret_value")]


def test_a_new_deployment_can_sign_at_once(services):
    document = keys.new_key_set()
    assert set(document) == {"pepper", "signing_keys"}
    assert len(base64.b64decode(str(document["pepper"]), validate=True)) == 32
    (key,) = cast("list[dict[str, Any]]", document["signing_keys"])
    assert set(key) == {"kid", "private_pem", "created_at", "active_from"}
    assert key["active_from"] <= clock.now_ms()


def test_of_published_keys_those_for_another_use_are_passed_over(services):
    (own,) = keys.public_jwks()
    assert jwts.public_key(own)
    assert jwts.public_key({name: value for name, value in own.items() if name != "use"})  # RFC 7517: may be left out
    without_kid: dict[str, object] = {name: value for name, value in own.items() if name != "kid"}
    curve = {"kty": "EC", "crv": "P-256", "x": own["n"][:43], "y": own["n"][:43]}
    others: list[dict[str, object]] = [
        {**own, "use": "enc"},
        without_kid,
        {**own, "kid": 7},
        {**own, "n": "?"},
        {**own, "kty": "oct"},
    ]
    private = jwt.algorithms.RSAAlgorithm.to_jwk(keys.signing_key().private, as_dict=True)
    others += [{**own, **curve}, {**own, **private}, {"kty": "RSA", "kid": "x"}, {}]
    for other in others:
        assert jwts.public_key(other) is None
