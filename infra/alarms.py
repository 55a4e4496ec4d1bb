"""The alarms and the dashboard, made from what the templates have: a new queue or function can't miss its alarm.

Each kind has a runbook of its name in docs/runbooks.md, which the alarm's description leads to.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chalicelib.core.log import ERRORS, NAMESPACE
from infra.dashboard import dashboard
from infra.inventory import functions, queues, schedules, table_parts

Template = dict[str, Any]

_OURS = {"Stage": {"Ref": "Stage"}}
_API = {"ApiName": {"Ref": "AWS::StackName"}, "Stage": "api"}
_OVER, _UNDER = "GreaterThanOrEqualToThreshold", "LessThanThreshold"
_HOUR, _DAY = 3600, 86_400
_CANARY = "RunCanary"  # the function: what it says of itself, or doesn't, is watched instead of its schedule
# Messages of these queues may be sent with a delay of up to a quarter of an hour.
_DELAYED = {"reminders", "webhooks"}


@dataclass(frozen=True)
class Alarm:
    """One alarm: when `periods` of the last `of` values are at the threshold or beyond it."""

    runbook: str  # its anchor in docs/runbooks.md
    subject: str  # which queue, function, …; "" where there is one of its kind
    says: str
    metrics: list[Template]
    threshold: Any
    periods: int
    of: int
    comparison: str = _OVER
    missing: str = "notBreaching"
    condition: str = ""  # of the template, where not every stage has what it watches

    @property
    def id(self) -> str:
        """Its logical id."""
        words = f"{self.runbook}-{self.subject}".replace("-", " ").split()
        return "".join(word[0].upper() + word[1:] for word in words) + "Alarm"

    def resource(self) -> Template:
        """Return it for CloudFormation."""
        name = "-".join(filter(None, ["parley-${Stage}", self.runbook, self.subject]))
        topic = {"Ref": "AlarmTopic"}
        condition = {"Condition": self.condition} if self.condition else {}
        return {
            **condition,
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "AlarmName": {"Fn::Sub": name},
                "AlarmDescription": {"Fn::Sub": f"{self.says} What to do: ${{RunbooksUrl}}#{self.runbook}"},
                "ComparisonOperator": self.comparison,
                "Threshold": self.threshold,
                "DatapointsToAlarm": self.periods,
                "EvaluationPeriods": self.of,
                "TreatMissingData": self.missing,
                "AlarmActions": [topic],
                "OKActions": [topic],
                **_watched(self.metrics),
            },
        }


def _watched(metrics: list[Template]) -> Template:
    """Return one metric in CloudFormation's simple form, several as an expression."""
    if len(metrics) > 1:
        return {"Metrics": metrics}
    (found,) = metrics
    stat = found["MetricStat"]
    return {**stat["Metric"], "Statistic": stat["Stat"], "Period": stat["Period"]}


def add(template: Template, stateful: Template) -> None:
    """Put the alarms and the dashboard of an application and its data into the application's template."""
    resources = template["Resources"]
    found = [
        *_of_the_api(),
        *_of_queues(stateful),
        *_of_functions(resources),
        *_of_schedules(resources),
        *_of_the_table(stateful),
        *_of_the_account(),
        *_of_ours(),
        *_of_the_canary(),
    ]
    resources |= {alarm.id: alarm.resource() for alarm in found}
    resources["Dashboard"] = dashboard(resources, stateful)


def _metric(where: str, name: str, dimensions: Template, stat: str, period: int = 60, *, id: str = "") -> Template:  # noqa: A002 - CloudWatch's word
    """Return one metric; with an `id` it is only read by an expression."""
    listed = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    metric = {"Namespace": where, "MetricName": name, "Dimensions": listed}
    return {
        "Id": id or "value",
        "MetricStat": {"Metric": metric, "Stat": stat, "Period": period},
        "ReturnData": not id,
    }


def _expression(text: str, label: str) -> Template:
    return {"Id": "value", "Expression": text, "Label": label, "ReturnData": True}


def _of_the_api() -> Iterator[Alarm]:
    rate = [
        _expression("IF(e >= 3, 100 * e / n, 0)", "% of the requests answered 5xx"),
        _metric("AWS/ApiGateway", "5XXError", _API, "Sum", id="e"),
        _metric("AWS/ApiGateway", "Count", _API, "Sum", id="n"),
    ]
    yield Alarm("api-errors", "", "More than 2 % of the requests are answered 5xx.", rate, 2, 3, 5)
    slow = [
        _expression("IF(n >= 100, p, 0)", "p99 of the latency, where there are enough requests"),
        _metric("AWS/ApiGateway", "Latency", _API, "p99", 300, id="p"),
        _metric("AWS/ApiGateway", "Count", _API, "Sum", 300, id="n"),
    ]
    says = "One request in a hundred takes longer than ${LatencyAlarm} ms."
    yield Alarm("api-latency", "", says, slow, {"Ref": "LatencyAlarm"}, 3, 3)
    certificate = {"Fn::If": ["HasCertificate", {"Ref": "CertificateArn"}, {"Ref": "ApiCertificate"}]}
    left = [_metric("AWS/CertificateManager", "DaysToExpiry", {"CertificateArn": certificate}, "Minimum", _DAY)]
    says = "The certificate of the API's address ends in less than three weeks, and has not been renewed."
    # It is told twice a day, and no more once it has ended: the alarm stays on then.
    more = {"comparison": _UNDER, "missing": "ignore", "condition": "HasDomain"}
    yield Alarm("certificate-expiry", "", says, left, 21, 1, 1, **more)


def _of_queues(stateful: Template) -> Iterator[Alarm]:
    for queue, dead in queues(stateful).items():
        name = {"QueueName": {"Fn::Sub": f"parley-${{Stage}}-{queue}"}}
        seconds = 1800 if queue in _DELAYED else 300
        age = [_metric("AWS/SQS", "ApproximateAgeOfOldestMessage", name, "Maximum")]
        yield Alarm(
            "queue-age", queue, f"The oldest message of {queue} waits longer than {seconds} s.", age, seconds, 5, 5
        )
        name = {"QueueName": {"Fn::Sub": f"parley-${{Stage}}-{dead}"}}
        depth = [_metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", name, "Maximum")]
        yield Alarm("dead-letters", queue, f"Messages of {queue} failed five times and were put aside.", depth, 1, 1, 1)


def _of_functions(resources: Template) -> Iterator[Alarm]:
    rates = schedules(resources)
    for name in functions(resources):
        dimensions = {"FunctionName": {"Ref": name}}
        errors = [_metric("AWS/Lambda", "Errors", dimensions, "Sum", 300)]
        # What fails once heals itself where it is called all the time, and may be a day late where it is not.
        threshold, periods, of = (1, 1, 1) if rates.get(name, 0) >= _HOUR else (3, 2, 3)
        yield Alarm("function-errors", name, f"{name} dies or runs out of time.", errors, threshold, periods, of)
        throttles = [_metric("AWS/Lambda", "Throttles", dimensions, "Sum")]
        yield Alarm("function-throttles", name, f"Lambda refuses to start more of {name}.", throttles, 1, 3, 5)


def _of_schedules(resources: Template) -> Iterator[Alarm]:
    """A rule that is off, gone or may no longer call: nothing fails, and Lambda counts no invocation."""
    for name, seconds in schedules(resources).items():
        if name != _CANARY:
            runs = [_metric("AWS/Lambda", "Invocations", {"FunctionName": {"Ref": name}}, "Sum", max(300, seconds))]
            says = f"{name} has not been run, three times over."
            yield Alarm("schedule-missing", name, says, runs, 1, 3, 3, comparison=_UNDER, missing="breaching")


def _of_the_table(stateful: Template) -> Iterator[Alarm]:
    kinds = ("ReadThrottleEvents", "WriteThrottleEvents")
    parts = [(kind, part) for part in table_parts(stateful) for kind in kinds]
    metrics = [_metric("AWS/DynamoDB", kind, part, "Sum", id=f"m{number}") for number, (kind, part) in enumerate(parts)]
    total = _expression("SUM(METRICS())", "throttled reads and writes, of the table and its indexes")
    yield Alarm("table-throttles", "", "DynamoDB throttles the table or an index.", [total, *metrics], 10, 3, 5)


def _of_the_account() -> Iterator[Alarm]:
    """What all stages of an account share in an AWS region: AWS has these metrics without dimensions."""
    limits = {
        "Bounce": (0.03, "3 % of the mails bounce; at 5 % SES"),
        "Complaint": (0.0005, "0.05 % of the mails are called spam; at 0.1 % SES"),
    }
    for kind, (share, found) in limits.items():
        rate = [_metric("AWS/SES", f"Reputation.{kind}Rate", {}, "Maximum", _HOUR)]
        says = f"{found} looks into the account, and may stop its mail."
        # SES tells of a rate when mails change it: while none is told, it has not become better.
        yield Alarm("mail-reputation", f"{kind.lower()}s", says, rate, share, 1, 1, missing="ignore")
    # As AWS's developer guide has it: Lambda, "Working with the ClaimedAccountConcurrency metric".
    claimed = [
        _expression("100 * c / SERVICE_QUOTA(e)", "% of the account's concurrency"),
        _metric("AWS/Lambda", "ClaimedAccountConcurrency", {}, "Maximum", id="c"),
        _metric("AWS/Lambda", "ConcurrentExecutions", {}, "Maximum", id="e"),
    ]
    says = "80 % of the functions that the account may run at once are running."
    yield Alarm("account-concurrency", "", says, claimed, 80, 3, 5)


def _of_ours() -> Iterator[Alarm]:
    """What only the application knows: lines of the log with `metrics`."""
    failing = [
        _expression("IF(n >= 20, 100 * e / n, 0)", "% of the attempts that failed"),
        _metric(NAMESPACE, "WebhookFailures", _OURS, "Sum", 300, id="e"),
        _metric(NAMESPACE, "WebhookAttempts", _OURS, "Sum", 300, id="n"),
    ]
    says = "More than half of all webhooks' attempts fail: it may be us."
    yield Alarm("webhook-failures", "", says, failing, 50, 3, 3)
    yield _ours("billing-drift", "BillingDrift", "Stripe changed a subscription, and no hook told.")
    yield _ours("events-parked", "EventsParked", "Events could not be dispatched and were put aside.")
    yield _ours("errors-logged", ERRORS, "A function logged an error that a person should look at.")
    asked = [_metric(NAMESPACE, "DirectoryFailed", _OURS, "Sum", 300)]
    says = "The directory in the regions' home does not answer this region."
    yield Alarm("directory-failed", "", says, asked, 1, 2, 3, condition="HasDirectory")


def _ours(runbook: str, metric: str, says: str) -> Alarm:
    return Alarm(runbook, "", says, [_metric(NAMESPACE, metric, _OURS, "Sum", 300)], 1, 1, 1)


def _of_the_canary() -> Iterator[Alarm]:
    failed = [_metric(NAMESPACE, "CanaryFailed", _OURS, "Sum", 300)]
    yield Alarm(
        "canary-failed", "", "The made-up conversation does not get through.", failed, 1, 2, 3, condition="HasCanary"
    )
    runs = [_metric(NAMESPACE, "CanaryMs", _OURS, "SampleCount", 300)]
    says = "The made-up conversation was not tried."
    more = {"comparison": _UNDER, "missing": "breaching", "condition": "HasCanary"}
    yield Alarm("canary-missing", "", says, runs, 1, 3, 3, **more)
