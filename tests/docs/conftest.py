"""A local stack of our own, and a shell to paste the documentation's commands into."""

import os
import re
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.processes import accepts_connections, free_port

ROOT = Path(__file__).resolve().parents[2]


class Stack:
    """`python -m local` on a port and a folder of its own."""

    def __init__(self, data: Path, port: int) -> None:
        self.data, self.port = data, port
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(("PARLEY_", "AWS_"))}
        self.env |= {"PORT": str(port), "PARLEY_DATA": str(data)}
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "local"], cwd=ROOT, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        deadline = time.monotonic() + 60
        while not self._ready():
            assert self._process.poll() is None, self._process.communicate()[1].decode()
            assert time.monotonic() < deadline, (self.data / "logs" / "parley.log").read_text()[-2000:]
            time.sleep(0.05)

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError as error:
            error.close()
            return False
        except OSError:
            return False

    def kill(self) -> None:
        """Kill every process of it, none with a chance to say goodbye."""
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children")
        pids = [int(each) for each in children.read_text().split()] if children.exists() else []
        for each in [*pids, pid]:
            os.kill(each, signal.SIGKILL)
        self._process.communicate()
        while accepts_connections(self.port):
            time.sleep(0.02)

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        self._process.communicate(timeout=20)


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
