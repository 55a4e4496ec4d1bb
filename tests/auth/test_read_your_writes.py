"""What happened to an account is seen at once, also where a replica of the table is behind."""

from collections.abc import Iterator

import pytest

from chalicelib.auth.authorizer import authenticate
from tests.support.aws import Services
from tests.support.client import Client
from tests.support.faults import StaleReplica, injected
from tests.support.people import PASSWORD, link_token, logged_in, signed_in, with_session
from tests.support.queues import drain
from tests.support.totp import URL, code_of

OTHER = "a brand new password"


@pytest.fixture(autouse=True)
def _behind(services: Services) -> Iterator[None]:
    with injected(StaleReplica()):
        yield


def test_from_signing_up_to_logging_out(client: Client, services: Services):
    ada = signed_in(client, services)
    assert ada.client.get("/v1/auth/me").json["email"] == ada.email
    newer = client.post("/v1/auth/refresh", {"refresh_token": ada.tokens["refresh_token"]})
    assert client.post("/v1/auth/refresh", {"refresh_token": newer.json["refresh_token"]}).status == 200
    other = logged_in(client, ada.email)
    (_, second) = sorted(row["id"] for row in ada.client.get("/v1/auth/sessions").json["data"])
    assert ada.client.delete(f"/v1/auth/sessions/{second}").status == 204
    assert client.using(other["access_token"]).get("/v1/auth/me").status == 401
    assert client.post("/v1/auth/logout", {"refresh_token": ada.tokens["refresh_token"]}).status == 204
    assert ada.client.get("/v1/auth/me").status == 401


def test_a_new_password_and_address(client: Client, services: Services):
    ada = signed_in(client, services)
    client.post("/v1/auth/forgot-password", {"email": ada.email})
    drain(services)
    reset = {"token": link_token(services, ada.email), "password": OTHER}
    assert client.post("/v1/auth/reset-password", reset).status == 200
    assert client.post("/v1/auth/login", {"email": ada.email, "password": PASSWORD}).status == 401
    again = client.using(logged_in(client, ada.email, OTHER)["access_token"])
    address = f"new-{ada.email}"
    assert again.post("/v1/auth/change-email", {"email": address, "password": OTHER}).status == 202
    drain(services)
    assert client.post("/v1/auth/confirm-email", {"token": link_token(services, address)}).status == 200
    logged_in(client, address, OTHER)
    assert client.post("/v1/auth/login", {"email": ada.email, "password": OTHER}).status == 401


def test_a_new_name_and_a_new_tenant(client: Client):
    ada = with_session(client)
    assert ada.client.patch("/v1/auth/me", {"name": "Ada King"}).json["name"] == "Ada King"
    tenant = ada.client.post("/v1/tenants", {"name": "Acme"}).json["id"]
    me = ada.client.get("/v1/auth/me").json
    assert (me["name"], me["memberships"]) == ("Ada King", [{"tenant_id": tenant, "role": "owner"}])
    assert list(authenticate(f"Bearer {ada.tokens['access_token']}").memberships) == [tenant]


def test_a_second_factor(client: Client, services: Services):
    ada = signed_in(client, services)
    secret = ada.client.post(URL, {"password": PASSWORD}).json["secret"]
    codes = ada.client.post(f"{URL}/verify", {"code": code_of(secret)}).json["recovery_codes"]
    assert client.post("/v1/auth/login", {"email": ada.email, "password": PASSWORD}).code == "totp_required"
    again = {"email": ada.email, "password": PASSWORD, "totp": codes[0]}
    assert [client.post("/v1/auth/login", again).status for _ in range(2)] == [200, 401]
