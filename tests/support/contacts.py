"""Contacts, companies and their jobs for tests, made through the API."""

from typing import Any

from chalicelib.core import ids
from tests.support.aws import Services
from tests.support.client import Answer, Client
from tests.support.queues import drain

CONTACTS = "/v1/contacts"


def new_contact(client: Client, name: str | None = "Ana Ferreira", **more: object) -> dict[str, Any]:
    """Create a contact; `more` goes into the body."""
    return made(client.post(CONTACTS, {"name": name, **more}))


def new_company(client: Client, name: str = "Acme Corporation", **more: object) -> dict[str, Any]:
    """Create a company."""
    return made(client.post("/v1/companies", {"name": name, **more}))


def contact(client: Client, contact_id: str) -> dict[str, Any]:
    """Return a contact."""
    answer = client.get(f"{CONTACTS}/{contact_id}")
    assert answer.status == 200, answer.text
    found: dict[str, Any] = answer.json
    return found


def merge(client: Client, source_id: str, into: str) -> Answer:
    """Merge two contacts."""
    return client.post(f"{CONTACTS}/{source_id}/merge", {"into": into})


def merged(client: Client, services: Services, source_id: str, into: str) -> None:
    """Merge two contacts and let the job end."""
    answer = merge(client, source_id, into)
    assert answer.status == 202, answer.text
    drain(services)
    assert client.get(f"/v1/jobs/{answer.json['id']}").json["status"] == "completed"


def add_note(client: Client, contact_id: str, content: str = "Called back.") -> str:
    """Note something about a contact; returns the note's id."""
    note_id: str = made(client.post(f"{CONTACTS}/{contact_id}/notes", {"content": content}))["id"]
    return note_id


def notes_of(client: Client, contact_id: str) -> list[str]:
    """Return what is noted about a contact, newest first."""
    answer = client.get(f"{CONTACTS}/{contact_id}/notes?limit=100")
    assert answer.status == 200, answer.text
    # A page that is not the last takes its total from the count that the contact keeps.
    first = client.get(f"{CONTACTS}/{contact_id}/notes?limit=1").json["pagination"]
    assert first["total"] == answer.json["pagination"]["total"] == len(answer.json["data"])
    return [row["content"] for row in answer.json["data"]]


def found(client: Client, search: str, **filters: str) -> set[str]:
    """Return the names of the contacts that a search finds."""
    from urllib.parse import urlencode

    answer = client.get(f"{CONTACTS}?{urlencode({'search': search, 'limit': 100, **filters})}")
    assert answer.status == 200, answer.text
    return {row["name"] for row in answer.json["data"]}


def rows_left(tenant_id: str, contact_id: str) -> list[str]:
    """Return the sort keys of all that is in a contact's partition but its events."""
    from chalicelib.core.table import tenant_rows

    rows = tenant_rows(tenant_id).query(contact_id, limit=1000, consistent=True).items
    return [row["sk"] for row in rows if not row["sk"].startswith("e#")]


def unique_email() -> str:
    """Return an address nobody has."""
    return f"{ids.new_ulid().lower()}@example.com"


def made(answer: Answer) -> dict[str, Any]:
    """Return what a POST created."""
    assert answer.status == 201, answer.text
    body: dict[str, Any] = answer.json
    return body


def link_conversation(tenant_id: str, visitor_id: str, contact_id: str | None) -> str:
    """Begin a conversation that belongs to a contact; returns its id."""
    from chalicelib.messages import opening
    from chalicelib.messages.models import Author, NewMessage

    first = NewMessage(Author("agent", "usr_x", None), "Hello")
    new = opening.NewConversation(visitor_id, {"type": "user", "id": "-"}, first, hot={"contact_id": contact_id})
    return opening.open_conversation(tenant_id, new).conversation.id


def conversations_of(client: Client, contact_id: str) -> set[str]:
    """Return the ids of a contact's conversations, as they are listed."""
    from tests.support.answers import rows

    return {row["id"] for row in rows(client, f"/v1/conversations?contact_id={contact_id}&limit=100")}
