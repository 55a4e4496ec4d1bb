"""`python -m bench.kill --kills 100`: exits with 1 when anything acknowledged was lost, doubled or left half done."""

import argparse
import contextlib
import random
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench import site
from bench.kill import drain, truth, verdict
from bench.kill.load import Agent, Ledger, Person, Visitor
from bench.kill.planted import PLANTS
from bench.stack import Stack, dynoxide_endpoint, running
from local.environment import TABLE

VISITORS, AGENTS = 4, 2
LOAD_SECONDS = (0.2, 1.5)  # between ready and kill
STARTING_SECONDS = (0.0, 2.5)  # between start and kill, for the kills that hit a stack on its way up
HIT_STARTING = 0.15


def main() -> int:
    """Kill, compare, report."""
    options = _options()
    if not Path("/proc/self/task").exists():
        print("The kill harness finds the parts of the stack in /proc, so it runs on Linux only.", file=sys.stderr)
        return 2
    print(f"seed {options.seed}; repeat this run with --seed {options.seed}", flush=True)
    command = ["-m", "bench.kill.planted", options.plant] if options.plant else ["-m", "local"]
    started = time.monotonic()
    with _folder(options.keep) as folder, running(Stack(folder, command)) as stack:
        harness = Harness(stack, options.seed)
        for number in range(1, options.kills + 1):
            print(f"kill {number}/{options.kills}: {harness.round()}", flush=True)
        problems = harness.judge()
    seconds = time.monotonic() - started
    ledger = harness.ledger
    print(
        f"{options.kills} kills, {len(ledger.conversations)} conversations, {len(ledger.said)} acknowledged messages,"
    )
    print(f"{ledger.unanswered} requests that a kill left without an answer, {seconds:.0f} s")
    if problems:
        print(f"NOT KEPT: {len(problems)} problems\n{truth.brief(problems)}", flush=True)
        return 1
    print("kept: nothing acknowledged is missing, nothing is doubled, nothing is half done", flush=True)
    return 0


class Harness:
    """One stack, its clients, and what they were told."""

    def __init__(self, stack: Stack, seed: str) -> None:
        self.ledger = Ledger()
        self._stack = stack
        self._chance = random.Random(seed)
        self._site = site.build(stack)
        self._mark = stack.data / "kill-harness"  # gone: then somebody removed the data, and the parts made it anew
        self._mark.touch()
        self._people: list[Person] = [
            Visitor(f"visitor{number}", self._site.visitor(), self.ledger, seed) for number in range(VISITORS)
        ]
        self._people += [Agent(f"agent{number}", self._site.agent(), self.ledger, seed) for number in range(AGENTS)]

    def round(self) -> str:
        """Load, kill, start again; returns what happened, in words."""
        seconds = self._chance.uniform(*LOAD_SECONDS)
        before = len(self.ledger.said)
        with self._load() as (killed, _):
            time.sleep(seconds)
            killed.set()
            self._stack.kill()
        if not self._mark.exists():
            raise RuntimeError(f"{self._stack.data} was removed from outside: this run says nothing about Parley")
        while self._chance.random() < HIT_STARTING:
            self._stack.launch()
            time.sleep(self._chance.uniform(*STARTING_SECONDS))
            self._stack.kill()
        again = time.monotonic()
        self._stack.start()
        up = time.monotonic() - again
        return f"after {seconds:.2f} s and {len(self.ledger.said) - before} messages; up again in {up:.1f} s"

    def judge(self) -> list[str]:
        """Let everybody and everything finish, then return all that is wrong."""
        with self._load() as (_, enough):
            enough.set()
        quiet_since = time.monotonic()
        drain.connect(self._stack)
        problems = [*self.ledger.problems, *(f"{each} is pending for ever" for each in drain.drain())]
        found, agent = truth.read(dynoxide_endpoint(self._stack.pid), TABLE), self._site.agent()
        problems += [*found.problems(), *verdict.told(self.ledger, agent), *verdict.listed(found, agent)]
        if not problems:  # otherwise the answer is known, and this one takes a while
            problems += verdict.logged(found, agent, quiet_since)
        return problems

    @contextlib.contextmanager
    def _load(self) -> Iterator[tuple[threading.Event, threading.Event]]:
        """Let everybody talk. Threads end with the block: a process is started by a single thread only."""
        killed, enough = threading.Event(), threading.Event()
        with ThreadPoolExecutor(len(self._people)) as pool:
            running_now = [pool.submit(person.run, killed, enough) for person in self._people]
            try:
                yield killed, enough
            except BaseException:
                enough.set()
                raise
        for each in running_now:
            each.result()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.kill", description="See docs/benchmarks.md.")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", default=str(random.randrange(10**6)), help="of what is said and when it is killed")
    parser.add_argument("--plant", choices=PLANTS, help="plant a bug, to see that it is found")
    parser.add_argument("--keep", action="store_true", help="keep the stack's data and say where")
    return parser.parse_args()


@contextlib.contextmanager
def _folder(keep: bool) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="parley-kill-"))
    try:
        yield folder
    finally:
        if keep:
            print(f"data and logs: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
