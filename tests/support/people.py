"""People who have signed up, made the way they would do it themselves."""

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import jwt

from chalicelib.core.ids import new_ulid
from tests.support.aws import Services
from tests.support.client import Client
from tests.support.queues import drain

PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Person:
    """Somebody with a session; `client` carries their access token."""

    client: Client
    email: str
    password: str
    user_id: str
    tokens: dict[str, Any]


def new_email() -> str:
    """Return an address nobody has."""
    return f"{new_ulid().lower()}@example.com"


def mails_to(services: Services, email: str) -> list[dict[str, Any]]:
    """Return the mails sent to an address, oldest first."""
    return [mail for mail in services.mails if mail["Destination"]["ToAddresses"] == [email]]


def text_of(mail: dict[str, Any]) -> str:
    """Return a mail's text part."""
    text: str = mail["Content"]["Simple"]["Body"]["Text"]["Data"]
    return text


def link_token(services: Services, email: str) -> str:
    """Return the token of the link in the newest mail to an address; it stands alone on its line."""
    text = text_of(mails_to(services, email)[-1])
    found = re.search(r"^https://\S+\?token=([A-Za-z0-9_-]+)$", text, re.MULTILINE)
    assert found, text
    return found[1]


def claims_of(token: str) -> dict[str, Any]:
    """Return what a JWT says, unchecked."""
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def registered(client: Client, services: Services, email: str, password: str = PASSWORD) -> str:
    """Sign up and return the token of the verification mail."""
    answer = client.post("/v1/auth/register", {"email": email, "password": password, "name": "Ada Lovelace"})
    assert answer.status == 201, answer.text
    drain(services)
    return link_token(services, email)


def verified(client: Client, services: Services, email: str, password: str = PASSWORD) -> str:
    """Sign up, confirm the address and return the user's id."""
    answer = client.post("/v1/auth/verify-email", {"token": registered(client, services, email, password)})
    assert answer.status == 200, answer.text
    user_id: str = answer.json["id"]
    return user_id


def logged_in(client: Client, email: str, password: str = PASSWORD) -> dict[str, Any]:
    """Log in and return the tokens."""
    answer = client.post("/v1/auth/login", {"email": email, "password": password})
    assert answer.status == 200, answer.text
    tokens: dict[str, Any] = answer.json
    return tokens


def signed_in(client: Client, services: Services) -> Person:
    """Return a new person with a session of their own."""
    email = new_email()
    user_id = verified(client, services, email)
    tokens = logged_in(client, email)
    return Person(client.using(tokens["access_token"]), email, PASSWORD, user_id, tokens)


def with_session(client: Client, name: str | None = "Ada Lovelace") -> Person:
    """Return a new person with a session, without the mails and the hashing on the way there."""
    from chalicelib.auth import store
    from chalicelib.auth.models import User
    from chalicelib.core import clock, regions, table
    from chalicelib.tenants import service as tenants

    user = User(regions.new_id("usr"), new_email(), name, _password_hash(), 1, clock.now_ms())
    table.transact([*store.creating_user(user), tenants.new_person_write(user.id, user.email, user.name)])
    tokens = another_session(user.id)
    return Person(client.using(tokens["access_token"]), user.email, PASSWORD, user.id, tokens)


@cache
def _password_hash() -> str:
    from chalicelib.auth import passwords

    return passwords.hashed(PASSWORD)


def another_session(user_id: str) -> dict[str, Any]:
    """Return the tokens of one more session."""
    from chalicelib.auth import sessions, store

    user = store.find_user(user_id)
    assert user
    tokens: dict[str, Any] = sessions.start(user).model_dump(mode="json")
    return tokens
