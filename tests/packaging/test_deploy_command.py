"""What `make deploy` says and does without an account: its errors, and how long it believes in a stack."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError

from chalicelib.core.version import VERSION
from infra import deploy, smoke

pytestmark = pytest.mark.packaging

URL = "https://api.example.com"
WELL: dict[str, tuple[int, dict[str, Any]]] = {
    "/health": (200, {"version": VERSION}),
    "/health/ready": (200, {"status": "ok"}),
    "/.well-known/jwks.json": (200, {"keys": [{}]}),
    "/v1/conversations": (401, {"error": {"code": "unauthenticated"}}),
    "/v1/nothing-here": (404, {"error": {"code": "route_not_found"}}),
}


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (NoCredentialsError(), "No AWS credentials. Set AWS_PROFILE"),
        (EndpointConnectionError(endpoint_url="https://nowhere.example.com"), "Could not connect"),
        (EOFError(), "Nobody can be asked here"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    fault: Exception, said: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def broken(*_arguments: object) -> int:
        raise fault

    monkeypatch.setattr(deploy, "read", broken)
    assert deploy.main(["diff", "--region", "eu1"]) == 1
    assert said in capsys.readouterr().err


@pytest.fixture
def waits() -> list[float]:
    return []


def answering(monkeypatch: pytest.MonkeyPatch, version: Iterator[str]) -> None:
    """Have the API answer well, but for the version that `/health` tells."""

    def fetch(url: str) -> tuple[int, str]:
        status, body = WELL[url.removeprefix(URL)]
        return status, json.dumps(body | {"version": next(version)} if "version" in body else body)

    monkeypatch.setattr(smoke, "_fetch", fetch)


def test_a_stack_has_a_minute_until_the_new_version_answers(
    monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    answering(monkeypatch, iter(["0.0.0", "0.0.0", VERSION]))
    assert smoke.failures(URL, pause=waits.append) == []
    assert len(waits) == 2


def test_what_does_not_come_to_work_is_told(monkeypatch: pytest.MonkeyPatch, waits: list[float]) -> None:
    answering(monkeypatch, iter(["0.0.0"] * 100))
    (found,) = smoke.failures(URL, pause=waits.append)
    assert f"{URL}/health" in found
    assert sum(waits) == 60
