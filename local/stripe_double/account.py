"""One Stripe account: its objects, its clock, and the events that every change leaves behind."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from string import ascii_letters, digits
from typing import Any

from local.stripe_double import API_VERSION
from local.stripe_double.errors import no_such
from local.stripe_double.ledger import Ledger, Object

SETTINGS = "settings"
# Of these every change that is told by no event of its own is told by `….updated`.
_FOLLOWED = {
    "customer": "customer",
    "product": "product",
    "price": "price",
    "billing.meter": "billing.meter",
    "payment_method": "payment_method",
    "subscription": "customer.subscription",
    "invoice": "invoice",
    "billing_portal.configuration": "billing_portal.configuration",
}


class Account:
    """What the operations work on. Each works inside `transaction()`, which keeps all of it or nothing."""

    def __init__(
        self,
        file: Path | None = None,
        *,
        wall: Callable[[], int] = lambda: int(time.time()),
        pages_url: str = "http://127.0.0.1:8000/_local/stripe",
        seed: int | None = None,
    ) -> None:
        self.ledger = Ledger(file)
        self.wall = wall  # seconds; what hooks are signed with
        self.pages_url = pages_url
        self.news = threading.Event()  # set when there are hooks to send
        self.changed: list[Object] = []  # since the last look of whoever plans what is due
        self._lock = threading.RLock()
        self._random = random.Random(seed)
        self._frozen: int | None = None
        self._told: set[str] = set()  # ids whose change an event of its own tells
        self.request: dict[str, str | None] | None = None  # which API request the events come from
        if self.ledger.look(SETTINGS) is None:
            with self.transaction():
                self.ledger.add({"id": SETTINGS, "object": "_settings", "clock_offset": 0})

    def now(self) -> int:
        """Return the account's time in seconds: the wall's, unless the clock was moved or a due thing is being done."""
        if self._frozen is not None:
            return self._frozen
        return self.wall() + int(self.settings["clock_offset"])

    @property
    def settings(self) -> Object:
        """What was set for the whole account, to read only; `setting` changes it."""
        found = self.ledger.look(SETTINGS)
        return found or {"clock_offset": 0}

    def set(self, **values: Any) -> None:  # noqa: ANN401 - as the settings are
        """Change settings of the account."""
        with self.transaction():
            self.working(SETTINGS).update(values)

    @contextmanager
    def at(self, moment: int) -> Iterator[None]:
        """Let the clock stand at a moment that is due."""
        before, self._frozen = self._frozen, moment
        try:
            yield
        finally:
            self._frozen = before

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep every change of the block with its events, or, if it raises, none."""
        with self._lock:
            try:
                yield
                self._tell_updates()
                self.changed += self.ledger.commit()
            except BaseException:
                self.ledger.rollback()
                raise
            finally:
                self._told.clear()

    def locked(self) -> AbstractContextManager[object]:
        """Return the lock, for work in several transactions that nobody may come between."""
        return self._lock

    def new_id(self, prefix: str, length: int = 24) -> str:
        return f"{prefix}_{''.join(self._random.choices(ascii_letters + digits, k=length))}"

    def find(self, kind: str, object_id: str | None) -> Object | None:
        """Return a working copy, or None if there is none of this kind, or it was deleted."""
        found = self.ledger.get(object_id) if object_id else None
        return found if found and found["object"] == kind and not found.get("deleted") else None

    def get(self, kind: str, object_id: str | None, param: str = "id", noun: str = "") -> Object:
        """Return a working copy; raises Refused if there is none, naming the parameter that asked for it."""
        found = self.find(kind, object_id)
        if found is None:
            raise no_such(noun or kind.replace("_", " "), object_id or "", param)
        return found

    def working(self, object_id: str) -> Object:
        """Return the working copy of what is known to be there."""
        found = self.ledger.get(object_id)
        if found is None:
            raise LookupError(object_id)
        return found

    def add(self, found: Object, event: str | None = None) -> Object:
        """Keep a new object, and tell of it if `event` names the type."""
        self.ledger.add(found)
        if event:
            self.emit(event, found)
        return found

    def emit(self, event: str, found: Object, *, own: bool = True) -> None:
        """Record an event with the object as it is now; `own` says that no `….updated` need tell of its change."""
        if own:
            self._told.add(found["id"])
        self._record(event, found, None)

    def _record(self, event: str, found: Object, previous: dict[str, Any] | None) -> None:
        content: dict[str, Any] = {"object": public(found)}
        if previous is not None:
            content["previous_attributes"] = previous
        recorded: Object = {
            "id": self.new_id("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": self.now(),
            "data": content,
            "livemode": False,
            "pending_webhooks": 0,
            "request": dict(self.request) if self.request else {"id": None, "idempotency_key": None},
            "type": event,
        }
        for endpoint in self.ledger.of_kind("webhook_endpoint"):
            wanted = endpoint.get("enabled_events", [])
            if endpoint.get("status") == "enabled" and ("*" in wanted or event in wanted):
                recorded["pending_webhooks"] += 1
                self._queue(recorded["id"], endpoint["id"])
        self.ledger.add(recorded)

    def _queue(self, event_id: str, endpoint_id: str) -> None:
        delivery = {"id": self.new_id("_del"), "object": "_delivery", "event": event_id, "endpoint": endpoint_id}
        self.news.set()
        self.ledger.add(delivery | {"due": self.wall(), "attempts": 0, "state": "pending", "answer": None})

    def _tell_updates(self) -> None:
        for before, after in self.ledger.changes():
            noun = _FOLLOWED.get(after["object"])
            if not noun or before is None or after["id"] in self._told or after.get("deleted"):
                continue
            previous = differences(public(before), public(after))
            if previous:
                self._record(f"{noun}.updated", after, previous)


def public(found: Any) -> Any:  # noqa: ANN401 - an object, or any value within one
    """Return a copy of an object without what Stripe would not show."""
    if isinstance(found, dict):
        return {name: public(value) for name, value in found.items() if not name.startswith("_")}
    if isinstance(found, list):
        return [public(each) for each in found]
    return found


def differences(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return the former values of what has changed, as deep as objects go; lists are told whole."""
    found = {}
    for name in before.keys() | after.keys():
        was, now = before.get(name), after.get(name)
        if was == now:
            continue
        found[name] = differences(was, now) if isinstance(was, dict) and isinstance(now, dict) else was
    return found
