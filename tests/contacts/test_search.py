"""Searching contacts: what is found by which words, and what that costs."""

import random
from typing import Any

import pytest

from chalicelib.contacts import listing, store
from chalicelib.contacts.models import Contact
from chalicelib.contacts.words import fold, matches, split, terms_of, words_of
from chalicelib.core import ids
from chalicelib.core.errors import InvalidError
from chalicelib.events.models import NewEvent
from tests.support import crowd
from tests.support.answers import pages, rows
from tests.support.contacts import CONTACTS, found, new_company, new_contact
from tests.support.queues import drain
from tests.support.tenants import Organisation, new_key, new_tenant

MANY = 2_500  # more than a search reads; 10,000 cost the same and take a minute to put in
ACTOR = {"type": "user", "id": "usr_x"}


@pytest.fixture
def tenant() -> Organisation:
    return new_tenant()


@pytest.fixture
def owner(tenant):
    return tenant.owner.client


class TestWhatIsFound:
    @pytest.mark.parametrize(
        "search",
        [
            *("jurg", "jürg", "JÜRGEN", "Ju\u0308rg", "von", "müller-l", "lüdenscheidt", "straß", "STRASSE"),
            *("j.mul", "j.muller@Acme.co", "@acme", "acme.com", "acme com", "muller acme"),
            *("+49 (0)30 1234", "030/1234", "0049 30 12", "4930", "3012345678"),
            *("globex", "glob ju", "jürgen glob 'acme'"),
        ],
    )
    def test_by_the_beginning_of_each_word(self, owner, search):
        company = new_company(owner, "Globex Corp.")
        new_contact(
            owner,
            "Jürgen von Müller-Lüdenscheidt (Straße)",
            email="j.muller@acme.com",
            phone="+49 30 12345678",
            company_id=company["id"],
        )
        new_contact(owner, "Other", email="other@elsewhere.org", phone="+1 202 555 0123")
        assert found(owner, search) == {"Jürgen von Müller-Lüdenscheidt (Straße)"}

    @pytest.mark.parametrize(
        "search", ["ürgen", "urgen", "cme.com", "muller@", "jürgen xy", "2345678", "corp globex x"]
    )
    def test_not_by_a_word_s_middle_nor_when_one_word_is_missing(self, owner, search):
        company = new_company(owner, "Globex Corp.")
        new_contact(owner, "Jürgen", email="j.muller@acme.com", phone="+4930123456", company_id=company["id"])
        assert found(owner, search) == set()

    @pytest.mark.parametrize(
        ("name", "search"),
        [
            ("王小明", "王"),
            ("山田 太郎", "太"),
            ("김철수", "김철"),
            ("Ελένη Παπαδοπούλου", "ελενη"),
            ("Наталья Йовкова", "йовк"),
            ("محمد علي", "محم"),
            ("प्रिया शर्मा", "प्रि"),
            ("Þór Æsir", "þó"),
            ("Ａｎａ", "ana"),  # noqa: RUF001 - full-width letters
            ("İlker Işık", "ilk"),  # noqa: RUF001 - Turkish
            ("x" * 200, "x" * 150),
            ("agent 007", "007"),
            ("Ana 😀 B", "ana"),
        ],
    )
    def test_in_every_script(self, owner, name, search):
        new_contact(owner, name)
        new_contact(owner, "Somebody Else")
        assert found(owner, search) == {name}

    def test_a_contact_with_many_such_words_is_found_once_and_only_its_first_words_count(self, owner):
        names = [f"Ann Anna Annabel Annika {number}" for number in range(3)]
        for name in names:
            new_contact(owner, name, email=f"ann.{name[-1]}@anniversary.example")
        listed = rows(owner, f"{CONTACTS}?search=ann&limit=1")
        assert sorted(row["name"] for row in listed) == names
        long = " ".join(f"w{number}" for number in range(30))
        new_contact(owner, long)
        assert found(owner, "w19") == {long}
        assert found(owner, "w20") == set()

    def test_a_change_moves_it_to_its_new_words(self, owner):
        company = new_company(owner)
        made = new_contact(owner, "Kim Lee", email="kim@example.com", phone="+4930123456", company_id=company["id"])
        owner.patch(f"{CONTACTS}/{made['id']}", {"name": "Kim Park", "email": "park@example.org", "phone": None})
        for search in ("lee", "example.com", "kim@", "4930123456"):
            assert found(owner, search) == set(), search
        for search in ("kim", "park", "park@ex", "org", "acme kim"):
            assert found(owner, search) == {"Kim Park"}, search
        owner.patch(f"{CONTACTS}/{made['id']}", {"company_id": None})
        assert found(owner, "acme") == set()
        assert found(owner, "kim", company_id=company["id"]) == set()

    def test_within_a_company(self, owner):
        companies = [new_company(owner, name)["id"] for name in ("A", "B")]
        for each in companies:
            new_contact(owner, f"Kim of {each}", company_id=each)
        assert found(owner, "kim", company_id=companies[1]) == {f"Kim of {companies[1]}"}

    def test_never_another_tenants_nor_test_data(self, tenant, owner):
        new_contact(owner, "Kim Live")
        new_contact(new_key(tenant, name="test", mode="test"), "Kim Test")
        new_contact(new_tenant().owner.client, "Kim Foreign")
        assert found(owner, "kim") == {"Kim Live"}

    def test_a_company_s_new_name_is_followed_and_its_end_as_well(self, services, owner):
        company = new_company(owner, "Initech")
        for number in range(30):
            new_contact(owner, f"Kim {number}", company_id=company["id"])
        owner.patch(f"/v1/companies/{company['id']}", {"name": "Initrode"})
        drain(services)
        assert len(found(owner, "initrode")) == 30
        assert found(owner, "initech") == set()
        owner.delete(f"/v1/companies/{company['id']}")
        drain(services)
        assert found(owner, "initrode") == set()
        assert {row["company_id"] for row in rows(owner, f"{CONTACTS}?search=kim")} == {None}
        assert owner.get(f"{CONTACTS}?company_id={company['id']}").json["data"] == []


class TestPages:
    def test_a_search_for_two_words_agrees_with_looking_at_everybody(self, owner, monkeypatch):
        monkeypatch.setattr(listing, "ROWS_A_QUERY", 7)  # so that pages end in the middle of what a query read
        chance = random.Random(3)
        names = ["ann", "anna", "bea", "ben", "berta", "cleo"]
        made = {}
        for _ in range(60):
            name = " ".join(chance.choices(names, k=3))
            row = new_contact(owner, name)
            made[row["id"]] = name
        for search in ("an", "be", "be an", "cleo ann", "ber be", "b an"):
            wanted = {each for each, name in made.items() if matches(split(name), terms_of(search))}
            for limit in (1, 4, 100):
                listed = list(pages(owner, f"{CONTACTS}?search={search.replace(' ', '+')}&limit={limit}"))
                got = [row["id"] for page in listed for row in page["data"]]
                assert len(got) == len(set(got))
                assert set(got) == wanted, (search, limit)
                assert listed[-1]["pagination"]["total"] == len(wanted)
                assert not listed[-1]["pagination"]["total_capped"]

    def test_offsets_are_exact(self, owner):
        for number in range(30):
            new_contact(owner, f"Kim {number:02}")
        everybody = [row["id"] for row in owner.get(f"{CONTACTS}?search=kim&limit=100").json["data"]]
        for offset in (0, 7, 29, 30, 40):
            page = owner.get(f"{CONTACTS}?search=kim&limit=5&offset={offset}").json
            assert [row["id"] for row in page["data"]] == everybody[offset : offset + 5]
            assert page["pagination"]["total"] == 30

    def test_a_cursor_is_bound_to_its_search(self, owner):
        for number in range(3):
            new_contact(owner, f"Kim {number}")
        cursor = owner.get(f"{CONTACTS}?search=kim&limit=1").json["pagination"]["next_cursor"]
        for query in ("search=ki", "search=kim&company_id=x", ""):
            assert owner.get(f"{CONTACTS}?{query}&limit=1&cursor={cursor}".replace("?&", "?")).params == {"cursor"}


def fill(tenant_id: str, count: int) -> None:
    """Put contacts straight into the engine: through the API 10,000 would take minutes."""
    items = []
    for number in range(1, count + 1):
        known: dict[str, Any] = {"name": f"Kim Common {number}", "email": f"k{number}@x.example"}
        contact = Contact(tenant_id=tenant_id, id=ids.new("con"), number=number, created_at=1, updated_at=1, **known)
        event = NewEvent("contact.created", {}, ACTOR)
        writes = [*store.creating(contact, event), *store.claiming(contact)]
        items += [write.params["Item"] for write in writes if "#e#" not in write.key.sk]
    for item in items:
        item.pop("p_pk", None), item.pop("p_sk", None)
    crowd._write(items)


class TestCost:
    QUERIES = ("search=kim", "search=kim+common", "search=common+4711+kim", "email=k5@x.example", "")

    def test_the_calls_do_not_grow_with_the_contacts(self, services):
        calls = {}
        for count in (100, MANY):
            tenant = new_tenant()
            fill(tenant.id, count)
            for query in self.QUERIES:
                services.reset()
                answer = tenant.owner.client.get(f"{CONTACTS}?{query}")
                assert answer.status == 200
                assert answer.json["data"] or "4711" in query
                calls[count, query] = [name for service, name in services.calls if service == "dynamodb"]
        for query in self.QUERIES[:2] + self.QUERIES[3:]:
            assert calls[100, query] == calls[MANY, query]
        for (_, query), names in calls.items():
            assert names.count("query") <= 2
            if query.startswith("search"):
                # The first read is the authorizer's.
                assert [name for name in names[1:] if name != "query"] in (["batch_get_item"], [])

    def test_a_search_whose_words_are_common_ends_short_with_a_cursor(self, services, owner, monkeypatch):
        monkeypatch.setattr(listing, "ROWS_A_QUERY", 10)
        for number in range(60):
            new_contact(owner, f"Maximilian {number}")
        new_contact(owner, "Maximilian Z Wu")
        services.reset()
        page = owner.get(f"{CONTACTS}?search=maximilian+wu").json
        assert services.calls.count(("dynamodb", "query")) == 2
        assert page["pagination"]["has_more"]
        assert page["pagination"]["total_capped"]
        assert [row["name"] for row in rows(owner, f"{CONTACTS}?search=maximilian+wu")] == ["Maximilian Z Wu"]


class TestWords:
    def test_folding_twice_is_folding_once(self):
        for text in ("Straße", "İI", "ﬁ", "Ǆ", "Å", "ΐ", "𝔄", "ｶﾞ", "각", "Ⅳ"):  # noqa: RUF001
            assert fold(fold(text)) == fold(text), text

    @pytest.mark.parametrize("seed", range(20))
    def test_whatever_begins_a_word_finds_it(self, seed):
        chance = random.Random(seed)
        alphabet = "abcÄößéñøłİıЙёΆ王山가कि क़ー ーｱ  -.'’_#0189٣"  # noqa: RUF001
        name = "".join(chance.choices(alphabet, k=30))
        words = words_of(name, ["a.b@c.example"], None, None)
        for word in split(name)[:20]:
            for length in range(1, len(word) + 1):
                assert matches(words, [word[:length]])

    def test_nothing_to_look_up_is_refused(self):
        for search in ("a", "-", "@", "a b", "😀"):
            with pytest.raises(InvalidError):
                terms_of(search)
        assert terms_of("王") == ["王"]
