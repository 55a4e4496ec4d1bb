"""The list of regions."""

from tests.support.regions import ABROAD, HOME, abroad, two_regions
from tests.support.tenants import anonymous


class TestListing:
    def test_anybody_may_see_where_to_sign_up(self, client):
        with two_regions():
            answer = client.get("/v1/regions")
        assert answer.status == 200
        assert answer.json["data"] == [
            {"code": "eu1", "base_url": HOME, "current": True},
            {"code": "us1", "base_url": ABROAD, "current": False},
        ]
        assert answer.json["pagination"]["total"] == 2

    def test_each_region_says_which_it_is(self, client):
        with abroad():
            assert [each["current"] for each in client.get("/v1/regions").json["data"]] == [False, True]

    def test_a_stack_alone_lists_itself(self, client):
        assert client.get("/v1/regions").json["data"] == [{"code": "eu1", "base_url": HOME, "current": True}]

    def test_it_is_paged_and_checked_as_all_lists_are(self, client):
        with two_regions():
            first = client.get("/v1/regions?limit=1").json
            second = client.get(f"/v1/regions?limit=1&cursor={first['pagination']['next_cursor']}").json
        assert [each["code"] for each in (*first["data"], *second["data"])] == ["eu1", "us1"]
        assert client.get("/v1/regions?limit=0&since=1").params == {"limit", "since"}

    def test_it_asks_nothing(self, services):
        services.reset()
        anonymous().get("/v1/regions")
        assert services.calls == []
