"""Do endpoints that fail hold up those that do not? 10,000 deliveries to 50 endpoints, a fifth of which fail.

The sender's own code on the real engine, with a queue in memory that is consumed as Lambda does: 20 batches of up to 10
records at a time, each as long as its slowest. Endpoints are in a process of their own. After the burst the clock is
set forward from one due time to the next, until each delivery is done.
"""

import contextlib
import heapq
import itertools
import json
import logging
import os
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.inprocess import TABLE, set_environment, sqs_record
from bench.report import Figure
from chalicelib.core.aws import Params, Proceed

HEALTHY = 40
FAILING = ("refuse", "hang", "reset", "500", "410", "429", "slow body", "500", "refuse", "hang")
EVENTS = 200
QUICK_EVENTS = 8
FUNCTIONS = 20  # the queue's maximum concurrency
BATCH = 10
QUICK_HANG_SECONDS = 1.0  # that an endpoint which hangs is waited for in a quick run, instead of 15
LIMIT = 2.0


def run(*, quick: bool) -> list[Figure]:
    """Send to healthy endpoints alone, then with failing ones beside them; a quick run's times are not judged."""
    set_environment()
    os.environ["PARLEY_ALLOW_LOOPBACK_WEBHOOKS"] = "1"
    events = QUICK_EVENTS if quick else EVENTS
    if quick:
        from chalicelib.webhooks import sending

        sending.TOTAL_SECONDS = QUICK_HANG_SECONDS
    alone = _burst(["healthy"] * HEALTHY, events)
    mixed = _burst(["healthy"] * HEALTHY + list(FAILING), events)
    ratio = mixed.p95 / alone.p95
    return [
        Figure("webhooks: p95 of healthy endpoints, alone", alone.p95, "s"),
        Figure("webhooks: p95 of healthy endpoints, a fifth failing", mixed.p95, "s"),
        Figure("webhooks: the second beside the first", ratio, "x", None if quick else LIMIT),
        Figure("webhooks: deliveries a second, healthy alone", alone.rate, "1/s"),
        *(Figure(f"webhooks: {status}", number, "") for status, number in sorted(mixed.statuses.items())),
        Figure("webhooks: neither delivered nor exhausted nor canceled", mixed.open, "", 0),
        Figure("webhooks: attempts under another webhook-id, or missing", mixed.wrong, "", 0),
    ]


@dataclass(frozen=True)
class Result:
    """What came of one burst. Times are seconds from the burst to the receiver's answer."""

    p95: float
    rate: float
    statuses: Counter[str]
    open: int
    wrong: int


@dataclass
class Queue:
    """An interceptor: messages of the webhooks queue by the time from which they may be received."""

    shift_ms: int = 0
    _waiting: list[tuple[int, int, str]] = field(default_factory=list)
    _number: Iterator[int] = field(default_factory=itertools.count)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    busy: int = 0

    def now(self) -> int:
        """Return the time as it is set, in milliseconds."""
        return time.time_ns() // 1_000_000 + self.shift_ms

    def __call__(self, service: str, operation: str, params: Params, proceed: Proceed) -> Params:  # noqa: ARG002 - a protocol
        """Keep what is sent; let calls of the table through."""
        if service == "dynamodb":
            return proceed()
        if service == "secretsmanager":
            return {"SecretString": SECRET}
        if params["QueueUrl"] == "webhooks":
            ready = self.now() + 1000 * params.get("DelaySeconds", 0)
            with self._lock:
                heapq.heappush(self._waiting, (ready, next(self._number), params["MessageBody"]))
        return {"MessageId": "-"}

    def take(self) -> list[str]:
        """Return up to a batch of messages whose time has come."""
        with self._lock:
            found: list[str] = []
            while self._waiting and len(found) < BATCH and self._waiting[0][0] <= self.now():
                found.append(heapq.heappop(self._waiting)[2])
            self.busy += bool(found)
        return found

    def done(self) -> None:
        """Say that a batch has been dealt with."""
        with self._lock:
            self.busy -= 1

    def is_quiet(self) -> bool:
        """Tell whether nothing is being sent, nor will be in the next 20 seconds."""
        with self._lock:
            return not self.busy and (not self._waiting or self._waiting[0][0] > self.now() + 20_000)


SECRET = ""


def _burst(kinds: Sequence[str], events: int) -> Result:
    from chalicelib.auth.keys import new_key_set
    from chalicelib.core import aws, clock
    from local.engines import create_table, start_dynoxide

    global SECRET
    SECRET = json.dumps(new_key_set())
    engine, queue = start_dynoxide(), Queue()
    os.environ["AWS_ENDPOINT_URL_DYNAMODB"] = engine.endpoint
    aws._client.cache_clear()  # noqa: SLF001 - it may know another engine
    aws.interceptors[:] = [queue]
    logging.getLogger("parley").setLevel(logging.ERROR)  # each attempt is a line
    try:
        create_table(engine.endpoint, TABLE)
        with clock.reading(queue.now), _receivers(kinds) as receivers:
            burst = _Burst(f"{_new_tenant()}~test", kinds, receivers, queue)
            return burst.run(events)
    finally:
        aws.interceptors.clear()
        engine.stop()


def _new_tenant() -> str:
    """Make a tenant: those that are not there are sent nothing."""
    from chalicelib.core import clock, ids
    from chalicelib.core.table import transact
    from chalicelib.tenants import store
    from chalicelib.tenants.models import Tenant

    now = clock.now_ms()
    tenant = Tenant(ids.new("tn"), "Bench", "bench", "en", now, now)
    transact(store.creating_tenant(tenant, []))
    return tenant.id


class _Burst:
    """One tenant's endpoints, and events for all of them."""

    def __init__(self, tenant_id: str, kinds: Sequence[str], receivers: Any, queue: Queue) -> None:  # noqa: ANN401 - Popen
        from chalicelib.core import ids
        from chalicelib.core.table import run
        from chalicelib.webhooks import store
        from chalicelib.webhooks.models import Endpoint

        self._tenant_id, self._queue, self._receivers = tenant_id, queue, receivers
        self._kinds = kinds
        self._endpoints = [
            Endpoint(tenant_id, ids.new("whk"), f"http://127.0.0.1:{port}/hook", ("*",), None, 0, 0, "salt")
            for port in json.loads(receivers.stdout.readline())
        ]
        for endpoint in self._endpoints:
            run(store.putting_endpoint(endpoint))

    def run(self, events: int) -> Result:
        """Record the deliveries, send them all at once, and go on until each is done."""
        sent = self._record(events)
        stop, began = threading.Event(), self._queue.now()
        functions = [threading.Thread(target=self._function, args=(stop,), daemon=True) for _ in range(FUNCTIONS)]
        for function in functions:
            function.start()
        self._settle()
        times = sorted(self._times(began))
        while self._move_on():
            self._settle()
        stop.set()
        for function in functions:
            function.join()
        statuses = Counter(row.status for endpoint in self._endpoints for row in self._deliveries(endpoint))
        p95 = statistics.quantiles(times, n=20)[-1]
        lacking = events * len(self._kinds) - statuses.total()
        return Result(p95, len(times) / times[-1], statuses, statuses.pop("pending", 0) + lacking, self._wrong(sent))

    def _record(self, events: int) -> set[str]:
        from chalicelib.core import clock, ids
        from chalicelib.core.table import tenant_rows
        from chalicelib.events.models import Event
        from chalicelib.webhooks import deliveries

        data, actor = {"text": "x" * 500}, {"type": "system", "id": "bench"}
        made = [
            Event(f"{self._tenant_id}#x", n, "bench.happened", clock.now_ms(), data, actor, {}, {}, ids.new_ulid())
            for n in range(events)
        ]
        left = made
        while left:
            left = left[deliveries.on_events(tenant_rows(self._tenant_id), left) :]
        return {event.id for event in made}

    def _function(self, stop: threading.Event) -> None:
        """Take batches, as one instance of the function does."""
        from app import deliver_webhooks

        while not stop.is_set():
            if bodies := self._queue.take():
                deliver_webhooks({"Records": [sqs_record(body) for body in bodies]}, None)
                self._queue.done()
            else:
                time.sleep(0.01)

    def _settle(self) -> None:
        while not self._queue.is_quiet():
            time.sleep(0.05)

    def _move_on(self) -> bool:
        """Set the clock to when the last open delivery is due, and let the sweep find what is; False when none is."""
        from chalicelib.core import clock
        from chalicelib.webhooks import store, workers

        far = clock.now_ms() + 10 * 86_400_000
        keys = [key for shard in range(store.DUE_SHARDS) for key in store.due_before(shard, far, 1000)]
        if not keys:
            return False
        due = [each.due_at or 0 for each in store.load_deliveries(self._tenant_id, keys, consistent=True).values()]
        self._queue.shift_ms += max(0, max(due, default=0) + 2 * store.GRACE_MS - self._queue.now())
        workers.sweep_due()
        return True

    def _deliveries(self, endpoint: Any) -> list[Any]:  # noqa: ANN401 - the app is imported late
        from chalicelib.core.table import tenant_rows
        from chalicelib.webhooks import store

        rows = tenant_rows(self._tenant_id).query(endpoint.id, prefix="d#", limit=1000).items
        return [store.delivery_from_item(row) for row in rows]

    def _times(self, began: int) -> Iterator[float]:
        """Seconds from the burst to the first answer of each delivery to a healthy endpoint."""
        from chalicelib.webhooks import store

        for endpoint, kind in zip(self._endpoints, self._kinds, strict=True):
            if kind == "healthy":
                for delivery in self._deliveries(endpoint):
                    (attempt, *_) = store.list_attempts(self._tenant_id, endpoint.id, delivery.ulid)
                    yield (attempt.at - began) / 1000

    def _wrong(self, sent: set[str]) -> int:
        """Count ids that nobody sent, and those that a healthy endpoint lacks."""
        self._receivers.stdin.write("\n")
        self._receivers.stdin.flush()
        found = json.loads(self._receivers.stdout.readline())
        strange = sum(len(set(each["ids"]) - sent) for each in found)
        healthy = [each for each, kind in zip(found, self._kinds, strict=True) if kind == "healthy"]
        return strange + sum(len(sent - set(each["ids"])) for each in healthy)


@contextlib.contextmanager
def _receivers(kinds: Sequence[str]) -> Iterator[Any]:
    command = [sys.executable, "-m", "bench.receivers", *kinds]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()
