"""Rows of earlier and newer releases: what the API makes of them, with teams that get a second layout for a test."""

import json

import pytest

from chalicelib.core import ids, upgrades
from chalicelib.core.aws import Params
from chalicelib.core.dynamodb import Key
from chalicelib.core.items import Item
from chalicelib.core.table import ConditionFailedError, run, tenant_rows, transact
from chalicelib.core.upgrades import Layout, NewerRowError
from tests.support.faults import At, StaleReplica, injected, no_answer
from tests.support.layouts import described, layouts, stored
from tests.support.tags import TEAMS, new_team
from tests.support.tenants import Organisation, new_tenant


@pytest.fixture
def tenant(services) -> Organisation:
    return new_tenant()


def row_of(tenant: Organisation, team: Item) -> Item:
    return stored(f"{tenant.id}#team", team["id"])


def told_of_newer(logged) -> list[tuple[str, int, int]]:
    lines = [json.loads(line) for line in logged if line.startswith("{")]
    return [(line["pk"], line["layout"], line["known"]) for line in lines if line["message"] == "row_is_newer"]


class TestReading:
    def test_an_old_row_is_read_in_the_new_layout_alone_in_batches_and_in_lists(self, tenant):
        team = new_team(tenant.owner.client, description="d")
        with layouts():
            assert tenant.owner.client.get(f"{TEAMS}/{team['id']}").json["description"] == "d+"
            assert [each["description"] for each in tenant.owner.client.get(TEAMS).json["data"]] == ["d+"]
            rows = tenant_rows(tenant.id)
            assert [each["description"] for each in rows.batch_get([rows.key("team", team["id"])]).values()] == ["d+"]
        assert "lv" not in row_of(tenant, team)

    def test_a_new_row_is_stamped_and_read_as_it_is(self, tenant):
        with layouts():
            team = new_team(tenant.owner.client, description="d")
            assert tenant.owner.client.get(f"{TEAMS}/{team['id']}").json["description"] == "d"
        assert row_of(tenant, team)["lv"] == 2

    def test_all_steps_are_taken_in_their_order(self, tenant):
        team = new_team(tenant.owner.client, description="d")
        with layouts(steps=(described, lambda item: item | {"description": item["description"] * 2}), writes=3):
            assert tenant.owner.client.get(f"{TEAMS}/{team['id']}").json["description"] == "d+d+"

    def test_a_row_of_a_newer_release_is_a_503_and_not_misread(self, tenant):
        with layouts():
            team = new_team(tenant.owner.client)
        answer = tenant.owner.client.get(f"{TEAMS}/{team['id']}")
        assert (answer.status, answer.json["error"]["code"]) == (503, "unavailable")
        assert tenant.owner.client.patch(f"{TEAMS}/{team['id']}", {"name": "Mine"}).status == 503
        assert row_of(tenant, team)["name"] == "Sales"

    def test_operators_are_told_whose_row_has_which_layout_and_no_more_of_its_key(self, tenant, logged):
        rows = tenant_rows(tenant.id)
        with layouts("T#u#word#…", "-"):
            run(rows.putting("u#word#Ada", "-", {}))
        with pytest.raises(NewerRowError):
            rows.get("u#word#Ada", "-")
        assert told_of_newer(logged) == [(tenant.id, 2, 1)]

    def test_index_entries_which_have_keys_only_take_no_steps(self, tenant):
        def broken(item):
            return item | {"name": item["name"]}  # there is none in an index

        with layouts("T#con_…", "meta", steps=(broken,)):
            tenant.owner.client.post("/v1/contacts", {"name": "Ada"})
            assert len(tenant.owner.client.get("/v1/contacts").json["data"]) == 1


class TestWriting:
    def test_changing_an_old_row_brings_all_of_it_to_the_new_layout(self, tenant):
        team = new_team(tenant.owner.client, description="d")
        with layouts():
            changed = tenant.owner.client.patch(f"{TEAMS}/{team['id']}", {"name": "Support"})
            assert (changed.status, changed.json["description"]) == (200, "d+")
        row = row_of(tenant, team)
        assert (row["name"], row["description"], row["lv"]) == ("Support", "d+", 2)

    def test_an_old_row_is_found_also_where_a_replica_is_behind(self, tenant):
        with injected(StaleReplica()):
            team = new_team(tenant.owner.client, description="d")
            with layouts():
                changed = tenant.owner.client.patch(f"{TEAMS}/{team['id']}", {"name": "Support"})
                assert (changed.status, changed.json["description"]) == (200, "d+")

    def test_deleting_an_old_row_whose_condition_is_about_the_new_layout(self, tenant):
        team = new_team(tenant.owner.client, description="d")
        with layouts():
            write = tenant_rows(tenant.id).deleting("team", team["id"], when={"description": "d+"})
            run(write)
            assert tenant.owner.client.get(f"{TEAMS}/{team['id']}").status == 404

    @pytest.mark.parametrize(
        ("kind", "condition"),
        [("deleting", {"when": {"description": "d"}}), ("checking", {"unless": {"description": "d+"}})],
    )
    def test_a_condition_that_only_the_old_layout_meets_does_not_hold(self, tenant, kind, condition):
        team = new_team(tenant.owner.client, description="d")
        with layouts(), pytest.raises(ConditionFailedError):
            transact([getattr(tenant_rows(tenant.id), kind)("team", team["id"], **condition)])
        assert row_of(tenant, team)["description"] == "d+"

    @pytest.mark.parametrize("commit", [run, lambda write: transact([write])], ids=["alone", "transaction"])
    def test_a_condition_that_does_not_hold_is_told_once_the_layout_is_new(self, tenant, commit):
        team = new_team(tenant.owner.client)
        with layouts():
            rows = tenant_rows(tenant.id)
            with pytest.raises(ConditionFailedError):
                commit(rows.updating("team", team["id"], set_={"name": "x"}, when={"name": "Marketing"}))
            with pytest.raises(ConditionFailedError):
                commit(rows.updating("team", ids.new("team"), set_={"name": "x"}, exists=True))
        assert row_of(tenant, team)["name"] == "Sales"

    def test_a_transaction_whose_answer_is_lost_once_the_layout_is_new_has_its_effect_once(self, tenant, monkeypatch):
        monkeypatch.setattr("chalicelib.core.dynamodb.pause", lambda _attempt: None)
        rows, pk = tenant_rows(tenant.id), ids.new_ulid()
        run(rows.putting(pk, "-", {"n": 1}))
        fault = At(1, "after", no_answer, lambda _service, operation: operation == "transact_write_items")
        with layouts(f"T#{pk}", "-", steps=(dict,)), injected(fault):
            transact([rows.updating(pk, "-", add={"n": 1})])
        assert fault.fired == 1
        assert stored(f"{tenant.id}#{pk}", "-")["n"] == 2

    @pytest.mark.parametrize("commit", [run, lambda write: transact([write])], ids=["alone", "transaction"])
    def test_what_is_put_whole_costs_no_look_at_the_row_that_is_there(self, tenant, services, commit):
        rows, pk = tenant_rows(tenant.id), ids.new_ulid()
        run(rows.putting(pk, "-", {}))
        with layouts(f"T#{pk}", "-"):
            services.reset()
            with pytest.raises(ConditionFailedError):
                commit(rows.putting(pk, "-", {}, absent=True))
        assert len(services.calls) == 1

    def test_an_update_that_makes_a_row_stamps_it(self, tenant):
        pk = ids.new_ulid()
        with layouts(f"T#{pk}", "-"):
            rows = tenant_rows(tenant.id)
            for _ in range(2):
                run(rows.updating(pk, "-", add={"n": 1}))
        assert stored(f"{tenant.id}#{pk}", "-") == {"pk": f"{tenant.id}#{pk}", "sk": "-", "n": 2, "lv": 2}

    def test_an_update_answers_the_row_in_the_newest_layout(self, tenant):
        team = new_team(tenant.owner.client, description="d")
        with layouts(writes=1):
            row = run(tenant_rows(tenant.id).updating("team", team["id"], set_={"name": "x"}), returning=True)
        assert (row["name"], row["description"]) == ("x", "d+")

    def test_a_release_that_reads_both_layouts_goes_on_writing_the_first(self, tenant):
        with layouts():
            newer = new_team(tenant.owner.client, name="New", description="d")
        with layouts(writes=1):
            older = new_team(tenant.owner.client, name="Old", description="d")
            assert tenant.owner.client.patch(f"{TEAMS}/{older['id']}", {"name": "Older"}).status == 200
            assert tenant.owner.client.get(f"{TEAMS}/{newer['id']}").json["description"] == "d"
            assert tenant.owner.client.patch(f"{TEAMS}/{newer['id']}", {"name": "x"}).status == 503
        assert "lv" not in row_of(tenant, older)
        assert row_of(tenant, newer)["name"] == "New"


class TestRewriting:
    def test_attributes_that_a_step_renames_are_renamed_and_it_is_done_once(self, tenant):
        def renamed(item):
            return {("title" if name == "name" else name): value for name, value in item.items()}

        key = Key(f"{tenant.id}#team", new_team(tenant.owner.client)["id"])
        before = stored(*key)
        with layouts(steps=(renamed,)):
            assert upgrades.rewrite(key) > 0
            assert upgrades.rewrite(key) == 0
        assert stored(*key) == {**renamed(before), "lv": 2}

    @pytest.mark.parametrize("when", ["changed", "deleted"])
    def test_who_writes_meanwhile_is_not_overwritten(self, tenant, when):
        team = new_team(tenant.owner.client, description="d")
        rows, key = tenant_rows(tenant.id), Key(f"{tenant.id}#team", team["id"])
        writes = list[Params]()

        def faster(service, operation, params, proceed):
            if operation == "update_item" and not writes:
                writes.append(params)
                layout = upgrades.registered()[0]
                upgrades.unregister(layout)  # an older function, which knows nothing of layouts
                run(
                    rows.updating("team", team["id"], set_={"description": "theirs"})
                    if when == "changed"
                    else rows.deleting("team", team["id"])
                )
                upgrades.register(layout)
            return proceed()

        with layouts(), injected(faster):
            assert (upgrades.rewrite(key) > 0) == (when == "changed")
        assert writes
        if when == "changed":
            assert row_of(tenant, team)["description"] == "theirs+"
        else:
            assert tenant.owner.client.get(f"{TEAMS}/{team['id']}").status == 404

    def test_a_row_of_nothing_but_its_key_that_is_deleted_meanwhile_is_not_made_again(self, tenant):
        rows, pk = tenant_rows(tenant.id), ids.new_ulid()
        run(rows.putting(pk, "-", {}))

        def faster(service, operation, params, proceed):
            if operation == "update_item":
                run(rows.deleting(pk, "-"))
            return proceed()

        with layouts(f"T#{pk}", "-", steps=(dict,)), injected(faster):
            assert upgrades.rewrite(rows.key(pk, "-")) == 0
        assert rows.get(pk, "-") is None

    def test_it_ends_at_the_layout_that_is_written_which_the_release_before_reads(self, tenant):
        team = new_team(tenant.owner.client, description="d")
        with layouts(steps=(described, described), writes=2):
            assert upgrades.rewrite(Key(f"{tenant.id}#team", team["id"])) > 0
            assert tenant.owner.client.get(f"{TEAMS}/{team['id']}").json["description"] == "d++"
        assert row_of(tenant, team).items() >= {"description": "d+", "lv": 2}.items()

    def test_a_row_in_the_first_or_only_layout_or_that_is_newer_is_left_alone(self, tenant, logged):
        first = new_team(tenant.owner.client)
        with layouts():
            newer = new_team(tenant.owner.client, name="New")
        with layouts(writes=1):
            assert upgrades.rewrite(Key(f"{tenant.id}#team", first["id"])) == 0
            logged.clear()
            with pytest.raises(NewerRowError):
                upgrades.rewrite(Key(f"{tenant.id}#team", newer["id"]))
            assert told_of_newer(logged) == [(tenant.id, 2, 1)]
        assert upgrades.rewrite(Key(f"{tenant.id}#team", first["id"])) == 0


class TestRegistering:
    def test_a_kind_once_and_what_is_written_must_be_read(self):
        with layouts() as layout, pytest.raises(ValueError, match="registered"):
            upgrades.register(layout)
        with pytest.raises(ValueError, match="must be read"):
            upgrades.register(Layout("T#team", "team_…", (described,), 3))

    @pytest.mark.parametrize(
        ("pk", "sk", "key"),
        [
            ("T#conv_…", "meta", ("tn_1#conv_1", "meta")),
            ("T#conv_…", "m#…", ("tn_1~test#conv_1", "m#0000000001")),
            ("U#usr_…", "meta", ("U#usr_1", "meta")),
            ("T#u#tag#…", "-", ("tn_1#u#tag#a_b", "-")),
        ],
    )
    def test_a_rows_kind_is_told_by_its_key(self, pk, sk, key):
        layout = Layout(pk, sk, (described,), 2)
        assert layout.has(*key)
        assert not layout.has(key[0], f"{key[1]}~info" if not sk.endswith("…") else f"x{key[1]}")
        assert not layout.has(f"tn_1#x{key[0].partition('#')[2]}", key[1])

    def test_a_prefix_is_all_of_its_letters(self):
        assert not Layout("T#con_…", "meta", (described,), 2).has("tn_1#conv_1", "meta")
