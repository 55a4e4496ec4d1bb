"""The queues of an installation: how full they are, a look at what waits, and dead letters put back."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from parley.errors import CommandError, Exit
from parley.place import Place

Message = dict[str, Any]  # as SQS has it

_HOLD_SECONDS = 60  # how long nobody else sees what we look at or move, should this process die
_BATCH = 10  # SQS's own limit, of messages…
_BATCH_BYTES = 200_000  # …and, with room for attributes, of what is sent at once
_EMPTY_POLLS = 2  # in a row, until a queue counts as empty: one asks only some of SQS's servers
_AGE_MINUTES = 15  # how old CloudWatch's newest word on ages may be


@dataclass(frozen=True)
class Level:
    """How full a queue is; SQS's numbers are approximate."""

    name: str  # without `parley-<stage>-`
    url: str
    waiting: int
    in_flight: int
    delayed: int
    dead_name: str | None
    dead: int = 0
    oldest_seconds: int | None = None  # None: not known


class Queues:
    """All queues of one installation."""

    def __init__(self, place: Place) -> None:
        self._sqs = place.client("sqs")
        self._place = place
        self._prefix = f"parley-{place.aws_stage}-"

    def levels(self) -> list[Level]:
        """Return every queue that has a function behind it, with its dead letters. Raises CommandError for none."""
        pages = self._sqs.get_paginator("list_queues").paginate(QueueNamePrefix=self._prefix)
        urls = {url.rsplit("/", 1)[1]: url for page in pages for url in page.get("QueueUrls", [])}
        found = {name: self._attributes(url) for name, url in sorted(urls.items())}
        sources = {name: dead for name, each in found.items() if (dead := _dead_letters(each))}
        if not sources:
            raise CommandError(f"There are no queues {self._prefix}* in {self._place.aws_region}.", Exit.FAILED)
        ages = self._ages(list(sources))
        return [
            Level(
                name=name.removeprefix(self._prefix),
                url=urls[name],
                waiting=int(found[name]["ApproximateNumberOfMessages"]),
                in_flight=int(found[name]["ApproximateNumberOfMessagesNotVisible"]),
                delayed=int(found[name]["ApproximateNumberOfMessagesDelayed"]),
                dead_name=dead,
                dead=int(found.get(dead, {}).get("ApproximateNumberOfMessages", 0)),
                oldest_seconds=ages.get(name),
            )
            for name, dead in sources.items()
        ]

    def find(self, name: str, *, dead: bool = False) -> "Queue":
        """Return a queue by its short or its full name, or its dead letters. Raises CommandError."""
        full = self._prefix + name.removeprefix(self._prefix).removesuffix("-dlq")
        try:
            url = self._sqs.get_queue_url(QueueName=full)["QueueUrl"]
        except ClientError as exc:
            if "NonExistentQueue" not in str(exc) and "QueueDoesNotExist" not in str(exc):
                raise
            known = ", ".join(level.name for level in self.levels())
            raise CommandError(f"There is no queue {name}. There are: {known}.") from None
        if not (dead or name.endswith("-dlq")):
            return Queue(self._sqs, full, url)
        letters = _dead_letters(self._attributes(url))
        if letters is None:
            raise CommandError(f"{full} has no dead-letter queue.")
        return Queue(self._sqs, letters, self._sqs.get_queue_url(QueueName=letters)["QueueUrl"])

    def _attributes(self, url: str) -> dict[str, str]:
        found: dict[str, str] = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return found

    def _ages(self, names: list[str]) -> dict[str, int]:
        """Ask CloudWatch, which alone knows, for the age of each queue's oldest message; nothing if it can't tell."""
        if self._place.local:
            return {}
        now = datetime.now(UTC)
        queries = [
            {
                "Id": f"q{number}",
                "MetricStat": {
                    "Metric": {
                        "Namespace": "AWS/SQS",
                        "MetricName": "ApproximateAgeOfOldestMessage",
                        "Dimensions": [{"Name": "QueueName", "Value": name}],
                    },
                    "Period": 60,
                    "Stat": "Maximum",
                },
            }
            for number, name in enumerate(names)
        ]
        try:
            answer = self._place.client("cloudwatch").get_metric_data(
                MetricDataQueries=queries,
                StartTime=now - timedelta(minutes=_AGE_MINUTES),
                EndTime=now,
                ScanBy="TimestampDescending",
            )
        except (ClientError, BotoCoreError):
            return {}  # who may not read metrics may still see how full the queues are
        found = {each["Id"]: each["Values"] for each in answer["MetricDataResults"]}
        return {name: int(values[0]) for number, name in enumerate(names) if (values := found.get(f"q{number}"))}


@dataclass(frozen=True)
class Queue:
    """One queue."""

    sqs: Any
    name: str
    url: str

    def waiting(self) -> int:
        """Return about how many messages could be received now."""
        name = "ApproximateNumberOfMessages"
        return int(self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=[name])["Attributes"][name])

    def peek(self, limit: int) -> list[Message]:
        """Return up to `limit` messages, and let others receive them again at once."""
        with self._held() as held:
            for batch in self._receive(limit):
                held.extend(batch)
            return list(held)

    def move_to(self, target: "Queue", limit: int, moved: Callable[[int], None]) -> int:
        """Move up to `limit` messages and tell each number that is through; returns how many could not be moved.

        A message is deleted here only once SQS has taken it there. If this process dies in between it is in both, and
        whoever receives it there does nothing new: see docs/decisions/redrive.md.
        """
        refused = 0
        with self._held() as held:
            for batch in self._receive(limit):
                held.extend(batch)
                for part in _sendable(batch):
                    taken = target.send(part)
                    self._delete([message for message in part if message["MessageId"] in taken])
                    held[:] = [message for message in held if message["MessageId"] not in taken]
                    refused += len(part) - len(taken)
                    moved(len(taken))
        return refused

    def send(self, messages: list[Message]) -> set[str]:
        """Send copies of up to ten messages; returns the ids of those that SQS took."""
        entries = [
            {"Id": str(number), "MessageBody": message["Body"], "MessageAttributes": _attributes(message)}
            for number, message in enumerate(messages)
        ]
        answer = self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries)
        return {messages[int(each["Id"])]["MessageId"] for each in answer.get("Successful", [])}

    def _receive(self, limit: int) -> Iterator[list[Message]]:
        left, empty = limit, 0
        while left > 0 and empty < _EMPTY_POLLS:
            answer = self.sqs.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=min(_BATCH, left),
                VisibilityTimeout=_HOLD_SECONDS,
                WaitTimeSeconds=1,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
            messages: list[Message] = answer.get("Messages", [])
            empty = 0 if messages else empty + 1
            left -= len(messages)
            if messages:
                yield messages

    def _delete(self, messages: list[Message]) -> None:
        if messages:
            self.sqs.delete_message_batch(QueueUrl=self.url, Entries=_entries(messages))

    @contextmanager
    def _held(self) -> Iterator[list[Message]]:
        """Let what is still in the list at the end, however it comes, be received again at once."""
        held: list[Message] = []
        try:
            yield held
        finally:
            for start in range(0, len(held), _BATCH):
                entries = [each | {"VisibilityTimeout": 0} for each in _entries(held[start : start + _BATCH])]
                self.sqs.change_message_visibility_batch(QueueUrl=self.url, Entries=entries)


def _dead_letters(attributes: dict[str, str]) -> str | None:
    policy = json.loads(attributes.get("RedrivePolicy") or "{}")
    return policy["deadLetterTargetArn"].rsplit(":", 1)[1] if policy else None


def _sendable(messages: list[Message]) -> Iterator[list[Message]]:
    """Split messages so that each part can be sent at once."""
    part: list[Message] = []
    size = 0
    for message in messages:
        length = len(message["Body"].encode())
        if part and size + length > _BATCH_BYTES:
            yield part
            part, size = [], 0
        part.append(message)
        size += length
    if part:
        yield part


def _attributes(message: Message) -> dict[str, Any]:
    kept = ("DataType", "StringValue", "BinaryValue")
    given = message.get("MessageAttributes", {})
    return {name: {key: each[key] for key in kept if key in each} for name, each in given.items()}


def _entries(messages: list[Message]) -> list[dict[str, str]]:
    return [{"Id": str(number), "ReceiptHandle": each["ReceiptHandle"]} for number, each in enumerate(messages)]
