"""Webhook endpoints for tests, made through the API."""

from typing import Any

from tests.support.client import Client

WEBHOOKS = "/v1/webhooks"
PUBLIC_URL = "https://hooks.example.com/parley"


def new_webhook(client: Client, url: str = PUBLIC_URL, events: list[str] | None = None, **more: Any) -> dict[str, Any]:
    """Create an endpoint that wants everything, unless told otherwise; returns the answer with its secret."""
    answer = client.post(WEBHOOKS, {"url": url, "events": events or ["*"], **more})
    assert answer.status == 201, answer.text
    found: dict[str, Any] = answer.json
    return found


def deliveries_of(client: Client, webhook: dict[str, Any], query: str = "") -> list[dict[str, Any]]:
    """Return an endpoint's deliveries, newest event first."""
    answer = client.get(f"{WEBHOOKS}/{webhook['id']}/deliveries?limit=100{query}")
    assert answer.status == 200, answer.text
    rows: list[dict[str, Any]] = answer.json["data"]
    return rows


def delivery(client: Client, webhook: dict[str, Any], delivery_id: str) -> dict[str, Any]:
    """Return a delivery with its attempts."""
    answer = client.get(f"{WEBHOOKS}/{webhook['id']}/deliveries/{delivery_id}")
    assert answer.status == 200, answer.text
    found: dict[str, Any] = answer.json
    return found
