"""The app in this process on the real engine and without queues: what a request costs, and nothing beside it."""

import json
import os
import time
from typing import Any
from urllib.parse import urlsplit

from chalicelib.core.aws import Params, Proceed
from local.gateway.events import Api, Incoming, proxy_event
from local.gateway.routes import RouteTable

TABLE = "parley-bench-main"


def set_environment() -> None:
    """Give this process the settings of a deployment; must run before the app reads them."""
    os.environ |= {
        "PARLEY_STAGE": "bench",
        "PARLEY_REGION": "eu1",
        "PARLEY_TABLE": TABLE,
        "PARLEY_EVENTS_QUEUE_URL": "events",
        "PARLEY_MAIL_QUEUE_URL": "mail",
        "PARLEY_REMINDERS_QUEUE_URL": "reminders",
        "PARLEY_WEBHOOKS_QUEUE_URL": "webhooks",
        "PARLEY_BILLING_QUEUE_URL": "billing",
        "PARLEY_FILES_BUCKET": "parley-bench-files",
        "PARLEY_FILES_URL": "https://files.bench.invalid",
        "PARLEY_KEYS_SECRET": "parley-bench-keys",
        "PARLEY_API_URL": "https://api.bench.invalid",
        "PARLEY_MAIL_FROM": "Parley <no-reply@bench.invalid>",
        "PARLEY_VISITOR_BURST": "1000000",
        "PARLEY_VISITOR_RATE": "1000000",
        "PARLEY_USER_REQUESTS": "1000000",
        "PARLEY_KEY_REQUESTS": "1000000",
        "PARLEY_VISITOR_REQUESTS": "1000000",
        "PARLEY_TENANT_REQUESTS": "1000000",
        "PARLEY_TENANT_VISITOR_REQUESTS": "1000000",
        "PARLEY_INDEX_SHARDS": "1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


class OnlyTable:
    """Lets DynamoDB calls through and answers the others at once; counts the DynamoDB calls and their units."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self.calls = 0
        self.units = 0.0

    def __call__(self, service: str, operation: str, params: Params, proceed: Proceed) -> Params:
        if service == "dynamodb":
            self.calls += 1
            params["ReturnConsumedCapacity"] = "TOTAL"
            answer = proceed()
            used = answer["ConsumedCapacity"]
            self.units += sum(each["CapacityUnits"] for each in (used if isinstance(used, list) else [used]))
            return answer
        if service == "secretsmanager":
            return {"SecretString": self._secret}
        if service == "sqs":
            return {"MessageId": "-"}
        raise AssertionError(f"a bench called {service}.{operation}")


class Caller:
    """Calls the app with the gateway's own events, as somebody whom the authorizer's cache knows."""

    def __init__(self, app: Any, context: dict[str, str], origin: str = "", token: str = "") -> None:  # noqa: ANN401 - Chalice's
        self._app, self._context = app, context
        self._headers = [(b"host", b"api.bench.invalid")]
        if origin:
            self._headers.append((b"origin", origin.encode()))
        if token:  # for routes that read the credential themselves
            self._headers.append((b"authorization", f"Bearer {token}".encode()))
        self._api, self._routes = Api("bench", "bench", "eu-west-1"), RouteTable(app.routes)

    def timed(self, method: str, url: str, body: object = None, *, status: int = 0) -> tuple[float, Any]:
        """Send one request; returns the seconds the app took and its answer. All but `status`, or a 2xx, raises."""
        event = self.event(method, url, body)
        start = time.perf_counter()
        answer = self._app(event, None)
        seconds = time.perf_counter() - start
        if answer["statusCode"] != status if status else answer["statusCode"] >= 300:
            raise RuntimeError(f"{method} {url}: {answer['statusCode']} {answer['body']}")
        return seconds, json.loads(answer["body"])

    def event(
        self, method: str, url: str, body: object = None, *, content_type: str = "application/json"
    ) -> dict[str, Any]:
        """Return what API Gateway hands to the app for a request; a body is sent as JSON, unless it is bytes."""
        parts = urlsplit(url)
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        scope = {
            "method": method,
            "path": parts.path,
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "headers": [*self._headers, (b"content-type", content_type.encode())],
            "client": ("203.0.113.7", 40000),
            "server": ("127.0.0.1", 443),
        }
        found = self._routes.find(parts.path)
        if found is None:
            raise RuntimeError(f"no route for {url}")
        resource, parameters = found
        event = proxy_event(self._api, Incoming(scope), resource.path, parameters, raw, binary=isinstance(body, bytes))
        event["requestContext"]["authorizer"] = dict(self._context)
        return event


def sqs_record(body: str) -> dict[str, Any]:
    """Return a message as SQS hands it to a function."""
    from chalicelib.core import ids

    message_id = ids.new_ulid()
    return {
        "messageId": message_id,
        "receiptHandle": message_id,
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:1:webhooks",
        "awsRegion": "eu-west-1",
    }
