"""Structured logs: one JSON object a line, in the shape of Powertools' Logger, without its import cost.

Only ids, counts, codes and durations are logged; never a body, a header, a token or an address.
"""

import json
import logging
import sys
import traceback

from chalicelib.core import clock


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


def info(message: str, **fields: object) -> None:
    """Log something an operator may want to count."""
    _logger.info(message, extra={"fields": fields}, stacklevel=2)


def warning(message: str, **fields: object) -> None:
    """Log something that healed itself."""
    _logger.warning(message, extra={"fields": fields}, stacklevel=2)


def error(message: str, *, exc: BaseException | None = None, **fields: object) -> None:
    """Log something a person should look at; with `exc`, its class and frames but not its text."""
    _logger.error(message, exc_info=exc, extra={"fields": fields}, stacklevel=2)
