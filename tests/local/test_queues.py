"""The queue pump against a real SQS double: batches, partial failures, retries, dead letters."""

import json
import queue
from contextlib import contextmanager
from typing import Any

import pytest
from chalice.app import Chalice

from local.engines import AWS_REGION, aws_client
from local.queues import QueuePump, backoff, failed_ids
from local.resources import make_queues

pytestmark = pytest.mark.stack


@pytest.fixture
def sqs(ministack):
    return aws_client("sqs", ministack)


@contextmanager
def pumping(sqs, stage, handle, **options):
    """A pump for a toy app with one handler on the events queue of a stage of its own."""
    app = Chalice("toy", configure_logs=False, env={})

    @app.on_sqs_message(queue="parley-${Stage}-events", name="dispatch", **options)
    def dispatch(event):
        return handle(event.to_dict())

    url = make_queues(sqs, stage, AWS_REGION)[f"parley-{stage}-events"]
    pump = QueuePump(app, sqs, stage=stage, region=AWS_REGION, wait_seconds=1, backoff=lambda _count: 0)
    pump.start()
    try:
        yield url
    finally:
        pump.stop(10)
        pump.join()


def counts(sqs, stage):
    found = {}
    for name in (f"parley-{stage}-events", f"parley-{stage}-events-dlq"):
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        left = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        found[name.rsplit("-", 1)[-1]] = sum(int(attributes[n]) for n in left)
    return found


def test_a_message_arrives_as_a_real_sqs_record(sqs):
    seen: queue.Queue[Any] = queue.Queue()
    with pumping(sqs, "record", seen.put) as url:
        attributes = {"kind": {"DataType": "String", "StringValue": "x"}}
        sent = sqs.send_message(QueueUrl=url, MessageBody="hello", MessageAttributes=attributes)
        (record,) = seen.get(timeout=10)["Records"]
    assert record["messageId"] == sent["MessageId"]
    assert record["body"] == "hello"
    assert record["md5OfBody"] == sent["MD5OfMessageBody"]
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["attributes"]["SentTimestamp"].isdigit()
    assert record["messageAttributes"]["kind"]["stringValue"] == "x"
    assert record["eventSourceARN"] == f"arn:aws:sqs:{AWS_REGION}:000000000000:parley-record-events"
    assert record["receiptHandle"]
    assert counts(sqs, "record") == {"events": 0, "dlq": 0}


def test_only_the_failures_of_a_batch_come_back(sqs):
    seen: queue.Queue[Any] = queue.Queue()

    def handle(event):
        failures = []
        for record in event["Records"]:
            count = int(record["attributes"]["ApproximateReceiveCount"])
            seen.put((record["body"], count))
            if record["body"] == "odd" and count < 3:
                failures.append({"itemIdentifier": record["messageId"]})
        return {"batchItemFailures": failures}

    with pumping(sqs, "partial", handle, batch_size=10) as url:
        entries = [{"Id": str(n), "MessageBody": "odd" if n == 1 else "even"} for n in range(4)]
        sqs.send_message_batch(QueueUrl=url, Entries=entries)
        found = [seen.get(timeout=10) for _ in range(6)]
    assert sorted(found) == [("even", 1)] * 3 + [("odd", 1), ("odd", 2), ("odd", 3)]
    assert counts(sqs, "partial") == {"events": 0, "dlq": 0}


def test_an_exception_brings_the_whole_batch_back_and_at_last_to_the_dead_letters(sqs):
    seen: queue.Queue[Any] = queue.Queue()

    def handle(event):
        for record in event["Records"]:
            seen.put((record["body"], record["attributes"]["ApproximateReceiveCount"]))
        raise ValueError

    with pumping(sqs, "poison", handle, batch_size=10) as url:
        sqs.send_message(QueueUrl=url, MessageBody="poison")
        assert [seen.get(timeout=10)[1] for _ in range(5)] == ["1", "2", "3", "4", "5"]
        dlq = sqs.get_queue_url(QueueName="parley-poison-events-dlq")["QueueUrl"]
        (dead,) = sqs.receive_message(QueueUrl=dlq, WaitTimeSeconds=10)["Messages"]
    assert dead["Body"] == "poison"
    assert seen.empty()


def test_the_queues_are_those_of_the_template(sqs):
    urls = make_queues(sqs, "template", AWS_REGION)
    assert make_queues(sqs, "template", AWS_REGION) == urls
    attributes = sqs.get_queue_attributes(QueueUrl=urls["parley-template-mail"], AttributeNames=["All"])["Attributes"]
    assert attributes["VisibilityTimeout"] == "180"
    policy = json.loads(attributes["RedrivePolicy"])
    assert int(policy["maxReceiveCount"]) == 5
    assert policy["deadLetterTargetArn"].endswith(":parley-template-mail-dlq")


@pytest.mark.parametrize(
    ("result", "failed"),
    [
        (None, set()),
        ({}, set()),
        ({"batchItemFailures": []}, set()),
        ({"batchItemFailures": [{"itemIdentifier": "a"}]}, {"a"}),
        ({"batchItemFailures": [{"itemIdentifier": "stranger"}]}, {"a", "b"}),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, {"a", "b"}),
        ({"batchItemFailures": [{"wrong": "a"}]}, {"a", "b"}),
        ({"batchItemFailures": "a"}, {"a", "b"}),
    ],
)
def test_what_an_answer_leaves_in_the_queue(result, failed):
    assert failed_ids(result, {"a", "b"}) == failed


def test_the_pause_doubles_up_to_thirty_seconds():
    assert [backoff(count) for count in (1, 2, 3, 5, 9)] == [1, 2, 4, 16, 30]
