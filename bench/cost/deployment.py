"""What a region consists of as it is packaged, as far as it costs something or limits a load: read from the templates.

Settings have their defaults, and what a condition leaves out with those is not there.
"""

import ast
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chalicelib.core import log
from infra import template
from infra.dependencies import LAMBDA, ROOT
from local.schedules import Rate, parse

Template = dict[str, Any]
Deployed = dict[str, Any]

# Their default values limit a load, or say how long something is kept.
SETTINGS = ("ApiRate", "ApiBurst", "FirewallRate", "LogDays")
API = "api"  # what the function is called here that Chalice calls app.app


def deployed() -> Deployed:
    """Package the application's template as `make package` does, without the code, and read it."""
    with tempfile.TemporaryDirectory(prefix="parley-cost-") as temporary:
        work = Path(temporary)
        template.stage_project(ROOT, work / "project")
        generated = template.chalice_package(work / "project", ROOT / "infra" / "app.merge.yaml", work / "chalice")
    sam = template.finish(generated, LAMBDA.runtime)
    return described(template.translate(sam), template.load(template.STATEFUL))


def described(application: Template, stateful: Template) -> Deployed:
    """Return what the two templates of a region make."""
    here = _Made(application)
    stage, acl = here.only("ApiGateway::Stage"), here.all("WAFv2::WebACL")
    traced = [each["TracingConfig"]["Mode"] == "Active" for each in here.all("Lambda::Function").values()]
    alarms = here.all("CloudWatch::Alarm").values()
    data = _Made(stateful)
    return {
        "functions": dict(sorted(_functions(here))),
        "queues": dict(sorted(_queues(here))),
        "seconds_between_runs": dict(sorted(_schedules(here))),
        "alarms": len(alarms),
        "alarm_metrics": sum(map(_watched, alarms)),
        "dashboards": len(here.all("CloudWatch::Dashboard")),
        "metrics": sorted(set(_own_metrics())),
        "firewalls": len(acl),
        "firewall_rules": sum(len(each["Rules"]) for each in acl.values()),
        "access_log": stage["AccessLogSetting"]["Format"],
        "traced": stage["TracingEnabled"] and all(traced),
        "secrets": len({**here.all("SecretsManager::Secret"), **data.all("SecretsManager::Secret")}),
        "keys": len(data.all("KMS::Key")),
        "tables_with_key_in_kms": sum(_has_key(each) for each in data.all("DynamoDB::Table").values()),
        "settings": {name: application["Parameters"][name]["Default"] for name in SETTINGS},
    }


class _Made:
    """The resources that a template makes with its default settings."""

    def __init__(self, source: Template) -> None:
        self._source = source
        self._resources = {
            name: each
            for name, each in source["Resources"].items()
            if "Condition" not in each or self._holds({"Condition": each["Condition"]})
        }

    def all(self, kind: str) -> dict[str, Any]:
        """Return the properties of all of a kind by their logical id."""
        found = self._resources.items()
        return {name: each.get("Properties", {}) for name, each in found if each["Type"] == f"AWS::{kind}"}

    def only(self, kind: str) -> Any:  # noqa: ANN401 - CloudFormation's
        """Return those of the only one."""
        ((_, properties),) = self.all(kind).items()
        return properties

    def function(self, logical_id: str) -> str:
        """Return the name of a function in app.py."""
        name: str = self._resources[logical_id]["Properties"]["Handler"].removeprefix("app.")
        return API if name == "app" else name

    def _holds(self, condition: Any) -> bool:  # noqa: ANN401 - CloudFormation's
        ((kind, value),) = condition.items()
        if kind == "Condition":
            return self._holds(self._source["Conditions"][value])
        if kind == "Fn::Equals":
            left, right = map(self._value, value)
            return bool(left == right)
        holds = [self._holds(each) for each in value]
        return {"Fn::Not": not holds[0], "Fn::And": all(holds), "Fn::Or": any(holds)}[kind]

    def _value(self, given: Any) -> Any:  # noqa: ANN401 - CloudFormation's
        return self._source["Parameters"][given["Ref"]].get("Default") if isinstance(given, dict) else given


def _functions(here: _Made) -> Iterator[tuple[str, int]]:
    """Return how many MB each function has."""
    for name, each in here.all("Lambda::Function").items():
        yield here.function(name), each["MemorySize"]


def _queues(here: _Made) -> Iterator[tuple[str, int]]:
    """Return how many calls of each queue's function there are at most at a time."""
    for each in here.all("Lambda::EventSourceMapping").values():
        yield here.function(each["FunctionName"]["Ref"]), each["ScalingConfig"]["MaximumConcurrency"]


def _schedules(here: _Made) -> Iterator[tuple[str, float]]:
    for each in here.all("Events::Rule").values():
        (target,) = each["Targets"]
        name, rate = here.function(target["Arn"]["Fn::GetAtt"][0]), parse(each["ScheduleExpression"])
        if not isinstance(rate, Rate):
            raise TypeError(f"{name} runs at times that this does not know how to count")
        yield name, rate.period.total_seconds()


def _watched(alarm: Template) -> int:
    """Return how many metrics an alarm is paid for: those that its expression reads, or its only one."""
    listed = [each["MetricStat"] for each in alarm.get("Metrics", []) if "MetricStat" in each]
    if any(each["Period"] < 60 for each in listed or [alarm]):
        raise ValueError(f"{alarm['AlarmName']} is one of high resolution, which have another price")
    return len(listed) or 1


def _has_key(table: Template) -> bool:
    """Tell whether a table's key is in KMS, which is paid for, and not DynamoDB's own."""
    return bool(table.get("SSESpecification", {}).get("SSEEnabled"))


def _own_metrics() -> Iterator[str]:
    """Return the names of all metrics that the code's log lines may have."""
    (directive,) = log._embedded({log.ERRORS: 1})["_aws"]["CloudWatchMetrics"]  # type: ignore[index]  # noqa: SLF001
    if directive["Dimensions"] != [["Stage"]]:
        raise ValueError("a name is more than one metric of a stage, when it has other dimensions")
    yield log.ERRORS
    for file in (ROOT / "chalicelib").rglob("*.py"):
        if "metrics=" in (text := file.read_text()) and file.name != "log.py":
            tree = ast.parse(text)
            for node in ast.walk(tree):
                if isinstance(node, ast.keyword) and node.arg == "metrics":
                    yield from _names(node.value, tree)


def _names(given: ast.expr, tree: ast.Module) -> Iterator[str]:
    """Return the keys of a dict that is written out, or of all that a name is given, or a function returns."""
    found = [given]
    if isinstance(given, ast.Name):
        assigned = (node for node in ast.walk(tree) if isinstance(node, ast.Assign | ast.AugAssign))
        found = [each.value for each in assigned if re.match(rf"{given.id}\b", ast.unparse(each))]
    if isinstance(given, ast.Call):
        named = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == ast.unparse(given.func)]
        found = [node.value for each in named for node in ast.walk(each) if isinstance(node, ast.Return) and node.value]
    for each in found:
        if not isinstance(each, ast.Dict):
            raise TypeError(f"what are the metrics of {ast.unparse(given)}?")
        yield from (str(ast.literal_eval(key)) for key in each.keys if key)
    if not found:
        raise TypeError(f"what are the metrics of {ast.unparse(given)}?")
