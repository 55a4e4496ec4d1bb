"""Right after a write every read shows it, also where a replica of the table is behind."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from chalicelib.core.ids import new_ulid
from tests.support.chats import new_chat, new_site
from tests.support.contacts import new_contact
from tests.support.faults import StaleReplica, injected
from tests.support.tenants import Organisation, new_user
from tests.support.widgets import configuration


@pytest.fixture
def tenant(services: object) -> Iterator[Organisation]:
    """A tenant whose replicas stand still from now on."""
    made = new_site()
    with injected(StaleReplica()):
        yield made


def listed(tenant: Organisation, url: str) -> list[dict[str, Any]]:
    answer = tenant.owner.client.get(url)
    assert answer.status == 200, answer.text
    found: list[dict[str, Any]] = answer.json["data"]
    return found


def unique(body: Mapping[str, object]) -> dict[str, object]:
    return {name: str(value).replace("*", new_ulid().lower()) for name, value in body.items()}


# Collection, body of a new one, and a change.
MADE: dict[str, tuple[str, dict[str, object], dict[str, object] | None]] = {
    "widget": ("/v1/widgets", {"name": "Shop"}, {"name": "Blog"}),
    "domain": ("/v1/domains", {"domain": "*.example.com"}, None),
    "canned response": ("/v1/canned-responses", {"shortcut": "/*", "content": "Hi"}, {"content": "Hello"}),
    "api key": ("/v1/api-keys", {"name": "One"}, {"name": "Two"}),
    "company": ("/v1/companies", {"name": "Acme"}, {"name": "Globex"}),
    "contact": ("/v1/contacts", {"name": "Ana"}, {"name": "Eva"}),
    "tag": ("/v1/tags", {"name": "*"}, {"name": "renamed"}),
    "team": ("/v1/teams", {"name": "Sales"}, {"name": "Support"}),
    "attribute": ("/v1/custom-attributes", {"key": "k", "label": "K", "type": "text"}, {"label": "L"}),
}
READABLE_ALONE = MADE.keys() - {"domain"}


@pytest.mark.parametrize("kind", MADE)
def test_what_was_made_changed_and_deleted_is_seen_at_once(tenant: Organisation, kind: str):
    client, (collection, body, change) = tenant.owner.client, MADE[kind]
    answer = client.post(collection, unique(body))
    assert answer.status == 201, answer.text
    one = f"{collection}/{answer.json['id']}"

    def shown() -> list[dict[str, Any]]:
        return [row for row in listed(tenant, collection) if row["id"] == answer.json["id"]]

    assert len(shown()) == 1
    if kind in READABLE_ALONE:
        assert client.get(one).status == 200
    if change:
        assert client.patch(one, change).status == 200
        assert shown()[0].items() >= change.items()
        assert client.get(one).json.items() >= change.items()
    assert client.delete(one).status == 204
    assert shown() == []
    if kind in READABLE_ALONE:
        assert client.get(one).status == 404


def test_a_tenant_its_invitations_and_what_was_done_are_seen_at_once(tenant: Organisation):
    client = tenant.owner.client
    assert client.patch(tenant.url, {"name": "New"}).status == 200
    assert client.get(tenant.url).json["name"] == "New"
    assert [row["name"] for row in listed(tenant, "/v1/tenants")] == ["New"]
    assert listed(tenant, f"{tenant.url}/audit-log")[0]["action"] == "tenant.updated"
    invited = client.post(f"{tenant.url}/members", {"email": f"{new_ulid()}@people.test", "role": "agent"})
    assert invited.json["id"] in [row["id"] for row in listed(tenant, f"{tenant.url}/invitations")]
    assert len(listed(tenant, f"{tenant.url}/members")) == 2
    assert client.delete(f"{tenant.url}/members/{invited.json['id']}").status == 204
    assert len(listed(tenant, f"{tenant.url}/members")) == 1
    assert listed(tenant, f"{tenant.url}/audit-log")[0]["action"] == "invitation.revoked"


def test_a_new_tenant_is_among_mine_and_has_its_widget_at_once(tenant: Organisation):
    someone = new_user()
    made = someone.client.post("/v1/tenants", {"name": "Mine", "domain": "www.example.com"}).json
    assert [row["id"] for row in someone.client.get("/v1/tenants").json["data"]] == [made["id"]]
    assert someone.client.get("/v1/auth/me").status == 200
    assert configuration(made["default_widget"]["client_token"]).status == 200
    own = Organisation(made["id"], someone, made)
    assert [row["id"] for row in listed(own, "/v1/widgets")] == [made["default_widget"]["id"]]


def test_notes_about_a_contact_are_seen_at_once(tenant: Organisation):
    contact = new_contact(tenant.owner.client)["id"]
    url = f"/v1/contacts/{contact}/notes"
    note = tenant.owner.client.post(url, {"content": "Called back."}).json["id"]
    assert [row["id"] for row in listed(tenant, url)] == [note]
    assert tenant.owner.client.delete(f"{url}/{note}").status == 204
    assert listed(tenant, url) == []


def test_what_is_said_is_seen_at_once_by_both(tenant: Organisation):
    client, chat = tenant.owner.client, new_chat(tenant)
    assert [row["id"] for row in listed(tenant, "/v1/visitors")] == [chat.visitor_id]
    assert client.get(f"/v1/visitors/{chat.visitor_id}").status == 200
    found = chat.begin("one")
    reads: tuple[Callable[[], list[dict[str, Any]]], ...] = (
        lambda: listed(tenant, "/v1/conversations"),
        lambda: listed(tenant, f"/v1/conversations?visitor_id={chat.visitor_id}"),
        lambda: chat.client.get("/widget/v1/conversations").json["data"],
        lambda: [client.get(f"/v1/conversations/{found}").json],
        lambda: [chat.own(found)],
    )
    assert [[row["id"] for row in read()] for read in reads] == [[found]] * len(reads)
    client.post(f"/v1/conversations/{found}/messages", {"content": "two"})
    assert client.patch(f"/v1/conversations/{found}", {"status": "pending"}).status == 200
    assert [[row["status"] for row in read()] for read in reads] == [["pending"]] * len(reads)
    assert chat.heard(found) == ["one", "two"]
    assert [row["content"] for row in listed(tenant, f"/v1/conversations/{found}/messages")] == ["one", "two"]
    assert len(client.get(f"/v1/conversations/{found}/thread").json["messages"]) == 2
