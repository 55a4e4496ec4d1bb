"""Canned responses: list, create, read, update, delete, render."""

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.canned_responses import store
from chalicelib.canned_responses.models import MAX_BYTES, MAX_CONTENT, MAX_RESPONSES, CannedResponse
from chalicelib.core import aws, ids, table
from tests.support.answers import rows, without_request_id
from tests.support.canned_responses import URL, new_canned_response, new_shortcut, rendered
from tests.support.chats import new_chat, new_site
from tests.support.client import Client
from tests.support.tenants import Organisation, anonymous, new_key, new_member, new_tenant
from tests.support.threads import at_once

LISTS: list[tuple[str, str, Any]] = [("GET", "", None), ("POST", "", {"shortcut": "/x", "content": "x"})]
READS: list[tuple[str, str, Any]] = [("GET", "/{id}", None)]
WRITES: list[tuple[str, str, Any]] = [
    ("PATCH", "/{id}", {"content": "New"}),
    ("POST", "/{id}/render", None),
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
    return new_canned_response(owner, "Hi {{visitor.name|there}}", title="Greeting")


def at(path: str, response_id: str) -> str:
    return URL + path.replace("{id}", response_id)


class TestEveryOperation:
    @pytest.mark.parametrize(("method", "path", "body"), LISTS + READS + WRITES)
    def test_anonymous_and_visitors_are_refused(self, found, method, path, body):
        assert anonymous().send(method, at(path, found["id"]), body).status == 401
        answer = new_chat(new_site()).client.send(method, at(path, found["id"]), body)
        assert (answer.status, answer.code) == (403, "wrong_credential")

    @pytest.mark.parametrize(("method", "path", "body"), READS + WRITES)
    def test_another_tenants_is_like_a_missing_one(self, owner, found, method, path, body):
        stranger = new_tenant().owner.client
        foreign = stranger.send(method, at(path, found["id"]), body)
        missing = stranger.send(method, at(path, ids.new("can")), body)
        odd = stranger.send(method, at(path, "%C3%A9%00'x"), body)
        assert foreign.status == 404
        assert without_request_id(foreign) == without_request_id(missing) == without_request_id(odd)
        assert owner.get(at("/{id}", found["id"])).json == found

    @pytest.mark.parametrize(("method", "path", "body"), [LISTS[1], *WRITES])
    def test_viewers_and_reading_keys_cannot_write(self, tenant, found, method, path, body):
        viewer = new_member(tenant, "viewer").client
        key = new_key(tenant, scopes=["canned_responses:read"])
        assert viewer.get(URL).json["data"] == key.get(URL).json["data"] == [found]
        assert viewer.get(at("/{id}", found["id"])).json == key.get(at("/{id}", found["id"])).json == found
        assert viewer.send(method, at(path, found["id"]), body).code == "insufficient_role"
        assert key.send(method, at(path, found["id"]), body).code == "insufficient_scope"

    @pytest.mark.parametrize(("method", "path", "body"), [LISTS[0], *READS])
    def test_a_key_without_the_scope_cannot_read(self, tenant, found, method, path, body):
        key = new_key(tenant, scopes=["messages:read"])
        assert key.send(method, at(path, found["id"]), body).code == "insufficient_scope"

    def test_an_agent_and_a_writing_key_can(self, tenant):
        for caller in (new_member(tenant, "agent").client, new_key(tenant, scopes=["canned_responses:write"])):
            made = new_canned_response(caller)["id"]
            for method, path, body in WRITES:
                assert caller.send(method, at(path, made), body).status in {200, 204}

    @pytest.mark.parametrize(("method", "path", "body"), READS + WRITES)
    def test_a_test_key_sees_its_own_only(self, tenant, owner, found, method, path, body):
        key = new_key(tenant, name="test", mode="test")
        made = new_canned_response(key, shortcut=found["shortcut"])
        assert key.get(URL).json["data"] == [made]
        assert owner.get(URL).json["data"] == [found]
        assert key.send(method, at(path, found["id"]), body).status == 404
        assert owner.send(method, at(path, made["id"]), body).status == 404
        assert key.send(method, at(path, made["id"]), body).status in {200, 204}
        assert owner.get(at("/{id}", found["id"])).json == found


class TestCreate:
    def test_only_shortcut_and_content_are_needed(self, tenant, owner):
        answer = owner.post(URL, {"shortcut": "/hello", "content": "Hi {{visitor.name|there}}\n{{agent.name}}"})
        assert answer.status == 201
        made = answer.json
        assert made["id"].startswith("can_")
        assert made["created_at"] == made["updated_at"]
        del made["id"], made["created_at"], made["updated_at"]
        assert made == {
            "shortcut": "/hello",
            "content": "Hi {{visitor.name|there}}\n{{agent.name}}",
            "title": None,
            "language": None,
            "tags": [],
            "variables": ["visitor.name", "agent.name"],
            "usage_count": 0,
            "created_by": {"type": "user", "id": tenant.owner.user_id},
        }

    def test_everything_given_is_kept(self, owner):
        made = new_canned_response(owner, title="Gruß", language="pt-BR", tags=["Sales", "b", "sales"])
        assert (made["title"], made["language"], made["tags"]) == ("Gruß", "pt-BR", ["sales", "b"])
        assert owner.get(at("/{id}", made["id"])).json == made

    @pytest.mark.parametrize("given", ["/order-late_2", "order-late_2", "  ORDER-Late_2 ", "/Order-LATE_2"])
    def test_a_shortcut_is_kept_in_one_way(self, owner, given):
        assert new_canned_response(owner, shortcut=given)["shortcut"] == "/order-late_2"

    @pytest.mark.parametrize("again", ["/hello", "hello", "HELLO", " /Hello"])
    def test_a_shortcut_is_taken_once_in_a_tenant(self, owner, again):
        first = new_canned_response(owner, shortcut="/hello")
        answer = owner.post(URL, {"shortcut": again, "content": "x"})
        assert (answer.status, answer.code) == (409, "shortcut_taken")
        assert answer.json["error"]["param"] == "shortcut"
        assert owner.get(URL).json["data"] == [first]
        assert new_canned_response(new_tenant().owner.client, shortcut=again)["shortcut"] == "/hello"

    def test_a_refused_one_takes_no_room(self, tenant, owner):
        new_canned_response(owner, shortcut="/hello", content="x" * 10)
        owner.post(URL, {"shortcut": "/hello", "content": "x"})
        assert quota(tenant) == (1, 16)

    @pytest.mark.parametrize(
        ("body", "params"),
        [
            ({}, {"shortcut", "content"}),
            ({"shortcut": None, "content": None}, {"shortcut", "content"}),
            ({"shortcut": "", "content": " "}, {"shortcut", "content"}),
            ({"shortcut": "/", "content": "x"}, {"shortcut"}),
            ({"shortcut": "//a", "content": "x"}, {"shortcut"}),
            ({"shortcut": "/a b", "content": "x"}, {"shortcut"}),
            ({"shortcut": "/a\n", "content": ["x"]}, {"content"}),
            ({"shortcut": "/ä", "content": "x"}, {"shortcut"}),
            ({"shortcut": "/\u212a", "content": "x"}, {"shortcut"}),  # the Kelvin sign: k in lower case
            ({"shortcut": "/" + "x" * 41, "content": "x"}, {"shortcut"}),
            ({"shortcut": "/a", "content": "x" * (MAX_CONTENT + 1)}, {"content"}),
            ({"shortcut": "/a", "content": "x", "title": "x" * 201}, {"title"}),
            ({"shortcut": "/a", "content": "x", "language": "german!"}, {"language"}),
            ({"shortcut": "/a", "content": "x", "tags": None}, {"tags"}),
            ({"shortcut": "/a", "content": "x", "tags": ["a"] * 21}, {"tags"}),
            ({"shortcut": "/a", "content": "x", "tags": ["", "x" * 51]}, {"tags.0", "tags.1"}),
            ({"shortcut": "/a", "content": "x", "usage_count": 5, "id": "can_1"}, {"usage_count", "id"}),
            ({"shortcut": "a b", "content": "{{who}}", "extra": 1}, {"shortcut", "content", "extra"}),
        ],
    )
    def test_every_bad_field_is_named(self, owner, body, params):
        answer = owner.post(URL, body)
        assert (answer.status, answer.params) == (422, params)
        assert owner.get(URL).json["data"] == []

    @pytest.mark.parametrize(
        ("content", "code", "named"),
        [
            ("Hi {{visitor.nam}} {{x}}", "unknown_variable", "{{visitor.nam}}, {{x}}"),
            ("Hi {{visitor.name", "malformed_variable", "}}"),
            ("{{agent.name}}" * 51, "too_many_variables", "50"),
        ],
    )
    def test_a_bad_variable_is_refused_by_name(self, owner, content, code, named):
        answer = owner.post(URL, {"shortcut": "/a", "content": content})
        assert answer.status == 422
        (error,) = answer.json["error"]["errors"]
        assert (error["param"], error["code"]) == ("content", code)
        assert named in error["message"]

    def test_an_idempotency_key_makes_it_once(self, owner):
        body, key = {"shortcut": "/once", "content": "x"}, ids.new_ulid()
        first = owner.post(URL, body, Idempotency_Key=key)
        again = owner.post(URL, body, Idempotency_Key=key)
        assert (first.status, again.status) == (201, 201)
        assert again.json == first.json
        assert again.headers["Idempotency-Replayed"] == "true"
        assert len(owner.get(URL).json["data"]) == 1

    def test_of_many_at_once_one_gets_the_shortcut(self, tenant, owner):
        answers = at_once(16, lambda: owner.post(URL, {"shortcut": "/race", "content": "x"}))
        assert sorted(answer.status for answer in answers) == [201] + [409] * 15
        assert {answer.code for answer in answers if answer.status == 409} == {"shortcut_taken"}
        assert len(owner.get(URL).json["data"]) == 1
        assert quota(tenant) == (1, 6)


class TestRoom:
    def test_there_is_room_for_so_many(self, tenant, owner, found):
        set_quota(tenant, MAX_RESPONSES - 1, 1000)
        new_canned_response(owner)
        answer = owner.post(URL, {"shortcut": new_shortcut(), "content": "x"})
        assert (answer.status, answer.code) == (409, "too_many_canned_responses")
        assert owner.patch(at("/{id}", found["id"]), {"content": "longer " * 10}).status == 200
        assert owner.delete(at("/{id}", found["id"])).status == 204
        new_canned_response(owner)

    def test_and_for_so_much_text(self, tenant, owner):
        made = new_canned_response(owner, shortcut="/a", content="é" * 100)  # 202 bytes
        set_quota(tenant, 1, MAX_BYTES - 10)
        answer = owner.post(URL, {"shortcut": "/b", "content": "x" * 9})  # 11 bytes
        assert (answer.status, answer.code) == (409, "too_many_canned_responses")
        longer = owner.patch(at("/{id}", made["id"]), {"content": "é" * 105 + "x"})
        assert (longer.status, longer.code) == (409, "too_many_canned_responses")
        assert owner.patch(at("/{id}", made["id"]), {"content": "é" * 105}).status == 200
        assert owner.patch(at("/{id}", made["id"]), {"content": "é"}).status == 200
        new_canned_response(owner, shortcut="/b", content="x" * 200)

    def test_it_is_counted_through_every_change(self, tenant, owner):
        made = new_canned_response(owner, shortcut="/abc", content="x" * 10, title="é", tags=["t"], language="de")
        assert quota(tenant) == (1, 19)
        owner.patch(at("/{id}", made["id"]), {"shortcut": "/a", "content": "xy", "title": None, "tags": []})
        assert quota(tenant) == (1, 6)
        owner.delete(at("/{id}", made["id"]))
        assert quota(tenant) == (0, 0)

    def test_the_largest_tenant_is_read_whole_in_one_query(self, services, tenant, owner):
        """Rows as large as the limits let them be, at the longest keys there are."""
        size = MAX_BYTES // MAX_RESPONSES
        for _ in range(MAX_RESPONSES):
            short = new_shortcut()
            tags = [f"{number:050}" for number in range(20)]
            left = size - len(short) - 1000 - 35
            response = CannedResponse(
                tenant.id, ids.new("can"), short, "x" * left, {"type": "api_key", "id": ids.new("key")}, 10**13, 10**13,
                title=None, language="x" * 35, tags=tags, usage_count=10**9, version=10**6,
            )  # fmt: skip
            assert response.size == size
            table.run(store.putting(response))
        services.reset()
        answer = owner.get(f"{URL}?limit=100")
        assert answer.json["pagination"]["total"] == MAX_RESPONSES
        assert services.calls.count(("dynamodb", "query")) == 1


class TestList:
    def test_it_is_empty_at_first_and_never_another_tenants(self, found):
        answer = new_tenant().owner.client.get(URL)
        assert answer.json["data"] == []
        assert answer.json["pagination"]["total"] == 0

    def test_pages_show_each_once_newest_first(self, owner):
        made = [new_canned_response(owner)["id"] for _ in range(5)]
        listed = [row["id"] for row in rows(owner, f"{URL}?limit=2")]
        assert listed == sorted(made, reverse=True)
        page = owner.get(f"{URL}?limit=2&offset=4").json
        assert [row["id"] for row in page["data"]] == listed[4:]
        assert page["pagination"]["total"] == 5

    @pytest.mark.parametrize(
        ("query", "shortcuts"),
        [
            ("search=/hel", ["/hello", "/help"]),
            ("search=HEL", ["/hello", "/help"]),
            ("search=gru", ["/hello"]),
            ("search=Gr%C3%BC%C3%9F", ["/hello"]),
            ("search=refund", ["/money", "/help"]),
            ("search=refund+policy", ["/money"]),
            ("search=nothing", []),
            ("search=", ["/hello", "/help", "/money"]),
            ("search=%20", ["/hello", "/help", "/money"]),
            ("tag=Sales", ["/money"]),
            ("tag=sal", []),
            ("language=DE", ["/hello"]),
            ("language=en", []),
            ("search=gru&tag=sales", []),
        ],
    )
    def test_it_is_searched_and_filtered(self, owner, query, shortcuts):
        new_canned_response(owner, shortcut="/hello", content="Grüße!", language="de")
        new_canned_response(owner, shortcut="/help", title="Refunds", content="x")
        new_canned_response(owner, shortcut="/money", content="Our refund policy", tags=["sales"])
        listed = owner.get(f"{URL}?{query}")
        assert {row["shortcut"] for row in listed.json["data"]} == set(shortcuts)
        assert listed.json["pagination"]["total"] == len(shortcuts)

    def test_a_search_is_paged_and_its_cursor_is_its_own(self, owner):
        made = {new_canned_response(owner, content="a refund")["id"] for _ in range(3)}
        new_canned_response(owner)
        assert {row["id"] for row in rows(owner, f"{URL}?limit=1&search=refund")} == made
        cursor = owner.get(f"{URL}?limit=1&search=refund").json["pagination"]["next_cursor"]
        assert owner.get(f"{URL}?limit=1&cursor={cursor}").params == {"cursor"}

    @pytest.mark.parametrize(
        ("query", "params"),
        [
            ("limit=0", {"limit"}),
            ("limit=101", {"limit"}),
            ("offset=-1", {"offset"}),
            ("cursor=nonsense", {"cursor"}),
            ("search=" + "x" * 101, {"search"}),
            ("search=a%00b", {"search"}),
            ("search=a&search=b", {"search"}),
            ("tag=", {"tag"}),
            ("language=%25", {"language"}),
            ("shortcut=/a", {"shortcut"}),
        ],
    )
    def test_a_bad_query_is_refused(self, owner, query, params):
        answer = owner.get(f"{URL}?{query}")
        assert (answer.status, answer.params) == (422, params)


class TestRead:
    def test_it_is_as_it_was_created_and_knows_when_it_has_not_changed(self, owner, found):
        answer = owner.get(at("/{id}", found["id"]))
        assert (answer.status, answer.json) == (200, found)
        assert owner.get(at("/{id}", found["id"]), If_None_Match=answer.headers["ETag"]).status == 304


class TestUpdate:
    def test_given_fields_change_and_the_others_stay(self, owner, found):
        url = at("/{id}", found["id"])
        changed = owner.patch(url, {"content": "New {{agent.name}}", "tags": ["a"]}).json
        times = {"updated_at": changed["updated_at"]}
        assert changed == found | times | {
            "content": "New {{agent.name}}",
            "variables": ["agent.name"],
            "tags": ["a"],
        }
        assert owner.patch(url, {"title": None}).json["title"] is None
        assert owner.get(url).json["title"] is None

    def test_what_changes_nothing_writes_nothing(self, services, owner, found):
        url = at("/{id}", found["id"])
        services.reset()
        same = {"shortcut": found["shortcut"].upper(), "content": found["content"], "title": found["title"]}
        assert owner.patch(url, same).json == found
        assert owner.patch(url, {}).json == found
        assert services.units == 0

    def test_a_new_shortcut_frees_the_old_one_at_once(self, owner, found):
        url = at("/{id}", found["id"])
        assert owner.patch(url, {"shortcut": "Other"}).json["shortcut"] == "/other"
        assert new_canned_response(owner, shortcut=found["shortcut"])["id"] != found["id"]
        assert owner.post(URL, {"shortcut": "/other", "content": "x"}).code == "shortcut_taken"
        assert owner.patch(url, {"shortcut": found["shortcut"]}).code == "shortcut_taken"
        assert owner.get(url).json["shortcut"] == "/other"

    @pytest.mark.parametrize(
        ("body", "params"),
        [
            ({"shortcut": None, "content": None, "tags": None}, {"shortcut", "content", "tags"}),
            ({"shortcut": "a b", "content": "{{x}}", "title": ""}, {"shortcut", "content", "title"}),
            ({"usage_count": 0, "created_by": {}}, {"usage_count", "created_by"}),
        ],
    )
    def test_every_bad_field_is_named(self, owner, found, body, params):
        answer = owner.patch(at("/{id}", found["id"]), body)
        assert (answer.status, answer.params) == (422, params)
        assert owner.get(at("/{id}", found["id"])).json == found

    def test_an_old_version_is_refused(self, owner, found):
        url = at("/{id}", found["id"])
        tag = owner.get(url).headers["ETag"]
        assert owner.patch(url, {"title": "One"}, If_Match=tag).status == 200
        assert owner.patch(url, {"title": "Two"}, If_Match=tag).code == "precondition_failed"
        assert owner.delete(url, If_Match=tag).code == "precondition_failed"
        assert owner.get(url).json["title"] == "One"

    def test_being_used_meanwhile_is_no_change(self, owner, found):
        url = at("/{id}", found["id"])
        tag = owner.get(url).headers["ETag"]
        rendered(owner, found["id"])
        assert owner.patch(url, {"title": "One"}, If_Match=tag).json["usage_count"] == 1

    def test_of_many_that_want_one_shortcut_at_once_one_gets_it(self, owner):
        waiting = [new_canned_response(owner)["id"] for _ in range(8)]
        answers = at_once(8, lambda: owner.patch(at("/{id}", waiting.pop()), {"shortcut": "/race"}))
        assert sorted(answer.status for answer in answers) == [200] + [409] * 7
        assert len(owner.get(f"{URL}?search=/race").json["data"]) == 1

    def test_changes_at_once_are_all_kept(self, tenant, owner, found):
        url = at("/{id}", found["id"])
        bodies = [{"title": "T"}, {"content": "C"}, {"tags": ["x"]}, {"language": "de"}, {"shortcut": "/s"}]
        answers = at_once(5, lambda: owner.patch(url, bodies.pop()))
        assert {answer.status for answer in answers} == {200}
        now = owner.get(url).json
        assert [now[name] for name in ("title", "content", "tags", "language", "shortcut")] == [
            *("T", "C", ["x"], "de", "/s")
        ]
        assert quota(tenant) == (1, 7)

    def test_swapping_under_contention_leaves_every_guard_right(self, tenant, owner):
        ids_ = [new_canned_response(owner, shortcut=name)["id"] for name in ("/a", "/b")]
        moves = [(one, short) for one in ids_ for short in ("/a", "/b", "/c", "/d")]
        at_once(8, lambda: owner.patch(at("/{id}", (move := moves.pop())[0]), {"shortcut": move[1]}))
        held = {row["shortcut"]: row["id"] for row in owner.get(URL).json["data"]}
        assert len(held) == 2
        for short in ("/a", "/b", "/c", "/d"):
            row = table.tenant_rows(tenant.id).get(f"u#shortcut#{short}", "-", consistent=True)
            assert (row or {}).get("id") == held.get(short)


class TestDelete:
    def test_it_is_gone_and_its_shortcut_free(self, owner, found):
        url = at("/{id}", found["id"])
        answer = owner.delete(url)
        assert (answer.status, answer.text) == (204, "")
        assert owner.get(url).status == owner.delete(url).status == owner.patch(url, {}).status == 404
        assert owner.get(URL).json["data"] == []
        new_canned_response(owner, shortcut=found["shortcut"])

    def test_nothing_of_it_stays_but_its_events(self, tenant, owner):
        made = new_canned_response(owner, shortcut="/gone")["id"]
        owner.delete(at("/{id}", made))
        view = table.tenant_rows(tenant.id)
        assert view.get("can", made) is view.get("u#shortcut#/gone", "-") is None

    def test_deleted_many_times_at_once_it_goes_once(self, tenant, owner, found):
        answers = at_once(8, lambda: owner.delete(at("/{id}", found["id"])))
        assert sorted(answer.status for answer in answers) == [204] + [404] * 7
        assert quota(tenant) == (0, 0)


class TestChangedBetweenReadingAndWriting:
    def test_an_update_is_made_to_what_is_there_by_then(self, tenant, owner, found):
        url = at("/{id}", found["id"])
        meanwhile(found["id"], lambda: owner.patch(url, {"title": "First"}))
        answer = owner.patch(url, {"content": "Second"})
        assert (answer.json["title"], answer.json["content"], answer.headers["ETag"]) == ("First", "Second", '"3"')

    def test_an_update_that_asked_for_a_version_is_refused(self, tenant, owner, found):
        url = at("/{id}", found["id"])
        meanwhile(found["id"], lambda: owner.patch(url, {"title": "First"}))
        assert owner.patch(url, {"content": "Second"}, If_Match='"1"').code == "precondition_failed"

    def test_a_deletion_gives_back_the_room_that_was_taken_by_then(self, tenant, owner, found):
        url = at("/{id}", found["id"])
        meanwhile(found["id"], lambda: owner.patch(url, {"content": "longer than it was at first"}))
        assert owner.delete(url).status == 204
        assert quota(tenant) == (0, 0)

    @pytest.mark.parametrize(("method", "path", "body"), WRITES)
    def test_what_was_deleted_is_not_found(self, tenant, owner, found, method, path, body):
        meanwhile(found["id"], lambda: owner.delete(at("/{id}", found["id"])))
        assert owner.send(method, at(path, found["id"]), body).status == 404
        assert table.tenant_rows(tenant.id).get("can", found["id"]) is None


class TestRender:
    def test_names_are_known_and_the_rest_is_given(self, tenant, owner):
        text = "Hi {{visitor.name|there}} <{{visitor.email}}>, #{{conversation.number}} {{agent.name}}, {{tenant.name}}"
        made = new_canned_response(owner, content=text)["id"]
        assert rendered(owner, made) == {
            "content": "Hi there <>, # Ada Lovelace, Acme",
            "missing": ["visitor.email", "conversation.number"],
        }
        given = {"visitor__name": "{{agent.name}} <b>", "visitor__email": "a@b.c", "conversation__number": 7}
        assert rendered(owner, made, **given, tenant__name="We") == {
            "content": "Hi {{agent.name}} <b> <a@b.c>, #7 Ada Lovelace, We",
            "missing": [],
        }

    def test_a_key_answers_under_its_author_name_and_test_data_under_the_tenants(self, tenant):
        for mode in ("live", "test"):
            key = new_key(tenant, name="Bot", author_name="Ada", mode=mode)
            made = new_canned_response(key, content="{{agent.name}} of {{tenant.name}}")["id"]
            assert rendered(key, made)["content"] == "Ada of Acme"

    def test_no_body_is_needed(self, owner, found):
        assert owner.post(at("/{id}/render", found["id"])).json == {"content": "Hi there", "missing": []}

    def test_each_use_is_counted_and_changes_nothing_else(self, owner, found):
        url = at("/{id}", found["id"])
        before = owner.get(url)
        for _ in range(3):
            rendered(owner, found["id"])
        after = owner.get(url)
        assert after.json == found | {"usage_count": 3}
        assert after.headers["ETag"] == before.headers["ETag"]

    def test_uses_at_once_are_all_counted(self, owner, found):
        assert {answer.status for answer in at_once(16, lambda: owner.post(at("/{id}/render", found["id"])))} == {200}
        assert owner.get(at("/{id}", found["id"])).json["usage_count"] == 16

    def test_with_an_idempotency_key_it_counts_once(self, owner, found):
        url, key = at("/{id}/render", found["id"]), ids.new_ulid()
        first, again = (owner.post(url, {}, Idempotency_Key=key) for _ in range(2))
        assert first.json == again.json
        assert again.headers["Idempotency-Replayed"] == "true"
        assert owner.get(at("/{id}", found["id"])).json["usage_count"] == 1

    @pytest.mark.parametrize(
        ("body", "params"),
        [
            ({"variables": None}, {"variables"}),
            ({"variables": {"visitor.nam": "x"}}, {"variables.visitor.nam"}),
            ({"variables": {"visitor_name": "x"}}, {"variables.visitor_name"}),
            ({"variables": {"visitor.name": 5, "conversation.number": 0}}, None),
            ({"variables": {"visitor.name": "x" * 255}}, {"variables.visitor.name"}),
            ({"conversation_id": "conv_1"}, {"conversation_id"}),
        ],
    )
    def test_a_bad_body_is_refused_and_not_counted(self, owner, found, body, params):
        answer = owner.post(at("/{id}/render", found["id"]), body)
        assert answer.status == 422
        assert answer.params == (params or {"variables.visitor.name", "variables.conversation.number"})
        assert owner.get(at("/{id}", found["id"])).json["usage_count"] == 0


class TestEvents:
    def test_each_change_is_recorded_with_it_and_a_use_is_not(self, tenant, owner):
        made = new_canned_response(owner, shortcut="/first")
        rendered(owner, made["id"])
        changed = owner.patch(at("/{id}", made["id"]), {"shortcut": "/second"}).json
        owner.delete(at("/{id}", made["id"]))
        entries = owner.get(f"{tenant.url}/audit-log?limit=3").json["data"]
        told = [(entry["action"], entry["changes"], entry["previous"]) for entry in reversed(entries)]
        assert told == [
            ("canned_response.created", made, {}),
            ("canned_response.updated", {"shortcut": "/second"}, {"shortcut": "/first"}),
            ("canned_response.deleted", changed, {}),
        ]
        assert {(e["actor"]["id"], e["target"]["id"]) for e in entries} == {(tenant.owner.user_id, made["id"])}


def quota(tenant: Organisation) -> tuple[int, int]:
    """How many canned responses and bytes are counted."""
    row = table.tenant_rows(tenant.id).get("quota", "can", consistent=True)
    assert row is not None
    return row["n"], row["bytes"]


def meanwhile(response_id: str, act: Callable[[], object]) -> None:
    """Let `act` happen right after the next time that somebody reads this canned response."""

    def interceptor(service: str, operation: str, params: aws.Params, proceed: aws.Proceed) -> aws.Params:
        answer = proceed()
        if f"'{response_id}'" in str(params) and "get_item" in operation and interceptor in aws.interceptors:
            aws.interceptors.remove(interceptor)
            act()
        return answer

    aws.interceptors.append(interceptor)


def set_quota(tenant: Organisation, count: int, size: int) -> None:
    table.run(table.tenant_rows(tenant.id).updating("quota", "can", set_={"n": count, "bytes": size}))
