"""The Chalice application, with the raw event of the request at hand for every thread that serves one."""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from chalice.app import Chalice, CORSConfig

from chalicelib.core.http.answers import NO_ORIGIN
from chalicelib.core.http.limits import HEADERS

current_event: ContextVar[Mapping[str, Any]] = ContextVar("current_event")

# The preflight is a static answer of API Gateway's and carries no credential, so it allows every site;
# the actual answer is exact.
CORS = CORSConfig(
    allow_origin="*",
    allow_headers=["Idempotency-Key", "If-Match", "If-None-Match", "X-Request-Id", "X-Tenant-ID"],
    expose_headers=["ETag", "Idempotency-Replayed", "Retry-After", "X-Request-Id", *HEADERS],
    max_age=600,
)


class App(Chalice):
    """Chalice keeps the current request on the app object, which two threads would share; we keep the event apart."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - Chalice's own
        super().__init__(**options)
        self.api.binary_types.append("multipart/form-data")  # otherwise bytes arrive as text, broken

    def __call__(self, event: Any, context: Any) -> Any:  # noqa: ANN401 - Chalice's own signature
        before = current_event.set(event)
        try:
            answer = super().__call__(event, context)
        finally:
            current_event.reset(before)
        headers = answer["headers"]
        if headers.get("Access-Control-Allow-Origin") == NO_ORIGIN:
            del headers["Access-Control-Allow-Origin"]
        return answer
