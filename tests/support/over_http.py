"""The stand-ins for AWS and Stripe's double over HTTP, for code that runs in a process of its own."""

import json
import re
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from local.stripe_double.double import StripeDouble
from tests.support.aws import Services
from tests.support.permissions import running

_SERVICES = {"AmazonSQS": "sqs", "secretsmanager": "secretsmanager"}


class OverHttp:
    """A server on this machine that answers with JSON."""

    def __init__(self) -> None:
        here = self

        class Request(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
                try:
                    status, text = here.answer(self.command, self.path, dict(self.headers), body)
                except Exception as exc:  # noqa: BLE001 - the caller's process gets it, and its test says so
                    status, text = 500, json.dumps({"__type": "InternalFailure", "message": repr(exc)})
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def do_GET(self) -> None:
                self.do_POST()

            def do_DELETE(self) -> None:
                self.do_POST()

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Request)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: str) -> tuple[int, str]:
        """Return status and body."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


class StripeOverHttp(OverHttp):
    """Stripe's API."""

    double: StripeDouble

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: str) -> tuple[int, str]:
        parts = urlsplit(path)
        reply = self.double.api(method, parts.path, body or parts.query, headers)
        return reply.status, reply.body.decode()


class AwsOverHttp(OverHttp):
    """Answers as `services` does, for the function that runs; DynamoDB is asked at its engine, not here."""

    services: Services
    function = ""

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: str) -> tuple[int, str]:
        service, operation, params = _called(path, headers.get("X-Amz-Target", ""), body)
        with running(self.function):
            return 200, json.dumps(self.services(service, operation, params, dict))


def _called(path: str, target: str, body: str) -> tuple[str, str, dict[str, Any]]:
    """Tell which operation of which service a request is for."""
    if path == "/v2/email/outbound-emails":
        return "sesv2", "send_email", json.loads(body)
    if found := re.fullmatch(r"/restapis/(\w+)/stages/(\w+)/cache/authorizers", path):
        return "apigateway", "flush_stage_authorizers_cache", {"restApiId": found[1], "stageName": found[2]}
    name, _, operation = target.partition(".")
    return _SERVICES[name], re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower(), json.loads(body)
