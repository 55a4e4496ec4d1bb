"""What /health and /health/ready answer."""

from typing import Literal

from chalicelib.core.http import Response
from chalicelib.core.http.schema import Timestamp


class Liveness(Response):
    """The function runs; nothing it depends on was asked."""

    status: Literal["ok"]
    version: str
    time: Timestamp


class Check(Response):
    """How one dependency answered, and after how many milliseconds."""

    status: Literal["ok", "failed", "timeout"]
    ms: int


class Readiness(Response):
    """Whether everything a request may need is there."""

    status: Literal["ok", "unavailable"]
    checks: dict[str, Check]
