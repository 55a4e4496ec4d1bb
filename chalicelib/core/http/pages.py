"""Lists: the query every list takes and the page every list answers."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from pydantic import Field

from chalicelib.core import cursor as cursors
from chalicelib.core.errors import InvalidError
from chalicelib.core.frozen import frozen
from chalicelib.core.http.schema import Request, Response, Timestamp

Row = TypeVar("Row")
Other = TypeVar("Other")

MAX_OFFSET = 10_000


class PageQuery(Request):
    """`limit`, and either `offset` or `cursor`."""

    limit: int = Field(default=20, ge=1, le=100, description="Rows on a page.")
    offset: int = Field(default=0, ge=0, description=f"Rows to skip, up to {MAX_OFFSET:,}; deeper, use `cursor`.")
    cursor: str | None = Field(
        default=None, max_length=500, description="`pagination.next_cursor` of the page before this one."
    )

    def filters(self) -> dict[str, object]:
        """Return what narrows the list: everything but the page's own parameters."""
        return {name: value for name, value in self if name not in PageQuery.model_fields and value is not None}

    def position(self, tenant_id: str, name: str) -> cursors.Position | None:
        """Return where the cursor says to continue; raises InvalidError for a bad cursor or too deep an offset."""
        if self.cursor and self.offset:
            raise InvalidError.field("offset", "Give a cursor or an offset, not both.")
        if self.offset > MAX_OFFSET:
            raise InvalidError.field("offset", f"offset ends at {MAX_OFFSET}. Go on with `cursor`.", "offset_too_deep")
        return cursors.decode(tenant_id, self._list_name(name), self.cursor) if self.cursor else None

    def next_cursor(self, tenant_id: str, name: str, after: str, seen: int) -> str:
        """Return the cursor of the page that follows the row with sort key `after`."""
        return cursors.encode(tenant_id, self._list_name(name), cursors.Position(after, seen))

    def _list_name(self, name: str) -> str:
        return cursors.list_name(name, self.filters())


@frozen
class Page(Generic[Row]):
    """One page. `total` is exact up to what `total_capped` says, and never less than the page proves."""

    rows: Sequence[Row]
    total: int
    limit: int
    offset: int
    has_more: bool
    next_cursor: str | None
    total_capped: bool = False
    searched_until: int | None = None  # milliseconds; of a search that looks at the newest texts only

    def map(self, change: Callable[[Row], Other]) -> "Page[Other]":
        """Return the page with each row changed."""
        rows = [change(row) for row in self.rows]
        return Page(
            rows,
            self.total,
            self.limit,
            self.offset,
            self.has_more,
            self.next_cursor,
            self.total_capped,
            self.searched_until,
        )


class Pagination(Response):
    """Where a page stands in its list."""

    total: int = Field(description="How many rows the list has; see `total_capped`.")
    limit: int
    offset: int
    has_more: bool
    next_cursor: str | None = Field(description="Give it as `cursor` to get the next page; null on the last one.")
    total_capped: bool = Field(default=False, description="True when there may be more than `total`.")
    searched_until: Timestamp | None = Field(
        default=None, description="Only in a search of texts: the time of the oldest one that was looked at."
    )


def page_of(
    rows: Sequence[Row],
    query: PageQuery,
    tenant_id: str,
    name: str,
    key: Callable[[Row], str],
    *,
    newest_first: bool = True,
) -> Page[Row]:
    """Page through a list that is read whole because it is short (widgets, members), sorting it by `key`.

    The cursor continues behind a key, so it holds even if rows came or went meanwhile.
    """
    position = query.position(tenant_id, name)
    ordered = sorted(rows, key=key, reverse=newest_first)
    rest = ordered[query.offset :]
    if position:
        rest = [row for row in ordered if (key(row) < position.after) == newest_first and key(row) != position.after]
    shown, offset = rest[: query.limit], position.seen if position else query.offset
    more = len(rest) > len(shown)
    follow = query.next_cursor(tenant_id, name, key(shown[-1]), offset + len(shown)) if more else None
    return Page(shown, len(rows), query.limit, offset, more, follow)


def render_page(page: Page[Any], show: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """Return the page as JSON data."""
    pagination = Pagination(
        total=page.total,
        limit=page.limit,
        offset=page.offset,
        has_more=page.has_more,
        next_cursor=page.next_cursor,
        total_capped=page.total_capped,
        searched_until=page.searched_until,  # type: ignore[arg-type]  # Timestamp renders milliseconds
    )
    left_out = {"searched_until"} if page.searched_until is None else set()
    return {"data": [show(row) for row in page.rows], "pagination": pagination.model_dump(exclude=left_out)}
