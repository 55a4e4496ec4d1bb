"""Mutants against their tests, in one pytest process: app, engine and keys are made once, then each mutant is a fork.

`python -m bench.mutants.hunt plan.json`, which `bench/mutants/__main__.py` writes.
"""

import gc
import json
import os
import resource
import signal
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.state import state

from bench.mutants.source import function_of, install, mutants_of
from local.engines import start_dynoxide

MARKERS = "not stack and not packaging and not crashes"
DEADLINE_S, PER_CPU_S = 60, 40  # before a mutant that waits for something is given up, and more for what its tests take
MEMORY = 4 << 30
ROUND = 30
UNCHANGED = "chalicelib.no_such_mutant"


@dataclass(frozen=True)
class Module:
    """What is wanted of one module; `tests` go first, `out` gets a line a mutant."""

    name: str
    wanted: list[str]
    tests: list[str]
    out: str


class Hunt:
    """A pytest plugin that runs the tests once as they are, and then for each mutant as far as the first failure."""

    def __init__(self, modules: list[Module], budget_s: float, workers: int, until: float) -> None:
        self._modules = {module.name: module for module in modules}
        self._budget_s, self._workers, self._until = budget_s, workers, until
        self._cost: dict[pytest.Item, float] = {}  # CPU seconds
        self._reached: defaultdict[str, list[pytest.Item]] = defaultdict(list)  # by function
        self._items: dict[str, pytest.Item] = {}  # by name
        self._alone: dict[pytest.Item, bool] = {}  # whether it passes without the others, where that was asked
        self._kills: defaultdict[str, Counter[pytest.Item]] = defaultdict(Counter)  # by function

    def pytest_configure(self) -> None:
        """Have no simpler examples looked for: that something fails is all that is asked for."""
        import hypothesis  # only now: pytest warns of a plugin's module that was there before it

        quick = hypothesis.settings(phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate])
        hypothesis.settings.register_profile("mutants", quick)
        hypothesis.settings.load_profile("mutants")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Take the place of pytest's own loop."""
        for item in session.items:
            self._measure(item)
        gc.collect()
        gc.freeze()
        workers = self._share(session, self._rounds())
        found = self._try(session, UNCHANGED, session.items)  # meanwhile, on the engine that nobody else uses
        if any([os.waitpid(worker, 0)[1] for worker in workers]):  # noqa: C419 - each is waited for
            raise pytest.UsageError("a worker has failed")
        if found["verdict"] != "survived":
            raise pytest.UsageError(f"fails in a process of its own, with nothing changed: {found}")
        return True

    def _measure(self, item: pytest.Item) -> None:
        """Run a test without a mutant, and note what it costs and which functions it comes through."""
        set_mutant_under_test("stats")
        reached, before = state()._stats, time.process_time()  # noqa: SLF001 - where mutmut's switch notes them
        reached.clear()
        # The session as the next item: what is made once stays, a module's table goes.
        reports = runtestprotocol(item, log=False, nextitem=item.session)  # type: ignore[arg-type]
        if failed := [report for report in reports if report.failed]:
            raise pytest.UsageError(f"fails as it is: {item.nodeid}\n{failed[0].longreprtext}")
        self._cost[item] = time.process_time() - before
        self._items[item.nodeid] = item
        for function in reached:
            self._reached[function].append(item)

    def _rounds(self) -> list[tuple[str, list[str]]]:
        """Return mutants by function, some of each module in turn: what is done when it stops is a sample of all."""
        rounds: list[tuple[str, list[str]]] = []
        for start in range(0, max(len(module.wanted) for module in self._modules.values()), ROUND):
            functions: dict[str, list[str]] = {}
            for module in self._modules.values():
                for name in module.wanted[start : start + ROUND]:
                    functions.setdefault(f"{module.name}.{function_of(name)}", []).append(name)
            rounds += functions.items()
        return rounds

    def _share(self, session: pytest.Session, rounds: list[tuple[str, list[str]]]) -> list[int]:
        """Let workers, each with an engine of its own, take one part after the other; returns their processes."""
        taking, giving = os.pipe()
        os.write(giving, b"".join(number.to_bytes(2, "big") for number in range(len(rounds))))
        os.close(giving)
        workers = []
        for _ in range(self._workers):
            if worker := os.fork():
                workers.append(worker)
                continue
            try:
                self._work(session, rounds, taking)
                os._exit(0)
            finally:
                os._exit(1)
        os.close(taking)
        return workers

    def _work(self, session: pytest.Session, rounds: list[tuple[str, list[str]]], taking: int) -> None:
        from chalicelib.core import aws  # late: these have mutants, or import what has
        from tests.support import dynamodb

        engine = start_dynoxide()
        os.environ["AWS_ENDPOINT_URL_DYNAMODB"] = engine.endpoint
        aws._client.cache_clear()  # noqa: SLF001 - one that faults use still knows the other engine
        dynamodb.close()
        try:
            while time.time() < self._until and (number := os.read(taking, 2)):
                function, names = rounds[int.from_bytes(number, "big")]
                module = self._modules[function.rpartition(".")[0]]
                for name in names:
                    found = self._judge(session, f"{module.name}.{name}", function, module)
                    found = {"mutant": name, **found, "reached": len(self._reached[function])}
                    with open(module.out, "a") as out:
                        out.write(json.dumps(found) + "\n")
        finally:
            engine.stop()

    def _judge(self, session: pytest.Session, mutant: str, function: str, module: Module) -> dict[str, Any]:
        """Return what becomes of a mutant, without tests that fail by themselves where they run alone."""
        while True:
            found = self._try(session, mutant, self._chosen(function, module))
            killer = self._items.get(found["by"])
            if killer is None:
                return found
            if killer not in self._alone:
                self._alone[killer] = self._try(session, UNCHANGED, [killer])["verdict"] == "survived"
            if self._alone[killer]:
                self._kills[function][killer] += 1
                return found

    def _chosen(self, function: str, module: Module) -> list[pytest.Item]:
        """Return tests that come through a function: killers of its other mutants, the module's own, others."""
        kills, own = self._kills[function], tuple(module.tests)

        def rank(item: pytest.Item) -> tuple[int, bool, float]:
            return -kills[item], not item.nodeid.startswith(own), self._cost[item]

        chosen: list[pytest.Item] = []
        total = 0.0
        for item in sorted(self._reached[function], key=rank):
            if not self._alone.get(item, True):
                continue
            total += self._cost[item]
            if chosen and total > self._budget_s:
                break
            chosen.append(item)
        return chosen

    def _try(self, session: pytest.Session, mutant: str, items: list[pytest.Item]) -> dict[str, Any]:
        if not items:
            return {"verdict": "unreached", "by": "", "tried": 0, "cpu": 0.0}
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(reading)
            self._be(session, mutant, items, writing)
        os.close(writing)
        with open(reading, "rb") as told:
            answer = told.read().decode()
        _, status, used = os.wait4(child, 0)
        if answer.isdigit():  # a test's place among them
            verdict, by = "killed", items[int(answer)].nodeid
        elif answer:
            verdict, by = answer, ""
        else:
            number = os.waitstatus_to_exitcode(status)
            verdict, by = "timeout", signal.Signals(-number).name if number < 0 else str(number)
        return {"verdict": verdict, "by": by, "tried": len(items), "cpu": round(used.ru_utime + used.ru_stime, 3)}

    def _be(self, session: pytest.Session, mutant: str, items: list[pytest.Item], writing: int) -> None:
        """Be the mutant, in a process that ends here: tell the first test that fails, or that none does."""
        answer = "survived"
        try:
            self._confine(items)
            set_mutant_under_test(mutant)
            for number, item in enumerate(items):
                following = items[number + 1] if number + 1 < len(items) else session
                answer = str(number)  # also if what fails is pytest itself
                reports = runtestprotocol(item, log=False, nextitem=following)  # type: ignore[arg-type]
                if any(report.failed for report in reports):
                    break
            else:
                answer = "survived"
        finally:
            os.write(writing, answer.encode())
            os._exit(0)

    def _confine(self, items: list[pytest.Item]) -> None:
        from tests.support import dynamodb  # late: it imports what has mutants

        dynamodb.close()  # this process's share of the connections: the parent goes on using them
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(nowhere, stream)
        cost = sum(self._cost[item] for item in items)
        cpu_s = int(3 * cost + 4)
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        signal.alarm(int(DEADLINE_S + PER_CPU_S * cost))


def main() -> int:
    """Hunt; exits with pytest's code, which is 0 when all tests pass as they are."""
    plan = json.loads(Path(sys.argv[1]).read_text())
    modules = [Module(**each) for each in plan["modules"]]
    for module in modules:
        install(mutants_of(module.name))
    hunt = Hunt(modules, plan["budget"], plan["workers"], plan["until"])
    arguments = ["-q", "-n", "0", "-s", "--tb=native", "-p", "no:cacheprovider", "-m", MARKERS]
    tests = dict.fromkeys(test for module in modules for test in module.tests)
    return int(pytest.main([*arguments, *plan["options"], *tests], plugins=[hunt]))


if __name__ == "__main__":
    sys.exit(main())
