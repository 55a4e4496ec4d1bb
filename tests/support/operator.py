"""The operator's command line, run in this process against the tests' table."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from typer.testing import CliRunner

from parley.__main__ import cli
from tests.support.aws import Services


@dataclass(frozen=True)
class Done:
    """What a command has printed, and its exit code."""

    exit_code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed with `--json`."""
        return json.loads(self.out)


def parley(*arguments: str, code: int | None = 0) -> Done:
    """Run `python -m parley …` where the environment says, and expect an exit code; None: any."""
    result = CliRunner().invoke(cli, arguments)
    done = Done(result.exit_code, result.stdout, result.stderr)
    assert code in {None, done.exit_code}, f"{done}\n{result.exception!r}"
    return done


def in_pages_of(services: Services, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a scan come in pages, as a table of more than a megabyte does."""
    call = type(services).__call__

    def limited(self, service, operation, params, proceed):
        if operation == "scan":
            params = {**params, "Limit": rows}
        return call(self, service, operation, params, proceed)

    monkeypatch.setattr(type(services), "__call__", limited)
