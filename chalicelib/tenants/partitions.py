"""Every partition a tenant has, found through its own indexes and never by a scan: for what deals with all of its rows.

Each aggregate stands in a list of the activity index for as long as it is there, or, once it is deleted, in the log for
as long as its row is kept. What else there is belongs to an aggregate, or is one of a few partitions with fixed names.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import field

from chalicelib.core import shards
from chalicelib.core.frozen import frozen
from chalicelib.core.items import Item
from chalicelib.core.table import TEST_SUFFIX, Rows, tenant_rows
from chalicelib.events import counters

# Lists of the activity index: conversations by status, what is made, what waits to be a file, and what was merged.
LISTS = ("open", "pending", "snoozed", "closed", "vis", "con", "com", "fil", "wait", "merged")
TENANT = "tenant"  # the tenant itself: the last to go
# The partitions with fixed names; of test data the same.
FIXED = (
    *("attr", "billing", "can", "dom", "invitation", "key", "member", "notify", "number", "quota", "tag", "team"),
    *(
        "unsubscribed",
        "wgt",
        "whk",
        *(f"n#{shard}" for shard in range(counters.ROWS)),
        *(f"idem#{digit}" for digit in "0123456789abcdef"),
    ),
)
# What belongs to an aggregate, or to a widget, and is named by its id.
_BELONGING = {
    "con": ("f#con#{}", "u#cmid#{}"),
    "conv": ("f#fil#{}",),
    "vis": ("f#vis#{}", "u#cmid#{}"),
    "wgt": ("f#wgt#{}",),
    "whk": ("{}",),
}


@frozen
class Traces:
    """What rows tell of rows elsewhere: single ones by partition and sort key, and ids whose partitions are theirs."""

    rows: Sequence[tuple[str, str]] = ()
    ids: Sequence[str] = field(default_factory=tuple)
    guards: Sequence[str] = field(default_factory=tuple)  # rows that are unique across tenants, without the `G#`


Tracer = Callable[[str, Sequence[Item]], Traces]

_tracers: dict[str, Tracer] = {}


def trace_with(name: str, tracer: Tracer) -> None:
    """Say what the main rows of a kind of aggregate, or the rows of a fixed partition, tell. Called from app.py."""
    _tracers[name] = tracer


def traces_of(pk: str, tenant_space: str, rows: Sequence[Item]) -> Traces:
    """Return what a partition's rows tell of rows elsewhere."""
    tracer = _tracers.get(kind_of(pk))
    return tracer(tenant_space, rows) if tracer and rows else Traces()


def belonging_to(id_: str) -> list[str]:
    """Return the partitions that are named by an id, besides an aggregate's own."""
    return [name.format(id_) for name in _BELONGING.get(kind_of(id_), ())]


def kind_of(pk: str) -> str:
    """Return the kind of a partition: what stands before an id, or its fixed name."""
    return pk.partition("_")[0]


def spaces(tenant_id: str) -> list[Rows]:
    """Return the views of a tenant's live and test data."""
    return [tenant_rows(tenant_id), tenant_rows(tenant_id + TEST_SUFFIX)]


@frozen
class Place:
    """Where a walk stands: in which list, and behind which entry of it."""

    number: int = 0
    after: str = ""

    @classmethod
    def read(cls, cursor: str | None) -> "Place":
        """Read a job's cursor."""
        number, _, after = (cursor or "0").partition(" ")
        return cls(int(number), after)

    def __str__(self) -> str:
        return f"{self.number} {self.after}"


def listed(tenant_id: str, index: str, names: Iterable[str], place: Place, limit: int) -> tuple[list[Item], Rows, bool]:
    """Return the next index entries of a list, the view they are in, and whether that list has more. One query.

    The lists are `names` in each shard, of the live and then of the test data; IndexError behind the last.
    """
    read = shards.read(tenant_id)
    wanted = [(rows, f"{name}#{shard}") for rows in spaces(tenant_id) for name in names for shard in read]
    rows, pk = wanted[place.number]
    bounds = (f"{place.after} " if place.after else " ", "~")
    found = rows.query(pk, index=index, between=bounds, limit=limit)
    return found.items, rows, found.more
