"""Delivers what waits in the stand-in queues to the app's own queue functions, as Lambda would."""

from random import Random
from typing import Any

import app
from chalicelib.core.config import settings
from chalicelib.core.ids import new_ulid
from tests.support.aws import Services
from tests.support.permissions import name_of, running

MAX_ROUNDS = 100


def drain(services: Services) -> None:
    """Dispatch events and send mails until both queues are empty; an unfinished record fails the test."""
    for _ in range(MAX_ROUNDS):
        waiting = [(take(services, url), consume) for url, consume in _consumers()]
        if not any(bodies for bodies, _ in waiting):
            return
        for bodies, consume in waiting:
            if bodies:
                assert deliver(consume, bodies) == [], "a record failed"
    raise AssertionError("the queues never ran empty")


def take(services: Services, url: str) -> list[str]:
    """Take all messages from a queue."""
    queue = services.queues.get(url)
    return [queue.popleft() for _ in range(len(queue))] if queue else []


def deliver(consume: Any, bodies: list[str]) -> list[str]:
    """Call a queue function with one batch and return the bodies that it reports as failed."""
    records = {new_ulid(): body for body in bodies}
    event = {
        "Records": [
            {
                "messageId": message_id,
                "receiptHandle": message_id,
                "body": body,
                "attributes": {"ApproximateReceiveCount": "1"},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-west-1:1:queue",
                "awsRegion": "eu-west-1",
            }
            for message_id, body in records.items()
        ]
    }
    with running(name_of(consume)):
        answer = consume(event, None)
    return [records[failure["itemIdentifier"]] for failure in answer["batchItemFailures"]]


def deliver_once(services: Services) -> None:
    """Deliver what waits now; what fails goes back to its queue, as SQS makes it visible again."""
    for url, consume in _all_consumers():
        if bodies := take(services, url):
            unfinished = bodies
            try:
                unfinished = deliver(consume, bodies)
            finally:
                services.queues[url].extend(unfinished)


def drain_badly(services: Services, random: Random) -> None:
    """Deliver everything twice and in another order, as SQS may, until nothing is left but what fails at this time."""
    for _ in range(MAX_ROUNDS):
        waiting = [(body, url, consume) for url, consume in _all_consumers() for body in take(services, url) * 2]
        random.shuffle(waiting)
        failed = {(body, url) for body, url, consume in waiting if deliver(consume, [body])}
        for body, url in sorted(failed):
            services.queues[url].append(body)
        if len(waiting) <= len(failed) * 2:
            return
    raise AssertionError("the queues never ran empty")


def left(services: Services) -> list[str]:
    """Return what waits in these queues."""
    return [body for url, _ in _all_consumers() for body in services.queues.get(url, ())]


def _consumers() -> list[tuple[str, Any]]:
    return [
        (settings().events_queue_url, app.dispatch_events),
        (settings().mail_queue_url, app.send_mail),
        (settings().webhooks_queue_url, app.deliver_webhooks),
    ]


def _all_consumers() -> list[tuple[str, Any]]:
    return [*_consumers(), (settings().billing_queue_url, app.look_at_accounts)]
