"""A credential of another region gets 421 with the right address, and costs no read."""

import pytest

from tests.support.answers import without_request_id
from tests.support.chats import ORIGIN
from tests.support.client import Client
from tests.support.people import signed_in
from tests.support.regions import ABROAD, HOME, abroad, two_regions
from tests.support.tenants import anonymous, invitation_token, invite, new_tenant, new_user

WIDGET_SESSIONS = "/widget/v1/sessions"


@pytest.fixture
def foreign(services):
    """A tenant of us1, as it is known there."""
    with abroad():
        return new_tenant()


@pytest.fixture(autouse=True)
def _here(foreign):
    with two_regions():
        yield


def sent_away(answer, services=None):
    assert (answer.status, answer.code, answer.json["error"]["base_url"]) == (421, "wrong_region", ABROAD), answer.text
    assert ABROAD in answer.json["error"]["message"]
    if services:
        assert not [call for call in services.calls if call[0] == "dynamodb"]


class TestAccessTokens:
    def test_they_are_sent_where_they_were_issued(self, foreign, services):
        services.reset()
        sent_away(foreign.owner.client.get("/v1/conversations"), services)
        sent_away(foreign.owner.client.post("/v1/tenants", {"name": "Again"}), services)
        sent_away(foreign.owner.client.get("/v1/auth/me"), services)  # reads its credential anew
        sent_away(foreign.owner.client.post("/v1/conversations", {"nonsense": 1}, Idempotency_Key="k"), services)

    def test_one_of_an_unknown_issuer_is_nobodys(self, services):
        with abroad(API_URL="https://evil.test"):
            token = new_user().client.token
        services.reset()
        assert anonymous().using(token).get("/v1/conversations").status == 401
        assert not services.calls or ("dynamodb", "batch_get_item") not in services.calls

    def test_a_region_that_is_no_longer_known_is_nobodys(self, foreign):
        with two_regions(REGIONS=""):
            assert foreign.owner.client.get("/v1/conversations").status == 401

    def test_an_own_one_stays_good(self):
        own = new_tenant()
        assert own.owner.client.get("/v1/conversations").status == 200
        with abroad():
            answer = own.owner.client.get("/v1/conversations")
            assert (answer.status, answer.json["error"]["base_url"]) == (421, HOME)


class TestApiKeys:
    @pytest.mark.parametrize("mode", ["live", "test"])
    def test_they_are_sent_where_their_tenant_is(self, foreign, services, mode):
        with abroad():
            key = foreign.owner.client.post("/v1/api-keys", {"name": "k", "mode": mode}).json["secret"]
        services.reset()
        sent_away(anonymous().using(key).get("/v1/contacts"), services)
        sent_away(anonymous().using(key).get("/v1/api-keys"), services)

    def test_a_mistyped_one_is_nobodys(self, foreign):
        with abroad():
            key = foreign.owner.client.post("/v1/api-keys", {"name": "k"}).json["secret"]
        assert anonymous().using(key[:-1] + ("a" if key[-1] != "a" else "b")).get("/v1/contacts").status == 401


class TestTenantIds:
    def test_a_user_of_here_who_names_a_tenant_of_there_is_told_where_it_is(self, foreign):
        user = new_tenant().owner
        sent_away(user.client.get(foreign.url))
        sent_away(user.client.using(X_Tenant_ID=foreign.id).get("/v1/conversations"))

    def test_whether_it_exists_is_not_told(self, foreign):
        user = new_tenant().owner
        with abroad():
            from chalicelib.core import regions

            missing = regions.new_id("tn")
        answers = [user.client.get(f"/v1/tenants/{each}") for each in (foreign.id, missing)]
        assert without_request_id(answers[0]) == without_request_id(answers[1])

    def test_a_key_of_here_may_not_leave_its_own_tenant(self, foreign):
        own = new_tenant()
        key = own.owner.client.post("/v1/api-keys", {"name": "k"}).json["secret"]
        assert anonymous().using(key).get(foreign.url).status == 404
        assert anonymous().using(key, X_Tenant_ID=foreign.id).get("/v1/contacts").status == 403


class TestVisitors:
    def test_a_client_token_is_sent_where_its_widget_is_and_any_page_may_read_it(self, foreign, services):
        token = foreign.created["default_widget"]["client_token"]
        services.reset()
        page = anonymous().using(Origin=ORIGIN)
        for answer in (
            page.post(WIDGET_SESSIONS, {"client_token": token}),
            page.get(f"/widget/v1/configuration/{token}"),
        ):
            sent_away(answer, services)
            assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN

    def test_so_is_a_visitors_token(self, foreign, services):
        with abroad():
            foreign.owner.client.post("/v1/domains", {"domain": "www.example.com"})
            token = foreign.created["default_widget"]["client_token"]
            session = anonymous().using(Origin=ORIGIN).post(WIDGET_SESSIONS, {"client_token": token})
            assert session.status == 201, session.text
        services.reset()
        answer = anonymous().using(session.json["token"], Origin=ORIGIN).get("/widget/v1/conversations")
        sent_away(answer, services)
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN


class TestTokensInBodies:
    @pytest.mark.parametrize("action", ["refresh", "logout"])
    def test_a_refresh_token_is_sent_where_its_account_is(self, client: Client, services, action):
        with abroad():
            token = signed_in(client, services).tokens["refresh_token"]
        services.reset()
        sent_away(client.post(f"/v1/auth/{action}", {"refresh_token": token}), services)
        with abroad():
            assert client.post(f"/v1/auth/{action}", {"refresh_token": token}).status < 300

    def test_so_is_an_invitation(self, foreign, services):
        with abroad():
            token = invitation_token(foreign, invite(foreign, "grace@people.test"))
        services.reset()
        body = {"token": token, "name": "Grace", "password": "correct horse battery"}
        sent_away(anonymous().post("/v1/auth/accept-invite", body), services)
