"""Runs a scheduled function as EventBridge would."""

from typing import Any

from chalicelib.core import clock, ids
from tests.support.permissions import name_of, running


def tick(scheduled: Any) -> None:
    """Call a function that app.py puts on a schedule."""
    event = {
        "version": "0",
        "id": ids.new_ulid(),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "1",
        "time": clock.rfc3339(clock.now_ms()),
        "region": "eu-west-1",
        "resources": [],
        "detail": {},
    }
    with running(name_of(scheduled)):
        scheduled(event, None)
