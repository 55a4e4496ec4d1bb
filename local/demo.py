"""Demo data: two tenants with people, keys and conversations, and `demo.json`, which says how to get in.

Everything goes through the services, as the API's own routes would, with the clock set back for what happened days ago.
The tenants have nothing in common, so each is made in a thread of its own: while one waits for the engine, another
works.
Killed in the middle, the next start finishes what is there: people are found by their address, a tenant by its owner,
a visitor by the minute of the first visit, and a conversation by its visitor. `demo.json` comes last.
"""

import json
import os
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chalicelib.core import aws, clock
from chalicelib.core.aws import Params, Proceed
from chalicelib.core.config import settings
from chalicelib.events.dispatcher import dispatch
from local.demo_data import DemoTenant
from local.demo_data_acme import ACME
from local.demo_data_globex import GLOBEX
from local.demo_tenant import TenantSeed

MINUTE = 60_000
TENANTS = (ACME, GLOBEX)


def seed(data_dir: Path, base_url: str) -> None:
    """Put the demo data in and write `demo.json`. The app must have been imported; its environment must be set."""
    import app  # noqa: F401 - binds what creating a tenant and dispatching an event involve

    past = Past()
    waiting, moment = Waiting(past), past() // MINUTE * MINUTE

    def make(plan: DemoTenant) -> dict[str, Any]:
        made = TenantSeed(plan, past, moment).run()
        for aggregate in waiting.come_back():
            dispatch(aggregate)
        return made

    with clock.reading(past), waiting.collecting(), ThreadPoolExecutor(len(TENANTS)) as pool:
        tenants = list(pool.map(make, TENANTS))
    _write(data_dir / "demo.json", _at(base_url, {"tenants": tenants}))


def refresh(data_dir: Path, base_url: str) -> None:
    """Bring the addresses in `demo.json` up to date, for a stack that is started on another port than before."""
    file = data_dir / "demo.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    if document["base_url"] != base_url:
        _write(file, _at(base_url, document))


def _at(base_url: str, document: dict[str, Any]) -> dict[str, Any]:
    tenants = [each | {"widget": each["widget"] | {"origin": base_url}} for each in document["tenants"]]
    return document | {"base_url": base_url, "mail_url": f"{base_url}/_local/mail", "tenants": tenants}


class Past(threading.local):
    """The time as a thread is told that has set `now`, each its own; all others go on reading the real one.

    It moves a millisecond with each look, so that ids and the log have the order in which things happened.
    """

    now: int | None = None

    def __call__(self) -> int:
        if self.now is None:
            return time.time_ns() // 1_000_000
        self.now += 1
        return self.now - 1


class Waiting:
    """Keeps a seeding thread's nudges to the dispatcher, to follow them before `demo.json` is written.

    If that does not happen, the sweeper finds what they were about, as after any lost message.
    """

    def __init__(self, past: Past) -> None:
        self._past = past
        self._aggregates: dict[int, dict[str, None]] = {}  # by thread

    def __call__(self, service: str, operation: str, params: Params, proceed: Proceed) -> Params:
        nudge = (service, operation) == ("sqs", "send_message") and params["QueueUrl"] == settings().events_queue_url
        if not nudge or self._past.now is None:
            return proceed()
        self._aggregates.setdefault(threading.get_ident(), {})[params["MessageBody"]] = None
        return {}

    def come_back(self) -> Iterable[str]:
        """Return to the present, and to what this thread's nudges were about."""
        self._past.now = None
        return self._aggregates.pop(threading.get_ident(), {})

    @contextmanager
    def collecting(self) -> Iterator[None]:
        aws.interceptors.append(self)
        try:
            yield
        finally:
            aws.interceptors.remove(self)


def _write(file: Path, document: dict[str, Any]) -> None:
    new = file.with_suffix(".new")
    new.unlink(missing_ok=True)  # an older one might be readable by others
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        json.dump(document, out, indent=2, ensure_ascii=False)
        out.flush()
        os.fsync(out.fileno())
    new.replace(file)
