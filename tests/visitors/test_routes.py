"""Visitors, as agents see them: list and retrieve."""

import pytest

from chalicelib.core import ids
from tests.support.answers import pages, without_request_id
from tests.support.chats import dispatch_all, new_chat, new_site, new_test_site
from tests.support.clocks import later
from tests.support.tenants import anonymous, new_key, new_member, new_tenant

URL = "/v1/visitors"


class TestList:
    def test_anonymous_visitors_and_keys_without_the_scope_are_refused(self):
        tenant = new_site()
        assert anonymous().get(URL).status == 401
        assert new_chat(tenant).client.get(URL).code == "wrong_credential"
        assert new_key(tenant, scopes=["messages:read"]).get(URL).code == "insufficient_scope"

    def test_newest_first_each_once_with_the_true_total(self, services):
        tenant = new_site()
        made = [new_chat(tenant).visitor_id for _ in range(5)]
        viewer = new_member(tenant, "viewer").client
        assert viewer.get(f"{URL}?limit=2").json["pagination"]["total"] >= 3
        dispatch_all(services)
        seen = []
        for page in pages(viewer, f"{URL}?limit=2"):
            assert page["pagination"]["total"] == 5
            seen += [row["id"] for row in page["data"]]
        assert seen == made[::-1]
        assert [row["id"] for row in viewer.get(f"{URL}?offset=3").json["data"]] == made[1::-1]

    def test_another_tenants_and_test_data_are_not_in_it(self):
        tenant = new_site()
        live = new_chat(tenant)
        key, tester = new_test_site(tenant)
        assert [row["id"] for row in tenant.owner.client.get(URL).json["data"]] == [live.visitor_id]
        assert [row["id"] for row in key.get(URL).json["data"]] == [tester.visitor_id]
        assert new_tenant().owner.client.get(URL).json["data"] == []

    def test_bad_input_names_every_field(self):
        answer = new_tenant().owner.client.get(f"{URL}?limit=0&offset=x&cursor=&name=x")
        assert (answer.status, answer.params) == (422, {"limit", "offset", "name"})


class TestRetrieve:
    def test_anonymous_visitors_and_keys_without_the_scope_are_refused(self):
        tenant = new_site()
        chat = new_chat(tenant)
        url = f"{URL}/{chat.visitor_id}"
        assert anonymous().get(url).status == 401
        assert chat.client.get(url).code == "wrong_credential"
        assert new_key(tenant, scopes=["messages:read"]).get(url).code == "insufficient_scope"
        assert new_key(tenant, scopes=["visitors:read"]).get(url).status == 200

    def test_another_tenants_is_like_a_missing_one(self):
        tenant = new_site()
        chat, stranger = new_chat(tenant), new_tenant().owner.client
        found = chat.begin()
        foreign = stranger.get(f"{URL}/{chat.visitor_id}")
        assert foreign.status == 404
        for other in (ids.new("vis"), found, "x", "%ED%A0%80"):
            assert without_request_id(stranger.get(f"{URL}/{other}")) == without_request_id(foreign)
        assert tenant.owner.client.get(f"{URL}/{found}").status == 404

    def test_it_shows_what_the_browser_told(self):
        tenant = new_site()
        seen = {"page_url": "https://www.example.com/a", "referrer_url": "https://search.test/", "locale": "de-AT"}
        chat = new_chat(tenant, **seen)
        shown = tenant.owner.client.get(f"{URL}/{chat.visitor_id}").json
        named = (
            "id name email contact_id token context page_url referrer_url user_agent ip locale first_seen_at "
            "last_seen_at online blocked verified"
        )
        assert set(shown) == set(named.split())
        assert shown | seen | {"ip": "203.0.113.7", "online": True, "blocked": False, "context": {}} == shown
        with later(600_000):
            assert tenant.owner.client.get(f"{URL}/{chat.visitor_id}").json["online"] is False

    @pytest.mark.parametrize("url", ["javascript:alert(1)", "java\tscript:a()", "data:text/html,x", "x", "//e.test/"])
    def test_an_address_that_is_no_web_pages_is_left_out(self, url):
        tenant = new_site()
        chat = new_chat(tenant, page_url=url, referrer_url=url)
        shown = tenant.owner.client.get(f"{URL}/{chat.visitor_id}").json
        assert (shown["page_url"], shown["referrer_url"]) == (None, None)
        assert tenant.owner.client.get(f"/v1/conversations/{chat.begin()}").json["page_url"] is None
        chat.client.put("/widget/v1/context", {"page_url": "https://www.example.com/b"})
        assert chat.client.put("/widget/v1/context", {"page_url": url, "referrer_url": url}).status == 200
        shown = tenant.owner.client.get(f"{URL}/{chat.visitor_id}").json
        assert (shown["page_url"], shown["referrer_url"]) == ("https://www.example.com/b", None)

    def test_the_token_is_no_credential(self):
        tenant = new_site()
        chat = new_chat(tenant)
        token = tenant.owner.client.get(f"{URL}/{chat.visitor_id}").json["token"]
        assert anonymous().using(token, Origin="https://www.example.com").get("/widget/v1/conversations").status == 401


@pytest.mark.parametrize(
    "name",
    [
        "country",
        "Country",
        "countryCode",
        "country_code",
        "ip",
        "IP",
        "ipAddress",
        "ip-address",
        "lat",
        "lng",
        "latitude",
        "time_zone",
        "timeZone",
        "postalCode",
        "zip",
        "region",
        "region_name",
        "City",
    ],
)
def test_where_somebody_is_is_dropped_however_it_is_spelled(name: str):
    from chalicelib.visitors.models import without_geolocation

    kept = {"plan": "pro", "ipso": 1, "citrus": 2, "nested": [{"a": {"b": 1}}]}
    assert without_geolocation({**kept, name: 1, "deep": [{"x": {name: [1]}}]}) == {**kept, "deep": [{"x": {}}]}
