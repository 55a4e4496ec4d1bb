"""docs/cost.md is what prices and the recorded measurement compute, and the measurement still holds."""

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from bench.cost import page
from bench.cost.bill import Bill, read, total
from bench.cost.meter import Meter, access_line
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


def easy(acts: dict[str, Any] | None = None, **deployed: Any) -> Bill:
    """A bill at prices, latencies and shares that are easy to follow."""
    prices = {name: {"per": 1, "there": 1.0} for name in read("prices.toml")["prices"]}
    assumed = {
        "header_bytes": 0,
        "hours_a_month": 720,
        "busy_hours_a_month": 100 / 3600,
        "key_kept_seconds": 3600,
        "poll_seconds": 3600,
        "pollers_a_queue": 1,
        "lambda_log": {"always": "", "traced": ""},
        "log_compressed": 0.5,
        "traced_share": 0.25,
        "vcpu_memory_mb": 2048,
        "latency_ms": {"dynamodb": 100, "api": 100, "secretsmanager": 0},
    }
    has = {"functions": defaultdict(lambda: 1024), "firewalls": 1, "traced": True, "settings": {"LogDays": 60}}
    return Bill({"prices": prices}, assumed, {"deployed": has | deployed, "acts": acts or {}}, "there")


def bill(**used: float) -> dict[str, float]:
    """Return what some counts cost there."""
    made = easy().of({name.replace("__", "/"): n for name, n in used.items()})
    return {name: usd for name, usd in made.items() if usd}


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        # Each passes the firewall, and a quarter is traced.
        ({"requests": 4}, {"API Gateway": 4, "Firewall": 4, "X-Ray": 1}),
        # What the gateway calls is in the request's trace; a queue's function has traces of its own.
        ({"invocations__api": 1, "invocations__authorize": 1}, {"Lambda": 2}),
        ({"invocations__remind": 4}, {"Lambda": 4, "X-Ray": 1}),
        # Taken in, and kept for two months at half its size.
        ({"log_bytes": 1e9, "bytes_access_log": 1e9}, {"Logs": 2 + 2}),
        ({"write__table": 3, "write__log": 1, "read__table": 5}, {"DynamoDB writes": 4, "DynamoDB reads": 5}),
        ({"s3__put_object": 1, "s3__head_object": 2, "mails": 1, "sqs": 6}, {"S3": 3, "Mail": 1, "SQS": 6}),
        # One call, half a vCPU for half a second of CPU time, and two waits of 0.1 s: 1.2 s of a GB.
        ({"invocations__api": 1, "cpu_ms__api": 500, "calls__api__dynamodb": 2}, {"Lambda": 1 + 1.2}),
    ],
)
def test_a_bill_is_quantity_times_price(used, expected):
    assert bill(**used) == pytest.approx(expected)


def test_what_lambda_logs_of_a_call_is_counted_and_what_of_a_traced_one_by_its_share():
    made = easy()
    made.assumed["lambda_log"].update(always="x" * 100, traced="x" * 40)
    assert made.of({"invocations/api": 10})["Logs"] == pytest.approx(2 * 10 * 110 / 1e9)


def test_the_first_trace_of_each_second_comes_on_top_of_the_share():
    made = easy()  # a hundred busy seconds
    assert made.first_traces({"requests": 1}) == pytest.approx(0.75, abs=0.01)  # alone in its second
    assert made.first_traces({"requests": 1e6}) == pytest.approx(75)
    assert made.first_traces({"requests": 1e6, "invocations/remind": 1e6}) == pytest.approx(150)
    assert easy(traced=False).first_traces({"requests": 1e6}) == 0


def test_a_region_at_rest_is_what_the_template_has_and_what_its_schedules_do():
    acts = {
        "at rest: sweep": {"invocations/sweep": 1, "read/table": 2, "calls/sweep/dynamodb": 2},
        # Two seconds, in which ten requests come: two of them are traced, and a quarter of the others.
        "at rest: fly": {"invocations/fly": 1, "requests": 10, "calls/fly/api": 20, "metric/FlyMs": 1}
        | {"calls/fly/secretsmanager": 1},
    }
    queues, every = {"sweep": 2, "fly": 2}, {"sweep": 360.0, "fly": 3600.0}
    made = easy(
        acts,
        queues=queues,
        seconds_between_runs=every,
        alarms=3,
        alarm_metrics=7,
        dashboards=1,
        firewall_rules=2,
        secrets=2,
        keys=1,
        tables_with_key_in_kms=1,
        metrics=["FlyMs", "Other"],
    )
    idle = made.idle()
    assert {name: round(usd, 6) for name, usd in idle.items()} == {
        "alarms (3), which read 7 metrics": 7,
        "firewall: web ACL (1)": 1,
        "firewall: rules of it (2)": 2,
        "dashboards (1)": 1,
        "metrics of our own: FlyMs": 1,
        "Lambda's polls of 2 empty queues": 2 * 720,
        "secrets (2), and reading them": 2 + 720,
        "KMS keys (1), and asking for the table's": 1 + 720,  # once an hour, though the sweep comes ten times
        "`sweep`": 7200 * (1 + 0.2 + 2 + 1),  # a call of 0.2 GB-seconds, two units and a trace
        "`fly`": 720 * (1 + 2 + 10 + 10 + (1 + 2 + 0.25 * 8)),
    }
    assert total(made.working(frozenset({"Firewall", "X-Ray"}))) == pytest.approx(
        2 * 720 + 2 + 720 + 1 + 720 + 7200 * (1 + 0.2 + 2) + 720 * (1 + 2 + 10)
    )


def test_a_schedule_that_nobody_measured_is_no_line_of_nothing():
    with pytest.raises(KeyError, match="at rest: new"):
        easy(seconds_between_runs={"new": 60.0}, queues={}).idle()


EVENT: dict[str, Any] = {
    "httpMethod": "GET",
    "resource": "/v1/things/{id}",
    "headers": {"x-amzn-trace-id": "Root=1-2-3"},
    "requestContext": {"requestId": "r-1", "requestTimeEpoch": 17, "authorizer": {"id": "usr_1"}},
}


def test_a_line_of_the_access_log_is_filled_as_the_gateway_does():
    line = '{"r": "$context.requestId", "p": "$context.resourcePath", "c": "$context.authorizer.principalId"}'
    assert json.loads(access_line(line, EVENT, 200, 5)) == {"r": "r-1", "p": "/v1/things/{id}", "c": "usr_1"}
    public = {**EVENT, "requestContext": {**EVENT["requestContext"], "authorizer": None}}
    assert json.loads(access_line(line, public, 200, 5))["c"] == "-"
    with pytest.raises(KeyError, match="identity"):
        access_line('{"new": "$context.identity"}', EVENT, 200, 5)


def test_every_request_has_its_line_in_the_access_log():
    of_acts = {name: act for name, act in RECORDED["acts"].items() if act.get("requests")}
    assert len(of_acts) > 10
    assert [name for name, act in of_acts.items() if not 250 < act["bytes_access_log"] / act["requests"] < 450] == []


def test_a_function_that_calls_another_is_not_counted_for_what_that_one_does(monkeypatch):
    times = iter([0.0, 1.0, 3.0, 10.0])
    monkeypatch.setattr("bench.cost.meter.time.process_time", lambda: next(times))
    meter = Meter("", "", {})
    with meter.function("outer"):
        with meter.function("inner"):
            meter.waits("something")
        meter.waits("something else")
    assert meter.used == {
        "cpu_ms/inner": 2000,
        "cpu_ms/outer": 8000,
        "invocations/inner": 1,
        "invocations/outer": 1,
        "calls/inner/something": 1,
        "calls/outer/something else": 1,
    }


def test_every_price_names_its_page_and_has_every_region():
    prices = read("prices.toml")
    for each in prices["prices"].values():
        assert {"what", "page", "per", "source", *prices["regions"]} == each.keys()


def test_every_figure_names_a_source_or_nobody():
    prices = read("prices.toml")
    named = [each["source"][region] for each in prices["prices"].values() for region in prices["regions"]]
    assert all(each["source"].keys() == set(prices["regions"]) for each in prices["prices"].values())
    assert set(named) - {"nobody"} == prices["sources"].keys()
    for source in prices["sources"].values():
        assert source["kind"] in {"list", "any", "others"}
        assert source["year"] == 0 or source["year"] >= 2024
        assert source["where"]


def test_a_partition_throttles_when_it_has_too_much_to_do_and_a_second_one_helps():
    assert throttled(300, units=2, shards=1) == 0
    assert throttled(600, units=2, shards=1) == pytest.approx(1 - 500 / 600, abs=0.02)
    assert throttled(600, units=2, shards=2) == 0
