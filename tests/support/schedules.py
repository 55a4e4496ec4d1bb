"""Runs a scheduled function as EventBridge would."""

from typing import Any

from chalicelib.core import clock, ids


def tick(scheduled: Any) -> None:
    """Call a function that app.py puts on a schedule."""
    scheduled(
        {
            "version": "0",
            "id": ids.new_ulid(),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": "1",
            "time": clock.rfc3339(clock.now_ms()),
            "region": "eu-west-1",
            "resources": [],
            "detail": {},
        },
        None,
    )
