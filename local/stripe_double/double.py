"""The whole double: takes a request, gives the answer, with keys, versions and idempotency as Stripe has them."""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from local.stripe_double import API_VERSION, operations
from local.stripe_double.account import Account, public
from local.stripe_double.amounts import DAY
from local.stripe_double.cycles import Cycles
from local.stripe_double.errors import Refused
from local.stripe_double.forms import parse
from local.stripe_double.hooks import Outbox
from local.stripe_double.invoices import Kept
from local.stripe_double.ledger import Object, copied
from local.stripe_double.lists import expand
from local.stripe_double.preview import Preview

KEY_LASTS_S = DAY
EVENTS_LAST_S = 30 * DAY
LONGEST_KEY = 255
_TEST_KEYS = ("sk_test_", "rk_test_")


@dataclass(frozen=True)
class Reply:
    """An answer of the API."""

    status: int
    headers: dict[str, str]
    body: bytes


class StripeDouble:
    """Stripe, in this process. `api` is what an SDK calls; the rest is what a person, or time, would do."""

    def __init__(self, file: Path | None = None, **options: Any) -> None:  # noqa: ANN401 - those of Account
        self.account = Account(file, **options)
        self.hooks = Outbox(self.account)
        self._tidy()
        self._cycles = Cycles(self.account)

    def api(self, method: str, path: str, content: str = "", headers: Mapping[str, str] | None = None) -> Reply:
        """Answer a request; `content` is the query of a GET or the form of a POST."""
        given = {name.lower(): value for name, value in (headers or {}).items()}
        with self.account.locked():
            self.account.request = {
                "id": self.account.new_id("req", 14),
                "idempotency_key": given.get("idempotency-key"),
            }
            try:
                _authenticate(given)
                self._cycles.run()
                return self._answer(method, unquote(path), content, given)
            except Refused as refused:
                return self._reply(refused.status, refused.body())
            finally:
                self.account.request = None

    def run_due(self) -> int:
        """Do what time has brought about and return how many things that were."""
        return self._cycles.run()

    def next_due(self) -> int | None:
        """Return the account's time of the next thing that happens by itself."""
        return self._cycles.next_due()

    def advance(self, moment: int) -> int:
        """Move the account's clock forward to a moment, doing what is due on the way, as a test clock does."""
        account = self.account
        if moment < account.now():
            raise ValueError("the clock only moves forward")
        account.set(clock_offset=account.settings["clock_offset"] + moment - account.now())
        return self._cycles.run()

    def act(self, work: Callable[[Account], Any]) -> Any:  # noqa: ANN401 - whatever the work returns
        """Do, in one transaction, what a person does on a page; an attempt that failed but counts is kept."""
        with self.account.locked():
            self._cycles.run()
            failed: Kept | None = None
            with self.account.transaction():
                try:
                    done = work(self.account)
                except Kept as kept:
                    failed, done = kept, None
            if failed:
                raise failed.refused()
            return done

    def _tidy(self) -> None:
        """Forget what Stripe would: events after 30 days with how they were delivered, idempotency keys after one."""
        ledger, wall = self.account.ledger, self.account.wall()
        events = {
            each["id"] for each in ledger.of_kind("event") if each["created"] < self.account.now() - EVENTS_LAST_S
        }
        keys = [each["id"] for each in ledger.of_kind("_idempotency") if each["created"] < wall - KEY_LASTS_S]
        sent = [each["id"] for each in ledger.of_kind("_delivery") if each["event"] in events]
        ledger.forget([*keys, *sent, *events])

    def close(self) -> None:
        self.account.ledger.close()

    def _answer(self, method: str, path: str, content: str, headers: Mapping[str, str]) -> Reply:
        if method != "POST" or not headers.get("idempotency-key"):
            return self._reply(*self._execute(method, path, content))
        key = headers["idempotency-key"]
        if len(key) > LONGEST_KEY:
            raise Refused(f"Idempotency keys can be at most {LONGEST_KEY} characters long.")
        place, digest = f"_idempotency:{key}", hashlib.sha256(f"{path}?{content}".encode()).hexdigest()
        known = self.account.ledger.look(place)
        if known and self.account.wall() - known["created"] < KEY_LASTS_S:
            if known["digest"] != digest:
                raise Refused(
                    "Keys for idempotent requests can only be used with the same parameters they were first used with."
                    f" Try using a key other than '{key}' if you meant to execute a different request.",
                    kind="idempotency_error",
                )
            return self._reply(known["status"], known["body"], {"Idempotent-Replayed": "true"})
        record = {"id": place, "object": "_idempotency", "digest": digest, "created": self.account.wall()}
        return self._reply(*self._execute(method, path, content, record))

    def _execute(self, method: str, path: str, content: str, record: Object | None = None) -> tuple[int, Object]:
        """Work, and keep the record with the effect; a request that is refused before it began leaves no record."""
        operation, ids = operations.find(method, path)
        params = operation.read(parse(content), "")
        status: int
        body: Object
        try:
            with self.account.transaction():
                try:
                    found = operation.work(self.account, params, *ids)
                    status, body = 200, public(self._expanded(found, params))
                except Kept as kept:
                    status, body = 402, kept.refused().body()
                if record:
                    self.account.ledger.add(record | {"status": status, "body": body})
        except Preview as preview:
            return 200, public(preview.invoice)
        except Refused as refused:
            status, body = refused.status, refused.body()
            if record:
                with self.account.transaction():
                    self.account.ledger.add(record | {"status": status, "body": body})
        return status, body

    def _expanded(self, found: Object, params: Mapping[str, Any]) -> Object:
        paths = [path for path in params.get("expand", []) if path]
        if not paths:
            return found
        expanded: Object = expand(self.account, copied(found), paths)
        return expanded

    def _reply(self, status: int, body: Object, headers: Mapping[str, str] | None = None) -> Reply:
        request_id = (self.account.request or {}).get("id") or ""
        own = {"Content-Type": "application/json", "Request-Id": request_id, "Stripe-Version": API_VERSION}
        return Reply(status, {**own, **(headers or {})}, json.dumps(body).encode())


def _authenticate(headers: Mapping[str, str]) -> None:
    scheme, _, credential = headers.get("authorization", "").partition(" ")
    if scheme == "Basic":
        credential = base64.b64decode(credential).decode().partition(":")[0]
    if not credential:
        raise Refused(
            "You did not provide an API key. You need to provide your API key in the Authorization header.", status=401
        )
    if not credential.startswith(_TEST_KEYS):
        shown = f"{credential[:8]}{'*' * 8}{credential[-4:]}"
        raise Refused(f"Invalid API Key provided: {shown}", status=401)
    version = headers.get("stripe-version", API_VERSION)
    if version != API_VERSION:
        raise Refused(f"This double speaks version {API_VERSION} of the API only, not {version}.")
