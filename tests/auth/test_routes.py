"""`/v1/auth/*`: what each operation does for whom."""

import base64
import dataclasses
import hashlib
import html
import json
import re
from typing import Any

import pytest

from chalicelib.auth import attempts, mail_tokens, service, store
from chalicelib.auth.mail_tokens import Reset
from chalicelib.core import clock, ids, tokens
from chalicelib.core.clock import reading
from chalicelib.core.config import settings
from chalicelib.core.http import Principal, Role
from chalicelib.core.table import USERS, run
from chalicelib.tenants import service as tenants
from tests.support.aws import Services
from tests.support.client import Client
from tests.support.clocks import later
from tests.support.faults import At, injected, server_error
from tests.support.people import (
    PASSWORD,
    another_session,
    claims_of,
    link_token,
    logged_in,
    mails_to,
    new_email,
    registered,
    signed_in,
    text_of,
    verified,
    with_session,
)
from tests.support.queues import drain

DAY_MS = 86_400_000


def limit(monkeypatch: pytest.MonkeyPatch, **changed: Any) -> None:
    changed_settings = dataclasses.replace(settings(), **changed)
    for module in (service, attempts):
        monkeypatch.setattr(module, "settings", lambda: changed_settings)


class TestRegister:
    def test_anybody_can_and_gets_a_mail_whose_link_stands_alone(self, client, services):
        email = new_email()
        answer = client.post("/v1/auth/register", {"email": email.upper(), "password": PASSWORD, "name": "Ada"})
        assert answer.status == 201
        assert answer.json == {"email": email, "name": "Ada", "status": "verification_sent"}
        drain(services)
        assert len(mails_to(services, email)) == 1
        assert link_token(services, email).startswith("parley_ev_")

    def test_the_mail_repeats_nothing_that_was_typed(self, client, services):
        email = new_email()
        client.post("/v1/auth/register", {"email": email, "password": PASSWORD, "name": "Buy at http://spam.example"})
        drain(services)
        assert "spam.example" not in str(mails_to(services, email))

    def test_the_mail_is_in_the_language_of_the_browser(self, client, services):
        email = new_email()
        body = {"email": email, "password": PASSWORD}
        client.post("/v1/auth/register", body, Accept_Language="de-AT,de;q=0.9,en;q=0.8")
        drain(services)
        assert "Bestätigen Sie sie" in text_of(mails_to(services, email)[-1])

    def test_a_known_address_is_told_by_mail_and_its_password_stays(self, client, services):
        email = new_email()
        verified(client, services, email)
        answer = client.post("/v1/auth/register", {"email": email, "password": "another password"})
        assert answer.status == 201
        drain(services)
        assert "has an account" in text_of(mails_to(services, email)[-1])
        assert "token=" not in text_of(mails_to(services, email)[-1])
        assert logged_in(client, email, PASSWORD)

    @pytest.mark.parametrize(
        ("body", "params"),
        [
            ({}, {"email", "password"}),
            ({"email": "ada", "password": "1234567"}, {"email", "password"}),
            ({"email": "a@example.com\r\nBcc: b@example.com", "password": PASSWORD}, {"email"}),
            ({"email": "ada@example.com", "password": "x" * 129}, {"password"}),
            ({"email": "ada@example.com", "password": PASSWORD, "role": "owner"}, {"role"}),
        ],
    )
    def test_bad_input_is_refused(self, client, body, params):
        answer = client.post("/v1/auth/register", body)
        assert (answer.status, answer.params) == (422, params)

    @pytest.mark.parametrize(
        ("password", "code"),
        [("PassWord123", "password_too_common"), ("Ada.Lovelace@example.com", "password_is_email")],
    )
    def test_a_first_guess_is_refused(self, client, password, code):
        answer = client.post("/v1/auth/register", {"email": "ada.lovelace@example.com", "password": password})
        assert answer.status == 422
        assert answer.json["error"]["errors"][0]["code"] == code

    def test_the_blanks_of_a_password_count(self, client, services):
        email = new_email()
        verified(client, services, email, "  secret words  ")
        assert client.post("/v1/auth/login", {"email": email, "password": "secret words"}).status == 401
        assert logged_in(client, email, "  secret words  ")

    def test_it_can_be_closed(self, client, monkeypatch):
        limit(monkeypatch, signup_open=False)
        answer = client.post("/v1/auth/register", {"email": new_email(), "password": PASSWORD})
        assert (answer.status, answer.code) == (403, "signup_closed")

    def test_a_mailbox_is_not_flooded(self, client):
        body = {"email": new_email(), "password": PASSWORD}
        hour_ms = (clock.now_ms() // 3_600_000 + 1) * 3_600_000
        with reading(lambda: hour_ms):
            assert {client.post("/v1/auth/register", body).status for _ in range(10)} == {201}
            answer = client.post("/v1/auth/register", body)
        assert (answer.status, answer.headers["Retry-After"]) == (429, "3600")


class TestVerifyEmail:
    def test_the_mails_token_makes_the_user(self, client, services):
        email = new_email()
        answer = client.post("/v1/auth/verify-email", {"token": registered(client, services, email)})
        assert answer.status == 200
        assert set(answer.json) == {"id", "email", "name", "created_at"}
        assert (answer.json["email"], answer.json["name"]) == (email, "Ada Lovelace")
        assert tenants.get_person(answer.json["id"]).name == "Ada Lovelace"

    def test_a_registration_goes_with_its_use(self, client, services):
        token = registered(client, services, new_email())
        registration_id = mail_tokens.read_registration(token)
        assert store.find_registration(registration_id)
        client.post("/v1/auth/verify-email", {"token": token})
        assert store.find_registration(registration_id) is None

    def test_a_token_works_once(self, client, services):
        token = registered(client, services, new_email())
        assert client.post("/v1/auth/verify-email", {"token": token}).status == 200
        again = client.post("/v1/auth/verify-email", {"token": token})
        assert (again.status, again.code, again.json["error"]["param"]) == (409, "token_used", "token")

    def test_a_second_registration_of_the_address_makes_no_second_user(self, client, services):
        email = new_email()
        first, second = registered(client, services, email), registered(client, services, email, "second password")
        assert client.post("/v1/auth/verify-email", {"token": first}).status == 200
        assert client.post("/v1/auth/verify-email", {"token": second}).code == "token_used"
        assert logged_in(client, email, PASSWORD)

    def test_a_token_lives_a_day(self, client, services):
        token = registered(client, services, new_email())
        with later(DAY_MS + 1000):
            answer = client.post("/v1/auth/verify-email", {"token": token})
        assert (answer.status, answer.code) == (400, "invalid_token")
        with later(DAY_MS - 60_000):
            assert client.post("/v1/auth/verify-email", {"token": token}).status == 200

    @pytest.mark.parametrize("token", ["x", "parley_ev_" + "0" * 54, "parley_rt_abc", "☃"])
    def test_a_foreign_token_costs_no_read(self, client, services, token):
        services.reset()
        answer = client.post("/v1/auth/verify-email", {"token": token})
        assert (answer.status, answer.code, answer.json["error"]["param"]) == (400, "invalid_token", "token")
        assert not [call for call in services.calls if call[0] == "dynamodb"]

    def test_bad_input_is_refused(self, client):
        assert client.post("/v1/auth/verify-email", {"tokens": "x"}).params == {"token", "tokens"}


class TestLogIn:
    def test_it_answers_with_tokens(self, client, services):
        email = new_email()
        user_id = verified(client, services, email)
        tokens = logged_in(client, email)
        assert tokens["user"]["id"] == user_id
        assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 900)
        assert tokens["refresh_token"].startswith("parley_rt_")
        assert client.using(tokens["access_token"]).get("/v1/auth/me").json["id"] == user_id

    def test_it_succeeds_when_the_sessions_row_is_written_but_the_answer_is_a_server_error(self, client, services):
        email = new_email()
        verified(client, services, email)
        fault = At(0, "after", server_error, lambda _service, operation: operation == "put_item")
        with injected(fault):
            assert logged_in(client, email)["access_token"]
        assert fault.fired == 1

    def test_an_unverified_address_cannot(self, client, services):
        email = new_email()
        registered(client, services, email)
        assert client.post("/v1/auth/login", {"email": email, "password": PASSWORD}).code == "invalid_credentials"

    def test_a_disabled_user_cannot(self, client, services):
        ada = signed_in(client, services)
        disable(ada.user_id)
        answer = client.post("/v1/auth/login", {"email": ada.email, "password": PASSWORD})
        assert (answer.status, answer.code) == (401, "invalid_credentials")

    def test_guesses_are_slowed_down_per_account_and_a_success_forgets_them(self, client, services):
        email = new_email()
        verified(client, services, email)
        wrong = {"email": email, "password": "not the password"}
        right = {"email": email, "password": PASSWORD}
        with later(0):
            assert {client.post("/v1/auth/login", wrong).status for _ in range(11)} == {401}
            paused = client.post("/v1/auth/login", right)
        assert (paused.status, paused.headers["Retry-After"]) == (429, "1")
        with later(2000):
            assert client.post("/v1/auth/login", right).status == 200
            assert {client.post("/v1/auth/login", wrong).status for _ in range(10)} == {401}

    def test_an_address_has_so_many_tries_however_many_accounts_it_tries(self, client, monkeypatch):
        limit(monkeypatch, login_attempts_per_address=3)
        client.source_ip = new_email()  # any text will do
        with later(0):
            tries = [client.post("/v1/auth/login", {"email": new_email(), "password": "x"}).status for _ in range(4)]
            client.source_ip = new_email()
            tries.append(client.post("/v1/auth/login", {"email": new_email(), "password": "x"}).status)
        assert tries == [401, 401, 401, 429, 401]

    def test_bad_input_is_refused(self, client):
        assert client.post("/v1/auth/login", {"email": "x"}).params == {"email", "password"}


class TestRefresh:
    def test_it_gives_new_tokens(self, client, services):
        ada = with_session(client)
        answer = client.post("/v1/auth/refresh", {"refresh_token": ada.tokens["refresh_token"]})
        assert answer.status == 200
        assert set(answer.json) == set(ada.tokens)
        assert answer.json["refresh_token"] != ada.tokens["refresh_token"]
        assert client.using(answer.json["access_token"]).get("/v1/auth/me").status == 200

    def test_the_token_before_the_current_one_gives_the_current_one_for_a_minute(self, client, services):
        first = with_session(client).tokens["refresh_token"]
        second = refresh(client, first)
        with later(59_000):
            assert refresh(client, first) == second
        assert refresh(client, second)

    def test_a_later_reuse_ends_the_session_for_everybody_and_is_logged(self, client, services, logged):
        ada = with_session(client)
        first = ada.tokens["refresh_token"]
        second = refresh(client, first)
        with later(61_000):
            reused = client.post("/v1/auth/refresh", {"refresh_token": first})
            assert (reused.status, reused.code) == (401, "refresh_token_reused")
            newest = client.post("/v1/auth/refresh", {"refresh_token": second})
            assert (newest.status, newest.code) == (401, "invalid_refresh_token")
        assert ada.client.get("/v1/auth/me").status == 401
        (line,) = [line for line in map(json.loads, logged) if line["message"] == "refresh_token_reused"]
        session_id = claims_of(ada.tokens["access_token"])["origin_jti"]
        assert (line["user_id"], line["session_id"]) == (ada.user_id, session_id)

    def test_the_token_before_the_last_but_one_has_no_grace(self, client, services):
        first = with_session(client).tokens["refresh_token"]
        refresh(client, refresh(client, first))
        assert client.post("/v1/auth/refresh", {"refresh_token": first}).code == "refresh_token_reused"

    def test_a_session_ends_after_thirty_days_without_use(self, client, services):
        token = with_session(client).tokens["refresh_token"]
        with later(29 * DAY_MS):
            token = refresh(client, token)
        with later(58 * DAY_MS):
            token = refresh(client, token)
        with later(89 * DAY_MS):
            assert client.post("/v1/auth/refresh", {"refresh_token": token}).code == "invalid_refresh_token"

    def test_a_forged_token_costs_no_read_and_ends_nothing(self, client, services):
        ada = with_session(client)
        session_id = claims_of(ada.tokens["access_token"])["origin_jti"]
        services.reset()
        for token in (forged_refresh(ada.user_id, session_id), ada.tokens["access_token"][:150], "parley_rt_x"):
            answer = client.post("/v1/auth/refresh", {"refresh_token": token})
            assert (answer.status, answer.code) == (401, "invalid_refresh_token")
        assert not [call for call in services.calls if call[0] == "dynamodb"]
        assert refresh(client, ada.tokens["refresh_token"])

    def test_a_disabled_user_cannot(self, client, services):
        ada = with_session(client)
        disable(ada.user_id)
        answer = client.post("/v1/auth/refresh", {"refresh_token": ada.tokens["refresh_token"]})
        assert answer.code == "invalid_refresh_token"

    def test_bad_input_is_refused(self, client):
        assert client.post("/v1/auth/refresh", {"token": "x"}).params == {"refresh_token", "token"}


class TestLogOut:
    def test_it_ends_the_session_and_repeating_it_is_fine(self, client, services):
        ada = with_session(client)
        body = {"refresh_token": ada.tokens["refresh_token"]}
        assert client.post("/v1/auth/logout", body).status == 204
        assert client.post("/v1/auth/logout", body).status == 204
        assert client.post("/v1/auth/refresh", body).code == "invalid_refresh_token"
        assert ada.client.get("/v1/auth/me").status == 401

    def test_other_sessions_stay(self, client, services):
        ada = with_session(client)
        other = another_session(ada.user_id)
        client.post("/v1/auth/logout", {"refresh_token": other["refresh_token"]})
        assert ada.client.get("/v1/auth/me").status == 200

    def test_a_foreign_token_is_refused(self, client):
        answer = client.post("/v1/auth/logout", {"refresh_token": "parley_rt_x"})
        assert (answer.status, answer.code) == (401, "invalid_refresh_token")

    def test_bad_input_is_refused(self, client):
        assert client.post("/v1/auth/logout", {}).params == {"refresh_token"}


class TestMe:
    def test_it_shows_the_user_and_their_tenants(self, client, services):
        ada = with_session(client)
        assert ada.client.get("/v1/auth/me").json["memberships"] == []
        tenant = ada.client.post("/v1/tenants", {"name": "Acme"}).json["id"]
        me = ada.client.get("/v1/auth/me")
        assert me.status == 200
        assert (me.json["id"], me.json["email"]) == (ada.user_id, ada.email)
        assert me.json["memberships"] == [{"tenant_id": tenant, "role": "owner"}]

    def test_anonymous_is_refused(self, client):
        assert client.get("/v1/auth/me").status == 401

    def test_a_session_that_has_ended_is_refused_even_while_the_authorizers_cache_remembers_it(
        self, client, services, monkeypatch
    ):
        ada = with_session(client)
        cached = Principal("user", ada.user_id, session_id=claims_of(ada.tokens["access_token"])["origin_jti"])
        monkeypatch.setattr("app.authenticate", lambda _token: cached)
        assert ada.client.get("/v1/auth/me").status == 200
        client.post("/v1/auth/logout", {"refresh_token": ada.tokens["refresh_token"]})
        answer = ada.client.get("/v1/auth/me")
        assert (answer.status, answer.code) == (401, "unauthenticated")

    def test_a_key_is_nobody(self, client, services):
        ada = with_session(client)
        ada.client.post("/v1/tenants", {"name": "Acme"})
        key = ada.client.post("/v1/api-keys", {"name": "k"}).json["secret"]
        answer = client.using(key).get("/v1/auth/me")
        assert (answer.status, answer.code) == (403, "wrong_credential")


class TestForgotPassword:
    def test_a_user_gets_a_link(self, client, services):
        ada = signed_in(client, services)
        answer = client.post("/v1/auth/forgot-password", {"email": ada.email})
        assert (answer.status, answer.json) == (202, {"status": "sent"})
        drain(services)
        assert link_token(services, ada.email).startswith("parley_pr_")

    def test_the_mail_is_in_the_language_of_the_browser(self, client, services):
        ada = with_session(client)
        client.post("/v1/auth/forgot-password", {"email": ada.email}, Accept_Language="de-AT,de;q=0.9,en;q=0.8")
        drain(services)
        assert "Passwort" in text_of(mails_to(services, ada.email)[-1])

    def test_nobody_gets_none(self, client, services):
        email = new_email()
        assert client.post("/v1/auth/forgot-password", {"email": email}).status == 202
        drain(services)
        assert mails_to(services, email) == []

    def test_a_mailbox_is_not_flooded_and_the_answer_does_not_tell(self, client, services):
        with later(0):
            ada = signed_in(client, services)  # that was one mail
            answers = {client.post("/v1/auth/forgot-password", {"email": ada.email}).text for _ in range(12)}
        drain(services)
        assert len(answers) == 1
        assert len(mails_to(services, ada.email)) == 10

    def test_an_address_may_ask_so_often_and_another_one_is_free(self, client, monkeypatch):
        limit(monkeypatch, login_attempts_per_address=3)
        asked = []
        with later(0):
            for client.source_ip in (new_email(), new_email()):  # any text will do
                asked += [client.post("/v1/auth/forgot-password", {"email": new_email()}).status for _ in range(4)]
        assert asked == [202, 202, 202, 429] * 2

    def test_bad_input_is_refused(self, client):
        assert client.post("/v1/auth/forgot-password", {"email": "ada"}).params == {"email"}


class TestResetPassword:
    def test_it_sets_the_password_and_ends_all_sessions(self, client, services):
        ada = signed_in(client, services)
        token = asked_for_reset(client, services, ada.email)
        answer = client.post("/v1/auth/reset-password", {"token": token, "password": "new password!"})
        assert (answer.status, answer.json["id"]) == (200, ada.user_id)
        assert ada.client.get("/v1/auth/me").status == 401
        assert client.post("/v1/auth/refresh", {"refresh_token": ada.tokens["refresh_token"]}).status == 401
        assert client.post("/v1/auth/login", {"email": ada.email, "password": PASSWORD}).status == 401
        assert logged_in(client, ada.email, "new password!")
        drain(services)
        assert "password has been changed" in mails_to(services, ada.email)[-1]["Content"]["Simple"]["Subject"]["Data"]

    def test_what_ended_before_stays_ended(self, client, services):
        ada = with_session(client)
        other = client.using(another_session(ada.user_id)["access_token"])
        assert other.delete("/v1/auth/sessions").status == 204
        user = store.find_user(ada.user_id)
        assert user
        token = mail_tokens.for_reset(Reset.of(user), clock.now_s() + 60)
        assert client.post("/v1/auth/reset-password", {"token": token, "password": "new password!"}).status == 200
        assert [each.get("/v1/auth/me").status for each in (ada.client, other)] == [401, 401]

    def test_a_token_works_once_and_so_do_two_of_them(self, client, services):
        ada = signed_in(client, services)
        one, two = (asked_for_reset(client, services, ada.email) for _ in range(2))
        assert client.post("/v1/auth/reset-password", {"token": one, "password": "new password!"}).status == 200
        for token in (one, two):
            again = client.post("/v1/auth/reset-password", {"token": token, "password": "newer password"})
            assert (again.status, again.code) == (409, "token_used")

    def test_a_token_lives_an_hour(self, client, services):
        token = asked_for_reset(client, services, signed_in(client, services).email)
        body = {"token": token, "password": "new password!"}
        with later(3_601_000):
            assert client.post("/v1/auth/reset-password", body).code == "invalid_token"
        with later(3_500_000):
            assert client.post("/v1/auth/reset-password", body).status == 200

    def test_whoever_is_locked_out_can_log_in_again(self, client, services):
        ada = signed_in(client, services)
        with later(0):
            for _ in range(11):
                client.post("/v1/auth/login", {"email": ada.email, "password": "wrong"})
            assert client.post("/v1/auth/login", {"email": ada.email, "password": PASSWORD}).status == 429
        token = asked_for_reset(client, services, ada.email)
        client.post("/v1/auth/reset-password", {"token": token, "password": "new password!"})
        assert logged_in(client, ada.email, "new password!")

    def test_a_verification_token_is_none(self, client, services):
        token = registered(client, services, new_email())
        answer = client.post("/v1/auth/reset-password", {"token": token, "password": "new password!"})
        assert (answer.status, answer.code) == (400, "invalid_token")

    def test_bad_input_is_refused_and_uses_nothing_up(self, client, services):
        ada = signed_in(client, services)
        token = asked_for_reset(client, services, ada.email)
        for password in ("short", "password123", ada.email):
            answer = client.post("/v1/auth/reset-password", {"token": token, "password": password})
            assert (answer.status, answer.params) == (422, {"password"})
        assert client.post("/v1/auth/reset-password", {"token": token, "password": "new password!"}).status == 200


class TestAcceptInvitation:
    def test_somebody_new_gets_an_account(self, client, services):
        tenant, email, token = invited(client, services)
        answer = client.post("/v1/auth/accept-invite", {"token": token, "password": PASSWORD, "name": "Grace"})
        assert answer.status == 200
        assert (answer.json["tenant_id"], answer.json["role"]) == (tenant, "agent")
        assert (answer.json["user"]["email"], answer.json["user"]["name"]) == (email, "Grace")
        grace = client.using(logged_in(client, email)["access_token"])
        assert grace.get("/v1/auth/me").json["memberships"] == [{"tenant_id": tenant, "role": Role.AGENT.label}]
        shown = {row["email"]: row["name"] for row in grace.get(f"/v1/tenants/{tenant}/members").json["data"]}
        assert shown[email] == "Grace"

    def test_somebody_new_needs_a_password(self, client, services):
        _, email, token = invited(client, services)
        answer = client.post("/v1/auth/accept-invite", {"token": token})
        assert (answer.status, answer.params) == (422, {"password"})
        assert answer.json["error"]["errors"][0]["code"] == "required"
        answer = client.post("/v1/auth/accept-invite", {"token": token, "password": email})
        assert (answer.status, answer.params) == (422, {"password"})

    def test_a_user_joins_and_keeps_their_password(self, client, services):
        grace = signed_in(client, services)
        tenant, _, token = invited(client, services, grace.email)
        answer = client.post("/v1/auth/accept-invite", {"token": token, "password": "ignored password"})
        assert (answer.status, answer.json["user"]["id"]) == (200, grace.user_id)
        assert logged_in(client, grace.email, PASSWORD)
        assert grace.client.get(f"/v1/tenants/{tenant}").status == 200

    def test_a_registration_of_the_same_address_dies_with_it(self, client, services):
        email = new_email()
        verification = registered(client, services, email, "somebody else's")
        _, _, token = invited(client, services, email)
        assert client.post("/v1/auth/accept-invite", {"token": token, "password": PASSWORD}).status == 200
        assert client.post("/v1/auth/verify-email", {"token": verification}).code == "token_used"
        assert logged_in(client, email, PASSWORD)

    def test_an_invitation_is_accepted_once(self, client, services):
        _, _, token = invited(client, services)
        body = {"token": token, "password": PASSWORD}
        assert client.post("/v1/auth/accept-invite", body).status == 200
        again = client.post("/v1/auth/accept-invite", body)
        assert (again.status, again.code) == (409, "invitation_already_accepted")

    def test_a_click_that_another_overtakes_is_told_so(self, client, services):
        _, _, token = invited(client, services, with_session(client).email)
        body, first = {"token": token}, [0]

        def accept_first(service: str, operation: str, params: Any, proceed: Any) -> Any:
            if operation == "get_item" and params["Key"]["sk"]["S"] == "person" and first == [0]:
                first[0] = 1
                first[0] = client.post("/v1/auth/accept-invite", body).status
            return proceed()

        with injected(accept_first):
            late = client.post("/v1/auth/accept-invite", body)
        assert first == [200]
        assert (late.status, late.code) == (409, "invitation_already_accepted")

    def test_a_foreign_token_is_refused(self, client):
        answer = client.post("/v1/auth/accept-invite", {"token": "parley_inv_x", "password": PASSWORD})
        assert (answer.status, answer.code) == (404, "invitation_not_found")

    def test_bad_input_is_refused(self, client):
        assert client.post("/v1/auth/accept-invite", {"password": "short"}).params == {"token", "password"}


LINKED = ("verify-email", "reset-password", "accept-invite", "confirm-email")


class TestPages:
    @pytest.mark.parametrize("name", LINKED)
    def test_each_link_opens_a_page_that_runs_its_own_script_only(self, client, name):
        page = client.get(f"/auth/{name}?token=x")
        assert page.status == 200
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert digest_of(page.text, "script") in policy
        assert digest_of(page.text, "style") in policy
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert "//" not in page.text.replace("<!doctype", "")
        assert f'data-api="/v1/auth/{name}"' in page.text

    @pytest.mark.parametrize(
        ("wishes", "language", "button"), [("de-AT,en;q=0.5", "de", "Annehmen"), ("fr", "en", "Accept")]
    )
    def test_the_page_is_in_the_browsers_language(self, client, wishes, language, button):
        page = client.get("/auth/accept-invite?token=x", Accept_Language=wishes)
        assert f'<html lang="{language}">' in page.text
        assert f'<button type="submit">{button}</button>' in page.text

    @pytest.mark.parametrize("name", LINKED)
    def test_what_a_link_can_be_refused_for_is_said_in_german(self, client, name):
        page = client.get(f"/auth/{name}?token=x", Accept_Language="de").text
        words = json.loads(html.unescape(page.partition('data-words="')[2].partition('"')[0]))
        answers = client.get("/v1/openapi.json").json["paths"][f"/v1/auth/{name}"]["post"]["responses"].values()
        refusals = [answer["$ref"].rpartition("/")[2] for answer in answers if "$ref" in answer]
        codes = {code for refusal in refusals for code in refusal.split(".")[1:-1]}
        # The page's own script makes none of these; of `invalid`, the field's code is said.
        assert codes - {"malformed_request", "too_large", "unsupported_media_type", "invalid"} - words.keys() == set()
        assert {"no_token", "unreachable", "password_too_common", "password_is_email", "required"} <= words.keys()


def refresh(client: Client, token: str) -> str:
    answer = client.post("/v1/auth/refresh", {"refresh_token": token})
    assert answer.status == 200, answer.text
    successor: str = answer.json["refresh_token"]
    return successor


def asked_for_reset(client: Client, services: Services, email: str) -> str:
    client.post("/v1/auth/forgot-password", {"email": email})
    drain(services)
    return link_token(services, email)


def invited(client: Client, services: Services, email: str = "") -> tuple[str, str, str]:
    """Return a tenant, an invited address and the token of its link."""
    owner, email = with_session(client), email or new_email()
    tenant = owner.client.post("/v1/tenants", {"name": "Acme"}).json["id"]
    answer = owner.client.post(f"/v1/tenants/{tenant}/members", {"email": email, "role": "agent"})
    assert answer.status == 201, answer.text
    drain(services)
    return tenant, email, link_token(services, email)


def disable(user_id: str) -> None:
    run(USERS.updating(user_id, "meta", set_={"off": True}, exists=True))
    user = store.find_user(user_id)
    assert user
    assert user.disabled


def forged_refresh(user_id: str, session_id: str) -> str:
    return tokens.pack(
        "parley_rt_", ids.to_bytes(user_id), ids.to_bytes(session_id), (0).to_bytes(4, "big"), b"\x00" * 32
    )


def digest_of(page: str, tag: str) -> str:
    found = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
    assert found
    return base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()
