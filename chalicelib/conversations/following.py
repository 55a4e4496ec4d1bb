"""What happens to a tag or a team, and what it means for conversations: steps of those jobs.

Each step takes a conversation off a list that nothing is put on any more, so that what is left there is what is still
to be done.
"""

from collections.abc import Callable
from dataclasses import replace

from chalicelib.conversations import store
from chalicelib.conversations.changes import events_of
from chalicelib.conversations.models import Cold, Conversation
from chalicelib.conversations.service import changing
from chalicelib.core.table import Write
from chalicelib.events.models import SYSTEM
from chalicelib.jobs.models import Job, Step
from chalicelib.tags import service as tags


def follow_tag(job: Job) -> Step:
    """Take a tag from the next conversation, and give it the new name if there is one; in the end free the old one."""
    name = job.args["name"]
    into, checks = tags.name_now(job)

    def renamed(cold: Cold) -> Cold:
        new = [into if tag == name else tag for tag in cold.tags]
        return replace(cold, tags=tuple(dict.fromkeys(tag for tag in new if tag)))

    return _taking_off(job, "tag", name, renamed, checks) or Step(tags.ending(job), finished=True)


def follow_team(job: Job) -> Step:
    """Take the next conversation from a deleted team."""
    team_id = job.args["team_id"]

    def teamless(cold: Cold) -> Cold:
        return replace(cold, team_id=None) if cold.team_id == team_id else cold

    return _taking_off(job, "team", team_id, teamless, []) or Step(finished=True)


def _taking_off(job: Job, kind: str, value: str, change: Callable[[Cold], Cold], checks: list[Write]) -> Step | None:
    """Return the step of the next conversation on a list, on these conditions; None when there is none."""
    conversation_id, _ = store.next_in_facet(job.tenant_id, kind, value, None)
    if conversation_id is None:
        return None
    before = store.find(job.tenant_id, conversation_id)
    after = replace(before, cold=change(before.cold)) if isinstance(before, Conversation) else before
    if not isinstance(before, Conversation) or not isinstance(after, Conversation) or after == before:
        return Step([store.unlisting(job.tenant_id, kind, value, conversation_id)])
    writes = changing(before, after, events_of(before, after, SYSTEM))
    return Step([*writes, *checks], done=1, changed=(conversation_id,))
