"""Domains: list, add, remove."""

import pytest

from chalicelib.core import aws, ids
from chalicelib.core.aws import Params, Proceed
from tests.support import settings
from tests.support.answers import rows, without_request_id
from tests.support.aws import Services
from tests.support.tenants import anonymous, new_key, new_member, new_tenant
from tests.support.threads import at_once
from tests.support.widgets import configuration, new_domain

AUTHORIZER = BATCH_READ = ("dynamodb", "batch_get_item")
READ, QUERY = ("dynamodb", "get_item"), ("dynamodb", "query")
TRANSACTION, NOTICE = ("dynamodb", "transact_write_items"), ("sqs", "send_message")


class TestList:
    def test_anonymous_is_refused(self):
        assert anonymous().get("/v1/domains").status == 401

    def test_another_tenants_domains_are_not_in_it(self):
        mine, theirs = new_tenant(), new_tenant()
        new_domain(theirs.owner.client)
        assert mine.owner.client.get("/v1/domains").json["data"] == []
        assert mine.owner.client.using(X_Tenant_ID=theirs.id).get("/v1/domains").status == 404

    def test_a_key_without_the_scope_may_not(self):
        answer = new_key(new_tenant(), scopes=["widgets:read", "domains:write"]).get("/v1/domains")
        assert (answer.status, answer.code) == (403, "insufficient_scope")

    def test_a_viewer_sees_them_newest_first_in_pages(self):
        tenant = new_tenant()
        made = [new_domain(tenant.owner.client, f"shop{number}.example.com") for number in range(5)]
        assert rows(new_member(tenant, "viewer").client, "/v1/domains?limit=2") == made[::-1]

    def test_bad_input_is_named(self):
        answer = new_tenant().owner.client.get("/v1/domains?limit=101&status=active")
        assert (answer.status, answer.params) == (422, {"limit", "status"})

    def test_it_costs_one_query(self, services: Services):
        tenant = new_tenant()
        services.reset()
        assert tenant.owner.client.get("/v1/domains").status == 200
        assert services.calls == [AUTHORIZER, QUERY]


class TestAdd:
    def test_anonymous_is_refused(self):
        assert anonymous().post("/v1/domains", {"domain": "example.com"}).status == 401

    def test_another_tenant_cannot_be_picked(self):
        outsider = new_tenant().owner.client.using(X_Tenant_ID=new_tenant().id)
        assert outsider.post("/v1/domains", {"domain": "example.com"}).status == 404

    @pytest.mark.parametrize("role", ["viewer", "agent"])
    def test_it_needs_an_admin(self, role: str):
        answer = new_member(new_tenant(), role).client.post("/v1/domains", {"domain": "example.com"})
        assert (answer.status, answer.code) == (403, "insufficient_role")

    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            ("www.example.com", "www.example.com"),
            (" *.Example.com ", "*.example.com"),
            ("münchen.de", "xn--mnchen-3ya.de"),
            ("127.0.0.1:8000", "127.0.0.1:8000"),
        ],
    )
    def test_it_is_kept_in_its_canonical_form(self, given: str, kept: str):
        answer = new_member(new_tenant(), "admin").client.post("/v1/domains", {"domain": given})
        assert answer.status == 201
        assert (answer.json["domain"], answer.json["status"]) == (kept, "active")
        assert ids.is_id("dom", answer.json["id"])

    def test_it_is_there_once_however_it_is_written(self):
        client = new_tenant().owner.client
        new_domain(client, "MÜNCHEN.de")
        answer = client.post("/v1/domains", {"domain": "xn--mnchen-3ya.de."})
        assert (answer.status, answer.code) == (409, "domain_exists")
        assert new_domain(client, "*.münchen.de")["domain"] == "*.xn--mnchen-3ya.de"

    def test_two_tenants_may_have_the_same(self):
        assert {new_domain(new_tenant().owner.client)["domain"] for _ in range(2)} == {"www.example.com"}

    def test_of_many_at_once_one_adds_it(self):
        client = new_tenant().owner.client
        answers = at_once(8, lambda: client.post("/v1/domains", {"domain": "example.com"}))
        assert sorted(answer.status for answer in answers) == [201] + [409] * 7
        assert client.get("/v1/domains").json["pagination"]["total"] == 1

    @pytest.mark.parametrize(
        ("body", "params"),
        [
            ({}, {"domain"}),
            ({"domain": None}, {"domain"}),
            ({"domain": ""}, {"domain"}),
            ({"domain": 7}, {"domain"}),
            ({"domain": "https://www.example.com"}, {"domain"}),
            ({"domain": "co.uk"}, {"domain"}),
            ({"domain": "x" * 301}, {"domain"}),
            ({"domain": "example.com", "status": "active"}, {"status"}),
        ],
    )
    def test_bad_input_names_every_field(self, body: dict[str, object], params: set[str]):
        answer = new_tenant().owner.client.post("/v1/domains", body)
        assert (answer.status, answer.params) == (422, params)

    def test_a_url_is_answered_with_the_value_to_give(self):
        answer = new_tenant().owner.client.post("/v1/domains", {"domain": "https://www.example.com/shop"})
        assert answer.json["error"]["message"].endswith(": www.example.com")

    def test_this_machine_is_refused_in_a_deployment(self):
        client = new_tenant().owner.client
        with settings.changed(ALLOW_LOOPBACK_DOMAINS=""):
            answer = client.post("/v1/domains", {"domain": "localhost:3000"})
        assert (answer.status, answer.params) == (422, {"domain"})

    def test_the_same_idempotency_key_adds_it_once(self):
        client = new_tenant().owner.client
        answers = [client.post("/v1/domains", {"domain": "example.com"}, Idempotency_Key="k") for _ in range(2)]
        assert answers[0].text == answers[1].text
        assert answers[1].headers["Idempotency-Replayed"] == "true"

    def test_a_tenant_has_a_hundred_at_most_and_a_removed_one_makes_room(self):
        client = new_tenant(domain="example.com").owner.client
        made = [new_domain(client, f"shop{number}.example.com")["id"] for number in range(99)]
        answer = client.post("/v1/domains", {"domain": "shop.example.org"})
        assert (answer.status, answer.code) == (409, "too_many_domains")
        assert client.delete(f"/v1/domains/{made[0]}").status == 204
        assert client.post("/v1/domains", {"domain": "shop.example.org"}).status == 201

    def test_it_is_audited(self):
        tenant = new_tenant()
        made = new_domain(tenant.owner.client)
        entry = tenant.owner.client.get(f"{tenant.url}/audit-log").json["data"][0]
        assert (entry["action"], entry["target"]) == ("domain.created", {"type": "domain", "id": made["id"]})
        assert entry["changes"] == made

    def test_it_costs_a_read_and_a_transaction(self, services: Services):
        tenant = new_tenant()
        services.reset()
        new_domain(tenant.owner.client)
        assert services.calls == [AUTHORIZER, READ, TRANSACTION, NOTICE]


class TestRemove:
    def test_anonymous_is_refused(self):
        assert anonymous().delete(f"/v1/domains/{ids.new('dom')}").status == 401

    def test_another_tenants_is_as_missing_as_one_that_is_not_there(self):
        victim, outsider = new_tenant(), new_tenant().owner.client
        made = new_domain(victim.owner.client)
        foreign, missing = (
            outsider.delete(f"/v1/domains/{made['id']}"),
            outsider.delete(f"/v1/domains/{ids.new('dom')}"),
        )
        malformed = outsider.delete("/v1/domains/nonsense")
        assert foreign.status == 404
        assert without_request_id(foreign) == without_request_id(missing) == without_request_id(malformed)
        assert victim.owner.client.get("/v1/domains").json["data"] == [made]

    @pytest.mark.parametrize("role", ["viewer", "agent"])
    def test_it_needs_an_admin(self, role: str):
        tenant = new_tenant()
        made = new_domain(tenant.owner.client)
        answer = new_member(tenant, role).client.delete(f"/v1/domains/{made['id']}")
        assert (answer.status, answer.code) == (403, "insufficient_role")

    def test_a_key_needs_the_scope(self):
        answer = new_key(new_tenant(), scopes=["domains:read"]).delete(f"/v1/domains/{ids.new('dom')}")
        assert (answer.status, answer.code) == (403, "insufficient_scope")

    def test_its_pages_are_shut_out_and_it_can_be_added_again(self):
        tenant = new_tenant()
        client, token = tenant.owner.client, tenant.created["default_widget"]["client_token"]
        made = new_domain(client)
        assert configuration(token).status == 200
        answer = client.delete(f"/v1/domains/{made['id']}")
        assert (answer.status, answer.text) == (204, "")
        assert configuration(token).status == 403
        assert client.delete(f"/v1/domains/{made['id']}").status == 404
        assert client.get("/v1/domains").json["data"] == []
        assert new_domain(client)["id"] != made["id"]
        assert configuration(token).status == 200

    def test_who_comes_second_removes_nothing(self):
        tenant = new_tenant()
        client, token = tenant.owner.client, tenant.created["default_widget"]["client_token"]
        url = f"/v1/domains/{new_domain(client)['id']}"

        def overtake(service: str, operation: str, params: Params, proceed: Proceed) -> Params:
            answer = proceed()
            if "#dom'" in str(params):  # the domain has been read: now another admin is faster, and adds it again
                aws.interceptors.remove(overtake)
                assert client.delete(url).status == 204
                new_domain(client)
            return answer

        aws.interceptors.append(overtake)
        assert client.delete(url).status == 404
        assert configuration(token).status == 200
        assert client.get("/v1/domains").json["pagination"]["total"] == 1

    def test_it_is_audited(self):
        tenant = new_tenant()
        made = new_domain(tenant.owner.client)
        tenant.owner.client.delete(f"/v1/domains/{made['id']}")
        entry = tenant.owner.client.get(f"{tenant.url}/audit-log").json["data"][0]
        assert (entry["action"], entry["changes"]) == ("domain.deleted", made)

    def test_it_costs_one_read_and_a_transaction(self, services: Services):
        tenant = new_tenant()
        made = new_domain(tenant.owner.client)
        services.reset()
        tenant.owner.client.delete(f"/v1/domains/{made['id']}")
        assert services.calls == [AUTHORIZER, BATCH_READ, TRANSACTION, NOTICE]
