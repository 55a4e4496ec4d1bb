"""Signatures, checked by the library that receivers use."""

import os

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from chalicelib.core import clock
from chalicelib.webhooks import signing


def new_secret() -> str:
    return signing.secret_of(os.urandom(32))


BODY = b'{"id": "evt_1", "type": "message.created", "data": {"content": "caf\xc3\xa9"}}'


def test_the_receivers_library_takes_it():
    secret = new_secret()
    headers = signing.headers("evt_1", clock.now_s(), BODY, [secret])
    assert Webhook(secret).verify(BODY, headers)["type"] == "message.created"


def test_while_a_secret_is_rotated_either_one_verifies():
    old, new = new_secret(), new_secret()
    headers = signing.headers("evt_1", clock.now_s(), BODY, [new, old])
    for secret in (old, new):
        assert Webhook(secret).verify(BODY, headers)


@pytest.mark.parametrize("change", ["body", "id", "time", "secret"])
def test_whatever_is_changed_is_noticed(change):
    secret = new_secret()
    headers = signing.headers("evt_1", clock.now_s(), BODY, [secret])
    if change == "id":
        headers["webhook-id"] = "evt_2"
    if change == "time":
        headers["webhook-timestamp"] = str(clock.now_s() - 1)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret() if change == "secret" else secret).verify(
            BODY + b" " if change == "body" else BODY, headers
        )
