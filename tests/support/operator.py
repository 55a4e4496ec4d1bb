"""The operator's command line, run in this process against the tests' table."""

import json
from dataclasses import dataclass
from typing import Any

from typer.testing import CliRunner

from parley.__main__ import cli


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
