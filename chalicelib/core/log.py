"""Structured logs: one JSON object a line, in the shape of Powertools' Logger, without its import cost.

Only ids, counts, codes and durations are logged; never a body, a header, a token or an address.

A line with `metrics` is in CloudWatch's embedded metric format: what Lambda logs becomes metrics without a call, see
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html.
Each name is a metric to pay for, so they have one dimension, the stage.
"""

import json
import logging
import os
import sys
import traceback
from collections.abc import Mapping

from chalicelib.core import clock

NAMESPACE = "Parley"
ERRORS = "ErrorsLogged"  # an alarm goes off at the first one: infra/alarms.py

Metrics = Mapping[str, float]


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "level": record.levelname,
            "location": f"{record.funcName}:{record.lineno}",
            "message": record.getMessage(),
            "timestamp": clock.rfc3339(int(record.created * 1000)),
            "service": "parley",
        }
        line |= getattr(record, "fields", {})
        if record.exc_info and record.exc_info[0] is not None:
            line["exception_name"] = record.exc_info[0].__name__
            # The text of an exception may quote a body, so only the frames are written.
            line["exception"] = "".join(traceback.format_tb(record.exc_info[2]))
        return json.dumps(line, separators=(",", ":"), default=str)


def _make() -> logging.Logger:
    logger = logging.getLogger("parley")
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(_JsonFormatter())
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
    return logger


_logger = _make()


def info(message: str, *, metrics: Metrics | None = None, **fields: object) -> None:
    """Log something an operator may want to count."""
    _logger.info(message, extra={"fields": fields | _embedded(metrics)}, stacklevel=2)


def warning(message: str, **fields: object) -> None:
    """Log something that healed itself."""
    _logger.warning(message, extra={"fields": fields}, stacklevel=2)


def error(message: str, *, exc: BaseException | None = None, metrics: Metrics | None = None, **fields: object) -> None:
    """Log something a person should look at; with `exc`, its class and frames but not its text.

    It counts as one of ERRORS unless it has `metrics` of its own, and with them an alarm of its own.
    """
    embedded = _embedded({ERRORS: 1} if metrics is None else metrics)
    _logger.error(message, exc_info=exc, extra={"fields": fields | embedded}, stacklevel=2)


def _embedded(metrics: Metrics | None) -> dict[str, object]:
    """Return what makes metrics of a line: their values, and where CloudWatch finds them."""
    if not metrics:
        return {}
    units = {name: "Milliseconds" if name.endswith("Ms") else "Count" for name in metrics}
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [["Stage"]],
        "Metrics": [{"Name": name, "Unit": unit} for name, unit in units.items()],
    }
    stage = os.environ.get("PARLEY_STAGE", "")  # not the settings: an error is logged whatever is missing there
    return {"_aws": {"Timestamp": clock.now_ms(), "CloudWatchMetrics": [directive]}, "Stage": stage, **metrics}
