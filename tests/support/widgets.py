"""Widgets and domains for tests, made through the API."""

from typing import Any

from tests.support.client import Answer, Client
from tests.support.tenants import anonymous


def new_widget(client: Client, name: str = "Shop", **more: object) -> dict[str, Any]:
    """Create a widget; `more` goes into the body."""
    return _created(client.post("/v1/widgets", {"name": name, **more}))


def new_domain(client: Client, domain: str = "www.example.com") -> dict[str, Any]:
    """Allow a domain."""
    return _created(client.post("/v1/domains", {"domain": domain}))


def configuration(client_token: str, origin: str | None = "https://www.example.com", **headers: str) -> Answer:
    """Ask for a widget's configuration as a page at `origin` does; None sends no Origin."""
    sent = headers if origin is None else {"Origin": origin, **headers}
    return anonymous().get(f"/widget/v1/configuration/{client_token}", **sent)


def mistyped(token: str) -> str:
    """Return the token with its last character changed."""
    return token[:-1] + ("A" if token[-1] != "A" else "B")


def _created(answer: Answer) -> dict[str, Any]:
    assert answer.status == 201, answer.text
    found: dict[str, Any] = answer.json
    return found
