"""Webhook endpoints: list, create, read, change, rotate, test, replay, delete; and their deliveries."""

from typing import Any

import pytest

from chalicelib.core import ids
from chalicelib.webhooks.models import MAX_ENDPOINTS
from tests.support.answers import rows, without_request_id
from tests.support.chats import new_chat, new_site
from tests.support.client import Client
from tests.support.tenants import Organisation, anonymous, new_key, new_member, new_tenant
from tests.support.threads import at_once
from tests.support.webhooks import PUBLIC_URL, WEBHOOKS, new_webhook

RANGE = {"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"}
DELIVERY = "dlv_01JB3D2N6T8V4W5X7Y9Z0A1B2C"
LISTS: list[tuple[str, str, Any]] = [("GET", "", None), ("POST", "", {"url": PUBLIC_URL, "events": ["*"]})]
READS: list[tuple[str, str, Any]] = [
    ("GET", "/{id}", None),
    ("GET", "/{id}/deliveries", None),
    ("GET", f"/{{id}}/deliveries/{DELIVERY}", None),
]
WRITES: list[tuple[str, str, Any]] = [
    ("PATCH", "/{id}", {"description": "New"}),
    ("POST", "/{id}/rotate-secret", None),
    ("POST", "/{id}/test", None),
    ("POST", "/{id}/replay", RANGE),
    ("POST", f"/{{id}}/deliveries/{DELIVERY}/replay", None),
    ("DELETE", "/{id}", None),
]


@pytest.fixture
def tenant() -> Organisation:
    return new_tenant()


@pytest.fixture
def owner(tenant: Organisation) -> Client:
    return tenant.owner.client


@pytest.fixture
def found(owner: Client) -> dict[str, Any]:
    return new_webhook(owner, events=["message.created"], description="CRM")


def at(path: str, webhook_id: str) -> str:
    return WEBHOOKS + path.replace("{id}", webhook_id)


class TestEveryOperation:
    @pytest.mark.parametrize(("method", "path", "body"), LISTS + READS + WRITES)
    def test_anonymous_and_visitors_are_refused(self, found, method, path, body):
        assert anonymous().send(method, at(path, found["id"]), body).status == 401
        answer = new_chat(new_site()).client.send(method, at(path, found["id"]), body)
        assert (answer.status, answer.code) == (403, "wrong_credential")

    @pytest.mark.parametrize(("method", "path", "body"), READS + WRITES)
    def test_another_tenants_is_like_a_missing_one(self, found, method, path, body):
        stranger = new_tenant().owner.client
        foreign = stranger.send(method, at(path, found["id"]), body)
        missing = stranger.send(method, at(path, ids.new("whk")), body)
        odd = stranger.send(method, at(path, "%C3%A9%00'x"), body)
        assert foreign.status == 404
        assert without_request_id(foreign) == without_request_id(missing) == without_request_id(odd)

    @pytest.mark.parametrize(("method", "path", "body"), LISTS + READS + WRITES)
    def test_agents_and_keys_without_the_scope_are_refused(self, tenant, found, method, path, body):
        agent = new_member(tenant, "agent").client.send(method, at(path, found["id"]), body)
        assert (agent.status, agent.code) == (403, "insufficient_role")
        key = new_key(tenant, name="other", scopes=["conversations:read", "conversations:write"])
        answer = key.send(method, at(path, found["id"]), body)
        assert (answer.status, answer.code) == (403, "insufficient_scope")


class TestCreateWebhook:
    def test_the_secret_is_shown_once(self, owner, found):
        assert found["secret"].startswith("whsec_")
        assert found["events"] == ["message.created"]
        assert (found["status"], found["disabled_reason"], found["description"]) == ("enabled", None, "CRM")
        read = owner.get(at("/{id}", found["id"]))
        assert read.json == {name: value for name, value in found.items() if name != "secret"}

    def test_a_repeated_key_makes_one_and_does_not_show_the_secret_again(self, owner):
        body = {"url": PUBLIC_URL, "events": ["*"]}
        first, second = (owner.post(WEBHOOKS, body, Idempotency_Key="once") for _ in range(2))
        assert first.json["id"] == second.json["id"]
        assert second.json["secret"] is None
        assert len(rows(owner, WEBHOOKS)) == 1

    @pytest.mark.parametrize(
        ("change", "param"),
        [
            ({"url": None}, "url"),
            ({"url": "http://hooks.example.com/"}, "url"),
            ({"url": "https://10.0.0.1/"}, "url"),
            ({"url": "https://localhost/"}, "url"),
            ({"url": 7}, "url"),
            ({"events": []}, "events"),
            ({"events": ["*"] * 51}, "events"),
            ({"events": ["message"]}, "events.0"),
            ({"events": ["*.created"]}, "events.0"),
            ({"events": ["message.*", "made.*"]}, "events.1"),
            ({"events": ["message.made_up"]}, "events.0"),
            ({"events": "*"}, "events"),
            ({"description": "x" * 501}, "description"),
            ({"secret": "whsec_mine"}, "secret"),
            ({"status": "disabled"}, "status"),
        ],
    )
    def test_a_bad_field_is_named(self, owner, change, param):
        answer = owner.post(WEBHOOKS, {"url": PUBLIC_URL, "events": ["*"], **change})
        assert answer.status == 422, answer.text
        assert [error["param"] for error in answer.json["error"]["errors"]] == [param]

    def test_every_bad_field_is_named_with_what_is_wrong(self, owner):
        answer = owner.post(WEBHOOKS, {"url": "https://10.0.0.1/", "events": ["made.up"], "secret": "mine"})
        found = {error["param"]: error["code"] for error in answer.json["error"]["errors"]}
        assert found == {"url": "forbidden_address", "events.0": "unknown_event_type", "secret": "unknown_field"}

    def test_there_are_no_more_than_fifty_even_at_once(self, owner):
        for _ in range(MAX_ENDPOINTS - 5):
            new_webhook(owner)
        answers = at_once(10, lambda: owner.post(WEBHOOKS, {"url": PUBLIC_URL, "events": ["*"]}))
        assert sorted(answer.status for answer in answers) == [201] * 5 + [409] * 5
        assert {answer.code for answer in answers if answer.status == 409} == {"too_many_webhooks"}


class TestListWebhooks:
    def test_newest_first_and_only_its_own(self, tenant, owner):
        made = [new_webhook(owner)["id"] for _ in range(3)]
        new_webhook(new_tenant().owner.client)
        new_webhook(new_key(tenant, name="test", mode="test"))
        page = owner.get(f"{WEBHOOKS}?limit=2").json
        assert [row["id"] for row in page["data"]] == sorted(made, reverse=True)[:2]
        assert (page["pagination"]["total"], page["pagination"]["has_more"]) == (3, True)
        assert "secret" not in page["data"][0]


class TestUpdateWebhook:
    def test_what_is_given_changes_and_is_in_the_audit_log(self, tenant, owner, found):
        answer = owner.patch(at("/{id}", found["id"]), {"url": "https://b.example.com/", "events": ["*", "*"]})
        assert answer.status == 200
        assert (answer.json["url"], answer.json["events"]) == ("https://b.example.com/", ["*"])
        assert answer.json["description"] == "CRM"
        entry = owner.get(f"{tenant.url}/audit-log").json["data"][0]
        assert (entry["action"], entry["target"]["id"]) == ("webhook.updated", found["id"])
        assert entry["previous"] == {"url": PUBLIC_URL, "events": ["message.created"]}

    def test_it_is_disabled_and_enabled(self, owner, found):
        url = at("/{id}", found["id"])
        off = owner.patch(url, {"status": "disabled"}).json
        assert (off["status"], off["disabled_reason"], off["disabled_at"] is None) == ("disabled", "by_user", False)
        on = owner.patch(url, {"status": "enabled"}).json
        assert (on["status"], on["disabled_reason"], on["disabled_at"]) == ("enabled", None, None)

    def test_nothing_changes_what_somebody_else_has_changed(self, owner, found):
        url = at("/{id}", found["id"])
        etag = owner.get(url).headers["ETag"]
        assert owner.patch(url, {"description": None}, If_Match=etag).status == 200
        for method, path, body in (
            ("PATCH", "", {"description": "x"}),
            ("POST", "/rotate-secret", None),
            ("DELETE", "", None),
        ):
            assert owner.using(If_Match=etag).send(method, url + path, body).status == 412

    def test_a_url_inside_is_refused(self, owner, found):
        answer = owner.patch(at("/{id}", found["id"]), {"url": "https://169.254.169.254/latest/meta-data"})
        assert (answer.status, answer.json["error"]["errors"][0]["code"]) == (422, "forbidden_address")


class TestDeleteWebhook:
    def test_it_is_gone_and_makes_room(self, owner, found):
        assert owner.delete(at("/{id}", found["id"])).status == 204
        assert owner.get(at("/{id}", found["id"])).status == 404
        assert owner.get(at("/{id}/deliveries", found["id"])).status == 404
        assert rows(owner, WEBHOOKS) == []
        assert owner.delete(at("/{id}", found["id"])).status == 404


class TestReplay:
    @pytest.mark.parametrize(
        ("body", "param"),
        [
            ({"since": RANGE["until"], "until": RANGE["since"]}, "until"),
            ({"since": RANGE["since"]}, "until"),
            ({"since": "2026-01-01T00:00:00", "until": RANGE["until"]}, "since"),
        ],
    )
    def test_a_range_has_two_ends_in_order(self, owner, found, body, param):
        answer = owner.post(at("/{id}/replay", found["id"]), body)
        assert answer.status == 422
        assert [error["param"] for error in answer.json["error"]["errors"]] == [param]
