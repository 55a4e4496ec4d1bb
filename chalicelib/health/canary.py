"""The canary: every five minutes it says something as a visitor and reads it as an agent, through the public address.

Before that it asks whether all is ready. What it leaves behind is bounded: one tenant with one visitor, and
conversations that it deletes.
"""

import http.client
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from chalicelib.auth import visitor_tokens
from chalicelib.core import clock, ids, log
from chalicelib.core.config import settings
from chalicelib.core.table import tenant_rows
from chalicelib.events.dispatcher import is_dispatched
from chalicelib.tenants import canary as nest

DOMAIN = "canary.invalid"  # nobody's, as RFC 2606 says
ORIGIN = f"https://{DOMAIN}"
ANSWER_S = 10.0  # for each request; API Gateway gives up after 29
DISPATCH_S = 30.0  # until the conversation's event has been dispatched
LOOK_EVERY_S = 0.5
CLEANED_A_RUN = 20  # conversations, those left by runs that failed among them

Json = dict[str, Any]


class StepFailedError(Exception):
    """A step of the loop did not do in its time what it should; `step` says which."""

    def __init__(self, step: str, why: str) -> None:
        super().__init__(f"{step}: {why}")
        self.step, self.why = step, why


def run(pause: Callable[[float], None] = time.sleep) -> bool:
    """Go once around, and put CanaryFailed (0 or 1) and CanaryMs among the metrics. True if all went well."""
    began = time.monotonic()

    def numbers(failed: int) -> dict[str, float]:
        return {"CanaryFailed": failed, "CanaryMs": round((time.monotonic() - began) * 1000)}

    try:
        _go_around(pause)
    except StepFailedError as exc:
        log.error("canary_failed", metrics=numbers(1), step=exc.step, why=exc.why)
    except Exception as exc:  # noqa: BLE001 - whatever it is: the canary is what is to tell of it
        log.error("canary_failed", metrics=numbers(1), step="prepare", exc=exc)
    else:
        log.info("canary", metrics=numbers(0))
        return True
    return False


def _go_around(pause: Callable[[float], None]) -> None:
    own = nest.get_or_create(DOMAIN)
    agent = {"Authorization": f"Bearer {own.secret}"}
    _ask("ready", "GET", "/health/ready", {})  # it asks what the loop doesn't need: files, mail, the directory
    widget = _ask("widget", "GET", "/v1/widgets?limit=1", agent)["data"][0]
    visitor = _begin_session(own.tenant_id, widget, agent)
    text = ids.new("canary")
    begun = _ask("send", "POST", "/widget/v1/conversations", visitor, {"message": {"content": text}})
    conversation_id: str = begun["conversation"]["id"]
    read = _ask("read", "GET", f"/v1/conversations/{conversation_id}/messages", agent)["data"]
    if [message["content"] for message in read] != [text]:
        raise StepFailedError("read", "the message is not there")
    _await_dispatch(own.tenant_id, conversation_id, pause)
    listed = _ask("clean", "GET", f"/v1/conversations?limit={CLEANED_A_RUN}", agent)["data"]
    for each in {conversation_id, *(row["id"] for row in listed)}:
        _ask("clean", "DELETE", f"/v1/conversations/{each}", agent)


def _begin_session(tenant_id: str, widget: Json, agent: dict[str, str]) -> dict[str, str]:
    """Begin a session as the visitor of earlier runs, if there were any; return its headers."""
    body = {"client_token": widget["client_token"]}
    for visitor in _ask("visitor", "GET", "/v1/visitors?limit=1", agent)["data"]:
        body["visitor_token"] = visitor_tokens.issue(tenant_id, visitor["id"], widget["id"], ORIGIN)
    session = _ask("session", "POST", "/widget/v1/sessions", {"Origin": ORIGIN}, body)
    return {"Origin": ORIGIN, "Authorization": f"Bearer {session['token']}"}


def _await_dispatch(tenant_id: str, conversation_id: str, pause: Callable[[float], None]) -> None:
    deadline = time.monotonic() + DISPATCH_S
    while not is_dispatched(tenant_rows(tenant_id), conversation_id):
        if time.monotonic() > deadline:
            raise StepFailedError("dispatch", f"not within {DISPATCH_S:.0f} s")
        pause(LOOK_EVERY_S)


def _ask(step: str, method: str, path: str, headers: dict[str, str], body: Json | None = None) -> Json:
    """Make a request; raises StepFailedError unless a 2xx comes in time."""
    url = urlsplit(settings().api_url)
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.hostname or "", url.port, timeout=ANSWER_S)
    began = clock.now_ms()
    try:
        text = json.dumps(body) if body is not None else None
        typed = {"Content-Type": "application/json"} if text else {}
        connection.request(method, url.path + path, text, {**headers, **typed, "User-Agent": "parley-canary"})
        answer = connection.getresponse()
        content = answer.read()
    except (OSError, http.client.HTTPException) as exc:
        raise StepFailedError(step, f"{type(exc).__name__} after {clock.now_ms() - began} ms") from exc
    finally:
        connection.close()
    if not 200 <= answer.status < 300:
        raise StepFailedError(step, f"HTTP {answer.status}")
    found: Json = json.loads(content) if content else {}
    return found
