"""`If-Match` on every operation that changes an object with an ETag, found by the table of routes."""

import re
from collections.abc import Callable

import pytest

from chalicelib.core import ids
from chalicelib.core.http.route import Route
from tests.support.chats import Chat, new_chat, new_site
from tests.support.client import Answer
from tests.support.contacts import CONTACTS, new_company, new_contact
from tests.support.tenants import Organisation, new_member

# They change nothing that a caller has read, or make something new beside it.
EXEMPT = {
    "DELETE /v1/tenants/{tenant_id}",  # whoever erases a tenant names it: there is no newer one to be spared
    "POST /v1/tenants/{tenant_id}/export",
    "POST /v1/canned-responses/{canned_response_id}/render",
    "POST /v1/conversations/{conversation_id}/canned-responses/{canned_response_id}/render",
    "POST /v1/conversations/{conversation_id}/messages",
    "POST /v1/conversations/{conversation_id}/transcript",
    "POST /v1/contacts/{contact_id}/notes",
    "POST /v1/webhooks/{webhook_id}/test",
    "POST /v1/webhooks/{webhook_id}/replay",
    "POST /v1/webhooks/{webhook_id}/deliveries/{delivery_id}/replay",
    "PUT /v1/tenants/{tenant_id}/members/me/notifications",  # replaced whole, by the one person whose it is
}
# Objects whose only versions are "there" and "gone", files among them, messages, which are changed by their author
# alone, and visitors, who change with every page they open.
WITHOUT_VERSION = {"domain_id", "file_id", "invitation_id", "message_id", "note_id", "session_id", "visitor_id"}


def routes() -> list[Route]:
    from app import APIS

    return [route for api in APIS for route in api.routes]


def changes_a_version(route: Route) -> bool:
    if route.method == "GET" or "{" not in route.path or route.kinds == {"visitor"}:
        return False
    last = route.path.rpartition("{")[2].partition("}")[0]
    creates = route.method == "POST" and route.status == 201
    return last not in WITHOUT_VERSION and not creates and f"{route.method} {route.path}" not in EXEMPT


def name(route: Route) -> str:
    return f"{route.method} {route.path}"


# Of these each tenant has one, and it needs Stripe: tests/billing/test_routes.py asks them.
ASKED_ELSEWHERE = {
    "PATCH /v1/billing/subscription",
    "POST /v1/billing/subscription/cancel",
    "POST /v1/billing/subscription/resume",
}
CHANGES = [route for route in routes() if route.reads_if_match and name(route) not in ASKED_ELSEWHERE]

Make = Callable[[Organisation], str]


_chats: dict[str, Chat] = {}  # by tenant: only what one visitor has begun can be merged


def conversation(tenant: Organisation) -> str:
    return _chats.setdefault(tenant.id, new_chat(tenant)).begin()


def made(collection: str, body: dict[str, object]) -> Make:
    return lambda tenant: str(tenant.owner.client.post(collection, body).json["id"])


MAKE: dict[str, Make] = {
    "tenant_id": lambda tenant: tenant.id,
    "member_id": lambda tenant: new_member(tenant, "agent").user_id,
    "key_id": made("/v1/api-keys", {"name": "key"}),
    "widget_id": made("/v1/widgets", {"name": "widget"}),
    "canned_response_id": made("/v1/canned-responses", {"shortcut": "/hello", "content": "Hello"}),
    "company_id": lambda tenant: str(new_company(tenant.owner.client)["id"]),
    "contact_id": lambda tenant: str(new_contact(tenant.owner.client)["id"]),
    "attribute_id": made("/v1/custom-attributes", {"key": "plan", "label": "Plan", "type": "text"}),
    "conversation_id": conversation,
    "tag_id": made("/v1/tags", {"name": "spam"}),
    "team_id": made("/v1/teams", {"name": "Sales"}),
    "webhook_id": made("/v1/webhooks", {"url": "https://hooks.example.com/", "events": ["*"]}),
}
BODIES: dict[str, dict[str, object]] = {
    "PATCH /v1/tenants/{tenant_id}/members/{member_id}": {"role": "admin"},
    "PATCH /v1/custom-attributes/{attribute_id}": {"label": "New"},
    "PATCH /v1/canned-responses/{canned_response_id}": {"content": "New"},
    "PATCH /v1/conversations/{conversation_id}": {"subject": "New"},
    "PATCH /v1/webhooks/{webhook_id}": {"description": "New"},
    "POST /v1/conversations/{conversation_id}/rate": {"score": 4},
    "POST /v1/conversations/{conversation_id}/snooze": {"until": "2199-01-01T00:00:00Z"},
    "POST /v1/conversations/{conversation_id}/assign": {"assigned_to": None},
}


@pytest.fixture
def tenant() -> Organisation:
    return new_site()


def body_of(route: Route, tenant: Organisation) -> dict[str, object] | None:
    if route.path == "/v1/conversations/{conversation_id}/merge":
        return {"into": conversation(tenant)}
    if route.path.endswith("/merge"):
        return {"into": new_contact(tenant.owner.client)["id"]}
    return BODIES.get(name(route), {"name": "New"} if route.method == "PATCH" else None)


def path_of(route: Route, tenant: Organisation) -> str:
    path = route.path
    for variable, make in MAKE.items():
        if f"{{{variable}}}" in path:
            path = path.replace(f"{{{variable}}}", make(tenant))
    assert "{" not in path, f"say in MAKE how to make what {path} names"
    return path


def test_every_change_of_an_object_with_a_version_honours_it():
    assert {name(route) for route in routes() if changes_a_version(route)} == {name(route) for route in CHANGES}
    assert {name(route) for route in routes()} >= EXEMPT


@pytest.mark.parametrize("route", CHANGES, ids=name)
def test_a_version_that_is_not_the_objects_is_refused_and_nothing_changes(tenant: Organisation, route: Route):
    path, owner = path_of(route, tenant), tenant.owner.client

    def send(tag: str) -> Answer:
        return owner.send(route.method, path, body_of(route, tenant), {"If-Match": tag})

    before = state(tenant, path)
    for stale in ('"999999"', "abc", '""', 'W/"0"'):
        answer = send(stale)
        assert (answer.status, answer.code) == (412, "precondition_failed"), stale
    assert state(tenant, path) == before
    assert send("*").status == route.status


@pytest.mark.parametrize("action", ["close", "reopen", "snooze", "rate", "assign", "read"])
def test_a_conversations_own_version_is_taken_and_then_out_of_date(tenant: Organisation, action: str):
    chat, owner = new_chat(tenant), tenant.owner.client
    path = f"/v1/conversations/{chat.begin()}"
    if action == "reopen":
        owner.post(f"{path}/close")
    if action == "assign":
        owner.post(f"{path}/assign", {"assigned_to": tenant.owner.user_id})
    body = BODIES.get(f"POST /v1/conversations/{{conversation_id}}/{action}")
    tag = owner.get(path).headers["ETag"]
    done = owner.post(f"{path}/{action}", body, If_Match=tag)
    assert (done.status, done.headers["ETag"]) == (200, owner.get(path).headers["ETag"])
    assert done.headers["ETag"] != tag
    assert owner.post(f"{path}/{action}", body, If_Match=tag).status == 412


@pytest.mark.parametrize("action", ["block", "merge"])
def test_a_contacts_own_version_is_taken(tenant: Organisation, action: str):
    owner = tenant.owner.client
    path, into = f"{CONTACTS}/{new_contact(owner)['id']}", new_contact(owner)["id"]
    stale = owner.get(path).headers["ETag"]
    tag = owner.patch(path, {"title": "New"}).headers["ETag"]
    body = {"into": into} if action == "merge" else None
    assert owner.post(f"{path}/{action}", body, If_Match=stale).status == 412
    done = owner.post(f"{path}/{action}", body, If_Match=tag)
    assert 200 <= done.status < 300
    if action == "merge":  # again: the first answer, though there is no such version any more
        assert owner.post(f"{path}/{action}", body, If_Match=tag).json["id"] == done.json["id"]


def test_a_keys_own_version_is_taken(tenant: Organisation):
    owner = tenant.owner.client
    made_key = owner.post("/v1/api-keys", {"name": "key"})
    path = f"/v1/api-keys/{made_key.json['id']}/rotate"
    assert owner.post(path, {}, If_Match=made_key.headers["ETag"]).status == 200
    assert owner.post(path, {}, If_Match=made_key.headers["ETag"]).status == 412


@pytest.mark.parametrize(
    "route", [route for route in routes() if route.refuses_if_match and "user" in route.kinds], ids=name
)
def test_where_there_is_no_version_a_condition_never_holds(tenant: Organisation, route: Route):
    path = re.sub(r"{\w+}", "x", route.path.replace("{tenant_id}", tenant.id))
    answer = tenant.owner.client.send(route.method, path, {}, {"If-Match": '"1"'})
    assert (answer.status, answer.code) == (412, "precondition_failed")
    assert tenant.owner.client.send(route.method, path, {}, {"If-Match": "*"}).status != 412


def test_an_invitation_has_no_version_to_match(tenant: Organisation):
    owner, address = tenant.owner.client, f"{ids.new_ulid().lower()}@people.test"
    invited = owner.post(f"{tenant.url}/members", {"email": address, "role": "agent"}).json["id"]
    assert owner.delete(f"{tenant.url}/members/{invited}", If_Match='"1"').status == 412
    assert owner.delete(f"{tenant.url}/members/{invited}").status == 204


def state(tenant: Organisation, path: str) -> tuple[object, object]:
    """What is there under the path's object, and what has been recorded about the tenant."""
    owner = tenant.owner.client
    known = path if not path.rpartition("/")[2].isalpha() else path.rpartition("/")[0]
    shown = owner.get(f"{tenant.url}/members") if "/members/" in known else owner.get(known)
    return shown.json, owner.get(f"{tenant.url}/audit-log").json["pagination"]["total"]
