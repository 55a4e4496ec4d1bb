"""Companies: list, create, retrieve, update, delete. What it means for contacts is in tests/contacts."""

from typing import Any

import pytest

from chalicelib.core import ids
from tests.support.answers import pages, without_request_id
from tests.support.chats import new_chat, new_site
from tests.support.contacts import contact, new_company, new_contact
from tests.support.queues import drain
from tests.support.tenants import Organisation, anonymous, new_key, new_member, new_tenant

URL = "/v1/companies"
WRITES: list[tuple[str, str, Any]] = [("PATCH", "/{id}", {"name": "New"}), ("DELETE", "/{id}", None)]
ALL: list[tuple[str, str, Any]] = [("GET", "", None), ("POST", "", {"name": "A"}), ("GET", "/{id}", None), *WRITES]


@pytest.fixture
def tenant() -> Organisation:
    return new_tenant()


@pytest.fixture
def owner(tenant):
    return tenant.owner.client


class TestEveryOperation:
    @pytest.mark.parametrize(("method", "path", "body"), ALL)
    def test_anonymous_and_visitors_are_refused(self, method, path, body):
        site = new_site()
        url = URL + path.replace("{id}", new_company(site.owner.client)["id"])
        assert anonymous().send(method, url, body).status == 401
        assert new_chat(site).client.send(method, url, body).code == "wrong_credential"

    @pytest.mark.parametrize(("method", "path", "body"), ALL[2:])
    def test_another_tenants_is_like_a_missing_one(self, owner, method, path, body):
        stranger = new_tenant().owner.client
        found = new_company(owner)["id"]
        answers = [
            stranger.send(method, URL + path.replace("{id}", each), body) for each in (found, ids.new("com"), "é")
        ]
        assert {answer.status for answer in answers} == {404}
        assert len({without_request_id(answer) for answer in answers}) == 1

    @pytest.mark.parametrize(("method", "path", "body"), [ALL[1], *WRITES])
    def test_viewers_and_reading_keys_cannot_write(self, tenant, owner, method, path, body):
        url = URL + path.replace("{id}", new_company(owner)["id"])
        assert new_member(tenant, "viewer").client.send(method, url, body).code == "insufficient_role"
        assert new_key(tenant, scopes=["companies:read"]).send(method, url, body).code == "insufficient_scope"

    @pytest.mark.parametrize(("method", "path", "body"), ALL)
    def test_agents_and_writing_keys_can(self, tenant, owner, method, path, body):
        scope = "companies:read" if method == "GET" else "companies:write"
        for caller in (new_member(tenant, "agent").client, new_key(tenant, scopes=[scope])):
            url = URL + path.replace("{id}", new_company(owner)["id"])
            assert caller.send(method, url, body).status in {200, 201, 204}


class TestCompanies:
    def test_all_fields_are_kept_changed_and_cleared(self, owner):
        given: dict[str, Any] = {
            "name": "Acme",
            "website": "https://acme.example/",
            "industry": "Retail",
            "logo_url": "https://acme.example/l.png",
            "notes": "Important",
            "is_customer": True,
        }
        made = new_company(owner, **given)
        assert made.items() >= given.items()
        assert owner.get(f"{URL}/{made['id']}").json == made
        changed = owner.patch(f"{URL}/{made['id']}", {"industry": None, "is_customer": False}).json
        assert (changed["industry"], changed["is_customer"], changed["name"]) == (None, False, "Acme")
        assert owner.get(f"{URL}/{made['id']}").json == changed

    @pytest.mark.parametrize(
        ("body", "param"),
        [
            ({}, "name"),
            ({"name": None}, "name"),
            ({"name": "A", "website": "javascript:alert(1)"}, "website"),
            ({"name": "A", "logo_url": "acme"}, "logo_url"),
            ({"name": "A", "is_customer": 1}, "is_customer"),
            ({"name": "A", "stage": 1}, "stage"),
        ],
    )
    def test_a_bad_field_is_named(self, owner, body, param):
        answer = owner.post(URL, body)
        assert (answer.status, answer.params) == (422, {param})

    def test_they_are_listed_newest_first_and_counted(self, services, owner):
        made = [new_company(owner, str(number))["id"] for number in range(4)]
        owner.delete(f"{URL}/{made.pop()}")
        drain(services)
        listed = list(pages(owner, f"{URL}?limit=2"))
        assert [row["id"] for page in listed for row in page["data"]] == made[::-1]
        assert {page["pagination"]["total"] for page in listed} == {3}

    def test_if_match_is_honoured(self, owner):
        made = owner.post(URL, {"name": "A"})
        url, tag = f"{URL}/{made.json['id']}", made.headers["ETag"]
        assert owner.patch(url, {"name": "B"}, If_Match=tag).status == 200
        assert owner.patch(url, {"name": "C"}, If_Match=tag).status == 412
        assert owner.delete(url, If_Match=tag).status == 412

    def test_a_repeated_idempotency_key_makes_one(self, owner):
        first, second = (owner.post(URL, {"name": "A"}, Idempotency_Key="c") for _ in range(2))
        assert first.text == second.text

    def test_a_deleted_one_takes_no_contacts_and_its_own_leave_it(self, services, owner):
        made = new_company(owner)["id"]
        inside = new_contact(owner, company_id=made)["id"]
        assert owner.delete(f"{URL}/{made}").status == 204
        assert owner.post("/v1/contacts", {"name": "x", "company_id": made}).params == {"company_id"}
        drain(services)
        assert contact(owner, inside)["company_id"] is None
