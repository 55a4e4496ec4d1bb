"""A local stack of our own, and a shell to paste the documentation's commands into."""

import re
import secrets
import subprocess
from collections.abc import Iterator

import pytest

from local.processes import free_port
from tests.support.stack import ROOT, Stack


class Shell:
    """One bash that stays open, as a reader's does, so that variables last from block to block."""

    def __init__(self, env: dict[str, str]) -> None:
        self._bash = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=ROOT,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, block: str) -> str:
        """Run a block and return what it printed."""
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        end = f"end-{secrets.token_hex(8)}"
        self._bash.stdin.write(f"{block}\nprintf '\\n%s %s\\n' {end} $?\n")
        self._bash.stdin.flush()
        printed: list[str] = []
        for line in self._bash.stdout:
            if line.startswith(end):
                output = "".join(printed)
                assert line.split()[1] == "0", output
                assert "Traceback" not in output, output
                return output
            printed.append(line)
        raise AssertionError(f"bash ended: {''.join(printed)}")

    def close(self) -> None:
        self._bash.communicate()


def blocks(page: str, language: str) -> list[str]:
    """The page's fenced blocks in one language."""
    text = (ROOT / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="session")  # one for all pages; the examples change it, the README's test kills and restarts it
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    running = Stack(tmp_path_factory.mktemp("stack"), free_port())
    yield running
    running.stop()


@pytest.fixture
def shell(stack: Stack) -> Iterator[Shell]:
    opened = Shell(stack.env)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def fenced() -> object:
    return blocks
