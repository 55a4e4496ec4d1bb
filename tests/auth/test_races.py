"""What happens when everybody clicks at once, on the real engine."""

from collections import Counter

from chalicelib.auth import store
from chalicelib.core.table import USERS
from tests.support.people import PASSWORD, link_token, logged_in, new_email, registered, signed_in
from tests.support.queues import drain
from tests.support.threads import at_once


def test_one_refresh_token_used_fifty_times_has_one_successor(client, services):
    ada = signed_in(client, services)
    body = {"refresh_token": ada.tokens["refresh_token"]}
    answers = at_once(50, lambda: client.post("/v1/auth/refresh", body))
    assert Counter(answer.status for answer in answers) == {200: 50}
    (successor,) = {answer.json["refresh_token"] for answer in answers}
    assert len({answer.json["access_token"] for answer in answers}) == 50
    assert client.post("/v1/auth/refresh", {"refresh_token": successor}).status == 200


def test_one_verification_used_32_times_makes_one_user(client, services):
    email = new_email()
    body = {"token": registered(client, services, email)}
    answers = at_once(32, lambda: client.post("/v1/auth/verify-email", body))
    assert Counter(answer.status for answer in answers) == {200: 1, 409: 31}
    (winner,) = [answer.json["id"] for answer in answers if answer.status == 200]
    assert store.find_user_id(email) == winner
    assert logged_in(client, email)["user"]["id"] == winner


def test_many_registrations_of_one_address_verified_at_once_make_one_user(client, services):
    email = new_email()
    tokens = [registered(client, services, email) for _ in range(8)]
    waiting = iter(tokens)
    answers = at_once(8, lambda: client.post("/v1/auth/verify-email", {"token": next(waiting)}))
    assert Counter(answer.status for answer in answers) == {200: 1, 409: 7}


def test_one_reset_used_32_times_sets_one_password(client, services):
    ada = signed_in(client, services)
    client.post("/v1/auth/forgot-password", {"email": ada.email})
    drain(services)
    body = {"token": link_token(services, ada.email), "password": "new password!"}
    answers = at_once(32, lambda: client.post("/v1/auth/reset-password", body))
    assert Counter(answer.status for answer in answers) == {200: 1, 409: 31}


def test_a_session_ended_32_times_at_once_is_ended_once(client, services):
    ada = signed_in(client, services)
    body = {"refresh_token": ada.tokens["refresh_token"]}
    answers = at_once(32, lambda: client.post("/v1/auth/logout", body))
    assert {answer.status for answer in answers} == {204}
    events = USERS.query(ada.user_id, prefix="e#").items
    assert [event["ty"] for event in events] == ["session.revoked"]
    drain(services)
    user = USERS.get(ada.user_id, "meta")
    assert user
    assert "p_pk" not in user


def test_one_invitation_accepted_at_once_makes_one_member(client, services):
    owner, email = signed_in(client, services), new_email()
    tenant = owner.client.post("/v1/tenants", {"name": "Acme"}).json["id"]
    owner.client.post(f"/v1/tenants/{tenant}/members", {"email": email, "role": "agent"})
    drain(services)
    body = {"token": link_token(services, email), "password": PASSWORD}
    answers = at_once(32, lambda: client.post("/v1/auth/accept-invite", body))
    assert Counter(answer.status for answer in answers) == {200: 1, 409: 31}
    assert {answer.code for answer in answers if answer.status == 409} == {"invitation_already_accepted"}
    members = owner.client.get(f"/v1/tenants/{tenant}/members").json["data"]
    assert sorted(member["role"] for member in members) == ["agent", "owner"]
