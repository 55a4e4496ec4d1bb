"""Long lists: several partitions read as one, also when an answer of the table ends at 1 MB."""

import random

import pytest

from chalicelib.core import listing
from chalicelib.core.http import PageQuery
from chalicelib.core.ids import new
from chalicelib.core.listing import Source, page_of_source
from chalicelib.core.table import Found, Key, Rows, run, tenant_rows


class Partitions(Rows):
    """Partitions in memory whose queries end after `most` rows, as DynamoDB's do at 1 MB."""

    def __init__(self, partitions: dict[str, list[str]], most: int) -> None:
        super().__init__("t")
        self.partitions, self.most, self.queries = partitions, most, 0

    def query(self, pk, *, between=None, limit=100, newest_first=False, **_more) -> Found:
        self.queries += 1
        low, high = between
        fitting = sorted((sk for sk in self.partitions[pk] if low <= sk <= high), reverse=newest_first)
        shown = fitting[: min(limit, self.most)]
        return Found([{"pk": f"t#{pk}", "sk": sk} for sk in shown], len(shown) < len(fitting))


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("most", [1, 3, 1000])
@pytest.mark.parametrize("seed", range(5))
def test_reading_on_gives_every_row_once_in_order(seed, most, newest_first):
    chance = random.Random(seed)
    every = [f"{number:04d}" + chance.choice(["", "a", "ab"]) for number in range(60)]
    parts: dict[str, list[str]] = {"a": [], "b": [], "c": [], "d": []}
    for key in every:
        parts[chance.choice("aaab" if seed % 2 else "abc")].append(key)
    rows = Partitions(parts, most)
    source, got, after = Source(rows, list(parts), newest_first=newest_first), list[str](), None
    while True:
        pairs, more = source.read(after, chance.choice([1, 7, 20]))
        got += [sort_key for sort_key, _ in pairs]
        if not more:
            break
        assert pairs, "reading on would stand still"
        after = got[-1]
    assert got == sorted(every, reverse=newest_first)


def test_a_short_partition_does_not_hold_back_a_long_one():
    rows = Partitions({"long": [f"{number:03d}" for number in range(50)], "short": ["999"]}, 10)
    pairs, more = Source(rows, ["long", "short"]).read(None, 20)
    assert ([sort_key for sort_key, _ in pairs], more) == (["999", *(f"{n:03d}" for n in range(49, 39, -1))], True)


def page(source: Source, **given: object):
    query = PageQuery.model_validate(given)
    return page_of_source(
        source,
        query,
        "t",
        "list",
        load=lambda keys: {key: key.sk for key in keys},
        keep=lambda sk: sk.endswith("7"),
        count=listing.uncounted,
    )


def test_a_page_reads_on_four_times_then_ends_short_and_can_be_continued():
    rows = Partitions({"a": [f"{number:04d}" for number in range(1000)]}, 10_000)
    first = page(Source(rows, ["a"]), limit=100)
    assert (len(first.rows), first.has_more, rows.queries) == (40, True, 4)
    assert (first.total, first.total_capped) == (41, True)
    got, following = list(first.rows), first
    while following.next_cursor:
        following = page(Source(rows, ["a"]), limit=100, cursor=following.next_cursor)
        got += following.rows
    assert got == [f"{number:04d}" for number in range(997, 0, -10)]
    assert (following.total, following.total_capped) == (100, False)


def test_a_filtered_offset_beyond_what_four_rounds_see_points_to_the_cursor():
    from chalicelib.core.errors import InvalidError

    rows = Partitions({"a": [f"{number:04d}" for number in range(1000)]}, 10_000)
    assert page(Source(rows, ["a"]), offset=39, limit=1).rows == ["0607"]
    with pytest.raises(InvalidError) as refused:
        page(Source(rows, ["a"]), offset=50)
    assert refused.value.errors[0].code == "offset_too_deep"
    few = Partitions({"a": ["0007", "0017", "0018"]}, 10)
    assert page(Source(few, ["a"]), offset=30).total == 2


def test_an_offset_costs_at_most_ten_keys_only_queries():
    from chalicelib.core.errors import InvalidError

    def at(offset: int, most: int) -> Rows:
        rows = Partitions({"a": [f"{number:05d}" for number in range(10_000)]}, most)
        page_of_source(
            Source(rows, ["a"]),
            PageQuery(offset=offset),
            "t",
            "list",
            load=lambda keys: {key: key for key in keys},
            count=lambda: (0, True),
        )
        assert rows.queries <= 11
        return rows

    at(9_990, 1000)
    at(10_000, 5000)
    with pytest.raises(InvalidError):
        at(9_000, 100)


def test_a_row_in_two_partitions_is_shown_once():
    rows = Partitions({"a": ["1"], "b": ["2"]}, 10)
    rows.query = lambda pk, **_: Found([{"pk": "t#same", "sk": "meta", "a_sk": pk}])  # type: ignore[method-assign]
    source = Source(rows, ["a", "b"], "activity")
    found = page_of_source(
        source, PageQuery(), "t", "list", load=lambda keys: {key: key for key in keys}, count=listing.uncounted
    )
    assert found.rows == [Key("t#same", "meta")]


def test_the_real_engine_ends_at_one_megabyte_and_nothing_is_lost():
    rows, tenant_id = tenant_rows(new("tn")), ""
    for number in range(8):
        run(rows.putting("big", f"{number}", {"x": "y" * 300_000}))
    source, got, after = Source(rows, ["big"]), list[str](), None
    while True:
        pairs, more = source.read(after, 100)
        got += [sort_key for sort_key, _ in pairs]
        if not more:
            break
        after = got[-1]
    assert got == list("76543210"), tenant_id
