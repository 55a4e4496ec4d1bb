"""docs/cost.md is what prices and the recorded measurement compute, and the measurement still holds."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.cost import page
from bench.cost.bill import Bill, read
from bench.cost.partitions import throttled

ROOT = Path(__file__).resolve().parents[2]
CORE = ("visitor send", "agent send", "conversation list of 20")
VARYING = ("cpu_ms/", "bytes_")  # with the machine, and with how well random ids compress
RECORDED: dict[str, Any] = json.loads(page.RECORD.read_text())


def test_the_page_is_what_prices_and_measurement_compute():
    assert page.rendered() == page.PAGE.read_text(), "run: make cost-page"


def test_what_is_recorded_of_the_core_acts_is_what_they_take():
    command = [sys.executable, "-m", "bench.cost", "--only", *CORE]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    fresh = json.loads(done.stdout)
    for name in CORE:
        assert counts(fresh[name]) == counts(RECORDED["acts"][name]), f"{name}: run: make cost"


def counts(act: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in act.items() if not name.startswith(VARYING)}


def bill(**used: float) -> dict[str, float]:
    """Return what some counts cost, at prices and latencies that are easy to follow."""
    names = ("request", "invocation", "gb_second", "write_unit", "read_unit", "queue_request", "log_gb", "out_gb")
    prices = {name: {"per": 1, "there": 1.0} for name in (*names, "mail", "file_read", "file_write")}
    assumed = {"header_bytes": 0, "lambda_log_bytes": 0, "vcpu_memory_mb": 2048, "latency_ms": {"dynamodb": 100}}
    measured = {"deployed": {"memory_mb": {"*": 1024}}}
    made = Bill({"prices": prices}, assumed, measured, "there").of(
        {name.replace("__", "/"): n for name, n in used.items()}
    )
    return {name: usd for name, usd in made.items() if usd}


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        ({"requests": 2}, {"API Gateway": 2}),
        ({"write__table": 3, "write__log": 1, "read__table": 5}, {"DynamoDB writes": 4, "DynamoDB reads": 5}),
        ({"s3__put_object": 1, "s3__head_object": 2, "mails": 1, "sqs": 6}, {"S3": 3, "Mail": 1, "SQS": 6}),
        # One call, half a vCPU for half a second of CPU time, and two waits of 0.1 s: 1.2 s of a GB.
        ({"invocations__api": 1, "cpu_ms__api": 500, "calls__api__dynamodb": 2}, {"Lambda": 1 + 1.2}),
    ],
)
def test_a_bill_is_quantity_times_price(used, expected):
    assert bill(**used) == pytest.approx(expected)


def test_every_price_names_its_page_and_has_every_region():
    prices = read("prices.toml")
    for each in prices["prices"].values():
        assert {"what", "page", "per", *prices["regions"]} <= each.keys()


def test_a_partition_throttles_when_it_has_too_much_to_do_and_a_second_one_helps():
    assert throttled(300, units=2, shards=1) == 0
    assert throttled(600, units=2, shards=1) == pytest.approx(1 - 500 / 600, abs=0.02)
    assert throttled(600, units=2, shards=2) == 0
