"""The tenant's event log: an index over all event rows, in the order of their commits."""

from collections.abc import Callable, Sequence

from ulid import ULID

from chalicelib.core import clock, shards
from chalicelib.core.http import Page, PageQuery
from chalicelib.core.items import Item
from chalicelib.core.listing import Source, page_of_source, uncounted
from chalicelib.core.table import Key, tenant_rows
from chalicelib.events.models import Event, event_from_item
from chalicelib.events.outbox import KEEP_S

# A commit's place in the log is fixed before it commits, so the newest seconds may still fill up: until the slowest
# commit (`writes.LATEST_COMMIT_SECONDS`, 16.4 s) is in, and its index entry with it, by clocks that differ a little.
SETTLE_MS = 20_000

_row_readers: dict[str, Callable[[Item], Event]] = {}


def read_rows_with(prefix: str, reader: Callable[[Item], Event]) -> None:
    """Set the reader of logged rows whose sort key begins with `prefix` and that are their own events (messages)."""
    _row_readers[prefix] = reader


def list_events(
    tenant_id: str, query: PageQuery, after: str | None, type_: str | None, order: str | None
) -> Page[Event]:
    """List events; one query per shard and one BatchGet, up to four times when `type_` drops rows."""
    rows, now = tenant_rows(tenant_id), clock.now_ms()
    first, last = (
        str(ULID.from_timestamp((now - KEEP_S * 1000) / 1000)),
        str(ULID.from_timestamp((now - SETTLE_MS) / 1000)),
    )
    low = after.removeprefix("evt_") + " " if after else first[:10]
    newest_first = order == "desc" if order else after is None
    partitions = [f"log#{shard}" for shard in shards.read(tenant_id)]
    source = Source(rows, partitions, "log", max(low, first[:10]), last[:10], newest_first)

    def load(keys: Sequence[Key]) -> dict[Key, Event]:
        return {key: _read(item) for key, item in rows.batch_get(keys).items()}

    keep = _matching(type_)
    # Events of one type are not counted: the page says how many there are at least.
    count = source.count if keep is None else uncounted
    return page_of_source(source, query, tenant_id, "events", load=load, keep=keep, count=count)


def _read(item: Item) -> Event:
    reader = _row_readers.get(item["sk"][:2], event_from_item)
    return reader(item)


def _matching(type_: str | None) -> Callable[[Event], bool] | None:
    if type_ is None:
        return None
    family = type_.removesuffix("*")
    return lambda event: event.type == type_ or (type_.endswith("*") and event.type.startswith(family))
