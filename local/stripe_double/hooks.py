"""Signed hooks: who wants which events, and what is sent, as https://docs.stripe.com/webhooks describes it."""

import hmac
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from local.stripe_double import API_VERSION
from local.stripe_double.account import Account, public
from local.stripe_double.catalogue import change
from local.stripe_double.errors import Refused
from local.stripe_double.forms import Params, boolean, form, many, metadata, text
from local.stripe_double.ledger import Object

NEW_ENDPOINT = form({"url": text, "enabled_events": many(text)}, api_version=text, description=text, metadata=metadata)
CHANGED_ENDPOINT = form(url=text, enabled_events=many(text), description=text, disabled=boolean, metadata=metadata)
RETRY_S = (1, 2, 5, 10, 30, 60)  # after an attempt that failed; the last again and again. Stripe's own take hours
ON_ITS_WAY_S = 60
GIVE_UP_AFTER_S = 3 * 86400


@dataclass(frozen=True)
class Hook:
    """One attempt, ready to be posted."""

    delivery: str
    event: str
    url: str
    body: bytes
    headers: dict[str, str]


@dataclass(frozen=True)
class Weather:
    """How badly hooks travel. Each number but the seconds is a share from 0 to 1 of what is sent."""

    dropped: float = 0.0  # never arrives, and Stripe believes that it did
    duplicated: float = 0.0  # arrives twice
    stale: float = 0.0  # the signature is ten minutes old
    delayed_s: int = 0  # everything arrives so much later…
    shuffled_s: int = 0  # …and up to so much later, each on its own, so that the order is lost


def create_endpoint(account: Account, params: Params) -> Object:
    if urlsplit(params["url"]).scheme not in {"http", "https"}:
        raise Refused("Invalid URL: must start with http or https.", code="url_invalid", param="url")
    endpoint = {
        "id": account.new_id("we"),
        "object": "webhook_endpoint",
        "api_version": params.get("api_version"),
        "application": None,
        "created": account.now(),
        "description": params.get("description"),
        "enabled_events": params["enabled_events"],
        "livemode": False,
        "metadata": params.get("metadata", {}),
        "status": "enabled",
        "url": params["url"],
        "_secret": account.new_id("whsec", 32),
    }
    account.add(endpoint)
    shown: Object = public(endpoint)
    return shown | {"secret": endpoint["_secret"]}  # this once


def update_endpoint(account: Account, params: Params, endpoint_id: str) -> Object:
    endpoint = account.get("webhook_endpoint", endpoint_id, noun="webhook endpoint")
    wanted = dict(params)
    if "disabled" in wanted:
        endpoint["status"] = "disabled" if wanted.pop("disabled") else "enabled"
    return change(endpoint, wanted)


def listen(account: Account, url: str, secret: str) -> Object:
    """Have all events sent to one address, signed with a known secret, as an operator sets it up in the Dashboard."""
    with account.transaction():
        for found in list(account.ledger.of_kind("webhook_endpoint")):
            if found.get("description") == "local stack":
                endpoint = account.working(found["id"])
                break
        else:
            made = create_endpoint(account, {"url": url, "enabled_events": ["*"], "description": "local stack"})
            endpoint = account.working(made["id"])
        endpoint.update(url=url, _secret=secret, api_version=API_VERSION)
    return endpoint


def signature(secret: str, moment: int, body: bytes) -> str:
    """Return the header `Stripe-Signature`."""
    mac = hmac.new(secret.encode(), f"{moment}.".encode() + body, "sha256")
    return f"t={moment},v1={mac.hexdigest()}"


class Outbox:
    """What is to be sent, and what has been."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._chance = random.Random()

    def due(self, now: int | None = None) -> list[Hook]:
        """Return what is to be posted by a moment (default: now), oldest first; each is on its way until `answered`."""
        moment = self._account.wall() if now is None else now
        with self._account.transaction():
            waiting = sorted(
                (each for each in self._waiting() if each["due"] <= moment), key=lambda each: int(each["due"])
            )
            for each in waiting:  # whoever took them may be killed before they are sent
                self._account.working(each["id"])["due"] = moment + ON_ITS_WAY_S
            return [self._hook(each) for each in waiting]

    def take(self) -> list[Hook]:
        """Return everything not delivered yet, in the order it happened, and count it as delivered.

        For tests, which then post it twice, in another order, or not at all.
        """
        with self._account.transaction():
            hooks = [self._hook(each) for each in self._waiting()]
            for hook in hooks:
                self._delivered(self._account.working(hook.delivery), 200)
        return hooks

    def answered(self, hook: Hook, status: int | None) -> None:
        """Take note of an answer, None for none: anything but 2xx is tried again."""
        with self._account.transaction():
            delivery = self._account.working(hook.delivery)
            delivery["attempts"] += 1
            if status is not None and 200 <= status < 300:
                self._delivered(delivery, status)
                return
            delivery["answer"] = status
            wait = RETRY_S[min(delivery["attempts"], len(RETRY_S)) - 1]
            delivery["due"] = self._account.wall() + wait
            event = self._account.working(delivery["event"])
            if delivery["attempts"] * RETRY_S[-1] > GIVE_UP_AFTER_S:
                delivery["state"] = "failed"
                event["pending_webhooks"] -= 1

    def send_again(self, event_id: str) -> None:
        """Send an event once more, as the Dashboard's button does."""
        with self._account.transaction():
            for found in list(self._account.ledger.of_kind("_delivery")):
                if found["event"] == event_id:
                    delivery = self._account.working(found["id"])
                    delivery.update(state="pending", due=self._account.wall())

    def weather(self) -> Weather:
        return Weather(**self._account.settings.get("weather", {}))

    def spoil(self, hook: Hook) -> tuple[list[Hook], int]:
        """Return what becomes of a hook in the weather there is, and by how many seconds it is late."""
        weather, roll = self.weather(), self._chance.random
        if roll() < weather.dropped:
            return [], 0
        if roll() < weather.stale:
            hook = self._hook(self._account.working(hook.delivery), ago=600)
        late = weather.delayed_s + (self._chance.randint(0, weather.shuffled_s) if weather.shuffled_s else 0)
        return [hook] * (2 if roll() < weather.duplicated else 1), late

    def _waiting(self) -> Iterator[Object]:
        return reversed([each for each in self._account.ledger.of_kind("_delivery") if each["state"] == "pending"])

    def _delivered(self, delivery: Object, status: int) -> None:
        delivery.update(state="delivered", answer=status)
        event = self._account.working(delivery["event"])
        event["pending_webhooks"] = max(0, event["pending_webhooks"] - 1)

    def _hook(self, delivery: Object, *, ago: int = 0) -> Hook:
        event = self._account.working(delivery["event"])
        endpoint = self._account.working(delivery["endpoint"])
        body = json.dumps(public(event), indent=2).encode()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Stripe-Signature": signature(endpoint["_secret"], self._account.wall() - ago, body),
        }
        return Hook(delivery["id"], event["id"], endpoint["url"], body, headers)
