"""What there is to watch: the functions, queues and indexes of the templates."""

from typing import Any

Template = dict[str, Any]


def functions(resources: Template) -> dict[str, Template]:
    """Return the properties of every function by its logical id."""
    return {n: r["Properties"] for n, r in sorted(resources.items()) if r["Type"] == "AWS::Serverless::Function"}


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
