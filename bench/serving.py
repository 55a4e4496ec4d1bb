"""The whole stack over HTTP: CPU per request beside a bare Chalice route, and requests a second with eight clients."""

import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from bench import site
from bench.caller import Caller
from bench.report import Figure
from bench.site import Site
from bench.stack import Stack, running
from local.processes import Child, accepts_connections, free_port

CLIENTS = 8
CONVERSATIONS = 40  # what the list has to show
THREAD = 10  # messages in the thread that is read
BLOCKS, PER_BLOCK = 7, 60  # of requests whose CPU is measured at once
SECONDS = 5.0  # of load, twice for each kind
QUICK = (2, 5, 0.5)
IDLE_SAMPLE, IDLE_SHARE, IDLE_WITHIN = 0.2, 0.1, 20.0  # seconds, of a CPU, seconds

Send = Callable[[], object]


@dataclass(frozen=True)
class Kind:
    """A kind of request: who serves it, and how one is sent."""

    name: str
    pid: int
    send: Send


def run(*, quick: bool) -> list[Figure]:
    """Start both servers, measure and return the figures."""
    blocks, per_block, seconds = QUICK if quick else (BLOCKS, PER_BLOCK, SECONDS)
    with ExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="parley-bench-")))
        bare = cleanup.enter_context(_bare())
        stack = cleanup.enter_context(running(Stack(folder)))
        place = site.build(stack)
        talks = [_talk(place) for _ in range(CONVERSATIONS)]
        for _ in range(THREAD - 1):
            talks[-1].say()
        figures = []
        if Path("/proc/self/task").exists():
            figures = _cpu(_kinds(bare, place, talks), blocks, per_block)
        else:
            print("no /proc here: CPU per request is left out")
        return figures + _throughput(place, talks, seconds)


@dataclass(frozen=True)
class Talk:
    """A visitor in a conversation."""

    caller: Caller
    conversation_id: str
    numbers: Iterator[int]

    def say(self) -> object:
        """Send the next message."""
        body = {"content": "Where is my order? I ordered a week ago.", "client_msg_id": f"n{next(self.numbers)}"}
        return self.caller.must("POST", f"/widget/v1/conversations/{self.conversation_id}/messages", body)


def _talk(place: Site) -> Talk:
    visitor = place.visitor()
    message = {"content": "Hi, I have a question.", "client_msg_id": "first"}
    begun = visitor.must("POST", "/widget/v1/conversations", {"message": message})
    return Talk(visitor, begun["conversation"]["id"], count())


def _kinds(bare: tuple[int, Caller], place: Site, talks: list[Talk]) -> list[Kind]:
    agent, pid = place.agent(), place.stack.pid
    thread = f"/v1/conversations/{talks[-1].conversation_id}/thread"
    return [
        Kind("a bare Chalice route", bare[0], lambda: bare[1].must("GET", "/bare")),
        Kind(f"thread of {THREAD}", pid, lambda: agent.must("GET", thread)),
        Kind("conversation list of 20", pid, lambda: agent.must("GET", "/v1/conversations")),
        Kind("visitor send, dispatch included", pid, talks[0].say),
    ]


def _cpu(kinds: list[Kind], blocks: int, per_block: int) -> list[Figure]:
    """Measure the server's CPU time in blocks of one kind, the kinds in turn; the first block only warms up."""
    found: dict[str, list[float]] = {kind.name: [] for kind in kinds}
    for block in range(blocks + 1):
        for kind in kinds:
            before = _cpu_seconds(kind.pid)
            for _ in range(per_block):
                kind.send()
            _await_idle(kind.pid)
            if block:
                found[kind.name].append((_cpu_seconds(kind.pid) - before) / per_block)
    bare = statistics.median(found[kinds[0].name])
    figures = []
    for kind in kinds[1:]:
        median = statistics.median(found[kind.name])
        note = f"{median * 1000:.2f} beside {bare * 1000:.2f} ms"
        figures.append(Figure(f"CPU, {kind.name}, beside a bare route", median / bare, "x", note=note))
    return figures


def _await_idle(pid: int) -> None:
    """Wait until the process has nothing to do: what a request left to the queues is part of what it costs."""
    deadline, before = time.monotonic() + IDLE_WITHIN, _cpu_seconds(pid)
    while time.monotonic() < deadline:
        time.sleep(IDLE_SAMPLE)
        now = _cpu_seconds(pid)
        if now - before < IDLE_SAMPLE * IDLE_SHARE:
            return
        before = now


def _cpu_seconds(pid: int) -> float:
    """Return the CPU time of all threads of a process, in the scheduler's nanoseconds rather than ticks of 10 ms."""
    return sum(int(file.read_text().split()[0]) for file in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def _throughput(place: Site, talks: list[Talk], seconds: float) -> list[Figure]:
    senders = [talk.say for talk in talks[:CLIENTS]]
    agents = [place.agent() for _ in range(CLIENTS)]
    listers: list[Send] = [_lister(agent) for agent in agents]
    rates: dict[str, list[float]] = {"visitor send": [], "conversation list": []}
    for _ in range(2):
        rates["visitor send"].append(_rate(senders, seconds))
        rates["conversation list"].append(_rate(listers, seconds))
    note = "the clients share the CPUs with the stack"
    return [
        Figure(f"{name}, {CLIENTS} clients", statistics.mean(each), "req/s", note=note) for name, each in rates.items()
    ]


def _lister(agent: Caller) -> Send:
    return lambda: agent.must("GET", "/v1/conversations")


def _rate(senders: list[Send], seconds: float) -> float:
    """Return the requests a second of clients that each send as soon as they have an answer."""
    ready = threading.Barrier(len(senders))

    def client(send: Send) -> tuple[int, float]:
        ready.wait(timeout=30)
        start, sent = time.monotonic(), 0
        while time.monotonic() - start < seconds:
            send()
            sent += 1
        return sent, time.monotonic() - start

    with ThreadPoolExecutor(len(senders)) as pool:
        return sum(sent / took for sent, took in pool.map(client, senders))


@contextmanager
def _bare() -> Iterator[tuple[int, Caller]]:
    port = free_port()
    child = Child("the bare route", [sys.executable, "-m", "bench.bare", str(port)], os.environ, None)
    try:
        child.wait_until(lambda: accepts_connections(port), 30)
        yield child.pid, Caller(port)
    finally:
        child.stop()
