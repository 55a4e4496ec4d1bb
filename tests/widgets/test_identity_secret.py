"""A widget's identity secret; what it proves is in `tests/visitors/test_identity.py`."""

import pytest

from chalicelib.core import ids
from chalicelib.core.aws import Params, Proceed
from tests.support.answers import without_request_id
from tests.support.clocks import later
from tests.support.faults import injected
from tests.support.tenants import Organisation, anonymous, new_key, new_member, new_tenant


@pytest.fixture
def tenant(services) -> Organisation:
    return new_tenant()


@pytest.fixture
def url(tenant) -> str:
    return f"/v1/widgets/{tenant.created['default_widget']['id']}/identity-secret"


@pytest.mark.parametrize("method", ["GET", "POST"])
class TestEveryOperation:
    def test_anonymous_agents_and_keys_without_the_scope_are_refused(self, tenant, url, method):
        assert anonymous().send(method, url).status == 401
        assert new_member(tenant, "agent").client.send(method, url).code == "insufficient_role"
        assert new_key(tenant, scopes=["domains:write"]).send(method, url).code == "insufficient_scope"
        assert new_member(tenant, "admin").client.send(method, url).status == 200

    def test_another_tenants_is_like_a_missing_one(self, tenant, url, method):
        stranger = new_tenant().owner.client
        missing = stranger.send(method, url.replace(url.split("/")[3], ids.new("wgt")))
        assert missing.status == 404
        for each in (url, "/v1/widgets/x/identity-secret"):
            assert without_request_id(stranger.send(method, each)) == without_request_id(missing)


class TestRotate:
    def test_it_is_shown_once_and_another_each_time(self, tenant, url):
        owner = tenant.owner.client
        assert owner.get(url).json == {"configured": False, "rotated_at": None, "previous_valid_until": None}
        first = owner.post(url)
        assert first.json["secret"].startswith("parley_is_")
        assert first.json["previous_valid_until"] is None
        second = owner.post(url, {"expire_previous_in": 3600})
        assert second.json["secret"] != first.json["secret"]
        assert second.json["previous_valid_until"] is not None
        status = owner.get(url)
        assert status.json == {name: value for name, value in second.json.items() if name != "secret"}
        key = new_key(tenant)
        with later(3_601_000):
            assert key.get(url).json["previous_valid_until"] is None
        assert owner.post(url, {"expire_previous_in": 0}).json["previous_valid_until"] is None

    def test_a_replay_does_not_show_it(self, tenant, url):
        first = tenant.owner.client.post(url, Idempotency_Key="k")
        again = tenant.owner.client.post(url, Idempotency_Key="k")
        assert again.json == first.json | {"secret": None}

    def test_it_is_stored_nowhere(self, tenant, url):
        sent: list[str] = []

        def watch(service: str, operation: str, params: Params, proceed: Proceed) -> Params:
            sent.append(f"{service} {operation} {params}")
            return proceed()

        with injected(watch):
            secret = tenant.owner.client.post(url, Idempotency_Key="k").json["secret"]
        assert any("identity_generation" in each for each in sent)
        assert not any(secret in each for each in sent)

    def test_it_is_in_the_audit_log_without_the_secret(self, tenant, url):
        secret = tenant.owner.client.post(url).json["secret"]
        log = tenant.owner.client.get(f"{tenant.url}/audit-log")
        assert log.json["data"][0]["action"] == "widget.identity_secret_rotated"
        assert secret not in log.text

    @pytest.mark.parametrize("value", [-1, 86_401, "1", None, True, 1.5])
    def test_bad_fields_are_named(self, tenant, url, value):
        answer = tenant.owner.client.post(url, {"expire_previous_in": value})
        assert (answer.status, answer.params) == (422, {"expire_previous_in"})
