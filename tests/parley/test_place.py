"""Where a command works, what it says when it can't, and that all commands share their options."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError
from typer.main import get_command

from chalicelib.core.config import settings
from infra import clients
from parley.__main__ import cli
from tests.support.operator import parley
from tests.support.settings import changed
from tests.support.tenants import new_tenant


class Aws:
    """CloudFormation and Lambda, with the functions' settings; or an account where nothing is deployed."""

    def __init__(self, variables: dict[str, str] | None) -> None:
        self.variables = variables
        self.asked: list[str] = []

    def describe_stack_resource(self, **params: Any) -> dict[str, Any]:
        self.asked.append(params["StackName"])
        if self.variables is None:
            error: Any = {"Error": {"Code": "ValidationError", "Message": "Stack does not exist"}}
            raise ClientError(error, "DescribeStackResource")
        return {"StackResourceDetail": {"PhysicalResourceId": "parley-prod-app-APIHandler"}}

    def get_function_configuration(self, FunctionName: str) -> dict[str, Any]:  # noqa: N803 - AWS's name
        self.asked.append(FunctionName)
        return {"Environment": {"Variables": self.variables}}


@pytest.fixture
def elsewhere() -> Iterator[dict[str, str]]:
    """An environment with settings of another place and none of AWS; yields ours."""
    ours = {name: value for name, value in os.environ.items() if name.startswith("PARLEY_")}
    with changed(TABLE="parley-other-main", STAGE="other", INBOX_URL="https://other.test", API_KEY="k"):
        yield ours
    settings.cache_clear()


def account(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str] | None) -> Aws:
    found = Aws(variables)

    def client(_service: str, region: str) -> Aws:
        found.asked.append(region)
        return found

    monkeypatch.setattr(clients, "client", client)
    return found


class TestRegion:
    def test_the_settings_are_those_of_the_deployed_functions_and_no_others(self, services, elsewhere, monkeypatch):
        with changed(**{name.removeprefix("PARLEY_"): value for name, value in elsewhere.items()}):
            tenant = new_tenant()
        aws = account(monkeypatch, elsewhere)
        assert parley("tenants", "find", tenant.id, "--region", "eu1", "--json").json["id"] == tenant.id
        assert aws.asked == ["eu-central-1", "parley-prod-app", "eu-central-1", "parley-prod-app-APIHandler"]
        assert "PARLEY_INBOX_URL" not in os.environ
        assert (os.environ["PARLEY_API_KEY"], os.environ["AWS_REGION"]) == ("k", "eu-central-1")

    def test_a_stage_that_is_not_deployed_is_said_not_to_be(self, elsewhere, monkeypatch):
        account(monkeypatch, None)
        error = parley("tenants", "find", "acme", "--region", "us1", "--stage", "test", code=3).err
        assert "no stack parley-test-app in us-east-1" in error

    def test_a_region_or_stage_without_a_file(self):
        assert "There are: eu1, us1" in parley("queues", "list", "--region", "eu9", code=2).err
        assert "It has: prod, test" in parley("queues", "list", "--region", "eu1", "--stage", "dev", code=2).err

    def test_either_here_or_there(self):
        assert "not both" in parley("queues", "list", "--region", "eu1", "--local", code=2).err

    def test_the_api_of_a_region_needs_no_aws(self, elsewhere, monkeypatch):
        aws = account(monkeypatch, None)
        assert "https://api.eu1.example.com" in parley("keys", "list", "--region", "eu1", code=3).err
        assert aws.asked == []


def test_nowhere(monkeypatch):
    monkeypatch.delenv("PARLEY_TABLE")
    assert "--region eu1 [--stage prod], or --local" in parley("tenants", "find", "acme", code=2).err


def test_no_local_stack(tmp_path, monkeypatch):
    monkeypatch.setenv("PARLEY_DATA", str(tmp_path))
    assert "make run" in parley("queues", "list", "--local", code=3).err


@pytest.mark.parametrize(
    ("exc", "told"),
    [
        (NoCredentialsError(), "No AWS credentials"),
        (ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "ListQueues"), "ListQueues: AccessDenied"),
        (ZeroDivisionError("two\nlines"), "should not happen: ZeroDivisionError: two lines (PARLEY_DEBUG=1"),
    ],
)
def test_an_error_is_one_line(monkeypatch, exc, told):
    def fail(_service: str, _region: str) -> None:
        raise exc

    monkeypatch.setattr(clients, "client", fail)
    done = parley("queues", "list", code=3)
    assert told in done.err
    assert len(done.err.splitlines()) == 1
    assert '{"error": {"exit_code": 3, "message": ' in parley("queues", "list", "--json", code=3).err


CHANGING = {
    *("queues redrive", "deliveries replay", "events parked retry", "billing drift", "keys rotate", "keys revoke"),
    *("keys signing rotate", "remove-totp", "allow-mail"),
    *("tenants suspend", "tenants resume", "tenants delete", "rows upgrade"),
}


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, set[str]]]:
    """Every command with its options."""
    for name, each in group.commands.items():
        if hasattr(each, "commands"):
            yield from commands(each, (*path, name))
        else:
            yield " ".join((*path, name)), {option for param in each.params for option in param.opts}


def test_every_command_has_the_options_that_all_share_and_what_changes_something_asks():
    found = dict(commands(get_command(cli)))
    assert {name for name, options in found.items() if "--yes" in options} == CHANGING
    for name, options in found.items():
        assert {"--region", "--stage", "--local", "--json"} <= options, name
    assert not [name for name in found if "purge" in name]
