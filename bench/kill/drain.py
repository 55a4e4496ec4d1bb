"""Lets the stack finish what it had begun: waits for the queues, then sweeps as the one-minute schedule would, later.

The app's own sweep runs here with the clock set four minutes ahead, as it picks up what has been pending for three.
"""

import os
import time

from bench.stack import Stack, dynoxide_endpoint, ministack_endpoint
from local import environment
from local.engines import AWS_REGION, aws_client
from local.resources import make_queues

AHEAD_MS = 240_000
QUIET_SECONDS = 3.0  # without progress: then the queue has nothing more about these
ROUNDS = 3  # an entry is parked after the fifth sweep
MOMENT = 0.1


def connect(stack: Stack) -> None:
    """Point this process at the stack's engine and queues, so that the app's own functions can be called."""
    ministack = ministack_endpoint(stack.pid)
    environment.forget_users_aws()
    environment.set_environment(
        base_url=f"http://127.0.0.1:{stack.port}",
        dynamodb=dynoxide_endpoint(stack.pid),
        ministack=ministack,
        inner=f"http://127.0.0.1:{stack.port}",
        queues=make_queues(aws_client("sqs", ministack), environment.STAGE, AWS_REGION),
    )
    os.environ.setdefault("PARLEY_INDEX_SHARDS", "1")


def drain() -> list[str]:
    """Wait until nothing is pending, sweeping up to three times; returns what still is. `connect` comes first."""
    from chalicelib.core import clock
    from chalicelib.events.sweeper import sweep

    left = _settled()
    for _ in range(ROUNDS):
        if not left:
            break
        print(f"{len(left)} aggregates are pending whose queue message was lost or is out: sweeping", flush=True)
        with clock.reading(lambda: time.time_ns() // 1_000_000 + AHEAD_MS):
            sweep()
        left = _settled()
    return left


def _settled() -> list[str]:
    """Wait until the list of what is pending is empty or has not become shorter for a while, and return it."""
    left = _pending()
    last_change = time.monotonic()
    while left and time.monotonic() - last_change < QUIET_SECONDS:
        time.sleep(MOMENT)
        before, left = left, _pending()
        if left != before:
            last_change = time.monotonic()
    return left


def _pending() -> list[str]:
    from chalicelib.core import table
    from chalicelib.events.outbox import PENDING_SHARDS

    return [key.pk for shard in range(PENDING_SHARDS) for key in table.pending_keys(f"P#{shard}", "9" * 13, 100)]
