"""The typical acts of visitors, agents and the passing minutes, each done in this process and metered."""

import contextlib
import itertools
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

from bench.cost import canary
from bench.cost.meter import Meter
from bench.inprocess import Caller

HOST = "www.example.com"
ORIGIN = f"https://{HOST}"
SHOWN = 20  # conversations in the list
THREAD = 10  # messages in the thread
TIMES = 7  # that each act is measured; the first is not counted: caches fill
# Seconds between two acts: a conversation moves up in its list again, and what is still unread has been looked at.
APART = 301
FILE = "x" * 100_000
LIST = f"/v1/conversations?status=open&limit={SHOWN}"
TEXT = "Where is my order? I ordered it a week ago, and nothing has come."

# What EventBridge says, of which no function of ours reads anything.
TICK: dict[str, object] = dict.fromkeys(("version", "id", "detail-type", "source", "account", "time", "region"), "") | {
    "resources": [],
    "detail": {},
}

Act = Callable[[], object]


class World:
    """A tenant at work: an agent, a visitor in a conversation, and a list with as many as a page shows."""

    def __init__(self, meter: Meter, name: str, webhook_port: int | None = None) -> None:
        import app
        from chalicelib.auth import sessions
        from chalicelib.auth.models import User
        from chalicelib.auth.store import creating_user
        from chalicelib.core import clock, ids, table
        from chalicelib.core.http import Principal, Role
        from chalicelib.tenants import service as tenants

        self.app, self.meter, self.numbers = app, meter, itertools.count()
        user = User(ids.new("usr"), f"{name}@people.test", "Ada", None, 1, clock.now_ms())
        table.transact([*creating_user(user), tenants.new_person_write(user.id, user.email, user.name)])
        self._user, self._start = user, sessions.start
        self.log_in()
        context = Principal("user", user.id).to_context()
        nobody = Caller(app.app, context, token=self.user_token)
        made = meter.request(app.app, nobody.event("POST", "/v1/tenants", {"name": name, "domain": HOST}))
        self.client_token = made["default_widget"]["client_token"]
        self.tenant_id = made["id"]
        member = Principal("user", user.id, name="Ada", memberships={self.tenant_id: Role.OWNER})
        self._agent, self._nobody = Caller(app.app, member.to_context()), Caller(app.app, {}, ORIGIN)
        if webhook_port:
            hook = {"url": f"http://127.0.0.1:{webhook_port}/hook", "events": ["message.created"]}
            self.agent("POST", "/v1/webhooks", hook)
        self.visitor_token = ""
        self.visitor = self.new_visitor()
        for _ in range(SHOWN):
            self.conversation = self.begin()
        for _ in range(THREAD - 1):
            self.say()
        meter.drain()

    def log_in(self) -> None:
        """Give the agent a new token, as the one before is soon over."""
        self.user_token = self._start(self._user).access_token

    def agent(self, method: str, url: str, body: object = None, **more: str) -> Any:  # noqa: ANN401 - any JSON
        """Send a request as the agent."""
        return self.meter.request(self.app.app, self._agent.event(method, url, body, **more))

    def nobody(self, method: str, url: str, body: object = None) -> Any:  # noqa: ANN401 - any JSON
        """Send one from the site, without a credential."""
        return self.meter.request(self.app.app, self._nobody.event(method, url, body))

    def new_visitor(self) -> Callable[..., Any]:
        """Let a visitor in; returns how he sends requests."""
        from chalicelib.core.http import Principal

        body = {"client_token": self.client_token, "page_url": f"{ORIGIN}/orders"}
        made = self.nobody("POST", "/widget/v1/sessions", body)
        self.visitor_token = made["token"]
        known = {"widget_id": made["widget"]["id"], "tenant_space": self.tenant_id}
        principal = Principal("visitor", made["visitor"]["id"], origin=ORIGIN, **known)
        caller = Caller(self.app.app, principal.to_context(), ORIGIN)
        return lambda method, url, body=None: self.meter.request(self.app.app, caller.event(method, url, body))

    def begin(self) -> str:
        """Have the visitor begin a conversation; returns its id."""
        said = {"content": TEXT, "client_msg_id": f"b{next(self.numbers)}"}
        found: str = self.visitor("POST", "/widget/v1/conversations", {"message": said})["conversation"]["id"]
        return found

    def say(self) -> None:
        """Have the visitor send a message."""
        url = f"/widget/v1/conversations/{self.conversation}/messages"
        self.visitor("POST", url, {"content": TEXT, "client_msg_id": f"n{next(self.numbers)}"})

    def reply(self) -> None:
        """Have the agent send one."""
        said = {"content": TEXT, "client_msg_id": f"n{next(self.numbers)}"}
        self.agent("POST", f"/v1/conversations/{self.conversation}/messages", said)

    def admit(self, token: str) -> dict[str, str]:
        """Do what API Gateway does with a token that it has not seen for a minute; returns the caller's context."""
        event = {"type": "TOKEN", "authorizationToken": f"Bearer {token}"}
        event["methodArn"] = "arn:aws:execute-api:eu-west-1:1:api/api/GET/v1/conversations"
        with self.meter.function("authorize"):
            found: dict[str, str] = self.app.authorize(event, None)["context"]
        return found


def _drained(world: World, act: Act) -> Act:
    def whole() -> None:
        act()
        world.meter.drain()

    return whole


def _prepared(world: World, prepare: Act, act: Act) -> Act:
    """An act that needs something to be done before, which is not counted."""

    def whole() -> None:
        prepare()
        world.meter.drain()
        world.meter.used.clear()
        act()
        world.meter.drain()

    return whole


def _answered(world: World) -> Act:
    """The agent's message; five minutes later somebody looks whether it was read."""

    def whole() -> None:
        world.reply()
        world.meter.drain()
        world.meter.forward(APART)
        world.meter.drain()

    return whole


def _mailed(world: World) -> Act:
    """An answer that the visitor is not there to read, from the look five minutes later on."""

    def answered() -> None:
        world.visitor = world.new_visitor()
        world.visitor("POST", "/widget/v1/identify", {"email": f"v{next(world.numbers)}@example.com"})
        world.conversation = world.begin()
        world.reply()

    def looked() -> None:
        world.meter.forward(APART)
        world.meter.drain()
        if not world.meter.used["mails"]:
            raise RuntimeError("no mail was sent")

    return _prepared(world, answered, looked)


def _uploaded(world: World) -> Act:
    head = 'Content-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain'
    form = f"--x\r\n{head}\r\n\r\n{FILE}\r\n--x--\r\n".encode()
    return lambda: world.agent("POST", "/v1/files", form, content_type="multipart/form-data; boundary=x")


def _polled(world: World, seconds: int, poll: Act, token: Callable[[], str]) -> Act:
    """A minute of asking again and again: with the authorizer, which API Gateway asks once, and with rate limits."""

    def minute() -> None:
        world.meter.forward(60)
        world.admit(token())
        for _ in range(60 // seconds):
            poll()
            world.meter.forward(seconds)

    return minute


def acts(world: World, told: World) -> dict[str, Act]:
    """Return what is measured; `told` has a webhook."""
    agent = world.agent
    preflight = Caller(world.app.app, {}, ORIGIN).event(
        "OPTIONS", f"/widget/v1/conversations/{world.conversation}/messages"
    )

    def anew() -> None:
        world.conversation = world.begin()

    def on(end: str = "") -> str:
        return f"/v1/conversations/{world.conversation}{end}"

    return {
        "a browser's preflight": lambda: world.meter.preflight(preflight),
        "widget's configuration": lambda: world.nobody("GET", f"/widget/v1/configuration/{world.client_token}"),
        "visitor session": _drained(world, world.new_visitor),
        "conversation list of 20": lambda: agent("GET", LIST),
        "thread of 10": lambda: agent("GET", on("/thread")),
        "visitor asks for news": lambda: world.visitor("GET", f"/widget{on('/messages?after_seq=1000')}"),
        "contact search": lambda: agent("GET", "/v1/contacts?search=ada"),
        "event log, 20 events": lambda: agent("GET", "/v1/events?limit=20"),
        "visitor send": _drained(world, world.say),
        "agent send": _answered(world),
        "visitor send, one webhook": _drained(told, told.say),
        "mark read": _prepared(world, world.say, lambda: agent("POST", on("/read"))),
        "open conversation": _drained(world, anew),
        "close conversation": _prepared(world, anew, lambda: agent("POST", on("/close"))),
        "unread answer mailed": _mailed(world),
        "file of 100 kB": _drained(world, _uploaded(world)),
        "authorizer, agent's token": lambda: world.admit(world.user_token),
        "authorizer, visitor's token": lambda: world.admit(world.visitor_token),
    }


def minutes(world: World) -> dict[str, Act]:
    """Return what is measured with the rate limits that a deployment has: minutes without sockets, and the canary."""
    news = f"/widget/v1/conversations/{world.conversation}/messages?after_seq=1000"
    return {
        "minute of an open inbox": _polled(world, 10, lambda: world.agent("GET", LIST), lambda: world.user_token),
        "minute of an open chat": _polled(world, 5, lambda: world.visitor("GET", news), lambda: world.visitor_token),
        f"at rest: {canary.FUNCTION}": _drained(world, lambda: canary.fly(world)),
    }


def schedules(world: World) -> dict[str, Act]:
    """Return the app's schedules, by the name of their function; the canary's is with the minutes."""
    found: dict[str, Act] = {}
    for source in world.app.app.event_sources:
        if hasattr(source, "schedule_expression") and source.name != canary.FUNCTION:
            handler = world.app.app.handler_map[source.name]

            def run(handler: Any = handler, name: str = source.name) -> None:  # noqa: ANN401 - Chalice's
                with world.meter.function(name):
                    handler(TICK, None)

            found[source.name] = run
    return found


def measured(world: World, act: Act, times: int = TIMES) -> dict[str, float]:
    """Do it again and again; returns the median of each count and the least of each CPU time."""
    meter, found = world.meter, list[dict[str, float]]()
    for _ in range(times + 1):
        meter.forward(APART)
        meter.drain()
        world.log_in()
        meter.used.clear()
        act()
        found.append(dict(meter.used))
    names = sorted({name for each in found[1:] for name in each})
    every = {name: [each.get(name, 0) for each in found[1:]] for name in names}
    values = {
        name: min(each) if name.startswith("cpu_ms/") else statistics.median(each) for name, each in every.items()
    }
    return {name: round(value, 2) for name, value in values.items() if value}


@contextlib.contextmanager
def receiver() -> Iterator[int]:
    """Run a healthy webhook endpoint in a process of its own; yields its port."""
    command = [sys.executable, "-m", "bench.receivers", "healthy"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            (port,) = json.loads(process.stdout.readline())  # type: ignore[union-attr]  # it is a pipe
            yield port
        finally:
            process.terminate()
