"""What a merged or deleted contact means for its conversations: steps of the contacts' jobs."""

from dataclasses import replace

from chalicelib.contacts import service as contacts
from chalicelib.conversations import store
from chalicelib.conversations.changes import events_of
from chalicelib.conversations.service import SYSTEM
from chalicelib.core import clock
from chalicelib.core.table import tenant_rows
from chalicelib.events import outbox
from chalicelib.jobs.models import Job, Step


def follow_contact(job: Job) -> Step:
    """Give the next conversation of a merged contact to the one it was merged into; to nobody if there is none.

    Each step takes a conversation off the contact's list, so that what is left is what is still to be done.
    """
    rows, contact_id = tenant_rows(job.tenant_id), job.args["contact_id"]
    found = rows.query(_partition(contact_id), limit=1, consistent=True)
    if not found.items:
        return Step(finished=True)
    conversation_id, more = found.items[0]["sk"], found.more
    unlist = rows.deleting(_partition(contact_id), conversation_id)
    before = store.find(job.tenant_id, conversation_id)
    if before is None or before.hot.contact_id != contact_id:
        return Step([unlist], finished=not more)
    target = contacts.find_contact(job.tenant_id, job.args["into"]) if "into" in job.args else None
    hot = replace(before.hot, contact_id=target.id if target else None, updated_at=clock.now_ms())
    events = events_of(before, replace(before, hot=hot), SYSTEM)
    after = replace(before, hot=replace(hot, pos=hot.pos + len(events)))
    writes = [
        unlist,
        *store.changing(before, after),
        *outbox.event_writes(rows, conversation_id, before.hot.pos, events),
    ]
    if target:
        # It may be merged or deleted itself at any time: then this step is taken again with what it has become.
        writes += [
            rows.putting(_partition(target.id), conversation_id, {}),
            contacts.requiring_contact(job.tenant_id, target.id),
        ]
    return Step(writes, done=1, finished=not more, changed=(conversation_id,))


def _partition(contact_id: str) -> str:
    """Return the list of a contact's conversations; its rows are those of `store.by_facet`."""
    return f"f#con#{contact_id}"
