"""The operator's commands against the running local stack: a poisoned message on its whole way, and back."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local.engines import aws_client
from local.processes import free_port
from tests.support.stack import ROOT, Stack

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("parley-stack")]
QUEUE, SECONDS = "parley-local-events", 30


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    running = Stack(tmp_path_factory.mktemp("stack"), free_port(), PARLEY_SEED="none")
    yield running
    running.stop()


@pytest.fixture
def environment(stack: Stack) -> dict[str, str]:
    found: dict[str, str] = json.loads((stack.data / "stack.json").read_text())["environment"]
    return found


def parley(stack: Stack, *arguments: str, code: int = 0) -> Any:
    """Run a command as an operator does, from a pipe; returns its JSON."""
    command = [sys.executable, "-m", "parley", *arguments, "--local", "--json"]
    done = subprocess.run(command, cwd=ROOT, env=stack.env, capture_output=True, text=True, check=False)
    assert done.returncode == code, done
    assert "\x1b" not in done.stdout + done.stderr
    return json.loads(done.stdout or done.stderr)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Row:
    """A row of the stack's table, past all rules."""

    def __init__(self, environment: dict[str, str], pk: str, sk: str) -> None:
        self._client = aws_client("dynamodb", environment["AWS_ENDPOINT_URL_DYNAMODB"])
        self._table, self._key = environment["PARLEY_TABLE"], {"pk": {"S": pk}, "sk": {"S": sk}}

    def read(self) -> dict[str, Any]:
        found: dict[str, Any] = self._client.get_item(TableName=self._table, Key=self._key, ConsistentRead=True)["Item"]
        return found

    def write(self, row: dict[str, Any]) -> None:
        self._client.put_item(TableName=self._table, Item=row | self._key)


def test_a_poisoned_message_dies_is_looked_at_put_back_and_worked_off(stack, environment):
    tenant_id = parley(stack, "create-owner", "--email", "ada@example.com", "--tenant", "Acme")["tenant_id"]
    meta = Row(environment, pk := f"{tenant_id}#tenant", "meta")
    until(lambda: meta.read()["dpos"] == meta.read()["pos"])

    # An event whose row is missing, and a queue that gives up at once on who asks for it
    last = int(meta.read()["pos"]["N"])
    good = Row(environment, pk, f"e#{last:010d}").read() | {"pos": {"N": str(last + 1)}}
    for name in ("l_pk", "l_sk"):
        good.pop(name, None)
    event = Row(environment, pk, f"e#{last + 1:010d}")
    pending = {"p_pk": {"S": "P#0"}, "p_sk": {"S": f"{time.time_ns() // 1_000_000:013d}"}}
    meta.write(meta.read() | pending | {"pos": {"N": str(last + 1)}})
    sqs = aws_client("sqs", environment["AWS_ENDPOINT_URL_SQS"])
    url = sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
    policy = {"deadLetterTargetArn": f"arn:aws:sqs:eu-west-1:000000000000:{QUEUE}-dlq", "maxReceiveCount": 1}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": json.dumps(policy)})
    sqs.send_message(QueueUrl=url, MessageBody=pk)
    dead = sqs.get_queue_url(QueueName=f"{QUEUE}-dlq")["QueueUrl"]
    number = "ApproximateNumberOfMessages"
    until(lambda: sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=[number])["Attributes"][number] == "1")

    (events,) = [row for row in parley(stack, "queues", "list")["data"] if row["queue"] == "events"]
    assert (events["waiting"], events["dead"]) == (0, 1)
    for _ in range(2):  # a look takes nothing away
        assert [row["body"] for row in parley(stack, "queues", "peek", "events", "--dead")["data"]] == [pk]
    parley(stack, "queues", "redrive", "events", code=2)  # asks, and nobody is there
    assert int(meta.read()["dpos"]["N"]) == last

    event.write(good)
    done = parley(stack, "queues", "redrive", "events", "--yes")
    assert done == {"queue": QUEUE, "moved": 1, "refused": 0, "left": 0}
    until(lambda: int(meta.read()["dpos"]["N"]) == last + 1)
    assert parley(stack, "queues", "peek", "events", "--dead")["data"] == []


def test_the_services_work_on_its_table_secrets_and_stripe(stack):
    assert parley(stack, "billing", "drift") == {"data": [], "compared": 0, "unread": []}
    assert [row["state"] for row in parley(stack, "keys", "signing", "show")["data"]] == ["signs"]


def test_a_stack_that_was_killed_is_said_not_to_run(stack):
    stack.kill()
    assert (stack.data / "stack.json").is_file()
    assert "make run" in parley(stack, "queues", "list", code=3)["error"]["message"]
