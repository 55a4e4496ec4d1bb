"""Contacts to and from CSV files, through the API."""

from typing import Any

import pytest

from chalicelib.core import ids
from tests.support.answers import rows
from tests.support.chats import new_chat, new_site
from tests.support.client import Client
from tests.support.clocks import later
from tests.support.contacts import CONTACTS, found, merged, new_company, new_contact
from tests.support.csv_files import (
    EXPORT,
    IMPORT,
    ended,
    exported,
    file_of,
    imported,
    rows_of,
    start_import,
    uploaded_csv,
)
from tests.support.files import png, posted, uploaded
from tests.support.tenants import Organisation, anonymous, new_key, new_member, new_tenant


@pytest.fixture
def tenant() -> Organisation:
    return new_tenant()


@pytest.fixture
def owner(tenant: Organisation) -> Client:
    return tenant.owner.client


def everybody(client: Client) -> list[dict[str, Any]]:
    return rows(client, f"{CONTACTS}?limit=100")


class TestImport:
    def test_anonymous_and_visitors_are_refused(self):
        assert anonymous().post(IMPORT, {"file_id": "x"}).status == 401
        assert new_chat(new_site()).client.post(IMPORT, {"file_id": "x"}).code == "wrong_credential"

    def test_agents_are_refused_and_keys_need_both_scopes(self, services, tenant, owner):
        file_id = uploaded_csv(owner, services, "name\nKim\n")
        assert new_member(tenant, "agent").client.post(IMPORT, {"file_id": file_id}).code == "insufficient_role"
        assert new_member(tenant, "admin").client.post(IMPORT, {"file_id": file_id}).status == 202
        for scopes, status in (
            (["contacts:write"], 403),
            (["files:read"], 403),
            (["contacts:write", "files:read"], 202),
        ):
            assert new_key(tenant, scopes=scopes).post(IMPORT, {"file_id": file_id}).status == status

    def test_another_tenants_file_is_like_a_missing_one(self, services, owner):
        foreign = uploaded_csv(new_tenant().owner.client, services, "name\nKim\n")
        answers = [owner.post(IMPORT, {"file_id": each}) for each in (foreign, ids.new("fil"), "é")]
        assert {answer.status for answer in answers} == {422}
        assert len({answer.json["error"]["message"] for answer in answers}) == 1

    def test_rows_become_contacts(self, services, owner):
        company = new_company(owner)["id"]
        owner.post("/v1/custom-attributes", {"key": "seats", "label": "Seats", "type": "number"})
        owner.post("/v1/custom-attributes", {"key": "vip", "label": "VIP", "type": "boolean"})
        job = imported(
            owner,
            services,
            "name,email,phone,company_id,external_id,is_primary,custom_attributes.seats,custom_attributes.vip,custom_attributes\r\n"
            f'"Ferreira, Ana",ANA@example.com,+49 30 1234567,{company},7,yes,12,no,"{{""plan"": ""pro""}}"\r\n'
            f"Kim,,,{company},,,,,\r\n",
        )
        assert job["result"] == {"created": 2}
        assert job["download_url"] is None
        assert job["progress"]["done"] == 2
        kim, ana = everybody(owner)
        assert (kim["name"], kim["number"], kim["company_id"]) == ("Kim", 2, company)
        wanted = {
            "number": 1,
            "name": "Ferreira, Ana",
            "email": "ana@example.com",
            "phone": "+49301234567",
            "external_id": "7",
            "is_primary": True,
            "custom_attributes": {"plan": "pro", "seats": 12, "vip": False},
        }
        assert ana.items() >= wanted.items()
        assert found(owner, "ferr acme") == {"Ferreira, Ana"}

    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    @pytest.mark.parametrize("mark", ["", "\ufeff"])
    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    def test_the_dialects_of_spreadsheets_are_understood(self, services, owner, delimiter, mark, end):
        lines = [["name", "notes"], ["Zoë", '"two\nlines, ""quoted"""'], ["Kim", '";,"']]
        text = mark + end.join(delimiter.join(line) for line in lines)
        for options in ({}, {"delimiter": delimiter}):
            assert imported(owner, services, text, **options)["result"] == {"created": 2}
        assert {(row["name"], row["notes"]) for row in everybody(owner)} == {
            ("Zoë", 'two\nlines, "quoted"'),
            ("Kim", ";,"),
        }

    def test_columns_can_be_named(self, services, owner):
        job = imported(
            owner,
            services,
            "Kunde;Adresse;Nr;Tarif;Rest\nKim;kim@example.com;7;pro;x\n",
            columns={"Kunde": "name", "Adresse": "email", "Tarif": "custom_attributes.plan", "Nr": None},
        )
        assert job["result"] == {"created": 1}
        (kim,) = everybody(owner)
        assert (kim["name"], kim["email"], kim["external_id"]) == ("Kim", "kim@example.com", None)
        assert kim["custom_attributes"] == {"plan": "pro"}

    def test_every_bad_column_is_named_before_anything_is_imported(self, services, owner):
        answer = start_import(owner, services, "Name,Colour,name,Shoe size\nKim,red,K,40\n")
        assert {error["param"] for error in answer.json["error"]["errors"]} == {"columns.Colour", "columns.Shoe size"}
        answer = start_import(owner, services, "Name,name\nKim,K\n")
        assert answer.json["error"]["errors"][0]["code"] == "duplicate_column"
        answer = start_import(owner, services, "a,b\n1,2\n", columns={"a": "nmae", "b": "email"})
        assert [error["param"] for error in answer.json["error"]["errors"]] == ["columns.a"]
        answer = start_import(owner, services, "a,b\n1,2\n", columns={"c": "name"})
        assert answer.json["error"]["errors"][0]["param"] == "columns.c"
        answer = start_import(owner, services, "phone,title\n1,2\n")
        assert answer.json["error"]["errors"][0]["param"] == "columns"
        assert everybody(owner) == []

    @pytest.mark.parametrize(
        "data", ["name\nKim\n".encode("utf-16"), b"\xff\xfename", b"\n\n", b'"name\nKim\n', b"\xfcname\nKim\n"]
    )
    def test_what_has_no_readable_first_line_is_refused(self, services, owner, data):
        answer = start_import(owner, services, data)
        assert (answer.status, answer.json["error"]["param"]) == (422, "file_id")

    def test_what_is_no_csv_is_refused(self, services, owner):
        picture = uploaded(owner, png(), "a.png")["id"]
        assert owner.post(IMPORT, {"file_id": picture}).json["error"]["errors"][0]["code"] == "not_csv"
        pending = posted(services, owner, b"name\nKim\n", "a.csv", "text/csv")
        assert owner.post(IMPORT, {"file_id": pending}).json["error"]["errors"][0]["code"] == "not_ready"

    def test_bad_fields_are_listed(self, owner):
        answer = owner.post(IMPORT, {"on_duplicate": "replace", "colour": 1, "delimiter": "|"})
        assert {each["param"] for each in answer.json["error"]["errors"]} == {
            "file_id",
            "on_duplicate",
            "colour",
            "delimiter",
        }

    def test_refused_rows_are_listed_by_line_and_column_and_the_others_taken(self, services, owner):
        text = (
            "Name,E-mail,external_id,custom_attributes,notes\n"
            "Kim,kim@example.com,1,,\n"
            "Bo,not an address,,[],\n"
            'Two,two@example.com,,,"two\nlines"\n'
            ",,,,\n"
            "\n"
            'x"y,"z"w,,\n'
            "Lee,kim@example.com,2,\n"
            "Too,many@example.com,3,,,more\n"
            "Few\n"
            "'=Di,di@example.com\n"
        )
        job = imported(owner, services, text.encode() + b"\xff,f@example.com,,\n,,x,,\n")
        assert job["result"] == {"created": 4, "refused": 6}
        assert {row["name"] for row in everybody(owner)} == {"Kim", "Two", "Few", "=Di"}
        told = {(row["line"], row["column"], row["code"]) for row in rows_of(services, job)}
        assert told == {
            ("3", "E-mail", "invalid_email"),
            ("3", "custom_attributes", "json_invalid"),
            ("8", "", "malformed"),
            ("9", "E-mail", "email_taken"),
            ("10", "", "too_many_cells"),
            ("13", "", "not_utf8"),
            ("14", "Name", "name_or_email_required"),
        }

    def test_a_quote_that_is_never_closed_spoils_its_own_line(self, services, owner):
        good = "".join(f"N{number},\n" for number in range(30))
        job = imported(owner, services, f'name,notes\n{good}Bad,"open\n{good}', on_duplicate="skip")
        assert job["result"] == {"created": 60, "refused": 1}
        assert [(row["line"], row["code"]) for row in rows_of(services, job)] == [("32", "unclosed_quote")]

    def test_a_quote_that_is_not_closed_within_64_kb_spoils_its_own_line(self, services, owner):
        job = imported(owner, services, 'name,notes\nBad,"open\n' + f"K,{'x' * 4000}\n" * 40)
        assert job["result"] == {"created": 40, "refused": 1}

    def test_a_line_beyond_64_kb_ends_it(self, services, owner):
        job = imported(owner, services, f"name,notes\nKim,\nLee,{'x' * 70_000}\nBo,\n")
        assert job["result"] == {"created": 1, "refused": 1}
        assert [(row["line"], row["code"]) for row in rows_of(services, job)] == [("3", "line_too_long")]

    def test_a_contact_that_is_there_is_updated_and_empty_cells_change_nothing(self, services, owner):
        new_contact(owner, "Kim", email="kim@example.com", external_id="1", title="CEO")
        new_contact(owner, "Lee", email="lee@example.com")
        new_contact(owner, "Bo", email="bo@example.com", external_id="3")
        text = "name,email,external_id,title\nKim L.,,1,\n,LEE@example.com,2,CTO\nBo,bo@example.com,3,\n"
        job = imported(owner, services, text)
        assert job["result"] == {"updated": 2, "unchanged": 1}
        shown = {(row["name"], row["email"], row["external_id"], row["title"]) for row in everybody(owner)}
        assert shown == {
            ("Kim L.", "kim@example.com", "1", "CEO"),
            ("Lee", "lee@example.com", "2", "CTO"),
            ("Bo", "bo@example.com", "3", None),
        }

    def test_a_contact_that_is_there_can_be_left_alone(self, services, owner):
        new_contact(owner, "Kim", email="kim@example.com")
        text = "name,email\nOther,kim@example.com\nLee,lee@example.com\nLee 2,lee@example.com\n"
        job = imported(owner, services, text, on_duplicate="skip")
        assert job["result"] == {"created": 1, "skipped": 2}
        assert {row["name"] for row in everybody(owner)} == {"Kim", "Lee"}

    def test_rows_that_have_to_do_with_each_other_follow_each_other(self, services, owner):
        text = (
            "name,email,external_id\n"
            "A,a@example.com,1\n"
            "A2,b@example.com,1\n"  # frees a@example.com
            "B,a@example.com,2\n"
            "B2,,2\n"
        )
        assert imported(owner, services, text)["result"] == {"created": 2, "updated": 2}
        shown = {(row["name"], row["email"], row["external_id"]) for row in everybody(owner)}
        assert shown == {("A2", "b@example.com", "1"), ("B2", "a@example.com", "2")}

    def test_a_merged_contact_takes_the_rows_of_both(self, services, owner):
        source = new_contact(owner, "Old", email="old@example.com", external_id="1")["id"]
        target = new_contact(owner, "New", email="new@example.com", external_id="2")["id"]
        merged(owner, services, source, target)
        job = imported(owner, services, "external_id,email,title\n1,old@example.com,CTO\n")
        assert job["result"] == {"updated": 1}
        (row,) = everybody(owner)
        assert (row["email"], row["external_id"], row["title"]) == ("new@example.com", "2", "CTO")

    def test_more_rows_than_a_window_has_are_all_taken_once(self, services, owner):
        lines = [f"N{n},n{n}@example.com,{'é' * (200 + n)}" for n in range(200)]
        job = imported(owner, services, "name,email,notes\n" + "\n".join(lines))
        assert job["result"] == {"created": 200}
        page = owner.get(f"{CONTACTS}?limit=1").json
        assert page["pagination"]["total"] == page["data"][0]["number"] == 200

    def test_a_file_that_is_deleted_meanwhile_ends_it(self, services, owner):
        file_id = uploaded_csv(owner, services, "name\n" + "Kim\n" * 3)
        answer = owner.post(IMPORT, {"file_id": file_id})
        assert owner.delete(f"/v1/files/{file_id}").status == 204
        job = ended(owner, services, answer)
        assert [(row["line"], row["code"]) for row in rows_of(services, job)] == [("2", "file_deleted")]

    def test_test_data_stays_by_itself(self, services, tenant, owner):
        key = new_key(tenant, mode="test")
        assert imported(key, services, "name\nKim\n")["result"] == {"created": 1}
        assert everybody(owner) == []
        assert [row["name"] for row in exported(key, services)] == ["Kim"]


class TestExport:
    def test_anonymous_and_visitors_are_refused(self):
        assert anonymous().post(EXPORT, {}).status == 401
        assert new_chat(new_site()).client.post(EXPORT, {}).code == "wrong_credential"

    def test_agents_are_refused_and_keys_need_the_scope(self, tenant):
        assert new_member(tenant, "agent").client.post(EXPORT, {}).code == "insufficient_role"
        assert new_key(tenant, scopes=["contacts:write"]).post(EXPORT, {}).code == "insufficient_scope"
        assert new_key(tenant, scopes=["contacts:read"]).post(EXPORT, {}).status == 202

    def test_another_tenants_contacts_are_not_in_it(self, services, owner):
        new_contact(new_tenant().owner.client)
        assert exported(owner, services) == []

    def test_the_file_is_for_admins_and_keys_that_may_read_contacts(self, services, tenant, owner):
        job = ended(owner, services, owner.post(EXPORT, {}))
        url = f"/v1/jobs/{job['id']}"
        assert job["download_url"]
        assert new_member(tenant, "admin").client.get(url).json["download_url"]
        assert new_member(tenant, "agent").client.get(url).json["download_url"] is None
        assert new_key(tenant, scopes=["jobs:read"]).get(url).json["download_url"] is None
        assert new_key(tenant, scopes=["jobs:read", "contacts:read"]).get(url).json["download_url"]
        with later(60_000):
            events = [row["data"] for row in owner.get("/v1/events?type=job.completed").json["data"]]
        assert [event["download_url"] for event in events] == [None]

    def test_the_file_is_there_for_a_day(self, services, tenant, owner):
        key = new_key(tenant)
        job = ended(owner, services, owner.post(EXPORT, {}))
        with later(86_300_000):
            assert key.get(f"/v1/jobs/{job['id']}").json["download_url"]
        with later(86_500_000):
            assert key.get(f"/v1/jobs/{job['id']}").json["download_url"] is None

    def test_what_a_contact_has_is_in_its_row(self, services, owner):
        company = new_company(owner)["id"]
        owner.post("/v1/custom-attributes", {"key": "vip", "label": "VIP", "type": "boolean"})
        made = new_contact(
            owner,
            "Ana, “the boss”",
            email="ana@example.com",
            phone="+49301234567",
            company_id=company,
            is_primary=True,
            notes='two\nlines, "quoted"',
            external_id="007",
            custom_attributes={"vip": True, "seats": 2, "plan": "pro"},
        )
        (row,) = exported(owner, services)
        assert row == {
            "id": made["id"],
            "number": "1",
            "name": "Ana, “the boss”",
            "email": "ana@example.com",
            "phone": "'+49301234567",
            "company_id": company,
            "company": "Acme Corporation",
            "title": "",
            "role": "",
            "is_primary": "true",
            "notes": 'two\nlines, "quoted"',
            "external_id": "007",
            "other_emails": "",
            "other_external_ids": "",
            "blocked": "false",
            "created_at": made["created_at"],
            "updated_at": made["updated_at"],
            "custom_attributes.vip": "true",
            "custom_attributes": '{"seats": 2, "plan": "pro"}',
        }

    @pytest.mark.parametrize(
        "text", ["=1+1", "+1", "-1", "@SUM(A1)", "'=1", "''=1", "'quoted", "\uff1d1", "=cmd|' /C calc'!A0"]
    )
    def test_no_cell_is_a_formula_and_a_file_read_back_says_the_same(self, services, owner, text):
        new_contact(owner, text, external_id=text, notes=text, title=text)
        job = ended(owner, services, owner.post(EXPORT, {}))
        (row,) = rows_of(services, job)
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "\uff1d")) for cell in row.values())
        other = new_tenant().owner.client
        assert imported(other, services, file_of(services, job))["result"] == {"created": 1}
        (back,) = everybody(other)
        assert {back[name] for name in ("name", "external_id", "notes", "title")} == {text}

    def test_filters_are_those_of_the_list(self, services, owner):
        company = new_company(owner)["id"]
        new_contact(owner, "Ana", email="ana@example.com", company_id=company)
        new_contact(owner, "Kim", email="kim@example.com", company_id=company)
        new_contact(owner, "Lee", external_id="7")
        for filters, names in (
            ({}, ["Lee", "Kim", "Ana"]),
            ({"company_id": company}, ["Kim", "Ana"]),
            ({"search": "ana"}, ["Ana"]),
            ({"email": "KIM@example.com"}, ["Kim"]),
            ({"external_id": "7"}, ["Lee"]),
        ):
            assert [row["name"] for row in exported(owner, services, **filters)] == names
        assert owner.post(EXPORT, {"search": "-"}).json["error"]["param"] == "search"
        assert owner.post(EXPORT, {"limit": 1}).json["error"]["errors"][0]["code"] == "unknown_field"

    def test_a_file_is_put_together_from_parts_and_nothing_is_left_of_what_it_was_made_of(
        self, services, tenant, owner, monkeypatch
    ):
        from chalicelib.files import outputs
        from tests.support import objects
        from tests.support.contacts import rows_left

        monkeypatch.setattr(outputs, "PART_BYTES", 20_000)
        monkeypatch.setattr(objects, "LEAST_PART", 20_000)
        imported(owner, services, "name,notes\n" + "".join(f"N{n},{'é' * 200}\n" for n in range(250)))
        job = ended(owner, services, owner.post(EXPORT, {}))
        written = rows_of(services, job)
        assert [row["name"] for row in written] == [f"N{n}" for n in reversed(range(250))]
        assert len({row["id"] for row in written}) == 250
        assert services.objects.uploads == {}
        assert rows_left(tenant.id, job["id"]) == ["meta"]
