"""The benches and the kill harness run, each as a user runs it, so that they don't rot."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.package import SIZE_LIMIT_MB
from bench.webhooks import QUICK_EVENTS

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *(str(each) for each in arguments)]
    return subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=300)


def figures(*sections: str, output: Path, kept: bool = True) -> dict[str, float]:
    """Return what a bench measured; `kept` is False where a bound on time is `make bench`'s to judge, not a test's."""
    done = run("bench", "--quick", "--only", *sections, "--output", output)
    assert done.returncode == 0 or (not kept and done.returncode == 1), done.stdout + done.stderr
    return {each["name"]: each["value"] for each in json.loads(output.read_text())["figures"]}


def test_latency_at_size_is_measured_for_each_operation(tmp_path):
    found = figures("sizes", output=tmp_path / "bench.json")
    assert len(found) == 10
    assert all(value > 0 for value in found.values())


def test_times_of_known_and_unknown_addresses_are_compared_for_each_operation(tmp_path):
    found = figures("enumeration", output=tmp_path / "bench.json")
    assert [name.partition(",")[0] for name in found] == ["log-in", "register", "forgot-password", "invite"]


@pytest.mark.stack
def test_every_delivery_is_done_and_each_attempt_has_its_id(tmp_path):
    found = figures("webhooks", output=tmp_path / "bench.json")
    assert found["webhooks: delivered"] == 40 * QUICK_EVENTS
    assert found["webhooks: exhausted"] == 9 * QUICK_EVENTS
    assert found["webhooks: canceled"] == QUICK_EVENTS  # the one that is gone


@pytest.mark.stack
def test_cpu_and_requests_a_second_are_measured(tmp_path):
    found = figures("serving", output=tmp_path / "bench.json")
    assert {"visitor send, 8 clients", "conversation list, 8 clients"} <= found.keys()
    assert all(value > 0 for value in found.values())


@pytest.mark.packaging
def test_import_cost_and_size_are_measured_and_the_size_is_kept(tmp_path):
    found = figures("package", output=tmp_path / "bench.json", kept=False)
    assert found.keys() == {"import CPU beside boto3 and one client", "deployment package"}
    assert found["deployment package"] <= SIZE_LIMIT_MB


@pytest.mark.stack
def test_two_regions_keep_apart_and_one_is_restored():
    done = run("bench.regions", "--words", 80)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("80 own words found of 80, 0 of another region's") == 2
    assert ", 0 of the messages without their event at first" not in done.stdout


@pytest.mark.stack
def test_a_word_that_strays_and_an_event_that_is_lost_are_found():
    done = run("bench.regions", "--words", 40, "--plant")
    assert done.returncode == 1, done.stdout + done.stderr
    assert " is in us1: " in done.stdout
    assert " is dispatched up to " in done.stdout


@pytest.mark.stack
def test_five_kills_lose_nothing():
    done = run("bench.kill", "--kills", 5)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "kept: nothing acknowledged is missing" in done.stdout


@pytest.mark.stack
def test_a_message_acknowledged_before_its_commit_is_missed():
    done = run("bench.kill", "--kills", 1, "--plant", "ack-before-commit")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "was acknowledged and is not there" in done.stdout
