"""A whole local stack of a test's own."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from local.processes import accepts_connections

ROOT = Path(__file__).resolve().parents[2]


class Stack:
    """`python -m local` on a port and a folder of its own."""

    def __init__(self, data: Path, port: int, **env: str) -> None:
        self.data, self.port = data, port
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(("PARLEY_", "AWS_"))}
        self.env |= {"PORT": str(port), "PARLEY_DATA": str(data), **env}
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
