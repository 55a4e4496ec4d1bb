"""Contacts: list, create, upsert, retrieve, update, delete, block, merge; notes and custom attributes are beside."""

from itertools import pairwise
from typing import Any

import pytest

from chalicelib.core import ids
from tests.support.answers import pages, rows, without_request_id
from tests.support.chats import new_chat, new_site
from tests.support.contacts import (
    CONTACTS,
    add_note,
    contact,
    conversations_of,
    found,
    link_conversation,
    merge,
    merged,
    new_company,
    new_contact,
    notes_of,
    rows_left,
    unique_email,
)
from tests.support.queues import drain
from tests.support.tenants import Organisation, anonymous, new_key, new_member, new_tenant

ONE = CONTACTS + "/{id}"
READS: list[tuple[str, str, Any]] = [("GET", ONE, None), ("GET", f"{ONE}/notes", None)]
WRITES: list[tuple[str, str, Any]] = [
    ("PATCH", ONE, {"name": "New"}),
    ("POST", f"{ONE}/block", None),
    ("POST", f"{ONE}/unblock", None),
    ("POST", f"{ONE}/merge", {"into": "con_01JB3D2N6T8V4W5X7Y9Z0A1B2C"}),
    ("POST", f"{ONE}/notes", {"content": "hm"}),
    ("DELETE", f"{ONE}/notes/note_01JB3D2N6T8V4W5X7Y9Z0A1B2C", None),
    ("DELETE", ONE, None),
]
COLLECTION: list[tuple[str, str, Any]] = [
    ("GET", CONTACTS, None),
    ("POST", CONTACTS, {"name": "New"}),
    ("PUT", CONTACTS, {"external_id": "1", "name": "New"}),
]
FIELDS: dict[str, Any] = {
    "name": "Jürgen Müller",
    "phone": "+493012345",
    "title": "CEO",
    "role": "Decision maker",
    "is_primary": True,
    "notes": "Primary contact",
    "external_id": "crm-1",
    "custom_attributes": {"plan": "pro", "seats": 4.5, "tags": ["a"]},
}


@pytest.fixture
def tenant() -> Organisation:
    return new_tenant()


@pytest.fixture
def owner(tenant):
    return tenant.owner.client


class TestEveryOperation:
    @pytest.mark.parametrize(("method", "url", "body"), COLLECTION + READS + WRITES)
    def test_anonymous_and_visitors_are_refused(self, method, url, body):
        site = new_site()
        url = url.replace("{id}", new_contact(site.owner.client)["id"])
        assert anonymous().send(method, url, body).status == 401
        answer = new_chat(site).client.send(method, url, body)
        assert (answer.status, answer.code) == (403, "wrong_credential")

    @pytest.mark.parametrize(("method", "url", "body"), READS + WRITES)
    def test_another_tenants_is_like_a_missing_one(self, owner, method, url, body):
        stranger = new_tenant().owner.client
        foreign = stranger.send(method, url.replace("{id}", new_contact(owner)["id"]), body)
        missing = stranger.send(method, url.replace("{id}", ids.new("con")), body)
        odd = stranger.send(method, url.replace("{id}", "%C3%A9%00'x"), body)
        assert foreign.status == 404
        assert without_request_id(foreign) == without_request_id(missing) == without_request_id(odd)

    @pytest.mark.parametrize(("method", "url", "body"), COLLECTION[1:] + WRITES)
    def test_viewers_and_reading_keys_cannot_write(self, tenant, owner, method, url, body):
        url = url.replace("{id}", new_contact(owner)["id"])
        viewer, key = new_member(tenant, "viewer").client, new_key(tenant, scopes=["contacts:read"])
        assert viewer.send(method, url, body).code == "insufficient_role"
        assert key.send(method, url, body).code == "insufficient_scope"

    @pytest.mark.parametrize(("method", "url", "body"), [COLLECTION[0], *READS])
    def test_viewers_and_reading_keys_can_read_and_other_keys_cannot(self, tenant, owner, method, url, body):
        url = url.replace("{id}", new_contact(owner)["id"])
        viewer, key = new_member(tenant, "viewer").client, new_key(tenant, scopes=["contacts:read"])
        assert viewer.send(method, url, body).status == key.send(method, url, body).status == 200
        assert new_key(tenant, scopes=["visitors:read"]).send(method, url, body).code == "insufficient_scope"

    def test_test_data_is_apart(self, tenant, owner):
        tester = new_key(tenant, name="test", mode="test")
        email = unique_email()
        live, test = new_contact(owner, email=email), new_contact(tester, email=email)
        assert tester.get(f"{CONTACTS}/{live['id']}").status == owner.get(f"{CONTACTS}/{test['id']}").status == 404
        assert [row["id"] for row in rows(owner, f"{CONTACTS}?search=ana")] == [live["id"]]
        assert [row["id"] for row in rows(tester, f"{CONTACTS}?email={email}")] == [test["id"]]


class TestCreate:
    def test_it_answers_every_field(self, tenant, owner):
        company = new_company(owner)
        email = unique_email()
        answer = owner.post(CONTACTS, {**FIELDS, "email": email.upper(), "company_id": company["id"]})
        assert answer.status == 201
        body = answer.json
        assert body.items() >= {**FIELDS, "email": email, "company_id": company["id"], "blocked": False}.items()
        assert body["id"].startswith("con_")
        assert body["created_by"] == tenant.owner.user_id
        assert body["created_at"] == body["updated_at"]
        assert contact(owner, body["id"]) == body

    def test_numbers_count_up_from_one_in_each_tenant(self, owner):
        assert [new_contact(owner)["number"] for _ in range(3)] == [1, 2, 3]

    @pytest.mark.parametrize("body", [{"name": "Only a name"}, {"email": "only@example.com"}])
    def test_a_name_or_an_address_is_enough(self, owner, body):
        assert owner.post(CONTACTS, body).status == 201

    @pytest.mark.parametrize("body", [{}, {"phone": "+49301234"}, {"name": None, "email": None}])
    def test_neither_name_nor_address_is_refused(self, owner, body):
        answer = owner.post(CONTACTS, body)
        assert (answer.status, answer.code) == (422, "name_or_email_required")

    @pytest.mark.parametrize(
        ("body", "param"),
        [
            ({"name": ""}, "name"),
            ({"name": "x" * 201}, "name"),
            ({"email": "nobody"}, "email"),
            ({"name": "x", "phone": "030 1234567"}, "phone"),
            ({"name": "x", "phone": "+49 30 12345678901234567"}, "phone"),
            ({"name": "x", "phone": "+49 ABC DEFG"}, "phone"),
            ({"name": "x", "phone": "+٤٩٣٠١٢٣٤٥٦"}, "phone"),
            ({"name": "x", "company_id": "com_01JB3D2N6T8V4W5X7Y9Z0A1B2C"}, "company_id"),
            ({"name": "x", "company_id": ""}, "company_id"),
            ({"name": "x", "is_primary": "yes"}, "is_primary"),
            ({"name": "x", "external_id": "a\nb"}, "external_id"),
            ({"name": "x", "custom_attributes": [1]}, "custom_attributes"),
            ({"name": "x", "custom_attributes": {"a": "x" * 9000}}, "custom_attributes"),
            ({"name": "x", "number": 7}, "number"),
            ({"name": "x", "blocked": True}, "blocked"),
        ],
    )
    def test_a_bad_field_is_named(self, owner, body, param):
        answer = owner.post(CONTACTS, body)
        assert answer.status == 422
        assert answer.params == {param}

    @pytest.mark.parametrize(
        ("given", "stored"),
        [
            ("+1-555-0123", "+15550123"),
            ("0049 (0)30/12 34-56", "+4930123456"),
            ("+44 (0) 20 7946 0958", "+442079460958"),
        ],
    )
    def test_phone_numbers_are_stored_as_e164(self, owner, given, stored):
        answer = owner.post(CONTACTS, {"name": "x", "phone": given})
        assert answer.json["phone"] == stored

    @pytest.mark.parametrize(("field", "code"), [("email", "email_taken"), ("external_id", "external_id_taken")])
    def test_what_another_has_is_refused_with_that_ones_id(self, owner, field, code):
        value = unique_email()
        first = new_contact(owner, **{field: value})
        answer = owner.post(CONTACTS, {"name": "Other", field: value.upper() if field == "email" else value})
        assert (answer.status, answer.code) == (409, code)
        assert first["id"] in answer.json["error"]["message"]
        assert answer.json["error"]["param"] == field
        assert new_tenant().owner.client.post(CONTACTS, {"name": "Other", field: value}).status == 201

    def test_a_repeated_idempotency_key_makes_one(self, owner):
        body = {"name": "Once", "email": unique_email()}
        first, second = (owner.post(CONTACTS, body, Idempotency_Key="k") for _ in range(2))
        assert first.text == second.text
        assert second.headers["Idempotency-Replayed"] == "true"
        assert found(owner, "once") == {"Once"}
        assert len(rows(owner, f"{CONTACTS}?search=once")) == 1

    def test_it_is_an_event(self, services, owner):
        made = new_contact(owner, **FIELDS)
        drain(services)
        listed = owner.get(f"{CONTACTS}?limit=1").json
        assert listed["pagination"]["total"] == 1
        assert listed["data"] == [made]


class TestUpsert:
    def test_it_creates_then_changes_only_what_is_given(self, owner):
        first = owner.put(CONTACTS, {"external_id": "42", "name": "Kim", "title": "CEO"})
        second = owner.put(CONTACTS, {"external_id": "42", "name": "Kim Lee", "email": "kim@example.com"})
        assert (first.status, second.status) == (201, 200)
        wanted = {"id": first.json["id"], "name": "Kim Lee", "title": "CEO", "email": "kim@example.com"}
        assert second.json.items() >= wanted.items()

    def test_the_address_finds_one_without_an_external_id_and_gives_it_one(self, owner):
        made = new_contact(owner, email="a@example.com")
        answer = owner.put(CONTACTS, {"external_id": "7", "email": "A@example.com"})
        assert answer.json["id"] == made["id"]
        assert answer.json["external_id"] == "7"
        assert owner.put(CONTACTS, {"external_id": "7", "title": "x"}).json["id"] == made["id"]

    def test_the_address_of_one_with_another_external_id_is_refused(self, owner):
        made = new_contact(owner, email="a@example.com", external_id="1")
        answer = owner.put(CONTACTS, {"external_id": "2", "email": "a@example.com"})
        assert (answer.status, answer.code) == (409, "email_taken")
        assert made["id"] in answer.json["error"]["message"]

    def test_the_address_of_a_third_is_refused(self, owner):
        new_contact(owner, external_id="1")
        third = new_contact(owner, email="c@example.com")
        answer = owner.put(CONTACTS, {"external_id": "1", "email": "c@example.com"})
        assert (answer.status, answer.code) == (409, "email_taken")
        assert third["id"] in answer.json["error"]["message"]

    def test_the_same_again_changes_nothing(self, owner):
        body = {"external_id": "42", "name": "Kim", "custom_attributes": {"a": 1}}
        first = owner.put(CONTACTS, body)
        second = owner.put(CONTACTS, body)
        assert first.text == second.text
        assert (first.status, second.status) == (201, 200)
        assert first.headers["ETag"] == second.headers["ETag"]

    def test_it_needs_something_to_find_it_by(self, owner):
        answer = owner.put(CONTACTS, {"name": "Kim"})
        assert (answer.status, answer.params) == (422, {"external_id"})


class TestUpdate:
    def test_absent_fields_stay_and_null_clears(self, owner):
        made = new_contact(owner, email=unique_email(), title="CEO", phone="+4930123456")
        changed = owner.patch(f"{CONTACTS}/{made['id']}", {"title": None, "phone": "+4930654321"}).json
        assert changed == {**made, "title": None, "phone": "+4930654321", "updated_at": changed["updated_at"]}
        assert contact(owner, made["id"]) == changed

    def test_name_and_address_cannot_both_go(self, owner):
        made = new_contact(owner, email=unique_email())
        assert owner.patch(f"{CONTACTS}/{made['id']}", {"name": None}).status == 200
        assert owner.patch(f"{CONTACTS}/{made['id']}", {"email": None}).code == "name_or_email_required"

    def test_custom_attributes_are_set_key_by_key(self, owner):
        made = new_contact(owner, custom_attributes={"a": 1, "b": {"c": [1.5]}})
        changed = owner.patch(f"{CONTACTS}/{made['id']}", {"custom_attributes": {"a": None, "d": True}}).json
        assert changed["custom_attributes"] == {"b": {"c": [1.5]}, "d": True}

    def test_an_address_given_up_is_free_and_a_new_one_is_taken(self, owner):
        old, new = unique_email(), unique_email()
        made = new_contact(owner, email=old)
        assert owner.patch(f"{CONTACTS}/{made['id']}", {"email": new}).status == 200
        assert new_contact(owner, name="Next", email=old)["id"] != made["id"]
        assert owner.post(CONTACTS, {"email": new}).code == "email_taken"
        assert owner.patch(f"{CONTACTS}/{made['id']}", {"email": old}).code == "email_taken"
        assert contact(owner, made["id"])["email"] == new

    def test_if_match_is_honoured(self, owner):
        made = owner.post(CONTACTS, {"name": "Kim"})
        url, tag = f"{CONTACTS}/{made.json['id']}", made.headers["ETag"]
        assert owner.patch(url, {"title": "a"}, If_Match=tag).status == 200
        assert owner.patch(url, {"title": "b"}, If_Match=tag).status == 412
        assert owner.delete(url, If_Match=tag).status == 412
        assert contact(owner, made.json["id"])["title"] == "a"

    def test_the_event_tells_what_was_before(self, services, owner):
        from tests.support.clocks import later

        made = new_contact(owner, title="CEO")
        owner.patch(f"{CONTACTS}/{made['id']}", {"title": "CTO"})
        with later(60_000):
            (event,) = owner.get("/v1/events?type=contact.updated").json["data"]
        assert event["previous"] == {"title": "CEO"}
        assert event["data"]["title"] == "CTO"


class TestBlock:
    def test_blocking_and_unblocking_can_be_repeated(self, owner):
        url = f"{CONTACTS}/{new_contact(owner)['id']}"
        assert [owner.post(f"{url}/block").json["blocked"] for _ in range(2)] == [True, True]
        assert owner.get(url).json["blocked"]
        assert [owner.post(f"{url}/unblock").json["blocked"] for _ in range(2)] == [False, False]
        assert not owner.get(url).json["blocked"]


class TestDelete:
    def test_nothing_of_it_is_found_any_more(self, services, tenant, owner):
        company = new_company(owner)
        made = new_contact(owner, email="gone@example.com", external_id="9", company_id=company["id"])
        for number in range(25):
            add_note(owner, made["id"], str(number))
        assert owner.delete(f"{CONTACTS}/{made['id']}").status == 204
        drain(services)
        assert owner.get(f"{CONTACTS}/{made['id']}").status == 404
        assert owner.get(f"{CONTACTS}/{made['id']}/notes").status == 404
        assert owner.delete(f"{CONTACTS}/{made['id']}").status == 404
        for query in ("", "?search=ana", f"?company_id={company['id']}", "?email=gone@example.com", "?external_id=9"):
            assert owner.get(CONTACTS + query).json["data"] == []
        assert owner.get(CONTACTS).json["pagination"]["total"] == 0
        assert rows_left(tenant.id, made["id"]) == ["meta"]
        assert word_rows(tenant.id, "an") == []
        again = new_contact(owner, email="gone@example.com", external_id="9")
        assert again["number"] == 2

    def test_its_conversations_stay_without_it(self, services):
        site = new_site()
        owner, chat = site.owner.client, new_chat(site)
        made = new_contact(owner)
        ours = [link_conversation(site.id, chat.visitor_id, made["id"]) for _ in range(3)]
        assert conversations_of(owner, made["id"]) == set(ours)
        owner.delete(f"{CONTACTS}/{made['id']}")
        drain(services)
        assert conversations_of(owner, made["id"]) == set()
        for each in ours:
            assert owner.get(f"/v1/conversations/{each}").json["contact_id"] is None
            assert chat.say(each).status == 201

    def test_the_event_names_no_person(self, services, owner):
        from tests.support.clocks import later

        made = new_contact(owner, email="secret@example.com", external_id="7")
        owner.delete(f"{CONTACTS}/{made['id']}")
        with later(60_000):
            (event,) = owner.get("/v1/events?type=contact.deleted").json["data"]
        assert event["data"] == {"id": made["id"], "number": 1, "external_id": "7"}


class TestMerge:
    def test_the_one_that_stays_keeps_its_values_and_takes_what_it_lacks(self, services, owner):
        company = new_company(owner)
        source = new_contact(
            owner, **{**FIELDS, "email": "b@example.com", "company_id": company["id"], "title": "CTO", "notes": "b"}
        )
        target = new_contact(owner, "Ana", email="a@example.com", title="CEO", notes="a", custom_attributes={"plan": 1})
        merged(owner, services, source["id"], target["id"])
        stays = contact(owner, target["id"])
        wanted = {
            "id": target["id"],
            "name": "Ana",
            "email": "a@example.com",
            "title": "CEO",
            "notes": "a\n\nb",
            "phone": FIELDS["phone"],
            "external_id": "crm-1",
            "company_id": company["id"],
            "other_emails": ["b@example.com"],
            "other_external_ids": [],
            "custom_attributes": {**FIELDS["custom_attributes"], "plan": 1},
        }
        assert stays.items() >= wanted.items()

    def test_the_id_and_everything_else_of_the_merged_one_finds_the_one_that_stays(self, services, tenant, owner):
        source = new_contact(owner, "Jürgen", email="b@example.com", external_id="b")
        target = new_contact(owner, "Ana", email="a@example.com", external_id="a")
        merged(owner, services, source["id"], target["id"])
        assert contact(owner, source["id"]) == contact(owner, target["id"])
        for query in ("email=b@example.com", "external_id=b", "email=a@example.com", "search=b@exa"):
            assert [row["id"] for row in owner.get(f"{CONTACTS}?{query}").json["data"]] == [target["id"]], query
        assert owner.put(CONTACTS, {"external_id": "b", "title": "x"}).json["id"] == target["id"]
        stays = owner.put(CONTACTS, {"email": "b@example.com", "role": "y"}).json
        assert stays.items() >= {"id": target["id"], "email": "a@example.com", "external_id": "a"}.items()
        assert found(owner, "jurg") == set()
        assert word_rows(tenant.id, "ju") == []
        assert owner.get(CONTACTS).json["pagination"]["total"] == 1
        assert owner.post(CONTACTS, {"email": "b@example.com"}).code == "email_taken"

    def test_notes_and_conversations_follow(self, services):
        site = new_site()
        owner, chat = site.owner.client, new_chat(site)
        source, target = new_contact(owner, "A")["id"], new_contact(owner, "B")["id"]
        for number in range(45):
            add_note(owner, source, f"s{number}")
        add_note(owner, target, "t")
        ours = [link_conversation(site.id, chat.visitor_id, source) for _ in range(30)]  # more than a slice of steps
        own = link_conversation(site.id, chat.visitor_id, target)
        merged(owner, services, source, target)
        assert set(notes_of(owner, target)) == {"t", *(f"s{number}" for number in range(45))}
        assert notes_of(owner, source) == notes_of(owner, target)
        assert conversations_of(owner, target) == {own, *ours}
        assert conversations_of(owner, source) == set()
        assert {owner.get(f"/v1/conversations/{each}").json["contact_id"] for each in [*ours, own]} == {target}
        assert rows_left(site.id, source) == ["meta"]

    def test_the_job_tells_how_far_it_is(self, services, tenant, owner):
        source, target = new_contact(owner, "A")["id"], new_contact(owner, "B")["id"]
        add_note(owner, source)
        job = merge(owner, source, target)
        assert job.status == 202
        assert job.json.items() >= {"kind": "contact.merge", "status": "pending"}.items()
        assert job.json["progress"] == {"done": 0, "stage": 0, "stages": 4}
        drain(services)
        ended = new_member(tenant, "viewer").client.get(f"/v1/jobs/{job.json['id']}").json
        assert ended["status"] == "completed"
        assert ended["progress"] == {"done": 1, "stage": 4, "stages": 4}
        assert ended["completed_at"]

    def test_merging_again_answers_the_same_job_and_elsewhere_is_refused(self, services, owner):
        source, target, third = (new_contact(owner, name)["id"] for name in "ABC")
        first = merge(owner, source, target)
        assert merge(owner, source, target).json["id"] == first.json["id"]
        drain(services)
        assert merge(owner, source, target).json["id"] == first.json["id"]
        for answer in (merge(owner, source, third), merge(owner, third, source), merge(owner, target, source)):
            assert (answer.status, answer.code) == (409, "contact_merged")
            assert target in answer.json["error"]["message"]

    def test_changes_to_the_merged_one_are_refused_with_the_others_id(self, services, owner):
        source, target = new_contact(owner, "A")["id"], new_contact(owner, "B")["id"]
        merged(owner, services, source, target)
        for method, url, body in WRITES:
            if "merge" in url:
                continue
            answer = owner.send(method, url.replace("{id}", source), body)
            assert (answer.status, answer.code) == (409, "contact_merged"), url
            assert target in answer.json["error"]["message"]

    @pytest.mark.parametrize("ended", [True, False])
    def test_a_merge_into_what_is_then_merged_or_deleted_ends_there(self, services, ended):
        site = new_site()
        owner, chat = site.owner.client, new_chat(site)
        first, second, third = (new_contact(owner, name)["id"] for name in "ABC")
        add_note(owner, first, "from A")
        ours = link_conversation(site.id, chat.visitor_id, first)
        for source, target in ((first, second), (second, third)):
            assert merge(owner, source, target).status == 202
            if ended:
                drain(services)
        drain(services)
        assert contact(owner, first)["id"] == third
        assert notes_of(owner, third) == ["from A"]
        assert conversations_of(owner, third) == {ours}
        owner.delete(f"{CONTACTS}/{third}")
        drain(services)
        assert owner.get(f"{CONTACTS}/{first}").status == 404
        assert owner.get(f"/v1/conversations/{ours}").json["contact_id"] is None
        assert rows_left(site.id, third) == ["meta"]

    def test_a_deletion_of_the_target_before_the_job_runs_deletes_the_notes(self, services):
        site = new_site()
        owner, chat = site.owner.client, new_chat(site)
        source, target = new_contact(owner, "A", email="a@example.com")["id"], new_contact(owner, "B")["id"]
        add_note(owner, source)
        ours = link_conversation(site.id, chat.visitor_id, source)
        merge(owner, source, target)
        owner.delete(f"{CONTACTS}/{target}")
        drain(services)
        assert rows_left(site.id, source) == rows_left(site.id, target) == ["meta"]
        assert owner.get(f"/v1/conversations/{ours}").json["contact_id"] is None
        assert owner.post(CONTACTS, {"email": "a@example.com"}).status == 201

    @pytest.mark.parametrize(
        ("into", "code"), [("self", "invalid"), ("con_01JB3D2N6T8V4W5X7Y9Z0A1B2C", "not_found"), ("é#", "not_found")]
    )
    def test_what_cannot_be_merged_into_is_named(self, owner, into, code):
        made = new_contact(owner)["id"]
        answer = merge(owner, made, made if into == "self" else into)
        assert (answer.status, answer.params) == (422, {"into"})
        assert answer.json["error"]["errors"][0]["code"] == code

    def test_another_tenants_contact_is_no_target(self, owner):
        foreign = new_contact(new_tenant().owner.client)["id"]
        assert merge(owner, new_contact(owner)["id"], foreign).status == 422

    def test_the_largest_contacts_can_be_merged_and_deleted(self, services, owner):
        """A transaction takes 100 items: names, addresses and ids of two contacts must fit."""

        def big(letter: str, number: int) -> str:
            local = ".".join(f"{letter}{index}" for index in range(15)) + str(number)
            words = " ".join(f"{letter}{letter}{index}" for index in range(40))
            return str(
                new_contact(owner, words, email=f"{local}@d.e.f.example.com", external_id=local, phone="+49301234")[
                    "id"
                ]
            )

        target = big("a", 0)
        for number in range(1, 6):
            merged(owner, services, big("b", number), target)
        other = big("c", 0)
        for number in range(6, 11):
            merged(owner, services, big("d", number), other)
        assert merge(owner, other, target).code == "too_many_merged"
        assert owner.delete(f"{CONTACTS}/{target}").status == 204

    def test_who_merges_each_one_into_the_next_can_still_reach_the_first(self, services, owner):
        chain = [new_contact(owner, str(number))["id"] for number in range(13)]
        for source, target in pairwise(chain):
            merged(owner, services, source, target)
        assert contact(owner, chain[0])["id"] == chain[-1]

    @pytest.mark.parametrize(
        "kept",
        [{"notes": "\U0001f600" * 5000}, {"notes": "\x01" * 5000}, {"custom_attributes": {"k": "x" * 8100}}],
        ids=["notes", "escaped", "attributes"],
    )
    def test_merging_again_and_again_ends_before_a_row_or_event_is_too_large(self, services, owner, kept):
        target, source, answers = new_contact(owner, "Target", notes="mine")["id"], "", []
        for number in range(30):
            if "custom_attributes" in kept:
                kept = {"custom_attributes": {f"k{number}": "x" * 8100}}
            source = new_contact(owner, f"Source {number}", **kept)["id"]
            answers.append(merge(owner, source, target))
            if answers[-1].status != 202:
                break
        assert (answers[-1].status, answers[-1].code) == (409, "merged_too_large")
        assert contact(owner, source)["id"] == source
        drain(services)
        assert owner.patch(f"{CONTACTS}/{target}", {"notes": None}).status == 200

    def test_a_repeated_idempotency_key_answers_the_first_job(self, owner):
        source, target = new_contact(owner, "A")["id"], new_contact(owner, "B")["id"]
        first, second = (
            owner.post(f"{CONTACTS}/{source}/merge", {"into": target}, Idempotency_Key="m") for _ in range(2)
        )
        assert first.text == second.text
        assert second.headers["Idempotency-Replayed"] == "true"


def word_rows(tenant_id: str, letters: str) -> list[str]:
    """The sort keys of a partition of words."""
    from chalicelib.core.table import tenant_rows

    return [row["sk"] for row in tenant_rows(tenant_id).query(f"s#{letters}", consistent=True).items]


class TestList:
    def test_newest_come_first_and_pages_cover_all(self, services, owner):
        made = [new_contact(owner, str(number))["id"] for number in range(7)]
        drain(services)
        listed = list(pages(owner, f"{CONTACTS}?limit=3"))
        assert [row["id"] for page in listed for row in page["data"]] == made[::-1]
        assert {page["pagination"]["total"] for page in listed} == {7}
        assert [row["id"] for row in owner.get(f"{CONTACTS}?limit=3&offset=5").json["data"]] == made[1::-1]

    def test_a_companys_contacts(self, owner):
        company = new_company(owner)
        ours = [new_contact(owner, str(number), company_id=company["id"])["id"] for number in range(3)]
        new_contact(owner)
        listed = rows(owner, f"{CONTACTS}?company_id={company['id']}&limit=2")
        assert [row["id"] for row in listed] == ours[::-1]
        owner.patch(f"{CONTACTS}/{ours[0]}", {"company_id": None})
        assert len(rows(owner, f"{CONTACTS}?company_id={company['id']}&limit=2")) == 2
        assert rows(owner, f"{CONTACTS}?company_id=com_01JB3D2N6T8V4W5X7Y9Z0A1B2C&limit=2") == []

    def test_by_address_and_external_id(self, owner):
        made = new_contact(owner, email="kim@example.com", external_id="K/1 ü")
        new_contact(owner)
        for query in ("email=KIM@example.com", "external_id=K/1%20%C3%BC", "email=kim@example.com&search=ana"):
            answer = owner.get(f"{CONTACTS}?{query}").json
            assert [row["id"] for row in answer["data"]] == [made["id"]], query
            assert answer["pagination"]["total"] == 1
        for query in (
            "email=kim",
            "external_id=k",
            "email=kim@example.com&external_id=x",
            "email=kim@example.com&search=zz",
        ):
            assert owner.get(f"{CONTACTS}?{query}").json["data"] == [], query

    @pytest.mark.parametrize(
        ("query", "params"),
        [
            ("search=", {"search"}),
            ("search=a", {"search"}),
            ("search=%20-%20", {"search"}),
            ("search=" + "x" * 201, {"search"}),
            ("search=%00", {"search"}),
            ("email=", {"email"}),
            ("cursor=nonsense", {"cursor"}),
            ("search=ana&cursor=nonsense", {"cursor"}),
            ("search=ana&offset=10001", {"offset"}),
            ("nothing=1", {"nothing"}),
        ],
    )
    def test_bad_queries_are_named(self, owner, query, params):
        answer = owner.get(f"{CONTACTS}?{query}")
        assert (answer.status, answer.params) == (422, params)
