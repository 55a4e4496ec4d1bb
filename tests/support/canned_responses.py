"""Canned responses for tests, made through the API."""

from typing import Any

from chalicelib.core import ids
from tests.support.client import Client

URL = "/v1/canned-responses"


def new_shortcut() -> str:
    """Return a shortcut nobody has."""
    return f"/{ids.new_ulid().lower()}"


def new_canned_response(client: Client, content: str = "Hello!", **more: object) -> dict[str, Any]:
    """Create a canned response; `more` goes into the body."""
    answer = client.post(URL, {"shortcut": new_shortcut(), "content": content, **more})
    assert answer.status == 201, answer.text
    found: dict[str, Any] = answer.json
    return found


def rendered(client: Client, response_id: str, **variables: object) -> dict[str, Any]:
    """Render a canned response; `visitor__name="Ana"` gives a value to `visitor.name`."""
    given = {name.replace("__", "."): value for name, value in variables.items()}
    answer = client.post(f"{URL}/{response_id}/render", {"variables": given})
    assert answer.status == 200, answer.text
    found: dict[str, Any] = answer.json
    return found
