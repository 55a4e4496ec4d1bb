"""Events as they are stored beside their aggregate, and as integrators see them."""

import json
from dataclasses import field
from typing import Any

from chalicelib.core import ids
from chalicelib.core.frozen import frozen
from chalicelib.core.http import Response
from chalicelib.core.http.schema import Timestamp
from chalicelib.core.items import Item
from chalicelib.core.table import TEST_SUFFIX

Data = dict[str, Any]  # JSON as the API shows the object

SYSTEM = {"type": "system", "id": "parley"}  # the actor of what nobody did


def opened_in(month: str) -> str:
    """Return the name of the counter of conversations that were opened in a month (UTC), as in 2026-11."""
    return f"opened_{month}"


@frozen
class NewEvent:
    """An event about to be committed with its change."""

    type: str  # "conversation.closed"
    data: Data  # the object as it is after the change
    actor: dict[str, str]  # {"type", "id"}
    previous: Data = field(default_factory=dict)  # old values of what changed
    counts: dict[str, int] = field(default_factory=dict)  # what it adds to the tenant's counters


@frozen
class Event:
    """An event that happened. `pos` has no gaps within the aggregate `pk`."""

    pk: str
    pos: int
    type: str
    at: int  # milliseconds
    data: Data
    actor: dict[str, str]
    previous: Data
    counts: dict[str, int]
    log_key: str = ""  # where it stands in the tenant's log; empty for a person's own events
    frequent: bool = False  # a message, which is its own event
    aggregate: Item = field(default_factory=dict, compare=False, repr=False)  # with a frequent one: the row it changed

    @property
    def id(self) -> str:
        """The id that every consumer knows it by: committed with the event, so a retry has the same."""
        return f"evt_{self.log_key}" if self.log_key else ids.derived("evt", self.pk, str(self.pos))

    @property
    def tenant_id(self) -> str:
        """The tenant, or its test data, or `U` for a person's own events."""
        return self.pk.partition("#")[0]


def event_from_item(row: Item) -> Event:
    """Read an event row."""
    return Event(
        pk=row["pk"],
        pos=row["pos"],
        type=row["ty"],
        at=row["at"],
        data=json.loads(row["d"]),
        actor=row["by"],
        previous=json.loads(row.get("pv", "{}")),
        counts=row.get("n", {}),
        log_key=row.get("l_sk", ""),
    )


class EventOut(Response):
    """An event, as in the log and in webhooks."""

    id: str
    type: str
    created_at: Timestamp
    tenant_id: str
    actor: dict[str, str]
    data: Data
    previous: Data

    @classmethod
    def of(cls, event: Event) -> "EventOut":
        """Show an event."""
        return cls(
            id=event.id,
            type=event.type,
            created_at=event.at,  # type: ignore[arg-type]  # Timestamp renders milliseconds
            tenant_id=event.tenant_id.removesuffix(TEST_SUFFIX),
            actor=event.actor,
            data=event.data,
            previous=event.previous,
        )
