"""Walking long lists: several index partitions merged into one order, continued by sort key, at a constant cost."""

import heapq
from collections.abc import Callable, Sequence
from typing import TypeVar

from chalicelib.core.errors import InvalidError
from chalicelib.core.frozen import frozen
from chalicelib.core.http.pages import Page, PageQuery
from chalicelib.core.table import Key, Rows

MAX_ROUNDS = 4  # how often a page reads on when its filters drop rows
OFFSET_QUERIES = 10

Row = TypeVar("Row")
Load = Callable[[Sequence[Key]], dict[Key, Row]]


@frozen
class Source:
    """The partitions of one list, whose sort keys share one order. `low` and `high` are inclusive bounds."""

    rows: Rows
    partitions: Sequence[str]
    index: str | None = None  # None: the table itself
    low: str = " "
    high: str = "~"
    newest_first: bool = True

    def read(self, after: str | None, limit: int) -> tuple[list[tuple[str, Key]], bool]:
        """Return sort keys and keys of up to `limit` rows behind `after`; are there more? One query a partition."""
        low, high = self.low, self.high
        if after is not None:
            low, high = (low, _just_below(after)) if self.newest_first else (_just_above(after), high)
        if low > high:
            return [], False
        streams, cut = [], []
        for partition in self.partitions:
            found = self.rows.query(
                partition, index=self.index, between=(low, high), limit=limit + 1, newest_first=self.newest_first
            )
            streams.append([(row[self._sort_name], Key(row["pk"], row["sk"])) for row in found.items])
            if found.more and len(found.items) <= limit:
                cut.append(streams[-1][-1][0])
        merged = list(heapq.merge(*streams, key=lambda pair: pair[0], reverse=self.newest_first))
        if cut:
            # A partition that stopped at 1 MB has unknown rows behind its last: what sorts after it must wait.
            edge = max(cut) if self.newest_first else min(cut)
            merged = [pair for pair in merged if (pair[0] >= edge if self.newest_first else pair[0] <= edge)]
        return merged[:limit], bool(cut) or len(merged) > limit

    def count(self) -> tuple[int, bool]:
        """Count up to 1,000 rows of each partition, and say whether there are more. One query a partition."""
        if self.low > self.high:
            return 0, False
        counts = [self.rows.count(each, index=self.index, between=(self.low, self.high)) for each in self.partitions]
        return sum(number for number, _ in counts), any(more for _, more in counts)

    @property
    def _sort_name(self) -> str:
        return f"{self.index[0]}_sk" if self.index else "sk"


def page_of_source(
    source: Source,
    query: PageQuery,
    tenant_id: str,
    name: str,
    *,
    load: Load[Row],
    keep: Callable[[Row], bool] | None = None,
    count: Callable[[], tuple[int, bool]],
) -> Page[Row]:
    """Read one page.

    `load` turns the keys of index rows into a fresh dict of rows. Those missing are dropped: the index may lag; and one
    that is just moving between two partitions is shown once. `keep` drops rows that an index could not; the page then
    reads on at most four times and may end short with `has_more`. `count` tells the list's length and whether that is
    a cap; it is asked only when the page is not the last.
    """
    position = query.position(tenant_id, name)
    after, seen = (position.after, position.seen) if position else (None, query.offset)
    skip = 0 if position else query.offset
    if skip and keep is None:
        after, skip = _walk(source, skip), 0
        if after is None:
            total, capped = count()
            return Page([], total, query.limit, query.offset, False, None, capped)
    shown, after, skip, more = _fill(source, load, keep, after, skip, query.limit)
    if skip and more:
        raise InvalidError.field("offset", "Too deep for a filtered list. Go on with `cursor`.", "offset_too_deep")
    total, capped = seen - skip + len(shown), False
    if more:
        counted, capped = count()
        total = max(counted, total + 1)
    follow = query.next_cursor(tenant_id, name, after or "", seen + len(shown)) if more else None
    return Page(shown, total, query.limit, seen, more, follow, capped)


def _fill(
    source: Source, load: Load[Row], keep: Callable[[Row], bool] | None, after: str | None, skip: int, limit: int
) -> tuple[list[Row], str | None, int, bool]:
    """Return a page's rows, where it ended, how many rows are still to be skipped, and whether there are more."""
    shown: list[Row] = []
    more = True
    for _ in range(MAX_ROUNDS):
        keys, more = source.read(after, limit - len(shown) if keep is None else 100)
        rows = load([key for _, key in keys])
        for place, (sort_key, key) in enumerate(keys, 1):
            after, row = sort_key, rows.pop(key, None)
            if row is None or (keep and not keep(row)):
                continue
            if skip:
                skip -= 1
                continue
            shown.append(row)
            if len(shown) == limit:
                return shown, after, skip, more or place < len(keys)
        if not more or keep is None:
            break
    return shown, after, skip, more


def uncounted() -> tuple[int, bool]:
    """Be the `count` of a list whose filters no counter covers: there are as many as the page proves, or more."""
    return 0, True


def _walk(source: Source, steps: int) -> str | None:
    """Return the sort key of the row `steps` in, reading keys only; None past the end."""
    after = None
    for _ in range(OFFSET_QUERIES):
        pairs, more = source.read(after, steps)
        if pairs:
            after = pairs[-1][0]
        steps -= len(pairs)
        if steps == 0:
            return after
        if not more:
            return None
    raise InvalidError.field("offset", "Too deep. Go on with `cursor`.", "offset_too_deep")


def _just_above(key: str) -> str:
    return key + " "


def _just_below(key: str) -> str:
    """Return a string between `key` and every shorter or smaller key of the same alphabet."""
    return key[:-1] + chr(ord(key[-1]) - 1) + "~"
