"""The pages a visitor has opened: what is kept of them, and who sees them."""

import pytest

from chalicelib.core import ids
from chalicelib.visitors.page_views import clean_url
from tests.support.answers import rows, without_request_id
from tests.support.chats import ORIGIN, Chat, new_chat, new_site, unique
from tests.support.clocks import later
from tests.support.queues import drain
from tests.support.tenants import Organisation, anonymous, new_key, new_member, new_tenant

VIEWS = "/widget/v1/page-views"


@pytest.fixture
def tenant() -> Organisation:
    return new_site()


@pytest.fixture
def chat(tenant: Organisation) -> Chat:
    return new_chat(tenant)


def seen_of(chat: Chat) -> str:
    return f"/v1/visitors/{chat.visitor_id}/page-views"


class TestView:
    def test_only_visitors_can(self, tenant):
        assert anonymous().post(VIEWS, {"url": ORIGIN}).status == 401
        assert tenant.owner.client.post(VIEWS, {"url": ORIGIN}).code == "wrong_credential"

    def test_a_view_is_kept_and_is_where_the_visitor_is_now(self, services, tenant, chat):
        drain(services)
        answer = chat.client.post(VIEWS, {"url": f"{ORIGIN}/prices#top", "title": "Prices", "referrer_url": ORIGIN})
        assert answer.status == 201
        assert (
            answer.json.items() >= {"url": f"{ORIGIN}/prices", "title": "Prices", "referrer_url": f"{ORIGIN}/"}.items()
        )
        assert not services.queues.get("events")  # no event tells of it
        assert rows(tenant.owner.client, seen_of(chat)) == [answer.json]
        assert tenant.owner.client.get(f"/v1/visitors/{chat.visitor_id}").json["page_url"] == f"{ORIGIN}/prices"

    def test_the_same_idempotency_key_notes_it_once(self, tenant, chat):
        key = unique()
        first, again = (chat.client.post(VIEWS, {"url": ORIGIN}, Idempotency_Key=key) for _ in range(2))
        assert first.json == again.json
        assert len(rows(tenant.owner.client, seen_of(chat))) == 1

    def test_the_newest_fifty_are_kept(self, tenant, chat):
        for number in range(53):
            assert chat.client.post(VIEWS, {"url": f"{ORIGIN}/{number}"}).status == 201
        found = [row["url"] for row in rows(tenant.owner.client, f"{seen_of(chat)}?limit=100")]
        assert found == [f"{ORIGIN}/{number}" for number in range(52, 2, -1)]
        first = tenant.owner.client.get(f"{seen_of(chat)}?limit=2").json
        after = tenant.owner.client.get(f"{seen_of(chat)}?limit=2&cursor={first['pagination']['next_cursor']}").json
        assert [row["url"] for row in (first["data"] + after["data"])] == found[:4]

    def test_bad_fields_are_listed(self, chat):
        answer = chat.client.post(VIEWS, {"url": "javascript:alert(1)", "title": "x" * 301, "at": 1})
        assert {each["param"] for each in answer.json["error"]["errors"]} == {"url", "title", "at"}
        assert chat.client.post(VIEWS, {}).json["error"]["errors"][0]["param"] == "url"


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        (
            "https://shop.example/a?token=secret&utm_source=mail&email=kim@example.com#x",
            "https://shop.example/a?utm_source=mail",
        ),
        ("https://kim:word@shop.example:8443", "https://shop.example:8443/"),
        ("http://[::1]:80/x?y", "http://[::1]:80/x"),
        ("HTTPS://Shop.Example/A", "https://shop.example/A"),
        ("ftp://shop.example/a", ""),
        ("https:///a", ""),
        ("https://a:b/", ""),
        ("https://[::1/", ""),
        ("/prices", ""),
    ],
)
def test_what_might_tell_of_a_person_is_cut_off(url, kept):
    assert clean_url(url) == kept


class TestList:
    def test_anonymous_callers_visitors_and_keys_without_the_scope_are_refused(self, tenant, chat):
        assert anonymous().get(seen_of(chat)).status == 401
        assert chat.client.get(seen_of(chat)).code == "wrong_credential"
        assert new_key(tenant, scopes=["contacts:read"]).get(seen_of(chat)).code == "insufficient_scope"
        assert new_member(tenant, "viewer").client.get(seen_of(chat)).status == 200

    def test_another_tenants_is_like_a_missing_one(self, chat):
        stranger = new_tenant().owner.client
        missing = f"/v1/visitors/{ids.new('vis')}/page-views"
        answers = [stranger.get(each) for each in (seen_of(chat), missing, "/v1/visitors/x/page-views")]
        assert {answer.status for answer in answers} == {404}
        assert len({without_request_id(answer) for answer in answers}) == 1

    def test_a_view_has_its_time(self, tenant, chat):
        with later(60_000):
            made = chat.client.post(VIEWS, {"url": ORIGIN}).json
            assert rows(tenant.owner.client, seen_of(chat))[0]["viewed_at"] == made["viewed_at"]
