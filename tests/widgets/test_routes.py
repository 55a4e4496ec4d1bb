"""Widgets: list, create, retrieve, update, delete."""

from typing import Any

import pytest

from chalicelib.core import ids
from tests.support.answers import rows, without_request_id
from tests.support.aws import Services
from tests.support.tenants import Organisation, anonymous, new_key, new_member, new_tenant
from tests.support.threads import at_once
from tests.support.widgets import new_widget

AUTHORIZER = BATCH_READ = ("dynamodb", "batch_get_item")
READ, QUERY = ("dynamodb", "get_item"), ("dynamodb", "query")
TRANSACTION, NOTICE = ("dynamodb", "transact_write_items"), ("sqs", "send_message")


def audit(tenant: Organisation) -> list[dict[str, Any]]:
    """Newest first."""
    return rows(tenant.owner.client, f"{tenant.url}/audit-log?limit=100")


class TestList:
    def test_anonymous_is_refused(self):
        assert anonymous().get("/v1/widgets").status == 401

    def test_another_tenants_widgets_are_not_in_it(self):
        mine, theirs = new_tenant(), new_tenant()
        new_widget(theirs.owner.client)
        assert [row["id"] for row in rows(mine.owner.client, "/v1/widgets?limit=100")] == [
            mine.created["default_widget"]["id"]
        ]

    def test_another_tenant_cannot_be_picked(self):
        outsider = new_tenant().owner.client.using(X_Tenant_ID=new_tenant().id)
        assert outsider.get("/v1/widgets").status == 404

    def test_a_key_without_the_scope_may_not(self):
        answer = new_key(new_tenant(), scopes=["widgets:write", "domains:read"]).get("/v1/widgets")
        assert (answer.status, answer.code) == (403, "insufficient_scope")

    def test_a_viewer_sees_them_newest_first_in_pages(self):
        tenant = new_tenant()
        made = [tenant.created["default_widget"]["id"]]
        made += [new_widget(tenant.owner.client, f"Shop {number}")["id"] for number in range(4)]
        viewer = new_member(tenant, "viewer").client
        assert [row["id"] for row in rows(viewer, "/v1/widgets?limit=2")] == made[::-1]
        page = viewer.get("/v1/widgets?limit=2&offset=3").json
        assert [row["id"] for row in page["data"]] == [made[1], made[0]]
        assert page["pagination"]["total"] == 5

    def test_bad_input_is_named(self):
        answer = new_tenant().owner.client.get("/v1/widgets?limit=0&colour=red")
        assert (answer.status, answer.params) == (422, {"limit", "colour"})

    def test_it_costs_one_query(self, services: Services):
        tenant = new_tenant()
        services.reset()
        assert tenant.owner.client.get("/v1/widgets").status == 200
        assert services.calls == [AUTHORIZER, QUERY]


class TestCreate:
    def test_anonymous_is_refused(self):
        assert anonymous().post("/v1/widgets", {"name": "Shop"}).status == 401

    def test_another_tenant_cannot_be_picked(self):
        outsider = new_tenant().owner.client.using(X_Tenant_ID=new_tenant().id)
        assert outsider.post("/v1/widgets", {"name": "Shop"}).status == 404

    @pytest.mark.parametrize("role", ["viewer", "agent"])
    def test_it_needs_an_admin(self, role: str):
        answer = new_member(new_tenant(), role).client.post("/v1/widgets", {"name": "Shop"})
        assert (answer.status, answer.code) == (403, "insufficient_role")

    def test_a_key_needs_the_scope(self):
        tenant = new_tenant()
        answer = new_key(tenant, scopes=["widgets:read"]).post("/v1/widgets", {"name": "Shop"})
        assert (answer.status, answer.code) == (403, "insufficient_scope")
        assert new_key(tenant, scopes=["widgets:write"]).post("/v1/widgets", {"name": "Shop"}).status == 201

    def test_a_name_is_enough(self):
        answer = new_member(new_tenant(), "admin").client.post("/v1/widgets", {"name": " Shop "})
        assert answer.status == 201
        assert answer.headers["ETag"] == '"1"'
        found = answer.json
        assert (found["name"], found["title"], found["language"]) == ("Shop", "Chat with us", "en")
        assert (found["color"], found["position"], found["logo_url"]) == ("#2563eb", "right", None)
        assert found["client_token"].startswith("parley_wt_")
        assert found["created_at"] == found["updated_at"]

    def test_everything_can_be_chosen(self):
        chosen: dict[str, Any] = {
            "name": "Laden",
            "title": "Fragen?",
            "greeting": "Grüezi!",
            "offline_message": "Morgen wieder.",
            "color": "#ABCDEF",
            "position": "left",
            "language": "de",
            "logo_url": "https://cdn.example.com/logo.png?v=2",
        }
        found = new_widget(new_tenant().owner.client, **chosen)
        assert {name: found[name] for name in chosen} == chosen | {"color": "#abcdef"}

    def test_texts_that_are_not_chosen_are_the_languages_own(self):
        found = new_widget(new_tenant().owner.client, language="de", greeting=None)
        assert found["title"] == "Chatten Sie mit uns"
        assert found["greeting"].startswith("Hallo!")

    @pytest.mark.parametrize(
        ("body", "params"),
        [
            ({}, {"name"}),
            ({"name": ""}, {"name"}),
            ({"name": None}, {"name"}),
            ({"name": "x" * 201}, {"name"}),
            ({"name": "A", "title": "", "greeting": "x" * 501}, {"title", "greeting"}),
            ({"name": "A", "color": "red", "position": "top", "language": "fr"}, {"color", "position", "language"}),
            ({"name": "A", "color": None, "position": None}, {"color", "position"}),
            ({"name": "A", "logo_url": "http://example.com/logo.png"}, {"logo_url"}),
            ({"name": "A", "logo_url": "javascript:alert(1)"}, {"logo_url"}),
            ({"name": "A", "logo_url": 'https://example.com/"onload="x'}, {"logo_url"}),
            ({"name": "A", "logo_url": "https://user@example.com/"}, {"logo_url"}),
            ({"name": "A", "client_token": "mine", "version": 3}, {"client_token", "version"}),
        ],
    )
    def test_bad_input_names_every_field(self, body: dict[str, object], params: set[str]):
        answer = new_tenant().owner.client.post("/v1/widgets", body)
        assert (answer.status, answer.params) == (422, params)

    def test_the_same_idempotency_key_makes_one_widget(self):
        client = new_tenant().owner.client
        answers = [client.post("/v1/widgets", {"name": "Once"}, Idempotency_Key="k") for _ in range(2)]
        assert answers[0].text == answers[1].text
        assert answers[1].headers["Idempotency-Replayed"] == "true"
        assert client.get("/v1/widgets").json["pagination"]["total"] == 2

    def test_a_tenant_has_a_hundred_at_most_and_a_deleted_one_makes_room(self):
        client = new_tenant().owner.client
        made = [new_widget(client)["id"] for _ in range(99)]
        answer = client.post("/v1/widgets", {"name": "One more"})
        assert (answer.status, answer.code) == (409, "too_many_widgets")
        assert client.get("/v1/widgets").json["pagination"]["total"] == 100
        assert client.delete(f"/v1/widgets/{made[0]}").status == 204
        assert client.post("/v1/widgets", {"name": "One more"}).status == 201
        assert client.post("/v1/widgets", {"name": "One more"}).status == 409

    def test_many_at_once_are_all_made_and_all_audited(self):
        tenant = new_tenant()
        answers = at_once(8, lambda: tenant.owner.client.post("/v1/widgets", {"name": "Shop"}))
        assert [answer.status for answer in answers] == [201] * 8
        created = {row["target"]["id"] for row in audit(tenant) if row["action"] == "widget.created"}
        assert created == {answer.json["id"] for answer in answers} | {tenant.created["default_widget"]["id"]}

    def test_it_is_audited_and_told_to_the_dispatcher(self, services: Services):
        tenant = new_tenant()
        services.queues.clear()
        made = new_widget(tenant.owner.client)
        entry = audit(tenant)[0]
        assert entry["actor"] == {"type": "user", "id": tenant.owner.user_id}
        assert (entry["action"], entry["target"]) == ("widget.created", {"type": "widget", "id": made["id"]})
        assert entry["changes"] == made
        assert list(services.queues["events"]) == [f"{tenant.id}#tenant"]

    def test_it_costs_a_read_and_a_transaction(self, services: Services):
        tenant = new_tenant()
        services.reset()
        new_widget(tenant.owner.client)
        assert services.calls == [AUTHORIZER, READ, TRANSACTION, NOTICE]


class TestRetrieve:
    def test_anonymous_is_refused(self):
        widget = new_tenant().created["default_widget"]
        assert anonymous().get(f"/v1/widgets/{widget['id']}").status == 401

    def test_another_tenants_is_as_missing_as_one_that_is_not_there(self):
        outsider = new_tenant().owner.client
        foreign = outsider.get(f"/v1/widgets/{new_tenant().created['default_widget']['id']}")
        missing = outsider.get(f"/v1/widgets/{ids.new('wgt')}")
        malformed = outsider.get("/v1/widgets/nonsense")
        assert foreign.status == 404
        assert without_request_id(foreign) == without_request_id(missing) == without_request_id(malformed)

    def test_a_key_without_the_scope_may_not(self):
        tenant = new_tenant()
        answer = new_key(tenant, scopes=["widgets:write"]).get(f"/v1/widgets/{ids.new('wgt')}")
        assert (answer.status, answer.code) == (403, "insufficient_scope")

    def test_a_viewer_and_a_key_see_what_was_created(self):
        tenant = new_tenant()
        made = new_widget(tenant.owner.client)
        for client in (new_member(tenant, "viewer").client, new_key(tenant, scopes=["widgets:read"])):
            answer = client.get(f"/v1/widgets/{made['id']}")
            assert (answer.status, answer.json, answer.headers["ETag"]) == (200, made, '"1"')

    def test_an_unchanged_one_is_not_sent_again(self):
        tenant = new_tenant()
        url = f"/v1/widgets/{tenant.created['default_widget']['id']}"
        assert tenant.owner.client.get(url, If_None_Match='"1"').status == 304

    def test_it_costs_one_read(self, services: Services):
        tenant = new_tenant()
        services.reset()
        tenant.owner.client.get(f"/v1/widgets/{tenant.created['default_widget']['id']}")
        assert services.calls == [AUTHORIZER, READ]


class TestUpdate:
    def test_anonymous_is_refused(self):
        widget = new_tenant().created["default_widget"]
        assert anonymous().patch(f"/v1/widgets/{widget['id']}", {"name": "Mine"}).status == 401

    def test_another_tenants_is_as_missing_as_one_that_is_not_there(self):
        victim, outsider = new_tenant(), new_tenant().owner.client
        url = f"/v1/widgets/{victim.created['default_widget']['id']}"
        foreign = outsider.patch(url, {"name": "Mine"})
        missing = outsider.patch(f"/v1/widgets/{ids.new('wgt')}", {"name": "Mine"})
        assert foreign.status == 404
        assert without_request_id(foreign) == without_request_id(missing)
        assert victim.owner.client.get(url).json == victim.created["default_widget"]

    @pytest.mark.parametrize("role", ["viewer", "agent"])
    def test_it_needs_an_admin(self, role: str):
        tenant = new_tenant()
        url = f"/v1/widgets/{tenant.created['default_widget']['id']}"
        answer = new_member(tenant, role).client.patch(url, {"name": "Mine"})
        assert (answer.status, answer.code) == (403, "insufficient_role")

    def test_what_is_given_changes_and_the_rest_stays(self):
        tenant = new_tenant()
        made = new_widget(tenant.owner.client, title="Questions?", logo_url="https://example.com/a.png")
        url = f"/v1/widgets/{made['id']}"
        answer = tenant.owner.client.patch(url, {"color": "#000000", "logo_url": None})
        assert (answer.status, answer.headers["ETag"]) == (200, '"2"')
        kept = {name: value for name, value in made.items() if name not in {"color", "logo_url", "updated_at"}}
        assert answer.json == kept | {
            "color": "#000000",
            "logo_url": None,
            "updated_at": answer.json["updated_at"],
        }
        assert tenant.owner.client.get(url).json == answer.json

    def test_a_text_set_to_null_follows_the_language_again(self):
        client = new_tenant().owner.client
        url = f"/v1/widgets/{new_widget(client, title='Questions?')['id']}"
        assert client.patch(url, {"language": "de"}).json["title"] == "Questions?"
        assert client.patch(url, {"title": None}).json["title"] == "Chatten Sie mit uns"

    def test_nothing_new_changes_nothing(self, services: Services):
        tenant = new_tenant()
        made = new_widget(tenant.owner.client)
        url = f"/v1/widgets/{made['id']}"
        services.reset()
        for body in ({}, {"name": made["name"], "color": made["color"]}):
            answer = tenant.owner.client.patch(url, body)
            assert (answer.status, answer.json, answer.headers["ETag"]) == (200, made, '"1"')
        assert TRANSACTION not in services.calls

    def test_if_match_refuses_a_stale_change(self):
        client = new_tenant().owner.client
        url = f"/v1/widgets/{new_widget(client)['id']}"
        assert client.patch(url, {"name": "First"}, If_Match='"1"').status == 200
        answer = client.patch(url, {"name": "Second"}, If_Match='"1"')
        assert (answer.status, answer.code) == (412, "precondition_failed")
        assert client.get(url).json["name"] == "First"

    def test_of_many_with_one_version_exactly_one_wins(self):
        client = new_tenant().owner.client
        url = f"/v1/widgets/{new_widget(client)['id']}"
        names = iter(range(8))
        answers = at_once(8, lambda: client.patch(url, {"name": f"Name {next(names)}"}, If_Match='"1"'))
        assert sorted(answer.status for answer in answers) == [200] + [412] * 7

    def test_changes_of_different_fields_at_once_are_all_kept(self):
        client = new_tenant().owner.client
        url = f"/v1/widgets/{new_widget(client)['id']}"
        changes = [{"title": "T"}, {"greeting": "G"}, {"offline_message": "O"}, {"position": "left"}]
        waiting = iter(changes)
        answers = at_once(len(changes), lambda: client.patch(url, next(waiting)))
        assert [answer.status for answer in answers] == [200] * len(changes)
        found = client.get(url)
        assert found.headers["ETag"] == '"5"'
        assert all(found.json.items() >= change.items() for change in changes)

    @pytest.mark.parametrize(
        ("body", "params"),
        [
            ({"name": None}, {"name"}),
            ({"name": "", "color": "#12345"}, {"name", "color"}),
            (
                {"position": None, "language": None},
                {"position", "language"},
            ),
            ({"id": "wgt_1", "created_at": "2025-01-01T00:00:00Z"}, {"id", "created_at"}),
        ],
    )
    def test_bad_input_names_every_field(self, body: dict[str, object], params: set[str]):
        tenant = new_tenant()
        answer = tenant.owner.client.patch(f"/v1/widgets/{tenant.created['default_widget']['id']}", body)
        assert (answer.status, answer.params) == (422, params)

    def test_it_is_audited_with_the_old_values(self):
        tenant = new_tenant()
        made = new_widget(tenant.owner.client)
        key = new_key(tenant, scopes=["widgets:write"])
        key.patch(f"/v1/widgets/{made['id']}", {"title": "Questions?", "color": made["color"]})
        entry = audit(tenant)[0]
        assert (entry["action"], entry["target"]["id"]) == ("widget.updated", made["id"])
        assert entry["actor"]["type"] == "api_key"
        assert (entry["changes"], entry["previous"]) == ({"title": "Questions?"}, {"title": "Chat with us"})

    def test_it_costs_one_read_and_a_transaction(self, services: Services):
        tenant = new_tenant()
        services.reset()
        tenant.owner.client.patch(f"/v1/widgets/{tenant.created['default_widget']['id']}", {"name": "New"})
        assert services.calls == [AUTHORIZER, BATCH_READ, TRANSACTION, NOTICE]


class TestDelete:
    def test_anonymous_is_refused(self):
        widget = new_tenant().created["default_widget"]
        assert anonymous().delete(f"/v1/widgets/{widget['id']}").status == 401

    def test_another_tenants_is_as_missing_as_one_that_is_not_there(self):
        victim, outsider = new_tenant(), new_tenant().owner.client
        url = f"/v1/widgets/{victim.created['default_widget']['id']}"
        foreign, missing = outsider.delete(url), outsider.delete(f"/v1/widgets/{ids.new('wgt')}")
        malformed = outsider.delete("/v1/widgets/nonsense")
        assert foreign.status == 404
        assert without_request_id(foreign) == without_request_id(missing) == without_request_id(malformed)
        assert victim.owner.client.get(url).status == 200

    @pytest.mark.parametrize("role", ["viewer", "agent"])
    def test_it_needs_an_admin(self, role: str):
        tenant = new_tenant()
        url = f"/v1/widgets/{tenant.created['default_widget']['id']}"
        answer = new_member(tenant, role).client.delete(url)
        assert (answer.status, answer.code) == (403, "insufficient_role")

    def test_the_last_one_may_go(self):
        tenant = new_tenant()
        client, url = tenant.owner.client, f"/v1/widgets/{tenant.created['default_widget']['id']}"
        answer = client.delete(url)
        assert (answer.status, answer.text) == (204, "")
        assert client.get(url).status == 404
        assert client.delete(url).status == 404
        assert client.get("/v1/widgets").json["pagination"]["total"] == 0

    def test_if_match_refuses_a_stale_deletion(self):
        client = new_tenant().owner.client
        url = f"/v1/widgets/{new_widget(client)['id']}"
        client.patch(url, {"name": "Changed"})
        assert client.delete(url, If_Match='"1"').status == 412
        assert client.delete(url, If_Match='"2"').status == 204

    def test_of_many_at_once_one_deletes(self):
        tenant = new_tenant()
        url = f"/v1/widgets/{tenant.created['default_widget']['id']}"
        answers = at_once(8, lambda: tenant.owner.client.delete(url))
        assert sorted(answer.status for answer in answers) == [204] + [404] * 7
        assert [row["action"] for row in audit(tenant)].count("widget.deleted") == 1

    def test_it_is_audited(self):
        tenant = new_tenant()
        made = tenant.created["default_widget"]
        tenant.owner.client.delete(f"/v1/widgets/{made['id']}")
        entry = audit(tenant)[0]
        assert (entry["action"], entry["target"]["id"], entry["changes"]) == ("widget.deleted", made["id"], made)


class TestNewTenant:
    def test_it_starts_with_a_widget_in_its_language_and_the_domain_it_named(self):
        tenant = new_tenant(name="Laden", language="de", domain="WWW.example.com")
        client, widget = tenant.owner.client, tenant.created["default_widget"]
        assert (widget["name"], widget["language"], widget["title"]) == ("Laden", "de", "Chatten Sie mit uns")
        assert client.get(f"/v1/widgets/{widget['id']}").json == widget
        assert [row["domain"] for row in rows(client, "/v1/domains?limit=5")] == ["www.example.com"]
        assert {"widget.created", "domain.created"} <= {row["action"] for row in audit(tenant)}

    def test_a_domain_that_cannot_be_allowed_is_named_and_makes_no_tenant(self):
        owner = new_tenant().owner
        answer = anonymous().using(owner.client.token).post("/v1/tenants", {"name": "B", "domain": "co.uk"})
        assert (answer.status, answer.params) == (422, {"domain"})
        assert anonymous().using(owner.client.token).get("/v1/tenants").json["pagination"]["total"] == 1


class TestTestMode:
    def test_a_test_keys_widgets_are_apart_from_the_live_ones(self):
        tenant = new_tenant()
        key = new_key(tenant, mode="test")
        made = new_widget(key, "Trial")
        assert [row["id"] for row in rows(key, "/v1/widgets?limit=5")] == [made["id"]]
        assert tenant.owner.client.get(f"/v1/widgets/{made['id']}").status == 404
        assert key.get(f"/v1/widgets/{tenant.created['default_widget']['id']}").status == 404
        assert key.patch(f"/v1/widgets/{made['id']}", {"name": "Trial 2"}).status == 200
        assert key.delete(f"/v1/widgets/{made['id']}").status == 204
        assert made["id"] not in {row["target"]["id"] for row in audit(tenant)}
