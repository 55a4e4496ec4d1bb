"""Which credentials are somebody, and which are nobody."""

import base64
import hashlib
import hmac
import json
import re
from typing import Any

import jwt
import pytest

from chalicelib.auth import jwts, keys, visitor_tokens
from chalicelib.auth.authorizer import authenticate
from chalicelib.core import ids
from chalicelib.core.clock import reading
from chalicelib.core.errors import UnauthenticatedError
from chalicelib.core.http import Role
from chalicelib.tenants.standing import suspend_tenant
from tests.support.chats import new_chat, new_site, new_test_site
from tests.support.clocks import later
from tests.support.people import another_session, claims_of, with_session
from tests.support.queues import drain
from tests.support.tenants import new_tenant

ORIGIN = "https://www.example.com"


def refused(header: str) -> None:
    with pytest.raises(UnauthenticatedError):
        authenticate(header)


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(claims: dict[str, Any], **headers: str) -> str:
    key = keys.signing_key()
    return jwt.encode(claims, key.private, algorithm="RS256", headers={"kid": key.kid, **headers})


@pytest.fixture
def ada(client, services):
    return with_session(client)


class TestAccessTokens:
    def test_they_are_shaped_like_cognitos(self, ada):
        claims = claims_of(ada.tokens["access_token"])
        assert claims["iss"] == "https://api.test"
        assert (claims["token_use"], claims["client_id"], claims["sub"]) == ("access", "parley", ada.user_id)
        assert claims["exp"] - claims["iat"] == 900
        assert {"jti", "origin_jti", "auth_time"} <= set(claims)
        assert claims["scope"] == ""
        identity = claims_of(ada.tokens["id_token"])
        assert (identity["token_use"], identity["aud"]) == ("id", "parley")
        assert (identity["email"], identity["email_verified"]) == (ada.email, True)
        assert (identity["name"], identity["jti"] != claims["jti"]) == ("Ada Lovelace", True)
        with later(0):
            claims = claims_of(another_session(ada.user_id)["access_token"])
        assert claims["auth_time"] == claims["iat"]

    def test_one_read_finds_the_user_with_their_tenants(self, ada, services):
        tenant = ada.client.post("/v1/tenants", {"name": "Acme"}).json["id"]
        services.reset()
        caller = authenticate(f"Bearer {ada.tokens['access_token']}")
        assert services.calls == [("dynamodb", "batch_get_item")]
        assert (caller.kind, caller.id, dict(caller.memberships)) == ("user", ada.user_id, {tenant: Role.OWNER})
        assert (caller.name, caller.suspended) == ("Ada Lovelace", frozenset())
        assert caller.session_id == claims_of(ada.tokens["access_token"])["origin_jti"]

    def test_whoever_has_no_name_goes_without(self, client, services):
        assert authenticate(f"Bearer {with_session(client, name=None).client.token}").name == ""

    def test_the_scheme_is_bearer_in_any_case(self, ada):
        assert authenticate(f"bearer {ada.tokens['access_token']}").id == ada.user_id

    def test_it_ends_with_the_second_it_names(self, ada):
        token = ada.tokens["access_token"]
        end_ms = claims_of(token)["exp"] * 1000
        with reading(lambda: end_ms - 1):
            assert authenticate(f"Bearer {token}").expires_at == end_ms
        with reading(lambda: end_ms):
            refused(f"Bearer {token}")

    def test_an_expired_one_is_refused_even_while_the_authorizers_cache_remembers_it(self, ada, monkeypatch):
        ada.client.post("/v1/tenants", {"name": "Acme"})
        cached = authenticate(f"Bearer {ada.tokens['access_token']}")
        monkeypatch.setattr("app.authenticate", lambda _token: cached)
        end_ms = claims_of(ada.tokens["access_token"])["exp"] * 1000
        with reading(lambda: end_ms - 1):
            assert ada.client.get("/v1/widgets").status == 200
        with reading(lambda: end_ms):
            assert ada.client.get("/v1/widgets").status == 401

    def test_another_server_can_check_one_with_our_public_keys(self, ada, client):
        answer = client.get("/.well-known/jwks.json")
        assert answer.headers["Cache-Control"] == "public, max-age=300"
        token = ada.tokens["access_token"]
        published = jwt.PyJWKSet.from_dict(answer.json)[jwt.get_unverified_header(token)["kid"]]
        assert jwt.decode(token, published.key, algorithms=["RS256"])["sub"] == ada.user_id
        assert not any({"d", "p", "q"} & set(key) for key in answer.json["keys"])
        shown = [{name: key[name] for name in ("kty", "use", "alg")} for key in answer.json["keys"]]
        assert shown == [{"kty": "RSA", "use": "sig", "alg": "RS256"}]
        for key in answer.json["keys"]:  # as RFC 7518 writes 256 bytes and 65,537: no padding, no zero in front
            assert re.fullmatch("[A-Za-z0-9_-]{342}", key["n"])
            assert key["e"] == "AQAB"


class TestForgeries:
    def test_other_kinds_of_token_are_nobody(self, ada):
        refused(f"Bearer {ada.tokens['id_token']}")
        refused(f"Bearer {ada.tokens['refresh_token']}")

    @pytest.mark.parametrize(
        "header", ["", "Bearer", "Bearer ", "x", "Bearer a.b.c", "Bearer ☃", "Bearer " + "a" * 9999]
    )
    def test_nonsense_is_nobody(self, services, header):
        refused(header)

    def test_another_scheme_is_nobody(self, ada):
        token = ada.tokens["access_token"]
        for header in (token, f"Basic {token}", f"Token {token}", f"Bearer  {token}", f"Bearer {token} x"):
            refused(header)

    def test_longer_than_any_of_ours_it_is_not_even_read(self, ada):
        refused(f"Bearer {signed(claims_of(ada.tokens['access_token']) | {'scope': 'x' * 4096})}")

    def test_alg_none_is_nobody(self, ada):
        header, body, _ = ada.tokens["access_token"].split(".")
        kid = json.loads(base64.urlsafe_b64decode(header + "=="))["kid"]
        for alg in ("none", "None", ""):
            unsigned = base64url(json.dumps({"alg": alg, "kid": kid}).encode())
            refused(f"Bearer {unsigned}.{body}.")

    def test_the_public_key_as_an_hmac_secret_is_nobody(self, ada):
        from cryptography.hazmat.primitives import serialization

        key = keys.signing_key()
        public = key.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        header = base64url(json.dumps({"alg": "HS256", "kid": key.kid}).encode())
        message = f"{header}.{ada.tokens['access_token'].split('.')[1]}"
        mac = hmac.new(public, message.encode(), hashlib.sha256).digest()
        refused(f"Bearer {message}.{base64url(mac)}")

    def test_a_changed_claim_is_nobody(self, ada):
        header, _, signature = ada.tokens["access_token"].split(".")
        claims = claims_of(ada.tokens["access_token"]) | {"sub": ids.new("usr")}
        refused(f"Bearer {header}.{base64url(json.dumps(claims).encode())}.{signature}")

    @pytest.mark.parametrize(
        "changed",
        [
            {"iss": "https://other.test"},
            {"token_use": "id"},
            {"token_use": None},
            {"exp": None},
            {"sub": None},
        ],
    )
    def test_one_of_ours_that_says_something_else_is_nobody(self, ada, changed):
        claims = claims_of(ada.tokens["access_token"])
        assert authenticate(f"Bearer {signed(claims)}").id == ada.user_id
        refused(f"Bearer {signed({name: value for name, value in (claims | changed).items() if value is not None})}")

    def test_a_key_of_ones_own_is_nobodys(self, ada):
        from cryptography.hazmat.primitives.asymmetric import rsa

        own = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        claims = claims_of(ada.tokens["access_token"])
        for kid in (keys.signing_key().kid, "unknown"):
            refused(f"Bearer {jwt.encode(claims, own, algorithm='RS256', headers={'kid': kid})}")
        refused(f"Bearer {jwt.encode(claims, own, algorithm='RS256')}")

    def test_guessing_key_names_does_not_hammer_the_secret_store(self, ada, services):
        claims = claims_of(ada.tokens["access_token"])
        services.reset()
        for kid in ("guess", *(ids.new("sig") for _ in range(20))):
            refused(f"Bearer {signed(claims, kid=kid)}")
        assert services.calls.count(("secretsmanager", "get_secret_value")) <= 1
        assert ("dynamodb", "batch_get_item") not in services.calls


class TestVisitorTokens:
    def test_they_cost_one_read_of_their_site(self, services):
        made = new_tenant(domain="www.example.com")
        tenant, visitor, widget = made.id, ids.new("vis"), made.created["default_widget"]["id"]
        token = visitor_tokens.issue(tenant, visitor, widget, ORIGIN)
        services.reset()
        caller = authenticate(f"Bearer {token}")
        assert [call for call in services.calls if call[0] == "dynamodb"] == [("dynamodb", "batch_get_item")]
        assert (caller.kind, caller.id, caller.widget_id, caller.origin) == ("visitor", visitor, widget, ORIGIN)
        assert caller.tenant_space == tenant
        assert caller.expires_at == claims_of(token)["exp"] * 1000
        assert (caller.name, caller.contact_id) == ("", "")
        assert not caller.memberships

    def test_they_tell_who_he_is_and_whom_he_has_proven_to_be(self, services):
        made, contact = new_tenant(domain="www.example.com"), ids.new("con")
        widget = made.created["default_widget"]["id"]
        token = visitor_tokens.issue(made.id, ids.new("vis"), widget, ORIGIN, name="Ana", contact_id=contact)
        caller = authenticate(f"Bearer {token}")
        assert (caller.name, caller.contact_id) == ("Ana", contact)

    def test_of_a_site_that_is_not_the_tenants_they_are_refused(self, services):
        made = new_tenant(domain="www.example.com")
        widget = made.created["default_widget"]["id"]
        refused(f"Bearer {visitor_tokens.issue(made.id, ids.new('vis'), widget, 'https://www.example.org')}")
        refused(f"Bearer {visitor_tokens.issue(made.id, ids.new('vis'), ids.new('wgt'), ORIGIN)}")
        refused(f"Bearer {visitor_tokens.issue(made.id + '~test', ids.new('vis'), widget, ORIGIN)}")

    def test_they_live_a_day_and_can_be_resumed_from_for_half_a_year(self, services):
        visitor = ids.new("vis")
        token = visitor_tokens.issue(ids.new("tn"), visitor, ids.new("wgt"), ORIGIN)
        end_ms = claims_of(token)["exp"] * 1000
        with reading(lambda: end_ms):
            refused(f"Bearer {token}")
        with reading(lambda: end_ms + 180 * 86_400_000 - 1):
            resumed = visitor_tokens.read_for_resume(token)
            assert resumed
            assert resumed.visitor_id == visitor
        with reading(lambda: end_ms + 180 * 86_400_000):
            assert visitor_tokens.read_for_resume(token) is None

    def test_one_that_has_ended_by_the_machines_own_clock_is_resumed_from_as_well(self, services):
        with later(-2 * 86_400_000):
            token = visitor_tokens.issue(ids.new("tn"), ids.new("vis"), ids.new("wgt"), ORIGIN)
        assert visitor_tokens.read_for_resume(token)

    def test_only_they_can_be_resumed_from(self, ada):
        assert visitor_tokens.read_for_resume(ada.tokens["access_token"]) is None
        assert visitor_tokens.read_for_resume("x") is None

    def test_a_visitor_is_no_user(self, client, services):
        made = new_tenant(domain="www.example.com")
        widget = made.created["default_widget"]["id"]
        answer = client.using(visitor_tokens.issue(made.id, ids.new("vis"), widget, ORIGIN)).get("/v1/auth/me")
        assert (answer.status, answer.code) == (403, "wrong_credential")


def test_people_and_visitors_of_a_suspended_tenant_are_said_to_be(services):
    site = new_site()
    chats = new_chat(site), new_test_site(site)[1]
    suspend_tenant(site.id)
    drain(services)
    for client in (site.owner.client, *(chat.client for chat in chats)):
        assert authenticate(f"Bearer {client.token}").suspended == {site.id}


class TestApiKeys:
    def test_they_are_their_tenants(self, ada):
        tenant = ada.client.post("/v1/tenants", {"name": "Acme"}).json["id"]
        secret = ada.client.post("/v1/api-keys", {"name": "k", "scopes": ["contacts:read"]}).json["secret"]
        caller = authenticate(f"Bearer {secret}")
        assert caller.kind == "api_key"
        assert (set(caller.memberships), set(caller.scopes)) == ({tenant}, {"contacts:read"})

    def test_a_typo_is_nobody_and_costs_no_read(self, services):
        refused("Bearer parley_live_" + "0" * 83)
        assert services.calls == []


def test_a_token_is_signed_with_our_clock(services):
    with reading(lambda: 1_700_000_000_000):
        claims = claims_of(jwts.sign({"sub": "x"}, 60))
    assert (claims["iat"], claims["exp"]) == (1_700_000_000, 1_700_000_060)
