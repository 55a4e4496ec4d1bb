"""Signed identities for tests, made as a tenant's server makes them."""

import base64
import hmac
import json

from chalicelib.core import clock
from tests.support.chats import ORIGIN, Chat
from tests.support.client import Answer, Client
from tests.support.tenants import Organisation, anonymous

IDENTIFY = "/widget/v1/identify"


def new_secret(tenant: Organisation, **body: object) -> str:
    """Make, or rotate, the identity secret of a tenant's default widget."""
    return rotated(tenant.owner.client, tenant.created["default_widget"]["id"], **body)


def rotated(client: Client, widget_id: str, **body: object) -> str:
    """Make, or rotate, a widget's identity secret."""
    answer = client.post(f"/v1/widgets/{widget_id}/identity-secret", body)
    assert answer.status == 200, answer.text
    secret: str = answer.json["secret"]
    return secret


def signed(secret: str, sub: object = "u-1", algorithm: str = "HS256", **claims: object) -> str:
    """Return an identity token, also one that a library would refuse to make; a claim that is None is left out."""
    every = {"sub": sub, "exp": clock.now_s() + 3600, **claims}
    present = {name: value for name, value in every.items() if value is not None}
    body = f"{_part({'alg': algorithm, 'typ': 'JWT'})}.{_part(present)}"
    signature = b"" if algorithm == "none" else hmac.digest(secret.encode(), body.encode(), _HASHES[algorithm])
    return f"{body}.{_text(signature)}"


_HASHES = {"HS256": "sha256", "HS512": "sha512"}


def _part(value: object) -> str:
    return _text(json.dumps(value).encode())


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def prove(chat: Chat, token: str) -> Answer:
    """Prove who a visitor is."""
    return chat.client.post(IDENTIFY, {"identity_token": token})


def proven(chat: Chat, token: str) -> Chat:
    """Return the visitor with the token that he gets for the proof."""
    answer = prove(chat, token)
    assert answer.status == 200, answer.text
    assert answer.json["verified"]
    return Chat(chat.visitor_id, anonymous().using(answer.json["token"], Origin=ORIGIN))
