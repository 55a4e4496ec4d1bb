"""A revocation empties the authorizer's cache; a burst of them does so once."""

import dataclasses

import pytest

from chalicelib.auth import flush
from chalicelib.core import aws, clock
from chalicelib.core.clock import reading
from chalicelib.core.config import settings
from chalicelib.core.errors import UnavailableError
from chalicelib.core.table import LIMITS, run
from chalicelib.events.models import SYSTEM, Event
from tests.support.clocks import later
from tests.support.people import another_session, claims_of, with_session
from tests.support.queues import drain


@pytest.fixture
def flushed(services, monkeypatch):
    """Collect the flushes of a deployment that has a cache."""
    with_cache = dataclasses.replace(settings(), rest_api_id="abc", rest_api_stage="api")
    monkeypatch.setattr(flush, "settings", lambda: with_cache)
    run(LIMITS.deleting("flush", "-"))
    seen = []

    def answer(service, operation, params, proceed):
        if service != "apigateway":
            return proceed()
        seen.append((operation, params))
        return {}

    aws.interceptors.append(answer)
    return seen


def revocation(at):
    return Event("U#usr_x", 1, "session.revoked", at, {}, SYSTEM, {}, {})


@pytest.mark.parametrize("one", [True, False])
def test_revoking_sessions_flushes(client, services, flushed, one):
    ada = with_session(client)
    other = another_session(ada.user_id)
    path = f"/{claims_of(other['access_token'])['origin_jti']}" if one else ""
    assert ada.client.delete(f"/v1/auth/sessions{path}").status == 204
    drain(services)
    assert len(flushed) == 1


def test_a_log_out_flushes(client, services, flushed):
    ada = with_session(client)
    assert flushed == []
    client.post("/v1/auth/logout", {"refresh_token": ada.tokens["refresh_token"]})
    drain(services)
    assert flushed == [("flush_stage_authorizers_cache", {"restApiId": "abc", "stageName": "api"})]


def test_revocations_that_a_later_flush_has_covered_do_not_flush_again(client, services, flushed):
    people = [with_session(client) for _ in range(3)]
    for person in people:
        client.post("/v1/auth/logout", {"refresh_token": person.tokens["refresh_token"]})
    with later(flush.COMMIT_MS + 1000):
        drain(services)
    assert len(flushed) == 1


def test_one_that_may_have_been_committed_after_the_flush_began_flushes_again(flushed):
    began = clock.now_ms()
    with reading(lambda: began):
        flush.on_event(revocation(began))
    late = began - flush.COMMIT_MS
    for at, flushes in ((late - 1, 1), (late, 2)):
        with reading(lambda: began + 1000):
            flush.on_event(revocation(at))
        assert len(flushed) == flushes


def test_what_revokes_nothing_does_not_flush(flushed):
    flush.on_event(dataclasses.replace(revocation(clock.now_ms()), type="user.updated"))
    assert flushed == []


def test_a_flush_that_fails_holds_nothing_up(client, services, flushed, monkeypatch, logged):
    def fail(*_):
        raise UnavailableError

    monkeypatch.setattr(flush, "_flush", fail)
    ada = with_session(client)
    client.post("/v1/auth/logout", {"refresh_token": ada.tokens["refresh_token"]})
    drain(services)
    assert any('"flush_failed"' in line and '"exc_name":"UnavailableError"' in line for line in logged)


def test_without_a_cache_nothing_is_called(client, services):
    ada = with_session(client)
    client.post("/v1/auth/logout", {"refresh_token": ada.tokens["refresh_token"]})
    drain(services)
    assert not [call for call in services.calls if call[0] == "apigateway"]
