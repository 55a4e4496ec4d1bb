"""A real Cognito user pool's tokens and keys, of the local emulator, through the app."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from chalicelib.auth import pool_tokens
from local.engines import aws_client
from local.ministack import start_ministack, wait_for_ministack
from tests.support.client import Client
from tests.support.people import new_email
from tests.support.settings import changed

pytestmark = pytest.mark.stack
PASSWORD = "Correct-Horse-7"


@dataclass(frozen=True)
class Emulator:
    """Cognito on this machine."""

    endpoint: str
    api: Any

    def new_pool(self) -> tuple[str, str]:
        """Create a user pool with an app client; returns their ids."""
        pool = self.api.create_user_pool(PoolName="people", UsernameAttributes=["email"])["UserPool"]["Id"]
        return pool, self.new_client(pool)

    def new_client(self, pool: str) -> str:
        """Create one more app client."""
        flows = ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
        made = self.api.create_user_pool_client(UserPoolId=pool, ClientName="app", ExplicitAuthFlows=flows)
        client_id: str = made["UserPoolClient"]["ClientId"]
        return client_id

    def new_user(self, pool: str, *, verified: bool = True) -> str:
        """Create a user with a password for good; returns the address."""
        email = new_email()
        attributes = {"email": email, "email_verified": str(verified).lower(), "name": "Ada Lovelace"}
        pairs = [{"Name": name, "Value": value} for name, value in attributes.items()]
        self.api.admin_create_user(
            UserPoolId=pool, Username=email, UserAttributes=pairs, MessageAction="SUPPRESS", TemporaryPassword=PASSWORD
        )
        self.api.admin_set_user_password(UserPoolId=pool, Username=email, Password=PASSWORD, Permanent=True)
        return email

    def tokens(self, client_id: str, email: str) -> dict[str, str]:
        """Sign in with the password."""
        answer = self.api.initiate_auth(
            ClientId=client_id,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": email, "PASSWORD": PASSWORD},
        )
        tokens: dict[str, str] = answer["AuthenticationResult"]
        return tokens


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    engine = start_ministack(tmp_path_factory.mktemp("ministack"))
    wait_for_ministack(engine)
    yield Emulator(engine.endpoint, aws_client("cognito-idp", engine.endpoint))
    engine.stop()


@pytest.fixture
def trusted(emulator: Emulator, services: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    pool, client_id = emulator.new_pool()
    for name, value in (("_keys", {}), ("_asked_at", 0), ("_ask_again_at", 0)):
        monkeypatch.setattr(pool_tokens, name, value)
    with changed(
        COGNITO_ISSUER=f"https://cognito-idp.eu-west-1.amazonaws.com/{pool}",
        COGNITO_CLIENT_IDS=client_id,
        COGNITO_JWKS_URL=f"{emulator.endpoint}/{pool}/.well-known/jwks.json",
    ):
        yield pool, client_id


def test_a_pools_user_signs_in_and_works_in_a_tenant(client: Client, emulator: Emulator, trusted: tuple[str, str]):
    pool, client_id = trusted
    email = emulator.new_user(pool)
    tokens = emulator.tokens(client_id, email)
    assert client.using(tokens["AccessToken"]).get("/v1/auth/me").status == 401  # not known yet
    made = client.post("/v1/auth/cognito", {"id_token": tokens["IdToken"]})
    assert (made.status, made.json["email"], made.json["name"]) == (200, email, "Ada Lovelace")
    ada = client.using(tokens["AccessToken"])
    assert ada.get("/v1/auth/me").json["id"] == made.json["id"]
    tenant = ada.post("/v1/tenants", {"name": "Acme"}).json["id"]
    assert ada.get(f"/v1/tenants/{tenant}/members").json["data"][0]["email"] == email
    again = client.using(emulator.tokens(client_id, email)["AccessToken"])
    assert again.get(f"/v1/tenants/{tenant}").status == 200
    assert client.using(tokens["IdToken"]).get("/v1/auth/me").status == 401


def test_other_pools_and_other_clients_are_nobody(client: Client, emulator: Emulator, trusted: tuple[str, str]):
    pool, client_id = trusted
    email = emulator.new_user(pool)
    known = emulator.tokens(client_id, email)
    assert client.post("/v1/auth/cognito", {"id_token": known["IdToken"]}).status == 200
    foreign_pool, foreign_client = emulator.new_pool()
    foreign = emulator.tokens(foreign_client, emulator.new_user(foreign_pool))
    other = emulator.tokens(emulator.new_client(pool), email)
    for tokens in (foreign, other):
        assert client.using(tokens["AccessToken"]).get("/v1/auth/me").status == 401
        assert client.post("/v1/auth/cognito", {"id_token": tokens["IdToken"]}).code == "invalid_id_token"
    assert client.using(known["AccessToken"]).get("/v1/auth/me").status == 200


def test_an_address_that_the_pool_has_not_verified_is_refused(
    client: Client, emulator: Emulator, trusted: tuple[str, str]
):
    pool, client_id = trusted
    tokens = emulator.tokens(client_id, emulator.new_user(pool, verified=False))
    assert client.post("/v1/auth/cognito", {"id_token": tokens["IdToken"]}).code == "email_not_verified"
