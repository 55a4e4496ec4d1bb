"""The operator's command that fills a new stack's empty secret, against a real Secrets Manager API."""

import json

import pytest

from infra import clients, create_keys
from local.engines import aws_client

pytestmark = pytest.mark.stack


@pytest.fixture
def secrets(ministack, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", ministack)
    clients.client.cache_clear()
    yield aws_client("secretsmanager", ministack)
    clients.client.cache_clear()


def test_an_empty_secret_gets_keys_once(secrets, capsys):
    secrets.create_secret(Name="parley-test-keys")
    assert create_keys.main() == 0
    first = secrets.get_secret_value(SecretId="parley-test-keys")["SecretString"]
    assert {"pepper", "signing_keys"} <= json.loads(first).keys()
    assert create_keys.main() == 1
    assert secrets.get_secret_value(SecretId="parley-test-keys")["SecretString"] == first
    assert "has keys already" in capsys.readouterr().err
