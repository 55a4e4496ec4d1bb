"""A new stack's empty secret is filled, by the deploy or by hand, against a real Secrets Manager API."""

import json

import pytest

from infra import clients
from local.engines import aws_client
from tests.support.operator import parley

pytestmark = pytest.mark.stack


@pytest.fixture
def secrets(ministack, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", ministack)
    clients.client.cache_clear()
    yield aws_client("secretsmanager", ministack)
    clients.client.cache_clear()


def test_an_empty_secret_gets_keys_once(secrets):
    secrets.create_secret(Name="parley-test-keys")
    parley("keys", "signing", "create")
    first = secrets.get_secret_value(SecretId="parley-test-keys")["SecretString"]
    assert {"pepper", "signing_keys"} <= json.loads(first).keys()
    error = parley("keys", "signing", "create", code=1).err
    assert secrets.get_secret_value(SecretId="parley-test-keys")["SecretString"] == first
    assert "has keys already" in error
