"""Lambda's part, for a package in /var/task: run by itself, with no other library than those of the two folders named.

Takes a line of JSON for each call, `{"handler", "event"}`, and answers with one: `{"answer"}` or `{"error"}`. What the
functions print goes where errors go.
"""

import importlib
import json
import os
import sys
import traceback
from types import SimpleNamespace
from typing import Any

task, libraries = sys.argv[1:]
sys.path[:0] = [task, libraries]
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def trust(certificate: str) -> str:
    """Take the test's certificate for SNS's, which there is no way to serve from SNS's own address."""
    gateway: Any = importlib.import_module("chalicelib.mail.sns_gateway")
    gateway._download = lambda _url: certificate.encode()
    return ""


def call(handler: str, event: object) -> object:
    """Call a handler by the name that the template has."""
    module, _, name = handler.rpartition(".")
    context = SimpleNamespace(
        function_name=f"parley-prod-app-{name}",
        function_version="$LATEST",
        invoked_function_arn=f"arn:aws:lambda:eu-central-1:123456789012:function:parley-prod-app-{name}",
        memory_limit_in_mb="1024",
        aws_request_id="c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
        log_group_name=f"/aws/lambda/parley-prod-app-{name}",
        log_stream_name="2026/11/28/[$LATEST]58419525dade4d17a495dceeeed44708",
        get_remaining_time_in_millis=lambda: 28_000,
    )
    return getattr(importlib.import_module(module), name)(event, context)


for line in sys.stdin:
    asked = json.loads(line)
    try:
        said = {"answer": trust(asked["trust"]) if "trust" in asked else call(asked["handler"], asked["event"])}
    except Exception:  # noqa: BLE001 - whatever it is, it is told
        said = {"error": traceback.format_exc()}
    print(json.dumps(said), file=answers, flush=True)
