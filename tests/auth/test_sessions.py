"""`/v1/auth/sessions`: seen and ended by their own user, and by nobody else."""

import json
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.auth import session_store
from chalicelib.auth.models import Device
from chalicelib.core import ids
from chalicelib.core.table import USERS
from tests.support.answers import rows, without_request_id
from tests.support.clocks import later
from tests.support.faults import injected
from tests.support.people import another_session, claims_of, logged_in, with_session
from tests.support.queues import drain
from tests.support.tenants import anonymous, new_key, new_tenant
from tests.support.threads import at_once

URL = "/v1/auth/sessions"


@pytest.fixture
def ada(client, services):
    return with_session(client)


def session_of(tokens) -> str:
    session_id: str = claims_of(tokens["access_token"])["origin_jti"]
    return session_id


class TestEveryOperation:
    @pytest.mark.parametrize(("method", "path"), [("GET", ""), ("DELETE", ""), ("DELETE", "/ses_x")])
    def test_it_takes_a_signed_in_user(self, services, method, path):
        assert anonymous().send(method, URL + path).status == 401
        assert new_key(new_tenant()).send(method, URL + path).code == "wrong_credential"

    @pytest.mark.parametrize(("method", "path"), [("GET", ""), ("DELETE", ""), ("DELETE", "/{id}")])
    def test_an_ended_session_does_none_even_while_the_authorizers_cache_remembers_it(
        self, client, ada, method, path, monkeypatch
    ):
        other = another_session(ada.user_id)
        from chalicelib.auth.authorizer import authenticate

        cached = authenticate(f"Bearer {ada.tokens['access_token']}")
        monkeypatch.setattr("app.authenticate", lambda _token: cached)
        client.post("/v1/auth/logout", {"refresh_token": ada.tokens["refresh_token"]})
        assert ada.client.send(method, URL + path.format(id=session_of(other))).status == 401
        assert client.post("/v1/auth/refresh", {"refresh_token": other["refresh_token"]}).status == 200


class TestList:
    def test_it_shows_where_one_is_signed_in_newest_first(self, client, ada):
        first = logged_in(client, ada.email)
        ada.client.delete(f"{URL}/{session_of(ada.tokens)}")
        ada = replace(ada, client=client.using(first["access_token"]), tokens=first)
        phone = client.using(User_Agent="Phone/1.0 \x00(x)")
        phone.source_ip = "2001:db8:1:2::7"
        tokens = logged_in(phone, ada.email)
        assert rows(ada.client, f"{URL}?limit=1") == ada.client.get(URL).json["data"]
        newer, older = ada.client.get(URL).json["data"]
        assert newer | {"created_at": "", "last_used_at": ""} == {
            "id": session_of(tokens),
            "created_at": "",
            "last_used_at": "",
            "user_agent": "Phone/1.0 (x)",
            "network": "2001:db8:1::/48",
            "current": False,
        }
        assert (older["id"], older["network"], older["user_agent"]) == (session_of(ada.tokens), "203.0.113.0/24", None)
        assert older["current"] is True

    def test_a_refresh_says_when_and_where_it_was_used_last(self, client, ada):
        elsewhere = client.using(User_Agent="Other")
        elsewhere.source_ip = "198.51.100.20"
        (before,) = ada.client.get(URL).json["data"]
        with later(600_000):
            elsewhere.post("/v1/auth/refresh", {"refresh_token": ada.tokens["refresh_token"]})
            (after,) = ada.client.get(URL).json["data"]
        assert after["created_at"] == before["created_at"] < after["last_used_at"]
        assert (after["user_agent"], after["network"]) == ("Other", "198.51.100.0/24")

    def test_it_shows_nobody_elses_and_none_that_ended(self, client, services, ada):
        with_session(client)
        client.post("/v1/auth/logout", {"refresh_token": another_session(ada.user_id)["refresh_token"]})
        assert [row["id"] for row in ada.client.get(URL).json["data"]] == [session_of(ada.tokens)]

    def test_of_more_than_it_looks_through_it_shows_the_newest(self, ada, monkeypatch):
        monkeypatch.setattr(session_store, "MAX_LISTED", 2)
        newer = []
        for seconds in (1, 2):
            with later(seconds * 1000):
                newer.append(session_of(another_session(ada.user_id)))
        assert [row["id"] for row in ada.client.get(URL).json["data"]] == newer[::-1]

    def test_bad_input_is_refused(self, ada):
        assert ada.client.get(f"{URL}?limit=0&user=x").params == {"limit", "user"}

    def test_a_long_user_agent_is_cut_and_no_address_is_none(self):
        assert Device.of("x" * 999, "unknown") == Device("x" * 256, None)


class TestRevokeOne:
    def test_it_ends_another_session_and_only_that(self, client, ada):
        other = another_session(ada.user_id)
        assert ada.client.delete(f"{URL}/{session_of(other)}").status == 204
        assert client.using(other["access_token"]).get("/v1/auth/me").status == 401
        assert client.post("/v1/auth/refresh", {"refresh_token": other["refresh_token"]}).status == 401
        assert ada.client.get("/v1/auth/me").status == 200
        assert ada.client.delete(f"{URL}/{session_of(other)}").status == 404
        (event,) = USERS.query(ada.user_id, prefix="e#").items
        assert (event["ty"], json.loads(event["d"])) == ("session.revoked", {"id": session_of(other)})
        assert event["by"] == {"type": "user", "id": ada.user_id}

    def test_of_the_current_one_it_is_a_log_out(self, ada):
        assert ada.client.delete(f"{URL}/{session_of(ada.tokens)}").status == 204
        assert ada.client.get("/v1/auth/me").status == 401

    def test_anothers_is_as_missing_as_one_that_is_not_there(self, client, services, ada):
        bob = with_session(client)
        found = [session_of(bob.tokens), ids.new("ses"), "nonsense"]
        refusals = {without_request_id(ada.client.delete(f"{URL}/{each}")) for each in found}
        assert [status for status, _ in refusals] == [404]
        assert bob.client.get("/v1/auth/me").status == 200


class TestRefresh:
    def test_of_a_session_that_never_was_it_is_possible_for_thirty_days(self, client, ada):
        body = {"refresh_token": ada.tokens["refresh_token"]}
        with later(30 * 86_400_000):
            assert client.post("/v1/auth/refresh", body).code == "invalid_refresh_token"
        with later(30 * 86_400_000 - 60_000):
            assert client.post("/v1/auth/refresh", body).status == 200

    def test_one_that_a_log_out_overtakes_does_not_bring_the_session_back(self, client, ada):
        body = {"refresh_token": ada.tokens["refresh_token"]}
        logged_out: list[int] = []

        def log_out_first(service: str, operation: str, params: Any, proceed: Any) -> Any:
            if operation == "update_item" and not logged_out:
                logged_out.append(client.post("/v1/auth/logout", body).status)
            return proceed()

        with injected(log_out_first):
            answer = client.post("/v1/auth/refresh", body)
        assert logged_out == [204]
        assert (answer.status, answer.code) == (401, "invalid_refresh_token")
        assert session_store.list_sessions(ada.user_id) == []


class TestRevokeOthers:
    def test_all_end_but_the_one_that_asks(self, client, services, ada):
        others = [another_session(ada.user_id) for _ in range(3)]
        assert ada.client.delete(URL).status == 204
        for tokens in others:
            assert client.using(tokens["access_token"]).get("/v1/auth/me").status == 401
            assert client.post("/v1/auth/refresh", {"refresh_token": tokens["refresh_token"]}).status == 401
        assert [row["current"] for row in ada.client.get(URL).json["data"]] == [True]
        assert ada.client.delete(f"{URL}/{session_of(others[0])}").status == 404
        assert client.post("/v1/auth/refresh", {"refresh_token": ada.tokens["refresh_token"]}).status == 200
        assert another_session(ada.user_id)
        assert [row["ty"] for row in USERS.query(ada.user_id, prefix="e#").items] == ["user.sessions_revoked"]
        drain(services)

    def test_of_several_that_do_it_at_once_one_stays(self, client, ada):
        clients = [ada.client, *(client.using(another_session(ada.user_id)["access_token"]) for _ in range(7))]
        waiting = iter(clients)
        answers = at_once(8, lambda: next(waiting).delete(URL))
        assert sorted(answer.status for answer in answers) == [204] + [401] * 7
        assert sorted(each.get("/v1/auth/me").status for each in clients) == [200] + [401] * 7
