"""`rows`: old rows are counted, rewritten within bounds, and never twice."""

import pytest

from chalicelib.core import ids
from chalicelib.core.table import run, tenant_rows
from tests.support.layouts import layouts, stored
from tests.support.operator import in_pages_of, parley
from tests.support.tags import new_team
from tests.support.tenants import new_tenant

FAST = ("--json", "--yes", "--rate", "100000")


@pytest.fixture
def tenant(services):
    return new_tenant()


def layouts_of(tenant, teams):
    return [stored(f"{tenant.id}#team", team["id"]).get("lv", 1) for team in teams]


def test_versions_tells_what_is_read_and_written(services):
    assert "has one layout" in parley("rows", "versions").out
    with layouts(writes=1):
        assert parley("rows", "versions", "--json").json["data"] == [
            {"kind": "T#team team_…", "newest": 2, "writes": 1}
        ]
        assert "nothing to do" in parley("rows", "upgrade", "--yes").out


def test_a_tenants_rows_are_counted_then_rewritten_and_the_second_time_there_are_none(tenant):
    teams = [new_team(tenant.owner.client, name=f"Team {number}") for number in range(3)]
    other = new_tenant()
    theirs = [new_team(other.owner.client)]
    with layouts():
        of_one = ("--tenant", tenant.created["slug"])
        counted = parley("rows", "upgrade", *of_one, "--dry-run", "--json").json
        assert counted["data"] == [{"kind": "T#team team_…", "to": 2, "old": 3, "rewritten": 0}]
        assert counted["write_units"] == 0
        assert layouts_of(tenant, teams) == [1, 1, 1]
        done = parley("rows", "upgrade", *of_one, *FAST).json
        assert (done["data"][0]["old"], done["data"][0]["rewritten"], done["next"]) == (3, 3, None)
        assert done["write_units"] >= 3
        assert done["read_units"] > 0
        assert layouts_of(tenant, teams) == [2, 2, 2]
        assert parley("rows", "upgrade", *of_one, *FAST).json["data"][0]["old"] == 0
        assert layouts_of(other, theirs) == [1]
        parley("rows", "upgrade", *FAST)
        assert layouts_of(other, theirs) == [2]


def test_people_have_rows_too(tenant):
    with layouts("U#usr_…", "person", steps=(dict,)):
        parley("rows", "upgrade", *FAST)
    assert stored(f"U#{tenant.owner.user_id}", "person")["lv"] == 2


@pytest.fixture
def many(tenant, services, monkeypatch):
    """A partition of 60 rows, more than a page of the scan has."""
    in_pages_of(services, 25, monkeypatch)
    pk = ids.new_ulid()
    for number in range(60):
        run(tenant_rows(tenant.id).putting(pk, f"row_{number:02}", {"n": number}))
    return pk


def versions_in(tenant, pk):
    return {stored(f"{tenant.id}#{pk}", f"row_{number:02}").get("lv", 1) for number in range(60)}


def test_it_stops_at_its_bound_and_goes_on_from_there(tenant, many):
    rewritten, runs, more = 0, 0, list[str]()
    with layouts(f"T#{many}", "row_…", steps=(dict,)), layouts():  # two kinds in one filter
        while True:
            done = parley("rows", "upgrade", "--tenant", tenant.id, "--max-units", "1", *FAST, *more)
            rewritten, runs = rewritten + done.json["data"][0]["rewritten"], runs + 1
            if done.json["next"] is None:
                break
            more = ["--from", done.json["next"]]
    assert runs > 1
    assert rewritten == 60
    assert versions_in(tenant, many) == {2}


def test_one_that_is_stopped_says_where_to_go_on(tenant, many):
    def dying(item):
        if item["n"] == 40:
            raise KeyboardInterrupt
        return dict(item)

    with layouts(f"T#{many}", "row_…", steps=(dying,)):
        stopped = parley("rows", "upgrade", "--tenant", tenant.id, *FAST, code=130)
    assert versions_in(tenant, many) == {1, 2}
    begin = stopped.err.partition("Go on with --from ")[2].split()[0]
    with layouts(f"T#{many}", "row_…", steps=(dict,)):
        rest = parley("rows", "upgrade", "--tenant", tenant.id, *FAST, "--from", begin).json
    assert rest["data"][0]["old"] == 20
    assert versions_in(tenant, many) == {2}


def test_the_rate_is_kept(tenant, many, monkeypatch):
    pauses = list[float]()
    monkeypatch.setattr("parley.commands.rows.time.sleep", pauses.append)
    with layouts(f"T#{many}", "row_…", steps=(dict,)):
        parley("rows", "upgrade", "--tenant", tenant.id, "--yes", "--rate", "1")
    assert len(pauses) == 60
    assert 0 < max(pauses) <= 1


def test_it_asks_first(tenant):
    with layouts():
        assert "say --yes" in parley("rows", "upgrade", code=2).err
