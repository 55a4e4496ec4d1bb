"""Child processes that never outlive their parent, and the loopback ports they listen on."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

LOOPBACK = "127.0.0.1"
_PR_SET_PDEATHSIG = 1


class StartFailed(Exception):
    """A part of the stack did not come up; the message is meant for the person who started it."""


def free_port() -> int:
    """Return a loopback port nobody listens on right now (someone may take it before the caller does)."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def accepts_connections(port: int) -> bool:
    """Say whether something listens on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def _death_signal() -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def die_with_the_parent() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died between fork and prctl
            os._exit(1)

    return die_with_the_parent


class Child:
    """One process of the stack, in a session of its own so that Ctrl-C reaches the supervisor only.

    Linux kills it with its parent. Elsewhere a child of ours can watch its standard input, a pipe whose other end only
    the parent holds: end of file there means that the parent is gone.
    """

    def __init__(self, name: str, command: Sequence[str], env: Mapping[str, str], log: Path | None) -> None:
        self.name = name
        self.log = log
        output = open(log, "ab") if log else None  # noqa: SIM115 - closed below, the child keeps its own copy
        try:
            self._process = subprocess.Popen(
                list(command),
                env=dict(env),
                stdin=subprocess.PIPE,
                stdout=output or subprocess.DEVNULL,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_death_signal(),  # noqa: PLW1509 - children are started before any thread of ours
            )
        finally:
            if output:
                output.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Block until `ready()`; raise StartFailed if the process ends or the time is up first."""
        deadline = time.monotonic() + seconds
        while not ready():
            if self.exit_code is not None:
                self.stop()
                raise StartFailed(f"{self.name} stopped with exit code {self.exit_code}{self._see_log()}")
            if time.monotonic() > deadline:
                self.stop()
                raise StartFailed(f"{self.name} was not ready after {seconds:g} s{self._see_log()}")
            time.sleep(0.005)

    def stop(self, seconds: float = 3.0) -> None:
        """Ask it to stop, then make it; returns when it is gone. Calling it again does nothing."""
        if self._process.stdin:
            self._process.stdin.close()
        if self.exit_code is None:
            self._process.terminate()
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()

    def _see_log(self) -> str:
        return f"; see {self.log}" if self.log else ""
