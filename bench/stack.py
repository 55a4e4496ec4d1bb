"""A local stack of one's own, in a folder of its own: started, killed, started again, and never left behind."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.caller import Caller, Unanswered
from local.processes import LOOPBACK, Child, free_port

START_SECONDS = 60
NO_LIMITS = {
    "PARLEY_VISITOR_BURST": "1000000",
    "PARLEY_VISITOR_RATE": "1000000",
    "PARLEY_SESSIONS_PER_ADDRESS": "1000000",
    "PARLEY_USER_REQUESTS": "1000000",
    "PARLEY_KEY_REQUESTS": "1000000",
    "PARLEY_VISITOR_REQUESTS": "1000000",
    "PARLEY_TENANT_REQUESTS": "1000000",
    "PARLEY_TENANT_VISITOR_REQUESTS": "1000000",
}


class Stack:
    """`python -m local`, or another module that runs it, with its data below `folder`."""

    def __init__(self, folder: Path, command: Sequence[str] = ("-m", "local")) -> None:
        self.data = folder / "data"
        self.port = free_port()
        self.settings: dict[str, str] = {}  # of its environment, beyond what every stack here gets
        self._command, self._console = list(command), folder / "console.log"
        self._process: Child | None = None

    @property
    def pid(self) -> int:
        """Of the supervisor, which runs the app."""
        return self._running.pid

    @property
    def base_url(self) -> str:
        """Of its API."""
        return f"http://{LOOPBACK}:{self.port}"

    def caller(self, token: str = "", origin: str = "") -> Caller:
        """Return a client of this stack."""
        return Caller(self.port, token, origin)

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self.launch()
        self._running.wait_until(self._is_ready, START_SECONDS)

    def launch(self) -> None:
        """Start it and don't wait. Call it from the main thread: the kernel ties its life to that."""
        outer = {name: value for name, value in os.environ.items() if not name.startswith(("PARLEY_", "AWS_"))}
        settings = {"PORT": str(self.port), "PARLEY_DATA": str(self.data), "PARLEY_SEED": "none"}
        self._process = Child(
            "the local stack",
            [sys.executable, *self._command],
            {**outer, **NO_LIMITS, **settings, **self.settings},
            self._console,
        )

    def kill(self) -> None:
        """Kill the supervisor and every part of it, at once and without a warning."""
        pids = [self.pid, *children(self.pid)]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._running.stop()  # waits for the end

    def stop(self) -> None:
        """Stop it if it runs; its children go with it."""
        if self._process:
            self._process.stop(10)

    def _is_ready(self) -> bool:
        with contextlib.closing(self.caller()) as caller:
            try:
                return caller.send("GET", "/health/ready").status == 200
            except Unanswered:
                return False

    @property
    def _running(self) -> Child:
        if self._process is None:
            raise RuntimeError("the stack has not been started")
        return self._process


@contextlib.contextmanager
def running(stack: Stack) -> Iterator[Stack]:
    """Start the stack; stop it at the end of the block, whatever happens."""
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


def children(pid: int) -> list[int]:
    """Return the processes that a process has started and that still run. Linux only; elsewhere none."""
    found: list[int] = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # the thread has ended meanwhile
            found += [int(each) for each in file.read_text().split()]
    return found


def dynoxide_endpoint(pid: int) -> str:
    """Return where the engine of the stack with this supervisor listens."""
    return f"http://{LOOPBACK}:{_argument(pid, 'dynoxide', '--port')}"


def ministack_endpoint(pid: int) -> str:
    """Return where the queues of the stack with this supervisor are."""
    for child in children(pid):
        for setting in Path(f"/proc/{child}/environ").read_text().split("\0"):
            if setting.startswith("GATEWAY_PORT="):
                return f"http://{LOOPBACK}:{setting.partition('=')[2]}"
    raise RuntimeError("the stack runs no ministack")


def _argument(pid: int, program: str, option: str) -> str:
    for child in children(pid):
        command = Path(f"/proc/{child}/cmdline").read_text().split("\0")
        if Path(command[0]).name == program:
            return command[command.index(option) + 1]
    raise RuntimeError(f"the stack runs no {program}")
