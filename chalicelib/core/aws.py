"""The only door to AWS: lazily made low-level clients, and one function every call goes through."""

import threading
from collections.abc import Callable
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, Protocol

import botocore.parsers
import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004 - not the built-in one

from chalicelib.core.errors import UnavailableError
from chalicelib.core.frozen import frozen

Params = dict[str, Any]
Proceed = Callable[[], Params]

CONNECT_SECONDS = 2
READ_SECONDS = 3
ATTEMPTS = 2
_BACKOFF_SECONDS = 1  # before botocore's one repetition, at most
WORST_CALL_SECONDS = ATTEMPTS * (CONNECT_SECONDS + READ_SECONDS) + (ATTEMPTS - 1) * _BACKOFF_SECONDS

# A client is made once per process. The session is ours, so boto3's resource layer is never imported.
_CONFIG = Config(
    connect_timeout=CONNECT_SECONDS,
    read_timeout=READ_SECONDS,
    retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    max_pool_connections=64,
    tcp_keepalive=True,
    user_agent="parley",  # otherwise botocore puts one together for every call
    parameter_validation=False,  # our callers are typed, and validating costs a fifth of a call's CPU
)
# Mail is the one thing that may not be sent again for an answer that is late or lost: SES cannot tell the second.
_ONCE = Config(read_timeout=15, retries={"total_max_attempts": 1})
# A file of 25 MB takes a while to be copied.
_PATIENT = Config(read_timeout=10)
_SPECIAL = {"sesv2": _ONCE, "s3": _PATIENT}
_making = threading.Lock()


class Interceptor(Protocol):
    """Stands around every AWS call: counts it, delays it, makes it fail. Used by tests and benches."""

    def __call__(self, service: str, operation: str, params: Params, proceed: Proceed) -> Params: ...


interceptors: list[Interceptor] = []
# Asks DynamoDB in the place of this function's own client; set by core/fence.py only.
table_client: ContextVar[Any] = ContextVar("table_client", default=None)


@frozen
class Place:
    """Where a service is asked: in an AWS region, at an address. Empty: this function's own, AWS's own."""

    aws_region: str = ""
    endpoint: str = ""


HERE = Place()


class _ItemParser(botocore.parsers.JSONParser):
    """Leaves DynamoDB's attributes as they are, which saves a third of a list page's CPU.

    Botocore looks up a shape for every attribute value, only to return what the JSON held already; bytes are the one
    kind it changes. These names are botocore's own business: where they are missing, its parser serves as it is.
    """

    def _handle_map(self, shape: Any, value: dict[str, Any]) -> Any:  # noqa: ANN401 - botocore's signature
        if shape.value.name != "AttributeValue":
            return super()._handle_map(shape, value)  # type: ignore[misc]  # not in the stubs
        for attribute in value.values():
            if "B" in attribute:  # of the row itself: we store none inside a list or a map
                attribute["B"] = self._blob_parser(attribute["B"])  # type: ignore[attr-defined]  # not in the stubs
        return value


class ItemParserFactory(botocore.parsers.ResponseParserFactory):
    """Gives the JSON services, DynamoDB among them, the parser above."""

    def create_parser(self, protocol_name: str) -> Any:  # noqa: ANN401 - a class made for the protocol
        """Return the parser of a protocol. Lambda brings a botocore of its own, which may lack what ours relies on."""
        if (
            protocol_name == "json"
            and hasattr(self, "_defaults")
            and hasattr(botocore.parsers.JSONParser, "_handle_map")
        ):
            fast = _ItemParser(**self._defaults)
            if hasattr(fast, "_blob_parser"):
                return fast
        return super().create_parser(protocol_name)


@lru_cache(maxsize=1)
def _session() -> botocore.session.Session:
    session = botocore.session.get_session()
    session.register_component("response_parser_factory", ItemParserFactory())
    return session


@lru_cache(maxsize=16)
def _client(service: str, place: Place = HERE) -> Any:  # noqa: ANN401 - botocore makes its client classes at run time
    with _making:
        return _session().create_client(
            service,
            region_name=place.aws_region or None,
            endpoint_url=place.endpoint or None,
            config=_CONFIG.merge(_SPECIAL.get(service, Config())),
        )


def client_with(service: str, credentials: dict[str, str]) -> Any:  # noqa: ANN401 - see above
    """Return a client with the credentials that STS gave."""
    with _making:
        return _session().create_client(
            service,
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
            config=_CONFIG,
        )


def session() -> botocore.session.Session:
    """Return the process's session: its credentials sign links, and its region and endpoints are in them."""
    return _session()


def call(service: str, operation: str, params: Params, *, place: Place = HERE) -> Params:
    """Call one operation, named as the client's method is (`get_item`), and return its answer.

    Raises botocore's ClientError for an answer that is an error and UnavailableError when no answer came.
    """
    fenced = table_client.get() if service == "dynamodb" and place == HERE else None
    method = getattr(fenced or _client(service, place), operation)

    def proceed() -> Params:
        answer: Params = method(**params)
        return answer

    for interceptor in interceptors:
        proceed = _around(interceptor, service, operation, params, proceed)
    try:
        return proceed()
    except (HTTPClientError, ConnectionError) as exc:
        raise UnavailableError from exc


def _around(interceptor: Interceptor, service: str, operation: str, params: Params, inner: Proceed) -> Proceed:
    return lambda: interceptor(service, operation, params, inner)


def error_code(exc: ClientError) -> str:
    """Return AWS's own code of an error answer, such as `ConditionalCheckFailedException`."""
    code: str = exc.response.get("Error", {}).get("Code", "")
    return code


def read_secret(secret_id: str) -> str:
    """Return a secret's text; raises UnavailableError if it could not be read."""
    try:
        answer = call("secretsmanager", "get_secret_value", {"SecretId": secret_id})
    except ClientError as exc:
        raise UnavailableError from exc
    text: str = answer["SecretString"]
    return text


def assume(role: str, name: str, policy: str, seconds: int) -> dict[str, str]:
    """Return the credentials of a session that may do what both role and policy allow; raises UnavailableError."""
    params = {"RoleArn": role, "RoleSessionName": name, "Policy": policy, "DurationSeconds": seconds}
    try:
        found: dict[str, str] = call("sts", "assume_role", params)["Credentials"]
    except ClientError as exc:
        raise UnavailableError from exc
    return found


def send(queue_url: str, body: str, *, delay_s: int = 0) -> None:
    """Put one message on a queue, to be seen after up to 900 s; raises UnavailableError if it was not taken."""
    params: Params = {"QueueUrl": queue_url, "MessageBody": body}
    if delay_s:
        params["DelaySeconds"] = delay_s
    try:
        call("sqs", "send_message", params)
    except ClientError as exc:
        raise UnavailableError from exc
