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
    """The alarms' properties."""
    return made_from(template, load(STATEFUL))


def made_from(template: Template, stateful: Template) -> Alarms:
    template["Resources"] = {n: r for n, r in template["Resources"].items() if r["Type"] != "AWS::CloudWatch::Alarm"}
    alarms.add(template, stateful)
    resources = template["Resources"].items()
    return {n: r["Properties"] for n, r in resources if r["Type"] == "AWS::CloudWatch::Alarm"}


def metrics_of(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    """The metrics of an alarm, whether it has one or an expression of several."""
    if "Metrics" not in alarm:
        return [{"Metric": alarm, "Stat": alarm["Statistic"], "Period": alarm["Period"]}]
    return [each["MetricStat"] for each in alarm["Metrics"] if "MetricStat" in each]


def bodies(template: Template) -> list[str]:
    """The dashboard of a stage that has everything, and of one that has nothing it could do without."""
    text, variables = template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    full = bare = text
    for name, value in variables.items():
        _, there, missing = value["Fn::If"]
        full, bare = full.replace(f"${{{name}}}", there["Fn::Sub"]), bare.replace(f"${{{name}}}", missing)
    return [full, bare]


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


def scheduled(functions: dict[str, Any]) -> dict[str, str]:
    """The rate of each function that the template has EventBridge run."""
    events = [(name, event) for name, each in functions.items() for event in each.get("Events", {}).values()]
    return {name: event["Properties"]["Schedule"] for name, event in events if event["Type"] == "Schedule"}


def test_every_schedule_has_an_alarm_for_when_it_stops(found: Alarms, functions: dict[str, Any]) -> None:
    rates = scheduled(functions)
    assert len(rates) > 5
    # Of the canary more is known than that Lambda ran it.
    (own,) = [each for each in found.values() if each.get("Statistic") == "SampleCount"]
    assert (own["MetricName"], rates.pop("RunCanary")) == ("CanaryMs", "rate(5 minutes)")
    assert watched(found, "Invocations") == {json.dumps({"Ref": name}) for name in rates}
    seconds = {"minute": 60, "hour": 3600, "day": 86_400}
    silent = {
        each["Dimensions"][0]["Value"]["Ref"]: each
        for each in found.values()
        if each.get("MetricName") == "Invocations"
    }
    for name, rate in rates.items():
        alarm, (number, unit) = silent[name], rate.removeprefix("rate(").removesuffix(")").split()
        assert alarm["TreatMissingData"] == own["TreatMissingData"] == "breaching"
        assert (alarm["ComparisonOperator"], alarm["Threshold"], alarm["Statistic"]) == ("LessThanThreshold", 1, "Sum")
        every, waits = int(number) * seconds[unit.removesuffix("s")], alarm["Period"] * alarm["DatapointsToAlarm"]
        assert alarm["Period"] >= every, "or a run that is a second late would be an alarm"
        assert 3 * every <= waits <= max(3 * every, 900)


def test_a_new_schedule_cannot_miss_its_alarm_nor_be_one_that_nobody_could_call_late(template: Template) -> None:
    new = copy.deepcopy(template["Resources"]["SweepFiles"])
    template["Resources"]["DoNew"] = new
    made = made_from(template, load(STATEFUL))["ScheduleMissingDoNewAlarm"]
    assert (made["Period"], made["EvaluationPeriods"]) == (3600, 3)
    (event,) = new["Properties"]["Events"].values()
    event["Properties"]["Schedule"] = "cron(0 3 * * ? *)"
    with pytest.raises(ValueError, match="how long it may be silent"):
        made_from(template, load(STATEFUL))


def test_the_accounts_reputation_is_watched_well_below_where_ses_looks_into_it(found: Alarms) -> None:
    limits = {"Reputation.BounceRate": 0.05, "Reputation.ComplaintRate": 0.001}  # of 1
    rates = {each["MetricName"]: each for each in found.values() if each.get("Namespace") == "AWS/SES"}
    assert set(rates) == set(limits)
    for name, alarm in rates.items():
        assert 0 < alarm["Threshold"] <= 0.6 * limits[name]
        assert alarm["TreatMissingData"] == "ignore", "SES tells of a rate only when it has changed"


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
    assert all("parley-${Stage}-new-dlq" in body for body in bodies(template))


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
    known = {*template["Resources"], *template["Parameters"], "AWS::StackName", "AWS::Region"}
    for body in bodies(template):
        assert {name.removesuffix(".Arn") for name in re.findall(r"\$\{([^}]+)\}", body)} <= known


def test_the_dashboard_shows_every_alarm_that_the_stage_has(template: Template) -> None:
    alarms = {n: r for n, r in template["Resources"].items() if r["Type"] == "AWS::CloudWatch::Alarm"}
    always = {name for name, each in alarms.items() if "Condition" not in each}
    assert {each["Condition"] for each in alarms.values() if "Condition" in each} <= set(template["Conditions"])
    for body, expected in zip(bodies(template), (set(alarms), always), strict=True):
        (shown,) = [each["properties"]["alarms"] for each in json.loads(body)["widgets"] if each["type"] == "alarm"]
        assert sorted(shown) == sorted(f"${{{name}.Arn}}" for name in expected)


def test_every_alarm_is_one_that_cloudwatch_takes(found: Alarms) -> None:
    """The limits of PutMetricAlarm, which neither the linter nor the emulator knows."""
    for name, alarm in found.items():
        metrics = metrics_of(alarm)
        assert len(metrics) <= 10, name
        (period,) = {each["Period"] for each in metrics}
        assert period in (60, 300, 900, 3600, 86_400), name
        assert period * alarm["EvaluationPeriods"] <= (86_400 if period < 3600 else 7 * 86_400), name


# What AWS's documentation of each service has: the dimensions that come with a metric, all of them.
QUEUE, GATEWAY, TABLE, INDEX = (
    {"QueueName"},
    {"ApiName", "Stage"},
    {"TableName"},
    {"TableName", "GlobalSecondaryIndexName"},
)
OF_AWS: dict[str, dict[str, list[set[str]]]] = {
    "AWS/ApiGateway": {name: [GATEWAY] for name in ("Count", "4XXError", "5XXError", "Latency")},
    "AWS/CertificateManager": {"DaysToExpiry": [{"CertificateArn"}]},
    "AWS/DynamoDB": {
        **{name: [TABLE, INDEX] for name in ("ReadThrottleEvents", "WriteThrottleEvents")},
        **{name: [TABLE, INDEX] for name in ("ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits")},
    },
    "AWS/Lambda": {
        **{name: [{"FunctionName"}] for name in ("Invocations", "Errors", "Throttles", "Duration")},
        **{name: [set()] for name in ("ClaimedAccountConcurrency", "ConcurrentExecutions")},  # of the account
    },
    "AWS/SES": {"Reputation.BounceRate": [set()], "Reputation.ComplaintRate": [set()]},
    "AWS/SQS": {name: [QUEUE] for name in ("ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible")},
    "AWS/WAFV2": {"BlockedRequests": [{"WebACL", "Rule", "Region"}]},
}


def test_what_is_watched_of_aws_is_named_as_aws_names_it(found: Alarms, template: Template) -> None:
    alarmed = [each["Metric"] for alarm in found.values() for each in metrics_of(alarm)]
    named = [(m["Namespace"], m["MetricName"], {d["Name"] for d in m.get("Dimensions", [])}) for m in alarmed]
    for widget in json.loads(bodies(template)[0])["widgets"]:
        for where, name, *more in widget["properties"].get("metrics", []):
            words = [word for word in more if not isinstance(word, dict)]
            named.append((where, name, set(words[::2])))
    of_aws = [each for each in named if each[0].startswith("AWS/")]
    assert {where for where, _, _ in of_aws} == set(OF_AWS)
    assert [each for each in of_aws if each[2] not in OF_AWS[each[0]].get(each[1], [])] == []


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
