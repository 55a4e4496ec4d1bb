"""/health, /health/ready, /v1/openapi.json and /docs."""

import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import EndpointConnectionError

from chalicelib.core import aws
from chalicelib.core.aws import Params, Proceed
from chalicelib.core.version import VERSION
from chalicelib.health import service
from tests.support.aws import Services
from tests.support.client import Client
from tests.support.regions import DIRECTORY, make_tables, two_regions

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _ask_anew() -> Iterator[None]:
    service.forget()
    yield
    service.forget()


class Down:
    """Makes one operation fail, or hang until it is let go."""

    def __init__(self, operation: str, hang: threading.Event | None = None) -> None:
        self.operation, self.hang = operation, hang

    def __call__(self, service: str, operation: str, params: Params, proceed: Proceed) -> Params:
        if operation != self.operation:
            return proceed()
        if self.hang:
            self.hang.wait(10)  # ends by itself where the deadline is not kept: red, not stuck
        raise EndpointConnectionError(endpoint_url="https://nobody.test")


class TestLiveness:
    def test_it_tells_status_version_and_time_and_asks_nothing(self, client: Client, services: Services) -> None:
        answer = client.get("/health")
        assert answer.status == 200
        assert (answer.json["status"], answer.json["version"]) == ("ok", VERSION)
        assert set(answer.json) == {"status", "version", "time"}
        assert services.calls == []

    def test_the_version_is_the_projects(self) -> None:
        assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION


class TestReadiness:
    def test_it_asks_every_dependency(self, client: Client, services: Services) -> None:
        answer = client.get("/health/ready")
        assert answer.status == 200
        assert answer.json["status"] == "ok"
        assert {name: each["status"] for name, each in answer.json["checks"].items()} == {
            "table": "ok",
            "events_queue": "ok",
            "mail_queue": "ok",
            "reminders_queue": "ok",
            "webhooks_queue": "ok",
            "files": "ok",
            "mail": "ok",
            "secret": "ok",
        }
        assert sorted(services.calls) == [
            ("dynamodb", "get_item"),
            ("s3", "head_bucket"),
            ("secretsmanager", "get_secret_value"),
            ("sesv2", "get_account"),
            *[("sqs", "get_queue_attributes")] * 4,
        ]

    def test_where_tenants_pay_and_there_are_regions_it_asks_for_these_too(self, client: Client) -> None:
        make_tables()
        with two_regions(BILLING="stripe", STRIPE_SECRET="stripe", DIRECTORY_TABLE=DIRECTORY):
            checks = client.get("/health/ready").json["checks"]
        more = {"billing_queue", "billing_secret", "directory"}
        assert {name: each["status"] for name, each in checks.items() if name in more} == dict.fromkeys(more, "ok")

    def test_mail_that_ses_has_paused_is_not_ready(self, client: Client) -> None:
        aws.interceptors.append(
            lambda _s, operation, _p, proceed: {"SendingEnabled": False} if operation == "get_account" else proceed()
        )
        answer = client.get("/health/ready")
        assert (answer.status, answer.json["checks"]["mail"]["status"]) == (503, "failed")

    @pytest.mark.parametrize(
        ("operation", "names"),
        [
            ("get_item", {"table"}),
            ("get_queue_attributes", {"events_queue", "mail_queue", "reminders_queue", "webhooks_queue"}),
            ("head_bucket", {"files"}),
            ("get_account", {"mail"}),
            ("get_secret_value", {"secret"}),
        ],
    )
    def test_one_that_fails_is_named_and_the_answer_is_503(
        self, client: Client, operation: str, names: set[str]
    ) -> None:
        aws.interceptors.append(Down(operation))
        answer = client.get("/health/ready")
        assert answer.status == 503
        assert answer.json["status"] == "unavailable"
        assert {name for name, each in answer.json["checks"].items() if each["status"] == "failed"} == names

    def test_one_that_hangs_does_not_hold_the_answer_up(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        let_go = threading.Event()
        monkeypatch.setattr(service, "DEADLINE_S", 0.2)
        aws.interceptors.append(Down("get_secret_value", hang=let_go))
        try:
            answer = client.get("/health/ready")
        finally:
            let_go.set()
        assert answer.status == 503
        assert answer.json["checks"]["secret"] == {"status": "timeout", "ms": 200}
        assert answer.json["checks"]["table"]["status"] == "ok"

    def test_a_second_question_within_a_second_costs_nothing(self, client: Client, services: Services) -> None:
        first = client.get("/health/ready")
        services.reset()
        assert client.get("/health/ready").json == first.json
        assert services.calls == []


@pytest.mark.parametrize(("path", "kind"), [("/v1/openapi.json", "application/json"), ("/docs", "text/html")])
class TestDescription:
    def test_anybody_may_read_and_keep_it(self, client: Client, path: str, kind: str) -> None:
        answer = client.get(path)
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith(kind)
        assert answer.headers["Cache-Control"] == "public, max-age=300"

    def test_who_has_it_already_gets_304(self, client: Client, path: str, kind: str) -> None:
        tag = client.get(path).headers["ETag"]
        again = client.get(path, If_None_Match=tag)
        assert (again.status, again.text, again.headers["ETag"]) == (304, "", tag)
        assert client.get(path, If_None_Match='"other"').status == 200


def test_the_document_is_served_as_it_is_made(client: Client) -> None:
    from tests.support.openapi import document

    assert client.get("/v1/openapi.json").json == document()


def test_the_page_may_run_nothing_but_its_own_script(client: Client) -> None:
    assert client.get("/docs").headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_a_cold_start_does_not_import_the_generator() -> None:
    code = "import sys, tests.conftest, app; print([m for m in sys.modules if 'openapi' in m and 'chalicelib' in m])"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
