"""The event source mappings of SQS: hands the messages of each queue to the app's handler, as Lambda's poller does."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.context import LambdaContext
from local.kinds import AwsClient, ChaliceApp, EventSource, Handler, Returned

POLLERS = 4
WAIT_SECONDS = 10  # of a long poll
log = logging.getLogger("local.queues")


def backoff(receive_count: int) -> int:
    """Seconds until a failed message comes back: 1, 2, 4, 8 … 30. Deployed, it is the queue's visibility timeout."""
    return int(min(30, 2 ** max(0, receive_count - 1)))


class QueuePump:
    """Polls every queue that the app has a handler for, a few threads each, until stopped."""

    def __init__(
        self,
        chalice_app: ChaliceApp,
        sqs: AwsClient,
        *,
        stage: str,
        region: str,
        wait_seconds: int = WAIT_SECONDS,
        backoff: Callable[[int], int] = backoff,
    ) -> None:
        self._stop = threading.Event()
        self._running = _Running()
        self._threads: list[threading.Thread] = []
        for source in chalice_app.event_sources:
            name = _queue_name(source, stage)
            if name is None:
                continue
            queue = _Queue(sqs, sqs.get_queue_url(QueueName=name)["QueueUrl"], name, region)
            function = f"{chalice_app.app_name}-{stage}-{source.name}"
            handler = chalice_app.handler_map[source.name]
            mapping = _Mapping(queue, source, handler, function, wait_seconds, backoff, self._running)
            for number in range(min(POLLERS, source.maximum_concurrency or POLLERS)):
                thread = threading.Thread(
                    target=mapping.run, args=(self._stop,), name=f"queue-{source.name}-{number}", daemon=True
                )
                self._threads.append(thread)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, seconds: float = 3.0) -> None:
        """Let the batches that run now end, at most so long. What a poll still brings is left to the next start."""
        self._stop.set()
        self._running.wait_for_none(seconds)

    def join(self) -> None:
        """Wait until every poll has ended too."""
        for thread in self._threads:
            thread.join()


class _Running:
    """Counts the batches that handlers work on."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0

    def __enter__(self) -> None:
        with self._changed:
            self._count += 1

    def __exit__(self, *_error: object) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify_all()

    def wait_for_none(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._count == 0, seconds)


@dataclass(frozen=True)
class _Queue:
    sqs: AwsClient
    url: str
    name: str
    region: str

    @property
    def arn(self) -> str:
        return f"arn:aws:sqs:{self.region}:000000000000:{self.name}"


class _Mapping:
    """One queue and its handler."""

    def __init__(
        self,
        queue: _Queue,
        source: EventSource,
        handler: Handler,
        function: str,
        wait_seconds: int,
        backoff: Callable[[int], int],
        running: _Running,
    ) -> None:
        self._running = running
        self._queue, self._sqs, self._url = queue, queue.sqs, queue.url
        self._handler, self._function = handler, function
        self._batch_size = int(source.batch_size or 10)
        self._window = int(source.maximum_batching_window_in_seconds or 0)
        self._wait_seconds = wait_seconds
        self._backoff = backoff

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                batch = self._collect()
                if batch and not stop.is_set():
                    with self._running:
                        self._handle(batch)
            except Exception:
                if not stop.is_set():
                    log.exception("polling %s failed", self._url)
                    stop.wait(1)

    def _collect(self) -> list[dict[str, Any]]:
        """One long poll; with a batching window, more until the batch is full or the window over."""
        batch = self._receive(self._wait_seconds, self._batch_size)
        while batch and self._window and len(batch) < self._batch_size:
            more = self._receive(self._window, self._batch_size - len(batch))
            if not more:
                break
            batch += more
        return batch

    def _receive(self, wait: int, count: int) -> list[dict[str, Any]]:
        received = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=min(10, count),
            WaitTimeSeconds=min(20, wait),
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        messages: list[dict[str, Any]] = received.get("Messages", [])
        return messages

    def _handle(self, batch: list[dict[str, Any]]) -> None:
        event = {"Records": [self._record(message) for message in batch]}
        try:
            failed = failed_ids(self._handler(event, LambdaContext(self._function)), {m["MessageId"] for m in batch})
        except Exception:
            log.exception("%s failed on a batch of %d", self._function, len(batch))
            failed = {message["MessageId"] for message in batch}
        done = [message for message in batch if message["MessageId"] not in failed]
        again = [message for message in batch if message["MessageId"] in failed]
        for ten in _tens(done):
            self._sqs.delete_message_batch(QueueUrl=self._url, Entries=[_entry(m) for m in ten])
        for ten in _tens(again):
            entries = [_entry(m) | {"VisibilityTimeout": self._backoff(_receive_count(m))} for m in ten]
            self._sqs.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)

    def _record(self, message: dict[str, Any]) -> dict[str, Any]:
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message.get("Attributes", {}),
            "messageAttributes": {
                name: {
                    "stringValue": value.get("StringValue"),
                    "binaryValue": value.get("BinaryValue"),
                    "stringListValues": [],
                    "binaryListValues": [],
                    "dataType": value["DataType"],
                }
                for name, value in message.get("MessageAttributes", {}).items()
            },
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self._queue.arn,
            "awsRegion": self._queue.region,
        }


def failed_ids(result: Returned, batch: set[str]) -> set[str]:
    """Which messages a handler's answer leaves in the queue; an answer that names a stranger fails the whole batch.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
    """
    if not isinstance(result, dict) or not result.get("batchItemFailures"):
        return set()
    try:
        named = {failure["itemIdentifier"] for failure in result["batchItemFailures"]}
    except (KeyError, TypeError):
        return batch
    return batch if named - batch else named


def _queue_name(source: EventSource, stage: str) -> str | None:
    """The queue of an SQS event source, `${Stage}` filled in; None for another kind of source."""
    name = getattr(source, "queue", None) or getattr(source, "queue_arn", None)
    return str(name).replace("${Stage}", stage).rsplit(":", 1)[-1] if name else None


def _receive_count(message: dict[str, Any]) -> int:
    return int(message.get("Attributes", {}).get("ApproximateReceiveCount", 1))


def _entry(message: dict[str, Any]) -> dict[str, Any]:
    return {"Id": message["MessageId"], "ReceiptHandle": message["ReceiptHandle"]}


def _tens(messages: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    return [messages[start : start + 10] for start in range(0, len(messages), 10)]
