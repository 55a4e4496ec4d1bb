"""Writes and their conditions on the real engine do what a plain dictionary would."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core import ids
from chalicelib.core.items import Expression
from chalicelib.core.table import (
    LIMITS,
    ConditionFailedError,
    Found,
    Key,
    batch_get,
    live,
    pending_keys,
    run,
    tenant_rows,
    transact,
    walk_pending,
)
from tests.support.faults import StaleReplica, injected
from tests.support.properties import tried

NAMES = ["a", "name", "size", "m.x", "m.y-z"]  # two are reserved words, two are entries of a map
numbers = st.integers(-5, 5)
values = st.one_of(numbers, st.sampled_from(["", "x", "ü"]), st.booleans())
chosen = st.sampled_from(NAMES)
ROWS = LIMITS


def get(item: dict[str, Any], path: str) -> Any:
    found: Any = item
    for part in path.split("."):
        found = found.get(part) if found else None
    return found


def put(item: dict[str, Any], path: str, value: Any) -> None:
    *outer, last = path.split(".")
    for part in outer:
        item = item[part]
    if value is None:
        item.pop(last, None)
    else:
        item[last] = value


@st.composite
def updates(draw):
    names = draw(st.permutations(NAMES))
    first, second = sorted([draw(st.integers(0, 5)), draw(st.integers(0, 5))])
    return (
        {name: draw(st.one_of(values, st.none())) for name in names[:first]},
        {name: draw(numbers) for name in names[first:second]},
        {name: draw(values) for name in names[second:]},
        draw(st.dictionaries(chosen, st.one_of(values, st.none()), max_size=3)),
        draw(st.dictionaries(chosen, numbers, max_size=2)),
        draw(st.sampled_from([None, True, False])),
    )


@tried(60)
@given(st.dictionaries(st.sampled_from(NAMES), numbers, max_size=5), updates(), st.booleans())
def test_an_update_changes_what_a_dictionary_would(start, update, in_transaction):
    set_, add, default, when, at_most, exists = update
    pk = ids.new_ulid()
    before: dict[str, Any] = {"m": {}}
    for name, number in start.items():
        put(before, name, number)
    run(ROWS.putting(pk, "-", before))
    write = ROWS.updating(pk, "-", set_=set_, add=add, default=default, when=when, at_most=at_most, exists=exists)
    holds = (
        exists is not False
        and all(get(before, name) == value and type(get(before, name)) is type(value) for name, value in when.items())
        and all((get(before, name) is None) or get(before, name) <= value for name, value in at_most.items())
    )
    expected = {**before, "m": dict(before["m"])}
    for name, value in set_.items() if holds else ():
        put(expected, name, value)
    for name, number in add.items() if holds else ():
        put(expected, name, (get(before, name) or 0) + number)
    for name, value in default.items() if holds else ():
        if get(before, name) is None:
            put(expected, name, value)
    try:
        transact([write]) if in_transaction else run(write)
        assert holds
    except ConditionFailedError as failed:
        assert not holds
        assert failed.failed == [write]  # noqa: PT017 - what fails is named
    found = ROWS.get(pk, "-", consistent=True)
    assert found == {**expected, "pk": f"R#{pk}", "sk": "-"}


def test_an_update_without_a_clause_or_condition_is_not_sent_one():
    assert Expression().update({}, {}, {}) == ""
    assert Expression().condition({}, {}, None) is None
    assert Expression().params() == {}


def test_what_cannot_be_stored_is_named():
    with pytest.raises(TypeError, match="float cannot be stored"):
        ROWS.putting("x", "-", {"a": [1.5]})


def test_a_name_with_dots_is_an_entry_of_a_map():
    expression = Expression()
    assert expression.name("in.tn_1") == "#0.#1"
    assert expression.params() == {"ExpressionAttributeNames": {"#0": "in", "#1": "tn_1"}}


class TestWrites:
    def test_a_row_is_put_once_with_absent(self):
        pk = ids.new_ulid()
        run(ROWS.putting(pk, "-", {"a": 1}, absent=True))
        with pytest.raises(ConditionFailedError):
            run(ROWS.putting(pk, "-", {"a": 2}, absent=True))
        run(ROWS.putting(pk, "-", {"a": 3}))
        assert ROWS.get(pk, "-", consistent=True) == {"pk": f"R#{pk}", "sk": "-", "a": 3}

    @pytest.mark.parametrize(("at", "taken"), [(99, False), (100, True), (101, True)])
    def test_an_expired_row_is_no_hindrance(self, at, taken):
        pk = ids.new_ulid()
        run(ROWS.putting(pk, "-", {"exp": 100}, absent_or_expired_at=0))
        again = ROWS.putting(pk, "-", {"exp": 200}, absent_or_expired_at=at)
        if taken:
            run(again)
        else:
            with pytest.raises(ConditionFailedError):
                run(again)

    @pytest.mark.parametrize(("when", "exists", "holds"), [({"a": 1}, None, True), ({"a": 2}, None, False)])
    def test_a_deletion_and_a_check_have_conditions_too(self, when, exists, holds):
        pk, other = ids.new_ulid(), ids.new_ulid()
        run(ROWS.putting(pk, "-", {"a": 1}))
        put_other = ROWS.putting(other, "-", {})
        for write in (ROWS.checking(pk, "-", when=when), ROWS.deleting(pk, "-", when=when)):
            if holds:
                transact([write, put_other])
            else:
                with pytest.raises(ConditionFailedError) as failed:
                    transact([put_other, write])
                assert failed.value.failed == [write]
        assert (ROWS.get(pk, "-", consistent=True) is None) == holds
        assert (ROWS.get(other, "-", consistent=True) is None) != holds

    @pytest.mark.parametrize(
        ("unless", "holds"), [({"m.x": 1}, False), ({"m.x": 2}, True), ({"m.y": 1, "n": 3}, False)]
    )
    def test_a_check_can_say_what_must_not_be_so(self, unless, holds):
        pk, other = ids.new_ulid(), ids.new_ulid()
        run(ROWS.putting(pk, "-", {"m": {"x": 1}, "n": 3}))
        writes = [ROWS.checking(pk, "-", unless=unless), ROWS.putting(other, "-", {})]
        if holds:
            transact(writes)
        else:
            with pytest.raises(ConditionFailedError):
                transact(writes)
        assert (ROWS.get(other, "-") is not None) == holds

    def test_a_check_can_ask_whether_a_row_is_there(self):
        pk, there, missing = ids.new_ulid(), ids.new_ulid(), ids.new_ulid()
        run(ROWS.putting(there, "-", {}))
        for wrong in (ROWS.checking(missing, "-", exists=True), ROWS.checking(there, "-", exists=False)):
            with pytest.raises(ConditionFailedError):
                transact([wrong, ROWS.putting(pk, "-", {})])
        assert ROWS.get(pk, "-") is None
        transact([ROWS.checking(there, "-", exists=True), ROWS.checking(missing, "-", exists=False)])

    def test_existence_is_a_condition(self):
        pk = ids.new_ulid()
        for write in (ROWS.deleting(pk, "-", exists=True), ROWS.updating(pk, "-", set_={"a": 1}, exists=True)):
            with pytest.raises(ConditionFailedError):
                run(write)
        run(ROWS.updating(pk, "-", set_={"a": 1}, exists=False))
        with pytest.raises(ConditionFailedError):
            run(ROWS.updating(pk, "-", set_={"a": 2}, exists=False))
        run(ROWS.deleting(pk, "-"))
        run(ROWS.deleting(pk, "-"))  # no condition, no complaint

    def test_an_update_answers_the_row_as_it_is_afterwards(self):
        pk = ids.new_ulid()
        assert run(ROWS.updating(pk, "-", add={"n": 2}), returning=True) == {"pk": f"R#{pk}", "sk": "-", "n": 2}
        assert run(ROWS.updating(pk, "-", add={"n": 2})) == {}

    def test_a_transaction_touches_each_row_once(self):
        with pytest.raises(ValueError, match="each row once"):
            transact([ROWS.putting("a", "-", {}), ROWS.deleting("a", "-")])


class TestReads:
    def test_a_query_reads_one_partition_in_order(self):
        pk = ids.new_ulid()
        for number in range(5):
            run(ROWS.putting(pk, f"k#{number}", {"n": number}))
        run(ROWS.putting(pk, "other", {"n": 9}))
        run(ROWS.putting(pk + "x", "k#0", {"n": 8}))
        assert numbers_of(ROWS.query(pk, prefix="k#")) == ([0, 1, 2, 3, 4], False)
        assert numbers_of(ROWS.query(pk)) == ([0, 1, 2, 3, 4, 9], False)
        assert numbers_of(ROWS.query(pk, between=("k#1", "k#3"), consistent=True)) == ([1, 2, 3], False)
        assert numbers_of(ROWS.query(pk, prefix="k#", newest_first=True, limit=2)) == ([4, 3], True)
        assert ROWS.count(pk) == (6, False)
        assert ROWS.count(pk, between=("k#1", "k#3")) == (3, False)
        assert ROWS.count(pk, limit=4) == (4, True)
        assert ROWS.query(ids.new_ulid()) == Found([], False)

    def test_an_index_is_read_by_its_own_keys(self):
        tenant = tenant_rows(ids.new("tn"))
        for number in range(3):
            places = {"a_pk": tenant.key("list", "").pk, "a_sk": f"{number}"}
            run(tenant.putting(f"x{number}", "meta", places))
        found = tenant.query("list", index="activity", between=("1", "9"))
        assert [item["pk"] for item in found.items] == [tenant.key("x1", "").pk, tenant.key("x2", "").pk]
        assert tenant.count("list", index="activity") == (3, False)

    def test_many_rows_are_read_in_calls_of_a_hundred(self, services):
        pk = ids.new_ulid()
        keys = [ROWS.key(pk, f"{number:03}") for number in range(150)]
        for key in keys[::3]:
            run(ROWS.putting(pk, key.sk, {"sk2": key.sk}))
        services.reset()
        found = ROWS.batch_get([*keys, *keys], consistent=True)
        assert found == {key: {"pk": key.pk, "sk": key.sk, "sk2": key.sk} for key in keys[::3]}
        assert services.calls == [("dynamodb", "batch_get_item")] * 2
        assert batch_get([]) == {}

    def test_a_read_sees_the_last_write_unless_it_can_do_without(self):
        pk = ids.new_ulid()
        key = ROWS.key(pk, "-")
        run(ROWS.putting(pk, "-", {"n": 1}))
        with injected(StaleReplica()):
            run(ROWS.putting(pk, "-", {"n": 2}))
            newest = [ROWS.get(pk, "-"), *ROWS.batch_get([key]).values(), *ROWS.query(pk).items]
            behind = [ROWS.get(pk, "-", consistent=False), *ROWS.batch_get([key], consistent=False).values()]
            behind += ROWS.query(pk, consistent=False).items
        assert [row and row["n"] for row in newest] == [2, 2, 2]
        assert [row and row["n"] for row in behind] == [1, 1, 1]

    def test_what_is_pending_can_be_walked_to_its_end(self):
        partition = f"P#{ids.new_ulid()}"
        for number in range(5):
            run(ROWS.putting(f"{partition}{number}", "meta", {"p_pk": partition, "p_sk": str(number)}))
        run(ROWS.putting(f"{partition}x", "meta", {"p_pk": f"{partition}x", "p_sk": "0"}))

        def in_pages(service, operation, params, proceed):
            params["Limit"] = 2
            return proceed()

        with injected(in_pages):
            assert list(walk_pending(partition)) == [Key(f"R#{partition}{n}", "meta") for n in range(5)]

    def test_pending_rows_come_oldest_first_and_only_from_before(self):
        partition = f"P#{ids.new_ulid()}"
        for number in (3, 1, 2):
            run(ROWS.putting(f"{partition}{number}", "meta", {"p_pk": partition, "p_sk": str(number)}))
        assert pending_keys(partition, "3", 10) == [Key(f"R#{partition}{n}", "meta") for n in (1, 2)]
        assert pending_keys(partition, "9", 1) == [Key(f"R#{partition}1", "meta")]

    def test_a_row_is_live_until_its_time(self):
        assert live(None, 5) is None
        assert live({"exp": 5}, 5) is None
        assert live({"exp": 6}, 5) == {"exp": 6}
        assert live({}, 5) == {}


def numbers_of(found: Found) -> tuple[list[int], bool]:
    return [item["n"] for item in found.items], found.more
