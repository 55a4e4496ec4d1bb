"""`GET /v1/events`: the log integrators reconcile against."""

from typing import Literal

from pydantic import Field

from chalicelib.core.http import Api, Call, Page, PageQuery, Role
from chalicelib.events import log_store
from chalicelib.events.models import Event, EventOut

api = Api("Events")


class ListEvents(PageQuery):
    """Which events, and from where."""

    after: str | None = Field(
        default=None,
        pattern=r"^evt_[0-9A-HJKMNP-TV-Z]{26}$",
        description="An event's id: the list then begins right behind it, oldest first.",
    )
    type: str | None = Field(
        default=None, max_length=60, pattern=r"^[a-z_]+\.([a-z_]+|\*)$", description="`message.created`, or `message.*`"
    )
    order: Literal["asc", "desc"] | None = Field(default=None, description="Newest first unless `after` is given.")


@api.get("/v1/events", role=Role.ADMIN, scope="events:read", query=ListEvents, answer=EventOut, paged=True)
def list_events(call: Call, query: ListEvents) -> Page[Event]:
    """List what happened in the last 30 days. The list ends 20 seconds before now, so no event is skipped."""
    return log_store.list_events(call.tenant_id, query, query.after, query.type, query.order)
