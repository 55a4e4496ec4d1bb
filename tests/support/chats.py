"""Visitors and conversations for tests, made as a browser makes them."""

from collections import deque
from dataclasses import dataclass
from typing import Any

from chalicelib.core import ids
from tests.support.aws import Services
from tests.support.client import Answer, Client
from tests.support.tenants import Organisation, anonymous, new_key, new_tenant

HOST = "www.example.com"
ORIGIN = f"https://{HOST}"


@dataclass(frozen=True)
class Chat:
    """A visitor on the tenant's site."""

    visitor_id: str
    client: Client  # sends the visitor's token and origin

    def begin(self, text: str = "Hi, I have a question about pricing.", client_msg_id: str | None = None) -> str:
        """Begin a conversation; returns its id."""
        answer = self.client.post(
            "/widget/v1/conversations", {"message": {"content": text, "client_msg_id": client_msg_id}}
        )
        assert answer.status == 201, answer.text
        conversation_id: str = answer.json["conversation"]["id"]
        return conversation_id

    def say(self, conversation_id: str, text: str = "Still there?", **more: object) -> Answer:
        """Send a message."""
        return self.client.post(f"/widget/v1/conversations/{conversation_id}/messages", {"content": text, **more})

    def heard(self, conversation_id: str, after_seq: int = 0) -> list[str]:
        """Return the texts that the visitor can read."""
        answer = self.client.get(f"/widget/v1/conversations/{conversation_id}/messages?after_seq={after_seq}")
        assert answer.status == 200, answer.text
        return [row["content"] for row in answer.json["data"]]

    def own(self, conversation_id: str) -> dict[str, Any]:
        """Return one of the visitor's conversations as he sees it."""
        answer = self.client.get(f"/widget/v1/conversations/{conversation_id}")
        assert answer.status == 200, answer.text
        found: dict[str, Any] = answer.json
        return found


def new_site() -> Organisation:
    """Create a tenant whose widget may stand on ORIGIN."""
    return new_tenant(domain=HOST)


def new_chat(tenant: Organisation, **more: object) -> Chat:
    """Let a new visitor in through the tenant's default widget; the tenant needs the domain of ORIGIN."""
    return chat_of(start_session(tenant, **more))


def chat_of(answer: Answer) -> Chat:
    """Return the visitor of a session just begun."""
    assert answer.status == 201, answer.text
    found: dict[str, Any] = answer.json
    return Chat(found["visitor"]["id"], anonymous().using(found["token"], Origin=ORIGIN))


def start_session(tenant: Organisation, **more: object) -> Answer:
    """Ask for a session."""
    token = tenant.created["default_widget"]["client_token"]
    return anonymous().post("/widget/v1/sessions", {"client_token": token, **more}, Origin=ORIGIN)


def new_test_site(tenant: Organisation) -> tuple[Client, Chat]:
    """Give a tenant a test-mode key, and a visitor at a widget among its test data."""
    key = new_key(tenant, name="test", mode="test")
    assert key.post("/v1/domains", {"domain": HOST}).status == 201
    widget = key.post("/v1/widgets", {"name": "Test"})
    assert widget.status == 201, widget.text
    return key, chat_of(
        anonymous().post("/widget/v1/sessions", {"client_token": widget.json["client_token"]}, Origin=ORIGIN)
    )


def conversation(client: Client, conversation_id: str) -> dict[str, Any]:
    """Return a conversation as an agent sees it."""
    answer = client.get(f"/v1/conversations/{conversation_id}")
    assert answer.status == 200, answer.text
    found: dict[str, Any] = answer.json
    return found


def reply(client: Client, conversation_id: str, text: str = "Hello! How can I help?", **more: object) -> Answer:
    """Answer as an agent."""
    return client.post(f"/v1/conversations/{conversation_id}/messages", {"content": text, **more})


def messages_of(client: Client, conversation_id: str) -> list[dict[str, Any]]:
    """Return all messages of a conversation, notes included, oldest first."""
    found: list[dict[str, Any]] = []
    url: str | None = f"/v1/conversations/{conversation_id}/messages?limit=100"
    while url:
        page = client.get(url).json
        found += page["data"]
        cursor = page["pagination"]["next_cursor"]
        url = f"/v1/conversations/{conversation_id}/messages?limit=100&cursor={cursor}" if cursor else None
    return found


def unique() -> str:
    """Return a client_msg_id nobody else has."""
    return ids.new_ulid()


def dispatch_all(services: Services) -> None:
    """Let the dispatcher see everything that waits in the events queue."""
    from chalicelib.events.dispatcher import dispatch

    waiting = services.queues.setdefault("events", deque())
    while waiting:
        dispatch(waiting.popleft())
