"""SQS in memory for the operator's commands: visibility, receives, dead letters; it can refuse, or die in between."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

PREFIX = "parley-test-"


@dataclass
class Stored:
    """A message in a queue."""

    body: str
    id: str
    attributes: dict[str, Any] = field(default_factory=dict)
    hidden: bool = False
    receives: int = 0


class Sqs:
    """A client of SQS for queues `parley-test-…`, each with a dead-letter queue."""

    def __init__(self, *names: str) -> None:
        self.queues: dict[str, list[Stored]] = {f"{PREFIX}{name}": [] for name in names}
        self.queues |= {f"{name}-dlq": [] for name in self.queues}
        self.refused: set[str] = set()  # bodies that no queue takes
        self.dies_before = ""  # the operation that Ctrl-C comes before, once
        self.made = 0

    def fill(self, name: str, *bodies: str) -> None:
        """Put messages into a queue."""
        for body in bodies:
            self._put(f"{PREFIX}{name}", body, {"why": {"DataType": "String", "StringValue": body}})

    def bodies(self, name: str) -> list[str]:
        """What is in a queue, whoever sees it."""
        return [message.body for message in self.queues[f"{PREFIX}{name}"]]

    def visible(self, name: str) -> list[str]:
        """What the next who asks gets."""
        return [message.body for message in self.queues[f"{PREFIX}{name}"] if not message.hidden]

    def get_paginator(self, operation: str) -> "Sqs":
        assert operation == "list_queues"
        return self

    def paginate(self, QueueNamePrefix: str) -> Iterator[dict[str, Any]]:  # noqa: N803 - AWS's name
        for name in self.queues:
            if name.startswith(QueueNamePrefix):
                yield {"QueueUrls": [f"https://sqs.test/1/{name}"]}

    def get_queue_url(self, QueueName: str) -> dict[str, Any]:  # noqa: N803 - AWS's name
        if QueueName not in self.queues:
            error: Any = {"Error": {"Code": "AWS.SimpleQueueService.NonExistentQueue", "Message": "NonExistentQueue"}}
            raise ClientError(error, "GetQueueUrl")
        return {"QueueUrl": f"https://sqs.test/1/{QueueName}"}

    def get_queue_attributes(self, **params: Any) -> dict[str, Any]:
        name, queue = self._queue(params)
        hidden = sum(message.hidden for message in queue)
        found = {
            "ApproximateNumberOfMessages": str(len(queue) - hidden),
            "ApproximateNumberOfMessagesNotVisible": str(hidden),
            "ApproximateNumberOfMessagesDelayed": "0",
        }
        if not name.endswith("-dlq"):
            found["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": f"arn:aws:sqs:x:1:{name}-dlq"})
        return {"Attributes": found}

    def receive_message(self, **params: Any) -> dict[str, Any]:
        found = [message for message in self._queue(params)[1] if not message.hidden][: params["MaxNumberOfMessages"]]
        for message in found:
            message.hidden = True
            message.receives += 1
        return {
            "Messages": [
                {
                    "MessageId": message.id,
                    "ReceiptHandle": message.id,
                    "Body": message.body,
                    "MessageAttributes": message.attributes,
                    "Attributes": {
                        "SentTimestamp": "1764000000000",
                        "ApproximateReceiveCount": str(message.receives),
                    },
                }
                for message in found
            ]
        }

    def send_message_batch(self, **params: Any) -> dict[str, Any]:
        self._perhaps_die("send_message_batch")
        name, entries = self._queue(params)[0], params["Entries"]
        assert len(entries) <= 10
        assert sum(len(entry["MessageBody"]) for entry in entries) <= 262_144
        taken = [entry for entry in entries if entry["MessageBody"] not in self.refused]
        for entry in taken:
            self._put(name, entry["MessageBody"], entry["MessageAttributes"])
        failed = [{"Id": entry["Id"], "Code": "InternalError"} for entry in entries if entry not in taken]
        return {"Successful": [{"Id": entry["Id"]} for entry in taken], "Failed": failed}

    def delete_message_batch(self, **params: Any) -> dict[str, Any]:
        self._perhaps_die("delete_message_batch")
        name, queue = self._queue(params)
        gone = {entry["ReceiptHandle"] for entry in params["Entries"]}
        self.queues[name] = [message for message in queue if message.id not in gone]
        return {}

    def change_message_visibility_batch(self, **params: Any) -> dict[str, Any]:
        back = {entry["ReceiptHandle"] for entry in params["Entries"] if entry["VisibilityTimeout"] == 0}
        for message in self._queue(params)[1]:
            message.hidden = message.hidden and message.id not in back
        return {}

    def _put(self, name: str, body: str, attributes: dict[str, Any]) -> None:
        self.made += 1
        self.queues[name].append(Stored(body, f"m{self.made}", attributes))

    def _queue(self, params: dict[str, Any]) -> tuple[str, list[Stored]]:
        name = params["QueueUrl"].rsplit("/", 1)[1]
        return name, self.queues[name]

    def _perhaps_die(self, operation: str) -> None:
        if self.dies_before == operation:
            self.dies_before = ""
            raise KeyboardInterrupt
