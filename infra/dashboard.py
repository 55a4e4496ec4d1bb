"""The dashboard of a stage: what is asked of it, what it answers, and where it waits."""

import json
from collections.abc import Iterator
from typing import Any

from chalicelib.core.log import NAMESPACE
from infra import inventory

Template = dict[str, Any]
Line = list[Any]

_WIDTH = 24  # of a dashboard, in CloudWatch's units
_API = ("ApiName", "${AWS::StackName}", "Stage", "api")
_OURS = ("Stage", "${Stage}")
_OWN_METRICS = {
    "Webhooks": ("WebhookAttempts", "WebhookFailures", "WebhooksExhausted"),
    "Seen by the application": (
        "ErrorsLogged",
        "RecordsFailed",
        "EventsParked",
        "BillingDrift",
        "DirectoryFailed",
        "CanaryFailed",
    ),
}


def dashboard(resources: Template, stateful: Template) -> Template:
    """Return it for CloudFormation, with every alarm, function, queue and index of the templates."""
    alarms = {name: each for name, each in resources.items() if each["Type"] == "AWS::CloudWatch::Alarm"}
    shown = {name: each["Condition"] for name, each in alarms.items() if "Condition" in each}
    always = [f"${{{name}.Arn}}" for name in alarms if name not in shown]
    widgets = [
        _widget("Alarms", 24, {"alarms": [*always, *(f"${{{name}}}" for name in shown)]}, kind="alarm"),
        *(_graph(*each) for each in _graphs(resources, stateful)),
    ]
    body = json.dumps({"widgets": widgets}, separators=(",", ":"))
    for name in shown:  # with its quotes and comma, for a stage that has no such alarm
        body = body.replace(f',"${{{name}}}"', f"${{{name}}}")
    variables = {
        name: {"Fn::If": [condition, {"Fn::Sub": f',"${{{name}.Arn}}"'}, ""]} for name, condition in shown.items()
    }
    return {
        "Type": "AWS::CloudWatch::Dashboard",
        "Properties": {
            # With the region: dashboards, unlike alarms, belong to all regions of an account.
            "DashboardName": {"Fn::Sub": "parley-${Stage}-${RegionCode}"},
            "DashboardBody": {"Fn::Sub": [body, variables]},
        },
    }


def _graphs(resources: Template, stateful: Template) -> Iterator[tuple[str, str, list[Line]]]:
    api = "AWS/ApiGateway"
    yield "Requests", "Sum", [[api, name, *_API] for name in ("Count", "4XXError", "5XXError")]
    latency: list[Line] = [[api, "Latency", *_API, {"stat": stat, "label": stat}] for stat in ("p50", "p90", "p99")]
    yield "Latency in ms", "p99", [*latency, [NAMESPACE, "CanaryMs", *_OURS, {"stat": "Maximum"}]]
    names = inventory.functions(resources)
    for metric, stat in (("Invocations", "Sum"), ("Errors", "Sum"), ("Throttles", "Sum"), ("Duration", "p99")):
        lines = [["AWS/Lambda", metric, "FunctionName", f"${{{name}}}", {"label": name}] for name in names]
        yield f"Functions: {metric}", stat, lines
    yield "Functions at once, of the whole account", "Maximum", [["AWS/Lambda", "ClaimedAccountConcurrency"]]
    reputation = [["AWS/SES", f"Reputation.{kind}Rate"] for kind in ("Bounce", "Complaint")]
    yield "Mails that bounced or were called spam, of 1", "Maximum", reputation
    queues = inventory.queues(stateful)
    age, depth = "ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"
    yield "Queues: oldest message in s", "Maximum", [_queue(age, name) for name in queues]
    yield "Queues: messages that wait", "Maximum", [_queue(depth, name) for name in queues]
    yield "Dead letters", "Maximum", [_queue(depth, name) for name in queues.values()]
    parts = [[word for pair in _words(part) for word in pair] for part in inventory.table_parts(stateful)]
    units = ("ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits")
    yield "Table: units used", "Sum", [["AWS/DynamoDB", unit, *parts[0]] for unit in units]
    throttles = ("ReadThrottleEvents", "WriteThrottleEvents")
    yield "Table and indexes: throttled", "Sum", [["AWS/DynamoDB", t, *part] for part in parts for t in throttles]
    for title, metrics in _OWN_METRICS.items():
        yield title, "Sum", [[NAMESPACE, name, *_OURS] for name in metrics]
    firewall = ["WebACL", "${AWS::StackName}", "Rule", "${AWS::StackName}-floods", "Region", "${AWS::Region}"]
    yield "Firewall", "Sum", [["AWS/WAFV2", "BlockedRequests", *firewall]]


def _words(dimensions: Template) -> Iterator[tuple[str, str]]:
    for name, value in dimensions.items():
        yield name, value["Fn::Sub"] if isinstance(value, dict) else value


def _queue(metric: str, name: str) -> Line:
    return ["AWS/SQS", metric, "QueueName", f"parley-${{Stage}}-{name}", {"label": name}]


def _graph(title: str, stat: str, lines: list[Line]) -> Template:
    shown = {"metrics": lines, "stat": stat, "period": 60, "region": "${AWS::Region}", "view": "timeSeries"}
    return _widget(title, _WIDTH // 2, shown, kind="metric")


def _widget(title: str, width: int, properties: Template, *, kind: str) -> Template:
    return {"type": kind, "width": width, "height": 6, "properties": {"title": title, **properties}}
