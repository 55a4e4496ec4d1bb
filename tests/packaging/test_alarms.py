"""Alarms, dashboard and runbooks know of each other, and of every queue and function that there is."""

import ast
import copy
import json
import re
from typing import Any

import pytest

from infra import alarms
from infra.dependencies import ROOT
from infra.edge import ACCESS_LOG
from infra.template import STATEFUL, Template, load

pytestmark = pytest.mark.packaging

RUNBOOKS = (ROOT / "docs" / "runbooks.md").read_text()
Alarms = dict[str, dict[str, Any]]


@pytest.fixture
def found(template: Template) -> Alarms:
    """The alarms' properties, those of the canary among them."""
    template["Parameters"].setdefault("Canary", {})
    return made_from(template, load(STATEFUL))


def made_from(template: Template, stateful: Template) -> Alarms:
    template["Resources"] = {n: r for n, r in template["Resources"].items() if r["Type"] != "AWS::CloudWatch::Alarm"}
    alarms.add(template, stateful)
    resources = template["Resources"].items()
    return {n: r["Properties"] for n, r in resources if r["Type"] == "AWS::CloudWatch::Alarm"}


def watched(found: Alarms, metric: str) -> set[str]:
    """What the alarms on a metric are about."""
    hits = [each for each in found.values() if each.get("MetricName") == metric]
    return {json.dumps(dimension["Value"]) for each in hits for dimension in each["Dimensions"]}


def runbooks() -> dict[str, str]:
    """Each section that is about an alarm, by its anchor."""
    _, *sections = re.split(r"^## (?=[a-z-]+$)", RUNBOOKS, flags=re.MULTILINE)
    return {section.partition("\n")[0]: section for section in sections}


def test_every_queue_has_an_alarm_for_its_age_and_one_for_its_dead_letters(found: Alarms) -> None:
    names = {
        json.dumps(resource["Properties"]["QueueName"])
        for resource in load(STATEFUL)["Resources"].values()
        if resource["Type"] == "AWS::SQS::Queue"
    }
    age = watched(found, "ApproximateAgeOfOldestMessage")
    dead = watched(found, "ApproximateNumberOfMessagesVisible")
    assert age | dead == names
    assert dead == {name.replace('"}', '-dlq"}') for name in age}


def test_every_function_has_an_alarm_for_errors_and_one_for_throttles(found: Alarms, functions: dict[str, Any]) -> None:
    names = {json.dumps({"Ref": name}) for name in functions}
    assert watched(found, "Errors") == watched(found, "Throttles") == names


def test_a_new_queue_and_a_new_function_cannot_miss_theirs(template: Template) -> None:
    stateful = load(STATEFUL)
    resources = stateful["Resources"]
    for name, like, queue in (("Ne", "MailQueue", "new"), ("NewDeadLetters", "MailDeadLetters", "new-dlq")):
        resources[name] = copy.deepcopy(resources[like])
        resources[name]["Properties"]["QueueName"] = {"Fn::Sub": f"parley-${{Stage}}-{queue}"}
    resources["Ne"]["Properties"]["RedrivePolicy"]["deadLetterTargetArn"] = {"Fn::GetAtt": ["NewDeadLetters", "Arn"]}
    template["Resources"]["DoNew"] = copy.deepcopy(template["Resources"]["SendMail"])
    made = made_from(template, stateful)
    assert {
        "QueueAgeNewAlarm",
        "DeadLettersNewAlarm",
        "FunctionErrorsDoNewAlarm",
        "FunctionThrottlesDoNewAlarm",
    } <= set(made)
    assert "parley-${Stage}-new-dlq" in template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]


def test_every_alarm_leads_to_its_runbook_and_every_runbook_has_one(found: Alarms) -> None:
    led = set()
    for name, alarm in found.items():
        text = alarm["AlarmDescription"]["Fn::Sub"]
        assert len(text) < 900, name  # CloudWatch takes 1,024 with the address
        led.add(text.rpartition("${RunbooksUrl}#")[2])
    assert led == set(runbooks())


@pytest.mark.parametrize("part", ["**Means:**", "**Look:**", "**Over when:**"])
def test_every_runbook_says_what_it_means_where_to_look_and_when_it_is_over(part: str) -> None:
    assert [name for name, text in runbooks().items() if part not in text] == []
    assert [name for name, text in runbooks().items() if "Mend:**" not in text and "what to do |" not in text] == []


def test_every_alarm_tells_when_it_goes_off_and_when_it_is_over(found: Alarms) -> None:
    for name, alarm in found.items():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "AlarmTopic"}], name
        assert alarm["DatapointsToAlarm"] <= alarm["EvaluationPeriods"], name
    assert len({json.dumps(alarm["AlarmName"]) for alarm in found.values()}) == len(found)


def test_the_dashboard_names_only_what_there_is(template: Template) -> None:
    body = template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    assert json.loads(body)["widgets"]
    known = {*template["Resources"], *template["Parameters"], "AWS::StackName", "AWS::Region"}
    assert {name.removesuffix(".Arn") for name in re.findall(r"\$\{([^}]+)\}", body)} <= known


def messages(level: str, *, counted: bool) -> set[str]:
    """What the code logs, with metrics of its own or without."""
    found = set()
    for file in [ROOT / "app.py", *(ROOT / "chalicelib").rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == f"log.{level}":
                own = any(keyword.arg == "metrics" for keyword in node.keywords)
                if own is counted and isinstance(node.args[0], ast.Constant):
                    found.add(str(node.args[0].value))
    return found


def test_every_error_that_wakes_somebody_is_in_the_runbook() -> None:
    assert len(logged := messages("error", counted=False)) > 5
    assert {message for message in logged if f"`{message}`" not in RUNBOOKS and f'"{message}"' not in RUNBOOKS} == set()


def test_the_runbooks_look_for_what_is_logged_and_nothing_else() -> None:
    named = set(re.findall(r'\$\.message = "(\w+)"', RUNBOOKS))
    logged = {
        m
        for level in ("info", "warning", "error")
        for counted in (True, False)
        for m in messages(level, counted=counted)
    }
    assert named - logged == {"unavailable"}  # an ApiError's own code
    for filter_ in re.findall(r"access '([^']+)'", RUNBOOKS):
        assert set(re.findall(r"\$\.(\w+)", filter_)) <= set(ACCESS_LOG), filter_


def test_what_is_watched_of_ours_is_what_is_logged(found: Alarms, template: Template) -> None:
    code = "".join(file.read_text() for file in (ROOT / "chalicelib").rglob("*.py"))
    text = json.dumps([found, template["Resources"]["Dashboard"]])
    watched = set(re.findall(r'"MetricName": "(\w+)", "Dimensions": \[\{"Name": "Stage", "Value": \{"Ref"', text))
    watched |= set(re.findall(r'\[\\"Parley\\",\\"(\w+)\\"', text))
    assert len(watched) > 5
    assert {name for name in watched if f'"{name}"' not in code} <= {"CanaryMs", "CanaryFailed"}
