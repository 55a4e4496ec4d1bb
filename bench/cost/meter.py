"""Counts what AWS would put on the bill: stands at the app's one door to AWS, and around its functions."""

import contextlib
import gzip
import heapq
import itertools
import json
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TextIO

from bench.inprocess import sqs_record
from chalicelib.core.aws import Params, Proceed

READS = frozenset({"get_item", "batch_get_item", "query", "scan", "transact_get_items"})
BATCH = 10  # messages that one call of a queue's function gets at most
COMPRESSED_FROM = 1024  # bytes of an answer, .chalice/config.json's minimum_compression_size

_Message = tuple[int, int, str, str]  # from when it may be received, its number, its queue, its body
Handler = Callable[[dict[str, Any], None], Any]


@dataclass
class Meter:
    """An interceptor of AWS calls with queues in memory, and the time as the app is told.

    What it counts is keyed by kind and place, such as `write/log`, `calls/api/dynamodb` or `invocations/api`.
    """

    secret: str
    access_log: str  # the line that the gateway writes of a request, with its variables
    consumers: dict[str, tuple[str, Handler]]  # queue → function's name and handler
    used: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    shift_ms: int = 0
    _function: str = ""
    _inner: float = 0  # seconds of CPU time of functions that were called inside of the one that runs
    _waiting: list[_Message] = field(default_factory=list)
    _number: Iterator[int] = field(default_factory=itertools.count)

    def now(self) -> int:
        """Return the time as it is set, in milliseconds."""
        return time.time_ns() // 1_000_000 + self.shift_ms

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.shift_ms += int(seconds * 1000)

    def __call__(self, service: str, operation: str, params: Params, proceed: Proceed) -> Params:
        """Let calls of the table through, answer the others, and count all."""
        self.used[f"calls/{self._function}/{service}"] += 1
        if service == "dynamodb":
            params["ReturnConsumedCapacity"] = "INDEXES"
            answer = proceed()
            self._count("read" if operation in READS else "write", answer["ConsumedCapacity"])
            return answer
        if service == "secretsmanager":
            return {"SecretString": self.secret}
        if service == "s3":
            self.used[f"s3/{operation}"] += 1
            return {}
        if (service, operation) == ("sesv2", "get_account"):
            return {"SendingEnabled": True}
        if service == "sesv2":
            self.used["mails"] += 1
            return {"MessageId": "-"}
        if (service, operation) == ("sqs", "send_message"):
            self.used["sqs"] += 1
            ready = self.now() + 1000 * params.get("DelaySeconds", 0)
            heapq.heappush(self._waiting, (ready, next(self._number), params["QueueUrl"], params["MessageBody"]))
            return {"MessageId": "-"}
        if (service, operation) == ("sqs", "get_queue_attributes"):
            self.used["sqs"] += 1
            return {"Attributes": {"ApproximateNumberOfMessages": "0"}}
        raise AssertionError(f"the cost bench called {service}.{operation}")

    def _count(self, kind: str, consumed: Any) -> None:  # noqa: ANN401 - one table's, or a list
        for each in consumed if isinstance(consumed, list) else [consumed]:
            self.used[f"{kind}/table"] += each.get("Table", {}).get("CapacityUnits", 0)
            for name, index in each.get("GlobalSecondaryIndexes", {}).items():
                self.used[f"{kind}/{name}"] += index["CapacityUnits"]

    @contextlib.contextmanager
    def function(self, name: str) -> Iterator[None]:
        """Count what happens inside as one invocation of a function, but for other functions' that happens there."""
        outer, others, start = self._function, self._inner, time.process_time()
        self._function, self._inner = name, 0
        try:
            yield
        finally:
            lasted = time.process_time() - start
            self.used[f"cpu_ms/{name}"] += (lasted - self._inner) * 1000
            self.used[f"invocations/{name}"] += 1
            self._function, self._inner = outer, others + lasted

    def waits(self, what: str) -> None:
        """Count that the function which runs waits for something that is not AWS's."""
        self.used[f"calls/{self._function}/{what}"] += 1

    def request(self, app: Handler, event: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
        """Send a request that must be answered 2xx; returns its JSON."""
        with self.function("api"):
            answer = app(event, None)
        if answer["statusCode"] >= 300:
            raise RuntimeError(f"{event['httpMethod']} {event['path']}: {answer['statusCode']} {answer['body']}")
        body = answer["body"].encode()
        self.used["requests"] += 1
        self.used["bytes_in"] += len((event["body"] or "").encode())
        sent = len(gzip.compress(body, 6) if len(body) >= COMPRESSED_FROM else body)
        self.used["bytes_out"] += sent
        self._logged(event, answer["statusCode"], sent)
        return json.loads(body) if body else None

    def preflight(self, event: dict[str, Any]) -> None:
        """Count what a browser asks ahead of a request to another site, and the gateway answers by itself."""
        self.used["requests"] += 1
        self._logged(event, 200, 0)

    def _logged(self, event: dict[str, Any], status: int, sent: int) -> None:
        self.used["bytes_access_log"] += len(access_line(self.access_log, event, status, sent).encode())

    def drain(self) -> None:
        """Hand what may be received now to the queues' functions, batch by batch, until nothing is left."""
        while self._waiting and self._waiting[0][0] <= self.now():
            queue, bodies, kept = self._waiting[0][2], list[str](), list[_Message]()
            while self._waiting and self._waiting[0][0] <= self.now() and len(bodies) < BATCH:
                each = heapq.heappop(self._waiting)
                if each[2] == queue:
                    bodies.append(each[3])
                else:
                    kept.append(each)
            for each in kept:
                heapq.heappush(self._waiting, each)
            name, handler = self.consumers[queue]
            self.used["sqs"] += 2  # received, and deleted, as one batch
            with self.function(name):
                if name == "deliver_webhooks":  # all of a batch wait at the same time
                    self.waits("webhook")
                answer = handler({"Records": [sqs_record(body) for body in bodies]}, None)
            if answer["batchItemFailures"]:
                raise RuntimeError(f"{name} failed on {bodies}")


def access_line(line: str, event: dict[str, Any], status: int, sent: int) -> str:
    """Return what the gateway writes of a request. Latencies have the usual number of digits."""
    context = event["requestContext"]
    caller: dict[str, str] = context.get("authorizer") or {}
    values = {
        "requestId": context["requestId"],
        "requestTimeEpoch": context["requestTimeEpoch"],
        "httpMethod": event["httpMethod"],
        "resourcePath": event["resource"],
        "status": status,
        "responseLatency": 45,
        "integrationLatency": 40,
        "responseLength": sent,
        "authorizer.latency": 5 if caller else "-",
        "authorizer.principalId": caller.get("id", "-"),
        "error.responseType": "-",
        "xrayTraceId": event["headers"]["x-amzn-trace-id"],
    }
    return re.sub(r"\$context\.([A-Za-z.]+)", lambda found: str(values[found[1]]), line)


class CountingStream:
    """Takes the place of the log's stream and counts its bytes, as CloudWatch does, and the metrics among them."""

    def __init__(self, used: defaultdict[str, float], original: TextIO) -> None:
        self.used, self.original = used, original

    def write(self, text: str) -> int:
        """Count, and print nothing."""
        self.used["log_bytes"] += len(text.encode())
        if '"_aws"' in text:
            for metric in json.loads(text)["_aws"]["CloudWatchMetrics"][0]["Metrics"]:
                self.used[f"metric/{metric['Name']}"] += 1
        return len(text)

    def flush(self) -> None:
        """Do nothing: there is nothing to wait for."""
