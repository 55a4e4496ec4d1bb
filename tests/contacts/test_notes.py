"""Notes about a contact."""

import pytest

from chalicelib.core import ids
from tests.support.answers import pages, without_request_id
from tests.support.contacts import CONTACTS, add_note, contact, new_contact, notes_of
from tests.support.tenants import Organisation, new_key, new_member, new_tenant


@pytest.fixture
def tenant() -> Organisation:
    return new_tenant()


@pytest.fixture
def made(tenant):
    return new_contact(tenant.owner.client)["id"]


class TestCreate:
    def test_it_says_who_wrote_it(self, tenant, made):
        agent = new_member(tenant, "agent")
        answer = agent.client.post(f"{CONTACTS}/{made}/notes", {"content": "Prefers mornings."})
        assert answer.status == 201
        assert answer.json["author"]["id"] == agent.user_id
        key = new_key(tenant, name="Sync", scopes=["contacts:write"])
        assert key.post(f"{CONTACTS}/{made}/notes", {"content": "x"}).json["author"]["type"] == "api_key"

    @pytest.mark.parametrize("body", [{}, {"content": ""}, {"content": "x" * 10_001}, {"content": "x", "id": 1}])
    def test_a_bad_body_is_refused(self, tenant, made, body):
        assert tenant.owner.client.post(f"{CONTACTS}/{made}/notes", body).status == 422

    def test_a_repeated_idempotency_key_makes_one(self, tenant, made):
        for _ in range(2):
            tenant.owner.client.post(f"{CONTACTS}/{made}/notes", {"content": "x"}, Idempotency_Key="n")
        assert notes_of(tenant.owner.client, made) == ["x"]

    def test_it_is_a_change_of_the_contact(self, tenant, made):
        owner = tenant.owner.client
        tag = owner.get(f"{CONTACTS}/{made}").headers["ETag"]
        add_note(owner, made)
        assert owner.patch(f"{CONTACTS}/{made}", {"title": "x"}, If_Match=tag).status == 412
        assert contact(owner, made)["title"] is None


class TestList:
    def test_newest_first_in_pages_with_an_exact_total(self, tenant, made):
        owner = tenant.owner.client
        for number in range(5):
            add_note(owner, made, str(number))
        listed = list(pages(owner, f"{CONTACTS}/{made}/notes?limit=2"))
        assert [row["content"] for page in listed for row in page["data"]] == ["4", "3", "2", "1", "0"]
        assert {page["pagination"]["total"] for page in listed} == {5}

    def test_it_costs_the_same_whatever_their_number(self, services, tenant, made):
        owner = tenant.owner.client
        add_note(owner, made)
        calls = []
        for _ in range(2):
            services.reset()
            assert owner.get(f"{CONTACTS}/{made}/notes?limit=1").status == 200
            calls.append(list(services.calls))
            for number in range(30):
                add_note(owner, made, str(number))
        assert calls[0] == calls[1]


class TestDelete:
    def test_it_is_gone(self, tenant, made):
        owner = tenant.owner.client
        kept, gone = add_note(owner, made, "kept"), add_note(owner, made, "gone")
        assert owner.delete(f"{CONTACTS}/{made}/notes/{gone}").status == 204
        assert owner.delete(f"{CONTACTS}/{made}/notes/{gone}").status == 404
        assert notes_of(owner, made) == ["kept"]
        assert kept

    def test_one_of_another_contact_is_like_a_missing_one(self, tenant, made):
        owner = tenant.owner.client
        elsewhere = add_note(owner, new_contact(owner)["id"])
        answers = [
            owner.delete(f"{CONTACTS}/{made}/notes/{each}") for each in (elsewhere, ids.new("note"), "meta", "é")
        ]
        assert {answer.status for answer in answers} == {404}
        assert len({without_request_id(answer) for answer in answers}) == 1
        assert contact(owner, made)
