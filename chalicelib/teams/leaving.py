"""Who leaves the tenant leaves its teams."""

from chalicelib.core.table import TEST_SUFFIX
from chalicelib.events.models import SYSTEM, Event
from chalicelib.teams import service
from chalicelib.tenants import members


def on_event(event: Event) -> None:
    """Take who was removed out of all teams, also those of the test data. Done again, it finds nothing to do."""
    if event.type != "member.removed":
        return
    live, user_id = event.tenant_id, event.data["user_id"]
    if members.find_member(live, user_id):
        return  # a member again meanwhile
    for space in (live, live + TEST_SUFFIX):
        service.leave_teams(space, user_id, SYSTEM)
