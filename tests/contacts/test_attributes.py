"""Definitions of custom attributes, and what they demand of contacts."""

from typing import Any

import pytest

from chalicelib.core import ids
from tests.support.answers import pages, without_request_id
from tests.support.chats import new_chat, new_site
from tests.support.contacts import CONTACTS, contact, made, new_contact
from tests.support.tenants import Organisation, anonymous, new_key, new_member, new_tenant

URL = "/v1/custom-attributes"
WRITES: list[tuple[str, str, Any]] = [("PATCH", "/{id}", {"label": "New"}), ("DELETE", "/{id}", None)]
ALL: list[tuple[str, str, Any]] = [
    ("GET", "", None),
    ("POST", "", {"key": "a", "label": "A", "type": "text"}),
    ("GET", "/{id}", None),
    *WRITES,
]


@pytest.fixture
def tenant() -> Organisation:
    return new_tenant()


@pytest.fixture
def owner(tenant):
    return tenant.owner.client


def define(client, key, type_, **more):
    return made(client.post(URL, {"key": key, "label": key.capitalize(), "type": type_, **more}))


class TestEveryOperation:
    @pytest.mark.parametrize(("method", "path", "body"), ALL)
    def test_anonymous_and_visitors_are_refused(self, method, path, body):
        site = new_site()
        url = URL + path.replace("{id}", define(site.owner.client, "plan", "text")["id"])
        assert anonymous().send(method, url, body).status == 401
        assert new_chat(site).client.send(method, url, body).code == "wrong_credential"

    @pytest.mark.parametrize(("method", "path", "body"), ALL[2:])
    def test_another_tenants_is_like_a_missing_one(self, owner, method, path, body):
        stranger = new_tenant().owner.client
        found = define(owner, "plan", "text")["id"]
        answers = [
            stranger.send(method, URL + path.replace("{id}", each), body) for each in (found, ids.new("attr"), "é")
        ]
        assert {answer.status for answer in answers} == {404}
        assert len({without_request_id(answer) for answer in answers}) == 1

    @pytest.mark.parametrize(("method", "path", "body"), [ALL[1], *WRITES])
    def test_agents_and_reading_keys_cannot_write(self, tenant, owner, method, path, body):
        url = URL + path.replace("{id}", define(owner, "plan", "text")["id"])
        assert new_member(tenant, "agent").client.send(method, url, body).code == "insufficient_role"
        assert new_key(tenant, scopes=["contacts:read"]).send(method, url, body).code == "insufficient_scope"

    def test_viewers_can_read(self, tenant, owner):
        found = define(owner, "plan", "list", options=["a", "b"])
        viewer = new_member(tenant, "viewer").client
        assert viewer.get(f"{URL}/{found['id']}").json == found
        assert viewer.get(URL).json["data"] == [found]


class TestDefinitions:
    def test_they_are_listed_newest_first(self, owner):
        for number in range(4):
            define(owner, f"k{number}", "text")
        listed = list(pages(owner, f"{URL}?limit=3"))
        assert {row["key"] for page in listed for row in page["data"]} == {"k0", "k1", "k2", "k3"}
        assert {page["pagination"]["total"] for page in listed} == {4}

    def test_a_key_is_unique_and_free_again_after_its_deletion(self, owner):
        found = define(owner, "plan", "text")
        answer = owner.post(URL, {"key": "plan", "label": "x", "type": "number"})
        assert (answer.status, answer.code) == (409, "attribute_exists")
        assert owner.delete(f"{URL}/{found['id']}").status == 204
        assert owner.get(f"{URL}/{found['id']}").status == 404
        define(owner, "plan", "number")

    def test_at_most_100(self, owner):
        found = [define(owner, f"k{number}", "text") for number in range(100)][7]
        body = {"key": "more", "label": "x", "type": "text"}
        assert owner.post(URL, body).code == "too_many_attributes"
        owner.delete(f"{URL}/{found['id']}")
        assert owner.post(URL, body).status == 201

    @pytest.mark.parametrize(
        ("body", "params"),
        [
            ({}, {"key", "label", "type"}),
            ({"key": "Plan", "label": "x", "type": "text"}, {"key"}),
            ({"key": "1a", "label": "x", "type": "text"}, {"key"}),
            ({"key": "a", "label": "", "type": "text"}, {"label"}),
            ({"key": "a", "label": "x", "type": "money"}, {"type"}),
            ({"key": "a", "label": "x", "type": "list"}, {"options"}),
            ({"key": "a", "label": "x", "type": "list", "options": []}, {"options"}),
            ({"key": "a", "label": "x", "type": "text", "options": ["a"]}, {"options"}),
        ],
    )
    def test_a_bad_field_is_named(self, owner, body, params):
        answer = owner.post(URL, body)
        assert (answer.status, answer.params) == (422, params)

    def test_a_change_is_recorded_and_honours_if_match(self, tenant, owner):
        created = owner.post(URL, {"key": "plan", "label": "Plan", "type": "list", "options": ["a"]})
        url = f"{URL}/{created.json['id']}"
        changed = owner.patch(url, {"options": ["a", "b"], "required": True}, If_Match=created.headers["ETag"])
        assert changed.json["options"] == ["a", "b"]
        assert owner.patch(url, {"label": "x"}, If_Match=created.headers["ETag"]).status == 412
        assert owner.patch(url, {"type": "text"}).status == 422
        assert owner.delete(url).status == 204
        log = [row["action"] for row in owner.get(f"{tenant.url}/audit-log").json["data"]]
        assert log[:3] == [f"custom_attribute.{what}" for what in ("deleted", "updated", "created")]

    def test_more_than_one_answer_of_the_table_holds_are_all_there(self, owner):
        options = [f"{number:03}" + "😀" * 97 for number in range(100)]  # 39 KB, and so 28 definitions are above 1 MB
        keys = [define(owner, f"k{number}", "list", options=options)["key"] for number in range(28)]
        listed = owner.get(f"{URL}?limit=100").json
        assert ({row["key"] for row in listed["data"]}, listed["pagination"]["total"]) == (set(keys), 28)
        answer = owner.post(CONTACTS, {"name": "Kim", "custom_attributes": dict.fromkeys(keys, "none of them")})
        assert answer.params == {f"custom_attributes.{key}" for key in keys}


class TestValues:
    @pytest.mark.parametrize(
        ("type_", "good", "bad"),
        [
            ("text", ["x", "", "x" * 1000], [1, True, ["x"], "x" * 1001]),
            ("number", [1, -2.5, 0], ["1", True, []]),
            ("boolean", [True, False], ["true", 0, 1]),
            (
                "date",
                ["2026-01-31", "2024-02-29"],
                ["2026-02-29", "20260131", "2026-1-1", "2026-01-31T00:00Z", 1, ""],
            ),
            ("list", ["a", "b"], ["c", "A", "", ["a"], 1]),
        ],
    )
    def test_a_defined_key_takes_values_of_its_type_only(self, owner, type_, good, bad):
        define(owner, "key", type_, **({"options": ["a", "b"]} if type_ == "list" else {}))
        found = new_contact(owner)["id"]
        for value in good:
            assert new_contact(owner, custom_attributes={"key": value})["custom_attributes"] == {"key": value}
        for value in bad:
            for answer in (
                owner.post(CONTACTS, {"name": "x", "custom_attributes": {"key": value}}),
                owner.patch(f"{CONTACTS}/{found}", {"custom_attributes": {"key": value}}),
                owner.put(CONTACTS, {"email": "k@example.com", "custom_attributes": {"key": value}}),
            ):
                assert (answer.status, answer.params) == (422, {"custom_attributes.key"}), value
        assert contact(owner, found)["custom_attributes"] == {}

    def test_other_keys_are_free(self, owner):
        define(owner, "key", "number")
        free = {"other": {"deep": [1, "x", None]}, "KEY": "x", "é": 1.5}
        assert new_contact(owner, custom_attributes=free)["custom_attributes"] == free

    def test_a_required_one_must_be_there_whenever_attributes_are_set(self, owner):
        before = new_contact(owner)["id"]
        define(owner, "plan", "text", required=True)
        assert owner.post(CONTACTS, {"name": "x"}).params == {"custom_attributes.plan"}
        found = new_contact(owner, custom_attributes={"plan": "pro"})["id"]
        assert owner.patch(f"{CONTACTS}/{found}", {"custom_attributes": {"plan": None}}).status == 422
        assert owner.patch(f"{CONTACTS}/{found}", {"custom_attributes": {"x": 1}}).status == 200
        assert owner.patch(f"{CONTACTS}/{before}", {"custom_attributes": {"x": 1}}).status == 422
        assert owner.patch(f"{CONTACTS}/{before}", {"title": "still changeable"}).status == 200

    def test_a_value_that_a_later_definition_would_refuse_stays_until_it_is_changed(self, owner):
        found = new_contact(owner, custom_attributes={"plan": 7})["id"]
        define(owner, "plan", "text")
        assert owner.patch(f"{CONTACTS}/{found}", {"custom_attributes": {"x": 1}}).status == 200
        assert owner.patch(f"{CONTACTS}/{found}", {"custom_attributes": {"plan": 8}}).status == 422

    def test_every_bad_value_is_named(self, owner):
        define(owner, "a", "number")
        define(owner, "b", "boolean")
        answer = owner.post(CONTACTS, {"name": "x", "custom_attributes": {"a": "x", "b": "x"}})
        assert answer.params == {"custom_attributes.a", "custom_attributes.b"}
