"""What there is to watch: the functions, schedules, queues and indexes of the templates."""

import re
from typing import Any

Template = dict[str, Any]

_SECONDS = {"minute": 60, "hour": 3600, "day": 86_400}


def functions(resources: Template) -> dict[str, Template]:
    """Return the properties of every function by its logical id."""
    return {n: r["Properties"] for n, r in sorted(resources.items()) if r["Type"] == "AWS::Serverless::Function"}


def schedules(resources: Template) -> dict[str, int]:
    """Return the seconds between two runs of each function that is on a schedule, the shortest where it has several."""
    found: dict[str, int] = {}
    for name, function in functions(resources).items():
        for event in function.get("Events", {}).values():
            if event["Type"] == "Schedule":
                seconds = _seconds(event["Properties"]["Schedule"])
                found[name] = min(seconds, found.get(name, seconds))
    return found


def _seconds(schedule: str) -> int:
    """Return how often a rate comes. ValueError for another schedule: nobody could say when it is late."""
    found = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", schedule)
    if not found:
        raise ValueError(f"{schedule} is not a rate: say in infra/inventory.py how long it may be silent")
    return int(found[1]) * _SECONDS[found[2]]


def queues(stateful: Template) -> dict[str, str]:
    """Return the dead-letter queue's name by the queue's, both without `parley-<stage>-`."""
    short = {
        name: resource["Properties"]["QueueName"]["Fn::Sub"].removeprefix("parley-${Stage}-")
        for name, resource in sorted(stateful["Resources"].items())
        if resource["Type"] == "AWS::SQS::Queue"
    }
    policies = {name: stateful["Resources"][name]["Properties"].get("RedrivePolicy") for name in short}
    return {
        short[name]: short[policy["deadLetterTargetArn"]["Fn::GetAtt"][0]]
        for name, policy in policies.items()
        if policy
    }


def table_parts(stateful: Template) -> list[Template]:
    """Return the dimensions of the table and of each of its indexes."""
    properties = stateful["Resources"]["Table"]["Properties"]
    table = {"TableName": properties["TableName"]}
    indexes = [{"GlobalSecondaryIndexName": each["IndexName"]} for each in properties["GlobalSecondaryIndexes"]]
    return [table, *({**table, **index} for index in indexes)]
