"""What many operations must refuse alike."""

import json
from collections.abc import Iterator
from typing import Any

from tests.support.client import Answer, Client


def without_request_id(answer: Answer) -> tuple[int, str]:
    """Return status and body of a refusal without what differs between two requests."""
    body = json.loads(answer.text)
    del body["error"]["request_id"]
    return answer.status, json.dumps(body)


def pages(client: Client, url: str) -> Iterator[dict[str, Any]]:
    """Read a list to its end by cursors; `url` has a query already."""
    cursor = ""
    while True:
        answer = client.get(url + (f"&cursor={cursor}" if cursor else ""))
        assert answer.status == 200, answer.text
        yield answer.json
        cursor = answer.json["pagination"]["next_cursor"]
        assert bool(cursor) == answer.json["pagination"]["has_more"]
        if not cursor:
            return


def rows(client: Client, url: str) -> list[dict[str, Any]]:
    """Return all rows of a list, read by cursors."""
    return [row for page in pages(client, url) for row in page["data"]]
