"""Tenants: create, list, retrieve, update, and the audit log."""

import json

import pytest

from chalicelib.core import ids
from tests.support.answers import rows
from tests.support.aws import Services
from tests.support.canned_responses import new_canned_response
from tests.support.client import Answer
from tests.support.tenants import anonymous, new_key, new_member, new_tenant, new_user


def without_request_id(answer: Answer) -> tuple[int, str]:
    body = json.loads(answer.text)
    del body["error"]["request_id"]
    return answer.status, json.dumps(body)


class TestCreate:
    def test_anonymous_is_refused(self):
        assert anonymous().post("/v1/tenants", {"name": "Acme"}).status == 401

    def test_a_key_cannot(self):
        answer = new_key(new_tenant()).post("/v1/tenants", {"name": "Acme"})
        assert (answer.status, answer.code) == (403, "insufficient_scope")

    def test_the_creator_owns_it_and_may_use_it_at_once(self):
        ada = new_user()
        answer = ada.client.post("/v1/tenants", {"name": "Zoë & Söhne"})
        assert answer.status == 201
        assert answer.headers["ETag"] == '"1"'
        assert answer.json["slug"].startswith("zoe-sohne")
        assert answer.json["language"] == "en"
        assert "default_widget" in answer.json
        members = ada.client.get(f"/v1/tenants/{answer.json['id']}/members").json["data"]
        assert [(row["user_id"], row["role"], row["status"]) for row in members] == [(ada.user_id, "owner", "active")]

    @pytest.mark.parametrize("name", ["Acme\r\nBcc: x@y.test", "Acme\u2028Click here", "A\x7f"])
    def test_a_name_is_one_line(self, name):
        answer = new_user().client.post("/v1/tenants", {"name": name})
        assert (answer.status, answer.params) == (422, {"name"})

    def test_a_name_may_have_invisible_joiners(self):
        assert new_user().client.post("/v1/tenants", {"name": "\N{WOMAN}\u200d\N{PERSONAL COMPUTER}"}).status == 201

    def test_a_slug_made_from_a_name_is_never_in_the_way(self):
        name = f"Twice {ids.new_ulid()}"
        first, second = new_tenant(name=name), new_tenant(name=name)
        assert second.created["slug"].startswith(first.created["slug"] + "-")
        assert new_tenant(name="日本").created["slug"].startswith("tenant-")

    def test_a_slug_that_is_taken_is_refused(self):
        slug = ids.new_ulid().lower()
        new_tenant(slug=slug)
        answer = new_user().client.post("/v1/tenants", {"name": "Acme", "slug": slug})
        assert (answer.status, answer.code) == (409, "slug_taken")

    @pytest.mark.parametrize(
        ("body", "params"),
        [
            ({}, {"name"}),
            ({"name": " "}, {"name"}),
            ({"name": "x" * 201}, {"name"}),
            ({"name": "A", "slug": "Not a slug", "language": "fr"}, {"slug", "language"}),
            ({"name": "A", "owner": "me"}, {"owner"}),
        ],
    )
    def test_bad_input_names_every_field(self, body: dict[str, object], params: set[str]):
        answer = new_user().client.post("/v1/tenants", body)
        assert (answer.status, answer.params) == (422, params)

    def test_the_same_idempotency_key_makes_one_tenant(self):
        ada = new_user()
        answers = [ada.client.post("/v1/tenants", {"name": "Once"}, Idempotency_Key="k") for _ in range(2)]
        assert answers[0].text == answers[1].text
        assert answers[1].headers["Idempotency-Replayed"] == "true"
        assert len(ada.client.get("/v1/tenants").json["data"]) == 1


class TestListMine:
    def test_anonymous_is_refused(self):
        assert anonymous().get("/v1/tenants").status == 401

    def test_one_sees_ones_own_newest_first_with_ones_role(self):
        ada = new_user()
        first, second = new_tenant(ada, "First"), new_tenant(name="Second")
        new_member(second, "viewer", ada)
        found = ada.client.get("/v1/tenants").json
        assert [(row["id"], row["role"]) for row in found["data"]] == [(second.id, "viewer"), (first.id, "owner")]
        assert found["pagination"]["total"] == 2

    def test_pages_continue_by_cursor(self):
        ada = new_user()
        made = [new_tenant(ada, f"Page {number}").id for number in range(3)]
        page = ada.client.get("/v1/tenants?limit=2").json
        rest = ada.client.get(f"/v1/tenants?limit=2&cursor={page['pagination']['next_cursor']}").json
        assert [row["id"] for row in page["data"] + rest["data"]] == made[::-1]
        assert rest["pagination"]["has_more"] is False

    def test_a_bad_cursor_is_named(self):
        answer = new_user().client.get("/v1/tenants?cursor=nonsense")
        assert (answer.status, answer.params) == (422, {"cursor"})


class TestRetrieve:
    def test_anonymous_is_refused(self):
        assert anonymous().get(new_tenant().url).status == 401

    def test_another_tenant_is_as_missing_as_one_that_is_not_there(self):
        outsider = new_tenant().owner.client
        foreign = outsider.get(new_tenant().url)
        missing = outsider.get(f"/v1/tenants/{ids.new('tn')}")
        malformed = outsider.get("/v1/tenants/nonsense")
        assert foreign.status == 404
        assert without_request_id(foreign) == without_request_id(missing) == without_request_id(malformed)

    def test_another_tenants_key_sees_nothing_either(self):
        key = new_key(new_tenant())
        foreign, missing = key.get(new_tenant().url), key.get(f"/v1/tenants/{ids.new('tn')}")
        assert foreign.status == 404
        assert without_request_id(foreign) == without_request_id(missing)

    def test_a_viewer_and_a_key_see_it(self):
        tenant = new_tenant(name="Seen")
        for client in (new_member(tenant, "viewer").client, new_key(tenant, scopes=["tenants:read"])):
            answer = client.get(tenant.url)
            assert (answer.status, answer.json["name"], answer.headers["ETag"]) == (200, "Seen", '"1"')

    def test_a_key_without_the_scope_does_not(self):
        tenant = new_tenant()
        answer = new_key(tenant, scopes=["tenants:write"]).get(tenant.url)
        assert (answer.status, answer.code) == (403, "insufficient_scope")

    def test_it_costs_one_read(self, services: Services):
        tenant = new_tenant()
        tenant.owner.client.get(tenant.url)
        services.reset()
        tenant.owner.client.get(tenant.url)
        assert services.calls == [("dynamodb", "batch_get_item"), ("dynamodb", "get_item")]  # the authorizer's, ours

    def test_a_membership_that_the_cached_context_lacks_is_looked_up(self):
        from app import app

        ada = new_user()
        stale = Cached(ada.client.token, app)
        tenant = new_tenant(ada)
        assert stale.get(tenant.url) == 200
        assert stale.get(f"/v1/tenants/{ids.new('tn')}") == 404


class Cached:
    """Sends what the gateway sends while its authorizer's cache is as old as this object."""

    def __init__(self, token: str, app) -> None:
        from chalicelib.auth.authorizer import authenticate

        self.header = f"Bearer {token}"
        self.context = authenticate(self.header).to_context()
        self.app = app

    def get(self, path: str) -> int:
        tenant_id = path.rpartition("/")[2]
        event = {
            "httpMethod": "GET",
            "path": path,
            "resource": "/v1/tenants/{tenant_id}",
            "headers": {"Authorization": self.header},
            "multiValueHeaders": {},
            "multiValueQueryStringParameters": None,
            "pathParameters": {"tenant_id": tenant_id},
            "requestContext": {
                "httpMethod": "GET",
                "resourcePath": "/v1/tenants/{tenant_id}",
                "requestId": "r",
                "identity": {"sourceIp": "203.0.113.7"},
                "authorizer": self.context,
            },
            "body": None,
            "isBase64Encoded": False,
            "stageVariables": None,
        }
        status: int = self.app(event, None)["statusCode"]
        return status


class TestUpdate:
    def test_anonymous_and_strangers_are_refused(self):
        tenant = new_tenant()
        assert anonymous().patch(tenant.url, {"name": "Mine"}).status == 401
        assert new_tenant().owner.client.patch(tenant.url, {"name": "Mine"}).status == 404

    def test_an_agent_may_not(self):
        tenant = new_tenant()
        answer = new_member(tenant, "agent").client.patch(tenant.url, {"name": "Mine"})
        assert (answer.status, answer.code) == (403, "insufficient_role")

    def test_an_admin_changes_what_is_given_and_nothing_else(self):
        tenant = new_tenant(name="Before")
        slug = ids.new_ulid().lower()
        admin = new_member(tenant, "admin").client
        answer = admin.patch(tenant.url, {"name": "After", "slug": slug})
        assert (answer.status, answer.json["name"], answer.json["slug"]) == (200, "After", slug)
        assert answer.json["language"] == tenant.created["language"]
        assert answer.headers["ETag"] == '"2"'
        assert admin.get(tenant.url).json == answer.json

    def test_a_slug_moves_and_the_old_one_is_free(self):
        slug = ids.new_ulid().lower()
        tenant = new_tenant(slug=slug)
        tenant.owner.client.patch(tenant.url, {"slug": slug + "-2"})
        assert new_tenant(slug=slug).created["slug"] == slug

    def test_a_taken_slug_is_refused_and_nothing_changes(self):
        tenant, other = new_tenant(), new_tenant()
        answer = tenant.owner.client.patch(tenant.url, {"name": "New", "slug": other.created["slug"]})
        assert (answer.status, answer.code) == (409, "slug_taken")
        assert tenant.owner.client.get(tenant.url).json["name"] == tenant.created["name"]

    def test_if_match_is_honoured(self):
        tenant = new_tenant()
        assert tenant.owner.client.patch(tenant.url, {"name": "A"}, If_Match='"1"').status == 200
        late = tenant.owner.client.patch(tenant.url, {"name": "B"}, If_Match='"1"')
        assert (late.status, late.code) == (412, "precondition_failed")

    def test_changing_nothing_changes_nothing(self):
        tenant = new_tenant()
        for body in ({}, {"name": tenant.created["name"]}):
            answer = tenant.owner.client.patch(tenant.url, body)
            assert (answer.status, answer.headers["ETag"]) == (200, '"1"')

    @pytest.mark.parametrize("body", [{"name": None}, {"name": ""}, {"slug": None}, {"language": "xx"}, {"id": "tn_1"}])
    def test_bad_input_is_named(self, body: dict[str, object]):
        tenant = new_tenant()
        answer = tenant.owner.client.patch(tenant.url, body)
        assert (answer.status, answer.params) == (422, set(body))

    def test_a_test_mode_key_reads_but_changes_nothing(self):
        tenant = new_tenant()
        key = new_key(tenant, mode="test")
        assert key.get(tenant.url).status == 200
        answer = key.patch(tenant.url, {"name": "Test"})
        assert (answer.status, answer.code) == (403, "test_mode")


class TestAuditLog:
    def test_anonymous_strangers_and_agents_are_refused(self):
        tenant = new_tenant()
        url = f"{tenant.url}/audit-log"
        assert anonymous().get(url).status == 401
        assert new_tenant().owner.client.get(url).status == 404
        assert new_member(tenant, "agent").client.get(url).status == 403
        assert new_key(tenant, scopes=["tenants:read"]).get(url).status == 403

    def test_every_change_is_there_with_who_did_it_and_what_it_was(self):
        tenant = new_tenant(name="Before")
        owner = tenant.owner.client
        owner.patch(tenant.url, {"name": "After"})
        agent = new_member(tenant, "agent")
        owner.patch(f"{tenant.url}/members/{agent.user_id}", {"role": "admin"})
        owner.delete(f"{tenant.url}/members/{agent.user_id}")
        log = owner.get(f"{tenant.url}/audit-log").json["data"]
        entries = [entry for entry in log if not entry["action"].startswith(("widget.", "domain."))]
        assert [entry["action"] for entry in entries][::-1] == [
            "tenant.created",
            "member.joined",
            "tenant.updated",
            "member.invited",
            "member.joined",
            "member.role_changed",
            "member.removed",
        ]
        updated, changed = entries[4], entries[1]
        assert updated["actor"] == {"type": "user", "id": tenant.owner.user_id}
        assert updated["target"] == {"type": "tenant", "id": tenant.id}
        assert (updated["changes"], updated["previous"]) == ({"name": "After"}, {"name": "Before"})
        assert changed["target"] == {"type": "member", "id": agent.user_id}
        assert (changed["changes"], changed["previous"]) == ({"role": "admin"}, {"role": "agent"})

    def test_a_page_that_is_too_large_for_one_query_ends_short_and_leaves_nothing_out(self):
        """Each change of such a text is an entry of some 60 kB, and a query ends at 1 MB."""
        tenant = new_tenant()
        owner = tenant.owner.client
        response = new_canned_response(owner)["id"]
        for number in range(20):
            text = f"{number}{'語' * 9_990}"
            assert owner.patch(f"/v1/canned-responses/{response}", {"content": text}).status == 200
        found = rows(owner, f"{tenant.url}/audit-log?limit=100")
        texts = [row["changes"]["content"] for row in found if row["action"] == "canned_response.updated"]
        assert [text.rstrip("語") for text in texts] == [str(number) for number in range(19, -1, -1)]
        assert found[-1]["action"] == "tenant.created"

    def test_pages_meet_without_gap_by_cursor_and_by_offset(self):
        tenant = new_tenant()
        for number in range(5):
            tenant.owner.client.patch(tenant.url, {"name": f"Name {number}"})
        url = f"{tenant.url}/audit-log"
        whole = tenant.owner.client.get(url).json["data"]
        total = len(whole)
        assert total >= 7
        walked, cursor, page = [], "", {}
        for _ in range(-(-total // 3)):
            page = tenant.owner.client.get(f"{url}?limit=3{cursor}").json
            walked += page["data"]
            cursor = f"&cursor={page['pagination']['next_cursor']}"
            assert page["pagination"]["total"] == total
        assert walked == whole
        assert page["pagination"]["next_cursor"] is None
        assert tenant.owner.client.get(f"{url}?limit=3&offset=5").json["data"] == whole[5:]
        assert tenant.owner.client.get(f"{url}?offset=50").json["data"] == []

    def test_a_cursor_of_another_tenant_is_refused(self):
        one, other = new_tenant(), new_tenant()
        cursor = one.owner.client.get(f"{one.url}/audit-log?limit=1").json["pagination"]["next_cursor"]
        answer = other.owner.client.get(f"{other.url}/audit-log?cursor={cursor}")
        assert (answer.status, answer.params) == (422, {"cursor"})
