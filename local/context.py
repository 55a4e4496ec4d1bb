"""What a Lambda function gets as its second argument."""

import time
import uuid
from dataclasses import dataclass, field


@dataclass(slots=True)
class LambdaContext:
    """The attributes of Lambda's own context object that a handler may read."""

    function_name: str
    seconds: float = 30.0
    function_version: str = "$LATEST"
    invoked_function_arn: str = ""
    memory_limit_in_mb: int = 1024
    log_group_name: str = ""
    log_stream_name: str = ""
    _started: float = field(default_factory=time.monotonic)
    _request_id: str = ""

    @property
    def aws_request_id(self) -> str:
        self._request_id = self._request_id or str(uuid.uuid4())
        return self._request_id

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self.seconds - (time.monotonic() - self._started)) * 1000))
