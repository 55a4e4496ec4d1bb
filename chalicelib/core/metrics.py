"""Numbers for CloudWatch, written into the log in its embedded metric format: no call, and no permission needed."""

import json
import sys
from collections.abc import Mapping

from chalicelib.core import clock
from chalicelib.core.config import settings

NAMESPACE = "Parley"


def put(values: Mapping[str, int], unit: str, **properties: object) -> None:
    """Add values to the stage's metrics. `properties` stand beside them in the log and are no dimensions."""
    described = {
        "Namespace": NAMESPACE,
        "Dimensions": [["Stage"]],
        "Metrics": [{"Name": name, "Unit": unit} for name in values],
    }
    line = {
        "_aws": {"Timestamp": clock.now_ms(), "CloudWatchMetrics": [described]},
        "Stage": settings().stage,
        **values,
        **properties,
    }
    sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")
    sys.stdout.flush()
