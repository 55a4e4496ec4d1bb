"""`tenants`: found by slug without a scan; listed by one that is bounded and says so."""

import pytest

from tests.support.aws import Services
from tests.support.operator import in_pages_of, parley
from tests.support.settings import changed
from tests.support.tenants import new_key, new_member, new_tenant


class TestFind:
    def test_by_slug_or_id_in_two_reads(self, services):
        tenant = new_tenant(name="Ada & Söhne")
        for named in (tenant.id, tenant.created["slug"]):
            services.reset()
            found = parley("tenants", "find", named, "--json").json
            assert (found["id"], found["name"]) == (tenant.id, "Ada & Söhne")
            assert services.calls == [("dynamodb", "get_item")] * 2

    @pytest.mark.parametrize("named", ["nobody-has-this", "tn_01M8HC3PFK0PM1MNG1PEQXGG5X"])
    def test_one_that_is_not_there(self, services, named):
        error = parley("tenants", "find", named, "--json", code=1).err
        assert named in error
        assert '"exit_code": 1' in error

    def test_another_regions_id_says_where_it_is(self, services):
        with changed(REGION="us1", API_URL="https://us1.test"):
            abroad = new_tenant()
        with changed(REGIONS='{"eu1": "https://api.test", "us1": "https://us1.test"}'):
            assert "https://us1.test" in parley("tenants", "find", abroad.id, code=1).err


def test_show_has_what_a_night_shift_needs(services):
    tenant = new_tenant()
    admin = new_member(tenant, "admin")
    new_member(tenant, "agent")
    new_key(tenant, name="k")
    shown = parley("tenants", "show", tenant.created["slug"], "--json").json
    assert (shown["id"], shown["members"], shown["api_keys"]) == (tenant.id, 3, 1)
    assert {each["email"] for each in shown["admins"]} == {tenant.owner.email, admin.email}
    assert admin.email in parley("tenants", "show", tenant.id).out


class TestList:
    def test_it_says_that_it_scans_what_that_cost_and_finds_all(self, services):
        tenants = {new_tenant().id for _ in range(3)}
        key = new_key(new_tenant(), name="t", mode="test")
        key.post("/v1/widgets", {"name": "test data is no tenant"})
        done = parley("tenants", "list", "--json", "--limit", "1000")
        assert tenants <= {row["id"] for row in done.json["data"]}
        assert all(row["id"].count("~") == 0 for row in done.json["data"])
        assert done.json["next"] is None
        assert done.json["read_units"] > 0
        assert "No index has this: reading the table parley-test-main" in done.err

    def test_it_stops_at_its_bound_and_goes_on_from_there(self, services: Services, monkeypatch):
        tenants = {new_tenant().id for _ in range(3)}
        in_pages_of(services, 5, monkeypatch)
        found, begin = list[str](), list[str]()
        while True:
            more = ("--from", begin[-1]) if begin else ()
            done = parley("tenants", "list", "--json", "--max-units", "1", *more)
            assert done.json["read_units"] <= 10
            found += [row["id"] for row in done.json["data"]]
            if done.json["next"] is None:
                break
            assert f"--from {done.json['next']}" in done.err
            begin.append(done.json["next"])
        assert len(begin) >= 2
        assert tenants <= set(found)
        assert len(found) == len(set(found))

    def test_where_to_go_on_must_be_what_was_printed(self, services):
        assert "--from" in parley("tenants", "list", "--from", "x", code=2).err
