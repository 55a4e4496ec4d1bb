"""What people change about themselves, and what follows from it."""

from collections import Counter
from typing import Any

import pytest

from chalicelib.auth import mail_tokens, store
from chalicelib.auth.models import EmailChange
from chalicelib.core import aws, clock, ids
from chalicelib.core.table import USERS, run
from chalicelib.tenants import people
from tests.support.clocks import later
from tests.support.faults import At, Crash, crash, injected
from tests.support.people import (
    PASSWORD,
    Person,
    link_token,
    logged_in,
    mails_to,
    new_email,
    signed_in,
    text_of,
    verified,
    with_session,
)
from tests.support.queues import drain
from tests.support.tenants import anonymous, new_key, new_tenant
from tests.support.threads import at_once

NEW = "another long password"


@pytest.fixture
def ada(client, services):
    return with_session(client)


def subjects(services: Any, email: str) -> list[str]:
    return [mail["Content"]["Simple"]["Subject"]["Data"] for mail in mails_to(services, email)]


def member_row(person: Person, tenant: str) -> dict[str, Any]:
    rows = person.client.get(f"/v1/tenants/{tenant}/members").json["data"]
    (found,) = [row for row in rows if row["user_id"] == person.user_id]
    return dict(found)


BODIES: dict[str, tuple[str, dict[str, str]]] = {
    "/v1/auth/me": ("PATCH", {"name": "Ada"}),
    "/v1/auth/change-password": ("POST", {"current_password": PASSWORD, "new_password": NEW}),
    "/v1/auth/change-email": ("POST", {"email": "new@example.com", "password": PASSWORD}),
}


@pytest.mark.parametrize("path", BODIES)
def test_it_takes_a_signed_in_user_whose_session_stands(client, services, ada, path, monkeypatch):
    from chalicelib.auth.authorizer import authenticate

    method, body = BODIES[path]
    assert anonymous().send(method, path, body).status == 401
    assert new_key(new_tenant()).send(method, path, body).code == "wrong_credential"
    cached = authenticate(f"Bearer {ada.tokens['access_token']}")
    monkeypatch.setattr("app.authenticate", lambda _token: cached)
    client.post("/v1/auth/logout", {"refresh_token": ada.tokens["refresh_token"]})
    assert ada.client.send(method, path, body).status == 401


class TestProfile:
    def test_what_is_given_changes(self, ada):
        answer = ada.client.patch("/v1/auth/me", {"name": "Ada King", "language": "de"})
        assert (answer.status, answer.json["name"], answer.json["language"]) == (200, "Ada King", "de")
        assert ada.client.get("/v1/auth/me").json == answer.json
        assert ada.client.patch("/v1/auth/me", {}).json == answer.json
        assert ada.client.patch("/v1/auth/me", {"language": "en"}).json == answer.json | {"language": "en"}

    def test_the_tenants_follow_and_record_it(self, services, ada):
        tenants = [ada.client.post("/v1/tenants", {"name": "Acme"}).json["id"] for _ in range(2)]
        ada.client.patch("/v1/auth/me", {"name": "Ada King"})
        drain(services)
        for tenant in tenants:
            assert member_row(ada, tenant)["name"] == "Ada King"
            entry = ada.client.get(f"/v1/tenants/{tenant}/audit-log?limit=1").json["data"][0]
            assert (entry["action"], entry["changes"], entry["previous"]) == (
                "member.updated",
                {"name": "Ada King"},
                {"name": "Ada Lovelace"},
            )

    def test_a_crash_halfway_is_made_good_and_nothing_is_recorded_twice(self, services, ada):
        tenants = [ada.client.post("/v1/tenants", {"name": "Acme"}).json["id"] for _ in range(3)]
        ada.client.patch("/v1/auth/me", {"name": "Ada King"})
        seen = [event for event in USERS.query(ada.user_id, prefix="e#").items if event["ty"] == "user.updated"]
        from chalicelib.events.models import event_from_item

        event = event_from_item(seen[0])
        fault = At(1, "after", crash, lambda _service, operation: operation == "transact_write_items")
        with injected(fault), pytest.raises(Crash):
            people.on_event(event)
        people.on_event(event)
        for tenant in tenants:
            entries = ada.client.get(f"/v1/tenants/{tenant}/audit-log").json["data"]
            assert Counter(entry["action"] for entry in entries)["member.updated"] == 1

    @pytest.mark.parametrize(
        "body", [{"name": None}, {"name": ""}, {"name": "a\nb"}, {"language": "xx"}, {"email": "a@example.com"}]
    )
    def test_bad_input_is_refused(self, ada, body):
        answer = ada.client.patch("/v1/auth/me", body)
        assert (answer.status, answer.params) == (422, set(body))


class TestChangePassword:
    URL = "/v1/auth/change-password"
    BODY = {"current_password": PASSWORD, "new_password": NEW}  # noqa: RUF012 - never changed

    def test_it_ends_all_sessions_but_this_one_and_tells_the_owner(self, client, services, ada):
        other = logged_in(client, ada.email)
        answer = ada.client.post(self.URL, self.BODY)
        assert (answer.status, answer.json["id"]) == (200, ada.user_id)
        assert client.using(other["access_token"]).get("/v1/auth/me").status == 401
        assert ada.client.get("/v1/auth/me").status == 200
        assert client.post("/v1/auth/refresh", {"refresh_token": ada.tokens["refresh_token"]}).status == 200
        assert client.post("/v1/auth/login", {"email": ada.email, "password": PASSWORD}).status == 401
        assert logged_in(client, ada.email, NEW)
        drain(services)
        assert subjects(services, ada.email)[-1] == "Your password has been changed"

    def test_a_wrong_password_is_refused_and_counted_like_a_log_in(self, client, ada):
        with later(0):
            for _ in range(5):
                refused = ada.client.post(self.URL, self.BODY | {"current_password": "wrong"})
                assert (refused.status, refused.code) == (403, "wrong_password")
                assert refused.json["error"]["param"] == "current_password"
                client.post("/v1/auth/login", {"email": ada.email, "password": "wrong"})
            ada.client.post(self.URL, self.BODY | {"current_password": "wrong"})
            paused = ada.client.post(self.URL, self.BODY)
        assert (paused.status, paused.headers["Retry-After"]) == (429, "1")

    def test_links_that_were_out_end(self, client, services, ada):
        client.post("/v1/auth/forgot-password", {"email": ada.email})
        drain(services)
        token = link_token(services, ada.email)
        ada.client.post(self.URL, self.BODY)
        assert client.post("/v1/auth/reset-password", {"token": token, "password": "x" * 9}).code == "token_used"

    def test_of_many_at_once_one_wins(self, client, ada):
        new = iter(f"password number {number}" for number in range(8))
        answers = at_once(
            8, lambda: ada.client.post(self.URL, {"current_password": PASSWORD, "new_password": next(new)})
        )
        assert Counter(answer.status for answer in answers) == {200: 1, 403: 7}
        assert {answer.json["error"]["param"] for answer in answers if answer.status == 403} == {"current_password"}
        assert ada.client.get("/v1/auth/me").status == 200

    def test_a_repeated_key_changes_it_once(self, ada):
        answers = [ada.client.post(self.URL, self.BODY, Idempotency_Key="k") for _ in range(2)]
        assert answers[0].json == answers[1].json
        assert answers[1].headers["Idempotency-Replayed"] == "true"

    @pytest.mark.parametrize(
        ("body", "params"),
        [
            ({}, {"current_password", "new_password"}),
            ({"current_password": PASSWORD, "new_password": "short"}, {"new_password"}),
            ({"current_password": PASSWORD, "new_password": "password123"}, {"new_password"}),
        ],
    )
    def test_bad_input_is_refused(self, ada, body, params):
        answer = ada.client.post(self.URL, body)
        assert (answer.status, answer.params) == (422, params)


def asked(person: Person, email: str, services: Any) -> str:
    answer = person.client.post("/v1/auth/change-email", {"email": email, "password": PASSWORD})
    assert (answer.status, answer.json) == (202, {"status": "sent"})
    drain(services)
    return link_token(services, email)


class TestChangeEmail:
    def test_a_link_goes_to_the_new_address_and_a_notice_to_the_old(self, client, services, ada):
        email = new_email()
        token = asked(ada, email, services)
        assert token.startswith("parley_ec_")
        assert subjects(services, ada.email)[-1] == "Somebody wants to change your e-mail address"
        assert email not in text_of(mails_to(services, ada.email)[-1])
        assert logged_in(client, ada.email)

    def test_a_taken_address_looks_the_same_and_is_told_by_mail(self, client, services, ada):
        taken, free, seen = new_email(), new_email(), []
        verified(client, services, taken)
        for email in (taken, free):
            services.reset()
            answer = ada.client.post("/v1/auth/change-email", {"email": email, "password": PASSWORD})
            shown = answer.text, {name: value for name, value in answer.headers.items() if name != "X-Request-Id"}
            seen.append((answer.status, shown, list(services.calls)))
        assert seen[0] == seen[1]
        drain(services)
        assert "token=" not in text_of(mails_to(services, taken)[-1])
        assert subjects(services, taken)[-1] == "This address has an account already"

    def test_a_repeated_key_asks_once_and_answers_the_same(self, services, ada):
        body = {"email": new_email(), "password": PASSWORD}
        answers = [ada.client.post("/v1/auth/change-email", body, Idempotency_Key="k") for _ in range(2)]
        assert [(answer.status, answer.json) for answer in answers] == [(202, {"status": "sent"})] * 2
        assert answers[1].headers["Idempotency-Replayed"] == "true"
        drain(services)
        assert len(mails_to(services, body["email"])) == 1

    def test_a_wrong_password_is_refused(self, ada):
        answer = ada.client.post("/v1/auth/change-email", {"email": new_email(), "password": "wrong"})
        assert (answer.status, answer.code, answer.json["error"]["param"]) == (403, "wrong_password", "password")

    def test_bad_input_is_refused(self, ada):
        assert ada.client.post("/v1/auth/change-email", {"email": "x"}).params == {"email", "password"}
        own = ada.client.post("/v1/auth/change-email", {"email": ada.email, "password": PASSWORD})
        assert (own.status, own.params) == (422, {"email"})

    def test_a_mailbox_is_not_flooded(self, ada):
        body = {"email": new_email(), "password": PASSWORD}
        with later(0):
            assert {ada.client.post("/v1/auth/change-email", body).status for _ in range(10)} == {202}
            assert ada.client.post("/v1/auth/change-email", body).status == 429


def link_to(user_id: str, email: str) -> str:
    """Return the token that moves a new user to an address, without the mail."""
    change = EmailChange(ids.new("chg"), user_id, email, 1, 0)
    store.add_email_change(change, result=None)
    return mail_tokens.for_email_change(change.id, clock.now_s() + 60)


class TestConfirmEmail:
    URL = "/v1/auth/confirm-email"

    def test_the_account_moves_with_its_sessions_and_its_tenants(self, client, services, ada):
        tenant, email = ada.client.post("/v1/tenants", {"name": "Acme"}).json["id"], new_email()
        token = asked(ada, email, services)
        answer = client.post(self.URL, {"token": token})
        assert (answer.status, answer.json["email"], answer.json["id"]) == (200, email, ada.user_id)
        assert client.post("/v1/auth/login", {"email": ada.email, "password": PASSWORD}).status == 401
        assert logged_in(client, email)["user"]["id"] == ada.user_id
        assert ada.client.get("/v1/auth/me").json["email"] == email
        drain(services)
        assert member_row(ada, tenant)["email"] == email
        assert verified(client, services, ada.email)  # the old address is anybody's whose mailbox it is

    def test_a_token_works_once_and_the_address_is_one_accounts(self, client, services, ada):
        bob, email = signed_in(client, services), new_email()
        first, second = asked(ada, email, services), asked(bob, email, services)
        assert client.post(self.URL, {"token": first}).status == 200
        again = client.post(self.URL, {"token": first})
        assert (again.status, again.code) == (409, "token_used")
        late = client.post(self.URL, {"token": second})
        assert (late.status, late.code) == (409, "address_taken")
        assert logged_in(client, bob.email)

    def test_used_32_times_at_once_it_moves_once(self, client, services, ada):
        token = asked(ada, new_email(), services)
        answers = at_once(32, lambda: client.post(self.URL, {"token": token}))
        assert Counter(answer.status for answer in answers) == {200: 1, 409: 31}
        assert {answer.code for answer in answers if answer.status == 409} == {"token_used"}

    def test_at_the_new_address_one_may_ask_for_a_new_password(self, client, services):
        ada, email = with_session(client), new_email()
        assert client.post(self.URL, {"token": link_to(ada.user_id, email)}).status == 200
        client.post("/v1/auth/forgot-password", {"email": email})
        drain(services)
        body = {"token": link_token(services, email), "password": NEW}
        assert client.post("/v1/auth/reset-password", body).status == 200

    @pytest.mark.parametrize("gone", [True, False])
    def test_of_somebody_disabled_or_gone_it_moves_nothing(self, client, services, gone):
        user_id, email = ids.new("usr") if gone else with_session(client).user_id, new_email()
        if not gone:
            run(USERS.updating(user_id, "meta", set_={"off": True}))
        answer = client.post(self.URL, {"token": link_to(user_id, email)})
        assert (answer.status, answer.code) == (400, "invalid_token")
        assert store.find_user_id(email) is None

    def test_links_to_the_address_before_end(self, client, services, ada):
        client.post("/v1/auth/forgot-password", {"email": ada.email})
        drain(services)
        reset, earlier = link_token(services, ada.email), asked(ada, new_email(), services)
        client.post(self.URL, {"token": asked(ada, new_email(), services)})
        assert client.post(self.URL, {"token": earlier}).code == "token_used"
        assert client.post("/v1/auth/reset-password", {"token": reset, "password": NEW}).code == "token_used"

    def test_another_password_ends_the_link(self, client, services, ada):
        token = asked(ada, new_email(), services)
        ada.client.post("/v1/auth/change-password", {"current_password": PASSWORD, "new_password": NEW})
        assert client.post(self.URL, {"token": token}).code == "token_used"

    def test_a_token_lives_an_hour(self, client, services, ada):
        token = asked(ada, new_email(), services)
        with later(3_601_000):
            assert client.post(self.URL, {"token": token}).code == "invalid_token"
        with later(3_500_000):
            assert client.post(self.URL, {"token": token}).status == 200

    @pytest.mark.parametrize("token", ["x", "parley_ec_" + "0" * 54])
    def test_a_foreign_token_costs_no_read(self, client, services, token):
        services.reset()
        assert client.post(self.URL, {"token": token}).code == "invalid_token"
        assert not [call for call in services.calls if call[0] == "dynamodb"]

    @pytest.mark.parametrize("moment", ["before the person is read", "before the commit"])
    def test_an_invitation_accepted_meanwhile_leaves_no_address_behind(self, client, services, ada, moment):
        owner, email = signed_in(client, services), new_email()
        tenant = owner.client.post("/v1/tenants", {"name": "Acme"}).json["id"]
        owner.client.post(f"/v1/tenants/{tenant}/members", {"email": ada.email, "role": "agent"})
        drain(services)
        invitation, change = link_token(services, ada.email), asked(ada, email, services)
        moved: list[int] = []

        def move_first(service: str, operation: str, params: Any, proceed: Any) -> Any:
            reads_person = operation == "get_item" and params["Key"]["sk"]["S"] == "person"
            commits = operation == "transact_write_items"
            if not moved and (commits if moment == "before the commit" else reads_person):
                moved.append(1)
                assert client.post(self.URL, {"token": change}).status == 200
                drain(services)
            return proceed()

        aws.interceptors.append(move_first)
        answer = client.post("/v1/auth/accept-invite", {"token": invitation, "password": PASSWORD})
        aws.interceptors.remove(move_first)
        drain(services)
        assert (answer.status, moved) == (200, [1])
        found = {row["user_id"]: row["email"] for row in owner.client.get(f"/v1/tenants/{tenant}/members").json["data"]}
        if moment == "before the commit":  # read again, the invited address is nobody's: somebody new has joined
            assert ada.user_id not in found
            assert ada.email in found.values()
        else:
            assert found[ada.user_id] == email
