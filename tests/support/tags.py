"""Tags and teams for tests, made through the API."""

from typing import Any

from tests.support.client import Client

TAGS, TEAMS = "/v1/tags", "/v1/teams"


def new_tag(client: Client, name: str = "pricing", **more: object) -> dict[str, Any]:
    """Create a tag; `more` goes into the body."""
    return _made(client, TAGS, {"name": name, **more})


def new_team(client: Client, name: str = "Sales", **more: object) -> dict[str, Any]:
    """Create a team; `more` goes into the body."""
    return _made(client, TEAMS, {"name": name, **more})


def _made(client: Client, url: str, body: dict[str, object]) -> dict[str, Any]:
    answer = client.post(url, body)
    assert answer.status == 201, answer.text
    made: dict[str, Any] = answer.json
    return made
