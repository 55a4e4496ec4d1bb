"""The one good request that `tests/budgets/requests.py` has for each route, taken apart so that anybody can send it."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from chalicelib.core import ids
from tests.budgets.requests import REQUESTS, Send, World
from tests.matrix.policy import Named, Whose
from tests.support.aws import Services
from tests.support.chats import Chat, new_chat
from tests.support.client import Answer, Client
from tests.support.tenants import Organisation

_SEND = Client.send
_ID = re.compile(r"[a-z]{2,5}_[0-9A-HJKMNP-TV-Z]{26}")


@dataclass(frozen=True)
class Sent:
    """A request as somebody would send it."""

    method: str
    path: str
    query: str
    body: Any
    headers: Mapping[str, str]
    asker: Client  # whose request it is, with the credential of their own
    recipe: Send  # sends it, at the time and under the settings that it needs

    def by(self, client: Client, **headers: str) -> Answer:
        """Send it with somebody's credential and headers; their own Origin comes before the request's."""
        url = f"{self.path}?{self.query}" if self.query else self.path
        sent = {**self.headers, **client.headers, **headers}
        with patch.object(Client, "send", lambda *_, **_more: _SEND(client, self.method, url, self.body, sent)):
            return self.recipe()


@dataclass(frozen=True)
class Variant:
    """A request that names somebody's things; `where` says in which of its parts."""

    where: str
    named: Named
    sent: Sent
    header: Whose = "own"  # whose tenant X-Tenant-ID names


@dataclass(frozen=True)
class Recipe:
    """How to make the request of a route in a tenant's world, with fresh objects each time."""

    route: str
    tenant: Organisation
    services: Services

    def fresh(self, chat: Chat | None = None) -> Sent:
        """Make what the request is about and return the request, unsent; `chat` is whose it is, if a visitor's."""
        # Somebody new each time, because one visitor may not begin conversations without end.
        world = World(self.tenant, chat or new_chat(self.tenant), self.services)
        send, caught = REQUESTS[self.route](world), []

        def catch(self: Client, method: str, url: str, body: object = None, headers: Any = None) -> Answer:
            path, _, query = url.partition("?")
            caught.append(Sent(method, path, query, body, headers or {}, self, send))
            raise _CaughtError

        with patch.object(Client, "send", catch), suppress(_CaughtError):
            send()
        return caught[0]


class _CaughtError(Exception):
    """Stops a request that is only wanted, not sent."""


def variants(route: str, own: Sent, foreign: Sent) -> Iterator[Variant]:
    """Return the request about one's own things, a stranger's, and none at all; each part of it alone, too."""
    names = re.findall(r"{(\w+)}", route)
    thing: Whose | None = "own" if set(names) - {"tenant_id"} else None
    yield Variant("everything", Named("own", thing), own)
    ours, theirs = values_in(route, own.path), values_in(route, foreign.path)
    nobodys = {name: _missing(value) for name, value in ours.items()}
    others: list[tuple[Whose, Mapping[str, str]]] = [("foreign", theirs), ("missing", nobodys)]
    for whose, values in others:
        for chosen in [names, *([name] for name in names if len(names) > 1)]:
            mixed = {name: values[name] if name in chosen else ours[name] for name in names}
            named = Named(
                tenant=whose if "tenant_id" in chosen else "own", thing=whose if set(chosen) - {"tenant_id"} else thing
            )
            if names:
                yield Variant("+".join(chosen), named, _at(route, own, mixed))
        if not names:
            yield Variant("X-Tenant-ID", Named(whose), own, header=whose)
    if names_something(own):
        named = Named("own", thing, in_body=True)
        yield Variant("a foreign thing in the body", named, replace(own, body=foreign.body))
        text = _ID.sub(lambda found: _missing(found[0]), json.dumps(own.body))
        yield Variant("a missing thing in the body", named, replace(own, body=json.loads(text)))


def names_something(sent: Sent) -> bool:
    """Tell whether a request's body names something by its id."""
    return not isinstance(sent.body, bytes) and _ID.search(json.dumps(sent.body)) is not None


def values_in(route: str, path: str) -> dict[str, str]:
    """Return what stands for each variable of a route."""
    pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(route.partition(" ")[2]))
    found = re.fullmatch(pattern, path)
    assert found, f"{path} is none of {route}"
    return found.groupdict()


def _at(route: str, sent: Sent, values: Mapping[str, str]) -> Sent:
    return replace(sent, path=route.partition(" ")[2].format(**values))


def _missing(value: str) -> str:
    if _ID.fullmatch(value):
        return ids.new(value.partition("_")[0])
    return value[:-1] + ("A" if value[-1] != "A" else "B")  # a token: its checksum is wrong then
