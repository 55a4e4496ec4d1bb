"""Rate limits as callers meet them: which requests count against which limit, the headers, and the 429."""

import re

import pytest

from tests.support.chats import ORIGIN, new_chat, new_site, new_test_site
from tests.support.client import Answer
from tests.support.clocks import later
from tests.support.settings import changed
from tests.support.tenants import Organisation, anonymous, new_key, new_member, new_tenant

ITEM = re.compile(r'"(\w+)";(\w)=(\d+);(\w)=(\d+)')
ALL = ("user", "key", "visitor", "tenant", "tenant_visitor")
URL = "/v1/conversations"


@pytest.fixture
def tenant() -> Organisation:
    return new_site()


def limits(**values: int):
    """The limits, those not named far away."""
    return changed(**{f"{name}_REQUESTS".upper(): str(values.get(name, 100_000)) for name in ALL})


def items(header: str) -> dict[str, dict[str, int]]:
    """A header's policies by name: a list of strings with integer parameters."""
    found = {}
    for item in header.split(", "):
        match = ITEM.fullmatch(item)
        assert match, item
        name, *parameters = match.groups()
        found[name] = {parameters[0]: int(parameters[1]), parameters[2]: int(parameters[3])}
    return found


def left(answer: Answer, name: str) -> int:
    return items(answer.headers["RateLimit"])[name]["r"]


class TestHeaders:
    def test_an_answer_says_what_counts_and_what_is_left(self, tenant):
        key = new_key(tenant)
        with limits(key=1200, tenant=6000), later(0):
            first, second = key.get(URL), key.get(URL)
        assert items(first.headers["RateLimit-Policy"]) == {"key": {"q": 1200, "w": 60}, "tenant": {"q": 6000, "w": 60}}
        assert second.headers["RateLimit-Policy"] == first.headers["RateLimit-Policy"]
        assert (left(first, "key"), left(second, "key")) == (1199, 1198)
        assert (left(first, "tenant"), left(second, "tenant")) == (5999, 5998)
        assert 0 < items(first.headers["RateLimit"])["key"]["t"] <= 60

    def test_the_older_headers_tell_of_the_nearest_limit(self, tenant):
        key = new_key(tenant)
        with limits(key=1200, tenant=10), later(0):
            answer = key.get(URL)
        shown = [answer.headers[f"X-RateLimit-{name}"] for name in ("Limit", "Remaining", "Reset")]
        assert shown == ["10", "9", str(items(answer.headers["RateLimit"])["tenant"]["t"])]

    def test_refusals_count_and_say_so(self, tenant):
        viewer = new_member(tenant, "viewer").client
        with limits(user=100), later(0):
            answers = [
                viewer.get(URL),
                viewer.get(f"{URL}/nothing"),
                viewer.post(f"{URL}/x/close"),
                viewer.get(URL, X_Tenant_ID=new_tenant().id),
                viewer.get(f"{URL}?limit=0"),
            ]
        assert [answer.status for answer in answers] == [200, 404, 403, 404, 422]
        assert [left(answer, "user") for answer in answers] == [99, 98, 97, 96, 95]

    def test_a_tenant_that_is_not_ones_own_is_not_counted_against(self, tenant):
        stranger = new_tenant().owner.client
        with limits(tenant=5), later(0):
            for _ in range(9):
                answer = stranger.get(URL, X_Tenant_ID=tenant.id)
                assert "tenant" not in items(answer.headers["RateLimit"])
            assert left(tenant.owner.client.get(URL), "tenant") == 4

    def test_public_routes_have_none(self):
        with limits():
            assert "RateLimit" not in anonymous().get("/health").headers

    def test_other_sites_may_read_them(self, tenant):
        exposed = new_key(tenant).get(URL).headers["Access-Control-Expose-Headers"].split(",")
        assert {"RateLimit-Policy", "RateLimit", "X-RateLimit-Remaining", "Retry-After"} <= set(exposed)

    def test_without_limits_there_are_none(self, tenant):
        assert "RateLimit" not in new_key(tenant).get(URL).headers


class TestBeyondTheLimit:
    def test_the_answer_names_the_limit_and_when_it_begins_anew(self, tenant):
        key = new_key(tenant)
        with limits(key=3):
            with later(0):
                assert [key.get(URL).status for _ in range(5)] == [200, 200, 200, 429, 429]
                refused = key.get(URL)
            wait = int(refused.headers["Retry-After"])
            with later(wait * 1000):
                assert key.get(URL).status == 200
        assert (refused.code, refused.json["error"]["type"]) == ("rate_limited", "rate_limit_error")
        assert "3 in 60 seconds are the limit for this API key" in refused.json["error"]["message"]
        assert items(refused.headers["RateLimit"])["key"] == {"r": 0, "t": wait}

    @pytest.mark.parametrize("name", ["user", "tenant"])
    def test_a_users_and_the_tenants(self, tenant, name):
        agent = new_member(tenant, "agent").client
        with limits(**{name: 2}), later(0):
            assert [agent.get(URL).status for _ in range(3)] == [200, 200, 429]
            others = tenant.owner.client.get(URL).status
        assert others == (200 if name == "user" else 429)

    def test_one_tenants_crowd_leaves_another_alone(self, tenant):
        with limits(tenant=2), later(0):
            assert [tenant.owner.client.get(URL).status for _ in range(3)] == [200, 200, 429]
            assert new_tenant().owner.client.get(URL).status == 200

    def test_visitors_do_not_use_up_what_agents_need(self, tenant):
        chat = new_chat(tenant)
        with limits(tenant_visitor=2), later(0):
            assert [chat.client.get("/widget/v1/conversations").status for _ in range(3)] == [200, 200, 429]
            assert tenant.owner.client.get(URL).status == 200

    def test_a_visitor_is_held_whichever_conversation_he_writes_in(self, tenant):
        chat = new_chat(tenant)
        conversations = [chat.begin() for _ in range(4)]
        with limits(visitor=6), later(0):
            statuses = [chat.say(each, "spam").status for _ in range(3) for each in conversations]
        assert statuses == [201] * 6 + [429] * 6
        assert new_chat(tenant).client.get("/widget/v1/conversations").status == 200

    def test_a_visitors_site_may_read_the_answer(self, tenant):
        chat = new_chat(tenant)
        with limits(visitor=1), later(0):
            chat.begin()
            refused = chat.client.get("/widget/v1/conversations")
            elsewhere = chat.client.get("/widget/v1/conversations", Origin="https://elsewhere.example")
        assert refused.status == elsewhere.status == 429
        assert refused.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "Access-Control-Allow-Origin" not in elsewhere.headers

    def test_test_data_has_limits_of_its_own(self, tenant):
        tester, _ = new_test_site(tenant)
        with limits(tenant=2), later(0):
            assert [tester.get(URL).status for _ in range(3)] == [200, 200, 429]
            assert tenant.owner.client.get(URL).status == 200

    def test_routes_that_read_the_credential_anew_refuse_before_they_do(self, services, tenant):
        with limits(user=1), later(0):
            tenant.owner.client.get(URL)
            services.reset()
            assert tenant.owner.client.get("/v1/api-keys").status == 429
            authorizers = [("dynamodb", "batch_get_item")]
            assert services.calls == authorizers

    def test_it_is_not_kept_for_an_idempotency_key(self, tenant):
        key, body = new_key(tenant), {"name": "Shop"}
        with limits(key=1):
            with later(0):
                key.get(URL)
                assert key.post("/v1/widgets", body, Idempotency_Key="once").status == 429
            with later(60_000):
                made = key.post("/v1/widgets", body, Idempotency_Key="once")
        assert made.status == 201
        assert "Idempotency-Replayed" not in made.headers
