"""One in-memory DynamoDB engine a worker with an empty table for each module, the app, and a client."""

import contextlib
import ipaddress
import json
import os
import socket
from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support import dynamodb
from tests.support.aws import Services, install, pepper
from tests.support.client import Client
from tests.support.logs import Watch, watching

os.environ |= {
    "PARLEY_STAGE": "test",
    "PARLEY_REGION": "eu1",
    "PARLEY_TABLE": "parley-test-main",
    "PARLEY_EVENTS_QUEUE_URL": "events",
    "PARLEY_MAIL_QUEUE_URL": "mail",
    "PARLEY_REMINDERS_QUEUE_URL": "reminders",
    "PARLEY_FILES_BUCKET": "parley-test-files",
    "PARLEY_FILES_URL": "https://files.test",
    "PARLEY_WEBHOOKS_QUEUE_URL": "webhooks",
    "PARLEY_BILLING_QUEUE_URL": "billing",
    "PARLEY_KEYS_SECRET": "parley-test-keys",
    "PARLEY_API_URL": "https://api.test",
    "PARLEY_MAIL_FROM": "Parley <no-reply@parley.test>",
    "PARLEY_LOGIN_ATTEMPTS_PER_ADDRESS": "100000",
    "PARLEY_SESSIONS_PER_ADDRESS": "100000",
    "PARLEY_ALLOW_LOOPBACK_DOMAINS": "1",
    "PARLEY_INVITATIONS_PER_TENANT": "10000",
    # No limits, so that each test can count the calls that it is about; those about limits set their own.
    "PARLEY_USER_REQUESTS": "0",
    "PARLEY_KEY_REQUESTS": "0",
    "PARLEY_VISITOR_REQUESTS": "0",
    "PARLEY_TENANT_REQUESTS": "0",
    "PARLEY_TENANT_VISITOR_REQUESTS": "0",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
}

LONGEST = {
    "test_calls.py",
    "test_contacts_at_size.py",
    "test_crashes.py",
    "test_data_model.py",
    "test_demo.py",
    "test_histories.py",
    "test_races.py",
    "test_runs.py",
}


@pytest.fixture(scope="session")
def _engine() -> Iterator[str]:
    """Start the engine, and point the app's DynamoDB client at it."""
    from local.engines import start_dynoxide

    running = start_dynoxide()
    os.environ["AWS_ENDPOINT_URL_DYNAMODB"] = running.endpoint
    yield running.endpoint
    dynamodb.close()
    running.stop()


@pytest.fixture(scope="module")
def engine(_engine: str) -> str:
    """The engine, with an empty table: a sweep that met what other modules left behind would take it on."""
    from local.engines import table_definition

    name = os.environ["PARLEY_TABLE"]
    with contextlib.suppress(ClientError):  # the first module finds none
        dynamodb.call("delete_table", {"TableName": name})
    dynamodb.call("create_table", {"TableName": name, **table_definition()})
    return _engine


@pytest.fixture(scope="session", autouse=True)
def _no_dns() -> Iterator[None]:
    """Let no name but this machine's have an address: a test that asked DNS would wait for it and depend on it."""
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        try:
            ipaddress.ip_address(host or "::")
        except ValueError:
            if host != "localhost":
                raise socket.gaierror(socket.EAI_NONAME, f"no DNS in tests: {host}") from None
        return real(host, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", getaddrinfo)
        yield


@pytest.fixture(scope="session")
def _secret() -> str:
    from chalicelib.auth.keys import new_key_set

    return json.dumps(new_key_set() | {"pepper": pepper()})


@pytest.fixture
def services(engine: str, _secret: str) -> Iterator[Services]:
    """Stand in for SQS, SES and Secrets Manager, and count what the app calls."""
    from chalicelib.core import aws

    found = Services(_secret)
    install(found)
    yield found
    aws.interceptors.clear()


@pytest.fixture(autouse=True)
def _cold_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what a test at another time has cached; what this one caches is forgotten too."""
    from chalicelib.core import keyring

    monkeypatch.setattr(keyring, "_cached", None)


@pytest.fixture(autouse=True)
def _permissions_noted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Note what needs a permission and is not a call each time: what is cached, a signed link or form.

    A call that its function's policy doesn't allow fails the test, even if what has made it takes that in its stride.
    """
    from chalicelib.core import keyring
    from chalicelib.core.config import settings
    from chalicelib.files import blocks, s3_gateway
    from tests.support.permissions import noting, refused

    def secret(*_args: object, **_named: object) -> dict[str, str]:
        return {"SecretId": settings().keys_secret}

    def place(key: str, *_args: object) -> dict[str, str]:
        return {"Bucket": settings().files_bucket, "Key": key}

    def part(key: str, *_args: object) -> dict[str, str]:
        return {**place(key), "VersionId": "newest"}

    monkeypatch.setattr(blocks, "_block", noting(blocks._block, "s3", "get_object", part))
    monkeypatch.setattr(keyring, "document", noting(keyring.document, "secretsmanager", "get_secret_value", secret))
    monkeypatch.setattr(s3_gateway, "link", noting(s3_gateway.link, "s3", "get_object", place))
    monkeypatch.setattr(s3_gateway, "upload_form", noting(s3_gateway.upload_form, "s3", "put_object", place))
    yield
    found = refused.copy()
    refused.clear()
    assert found == []


@pytest.fixture(scope="session")
def _watch() -> Watch:
    from chalicelib.core import log  # noqa: F401 - it makes the logger

    return watching()


@pytest.fixture(autouse=True)
def logged(_watch: Watch) -> Iterator[deque[str]]:
    """The lines that the app logs in this test. There is no secret and no address in them, whatever is tested."""
    _watch.forget()
    yield _watch.lines
    assert _watch.found == []


@pytest.fixture
def client(services: Services) -> Client:
    """A caller without a credential. Every answer to a Client is checked against the OpenAPI document."""
    from app import app

    return Client(app)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no worker is left with it when the other is done."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much all workers together have tried; see `tests/fuzz` and `tests/crashes`."""
    told = [dict(report.user_properties) for report in terminalreporter.getreports("passed")]
    for name, what in (
        ("requests", "made-up requests sent"),
        ("runs", "runs under faults"),
        ("states", "states of them followed up"),
    ):
        if tried := sum(each.get(name, 0) for each in told):
            terminalreporter.write_line(f"{tried:,} {what}")
