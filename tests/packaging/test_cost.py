"""What docs/cost.md counts is what is packaged."""

import copy
import json
import re
from typing import Any

import pytest

from bench.cost import page
from bench.cost.deployment import described
from infra.template import STATEFUL, Template, load

pytestmark = pytest.mark.packaging

RECORDED: dict[str, Any] = json.loads(page.RECORD.read_text())


def test_what_is_recorded_is_what_is_packaged(translated: Template) -> None:
    assert described(translated, load(STATEFUL)) == RECORDED["deployed"], "run: make cost-page"


def test_every_schedule_is_measured_and_has_its_line(translated: Template) -> None:
    rules = [each["Properties"] for each in translated["Resources"].values() if each["Type"] == "AWS::Events::Rule"]
    targets = [translated["Resources"][each["Targets"][0]["Arn"]["Fn::GetAtt"][0]] for each in rules]
    names = {each["Properties"]["Handler"].removeprefix("app.") for each in targets}
    assert len(names) == len(rules) > 5
    _, _, rest = page.PAGE.read_text().partition("### A region in which nothing happens")
    assert set(re.findall(r"^\| `(\w+)`, every", rest, re.MULTILINE)) == names, "run: make cost"
    assert {name.removeprefix("at rest: ") for name in RECORDED["acts"] if "at rest" in name} == names, "run: make cost"


def test_what_has_a_condition_counts_as_the_settings_say(translated: Template) -> None:
    has = RECORDED["deployed"]
    without = copy.deepcopy(translated)
    for name in ("Firewall", "Canary"):
        without["Parameters"][name]["Default"] = "off"
    found = described(without, load(STATEFUL))
    assert (has["firewalls"], found["firewalls"], found["firewall_rules"]) == (1, 0, 0)
    assert found["alarms"] == has["alarms"] - 2


def test_an_alarm_is_paid_for_each_metric_that_its_expression_reads(translated: Template) -> None:
    has = RECORDED["deployed"]
    one, several = (translated["Resources"][f"{name}Alarm"] for name in ("ErrorsLogged", "TableThrottles"))
    read = str(several["Properties"]["Metrics"]).count("'MetricStat'")
    assert read > 5
    translated["Resources"] |= {"OneMoreAlarm": one, "AnotherAlarm": several}
    found = described(translated, load(STATEFUL))
    assert (found["alarms"], found["alarm_metrics"]) == (has["alarms"] + 2, has["alarm_metrics"] + 1 + read)
    one["Properties"]["Period"] = 10
    with pytest.raises(ValueError, match="high resolution"):
        described(translated, load(STATEFUL))


def test_the_metrics_that_acts_had_are_among_those_that_the_code_has() -> None:
    seen = {name.partition("/")[2] for act in RECORDED["acts"].values() for name in act if name.startswith("metric/")}
    assert {"CanaryMs", "WebhookAttempts"} <= seen <= set(RECORDED["deployed"]["metrics"])
