"""`python -m bench.mutants [module …]`: the score of each module, and every change that no test noticed."""

import argparse
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.mutants.source import ROOT, Mutants, function_of, mutants_of, readable

KEPT = ROOT / ".mutants"  # what was found, by module, for `--again`
CAUGHT = {"killed", "timeout"}


@dataclass(frozen=True)
class Score:
    """What became of the mutants of one module."""

    module: str
    mutants: Mutants
    found: dict[str, dict[str, Any]]  # by mutant

    @property
    def cpu_s(self) -> float:
        """What trying them took, without the engine's share."""
        return float(sum(each["cpu"] for each in self.found.values()))

    @property
    def missed(self) -> list[str]:
        """The mutants that no test noticed."""
        return [name for name, each in self.found.items() if each["verdict"] not in CAUGHT]


def main() -> int:
    """Hunt; exits with 1 where a module's score is below what is asked for."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutants"]
    tests: dict[str, list[str]] = config["tests"]
    options = _options(tests)
    KEPT.mkdir(exist_ok=True)
    chosen = [_module(short, tests[short], options) for short in options.modules or tests]
    started = time.monotonic()
    cpu_s = _run([module for module, _ in chosen if module["wanted"]], config["leave_out"], options)
    scores = [_score(short, mutants) for short, (_, mutants) in zip(options.modules or tests, chosen, strict=True)]
    for score in scores:
        _tell(score)
    print(f"\n{'module':<20} mutants   killed  survived  CPU s")
    for score in scores:
        print(_line(score))
    found = [each["verdict"] in CAUGHT for score in scores for each in score.found.values()]
    print(f"{sum(found)} of {len(found)} killed: {100 * sum(found) / max(1, len(found)):.1f} %", end="; ")
    print(f"{cpu_s:.0f} s of CPU, engines included, in {time.monotonic() - started:.0f} s")
    return int(any(len(score.missed) > (1 - options.least / 100) * len(score.found) for score in scores))


def _options(tests: dict[str, list[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="module", help=f"of {', '.join(tests)}; all unless told")
    parser.add_argument("--again", action="store_true", help="try only what survived last time, or was not tried")
    parser.add_argument("--untried", action="store_true", help="try only what was not tried last time")
    parser.add_argument(
        "--sample", type=int, help="try so many of each module, drawn at random, the same ones each time"
    )
    parser.add_argument("--budget", type=float, default=3, help="CPU seconds of tests for one mutant (3)")
    parser.add_argument("--all-tests", action="store_true", help="also those that pyproject.toml leaves out")
    parser.add_argument("--minutes", type=float, default=600, help="begin no other one after so many (600)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--least", type=float, default=85, help="per cent of each module that must be killed (85)")
    options = parser.parse_args()
    if unknown := set(options.modules) - set(tests):
        parser.error(f"no tests are named for {', '.join(sorted(unknown))}: see [tool.mutants.tests] in pyproject.toml")
    return options


def _module(short: str, tests: list[str], options: argparse.Namespace) -> tuple[dict[str, Any], Mutants]:
    """Return what `hunt` is to know of a module, and its mutants."""
    mutants = mutants_of("chalicelib." + short.replace("/", "."))
    names = list(mutants.names)
    random.Random(short).shuffle(names)  # the same way each time: what is done first is a sample
    kept = _kept(short, mutants)
    if not options.again and not options.untried:
        kept.unlink(missing_ok=True)
    known = {name for name, each in _found(kept).items() if options.untried or each["verdict"] in CAUGHT}
    wanted = [name for name in names[: options.sample] if name not in known]
    return {"name": mutants.name, "wanted": wanted, "tests": tests, "out": str(kept)}, mutants


def _kept(short: str, mutants: Mutants) -> Path:
    return KEPT / f"{short.replace('/', '.')}-{mutants.digest}"


def _found(kept: Path) -> dict[str, dict[str, Any]]:
    """Return what is known of each mutant; the last line about it counts."""
    lines = kept.read_text().splitlines() if kept.exists() else []
    return {each.pop("mutant"): each for each in map(json.loads, lines)}


def _score(short: str, mutants: Mutants) -> Score:
    found = _found(_kept(short, mutants))
    return Score(short, mutants, {name: found[name] for name in mutants.names if name in found})


def _run(modules: list[dict[str, Any]], leave_out: list[str], options: argparse.Namespace) -> float:
    """Hunt in a process of its own; returns the CPU seconds of it all."""
    if not modules:
        return 0
    plan = {
        "modules": modules,
        "budget": options.budget,
        "workers": options.workers,
        "until": time.time() + 60 * options.minutes,
        "options": [] if options.all_tests else [f"--deselect={test}" for test in leave_out],
    }
    log = KEPT / f"log-{os.getpid()}"
    with tempfile.TemporaryDirectory() as folder, log.open("wb") as output:
        written = Path(folder, "plan.json")
        written.write_text(json.dumps(plan))
        command = [sys.executable, "-m", "bench.mutants.hunt", str(written)]
        hunt = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(hunt.pid, 0)
        hunt.returncode = os.waitstatus_to_exitcode(status)
        if hunt.returncode not in (0, 5):  # 5: pytest has run none itself
            raise SystemExit(f"The tests must pass without a mutant; see {log.relative_to(ROOT)}")
    return used.ru_utime + used.ru_stime


def _tell(score: Score) -> None:
    for name in score.missed:
        each = score.found[name]
        how = "" if each["tried"] == each["reached"] else f", {each['tried']} of {each['reached']} tests tried"
        print(f"\n{score.module}: {readable(function_of(name))}, {name.rpartition('_')[2]} ({each['verdict']}{how})")
        print("\n".join(score.mutants.change(name)))


def _line(score: Score) -> str:
    total, missed = len(score.found), len(score.missed)
    share = 100 * (total - missed) / total if total else 100
    line = f"{score.module:<24} {total:>7} {share:>6.1f}% {missed:>9} {score.cpu_s:>6.0f}"
    if total < len(score.mutants.names):
        low, high = _interval(total - missed, total)
        line += f"   a sample of {len(score.mutants.names)}: 95 % sure of {low:.1f} to {high:.1f} %"
    return line


def _interval(hits: int, total: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share, in per cent."""
    z, share = 1.96, hits / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    reach = z / (1 + z * z / total) * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return 100 * (middle - reach), 100 * min(1.0, middle + reach)


if __name__ == "__main__":
    sys.exit(main())
