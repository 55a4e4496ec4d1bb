"""What happens to a visitor or a contact, and what it means for their conversations: steps of those jobs.

A step takes one conversation, reads who its people are now, and commits only if they still are: so whatever other jobs
do meanwhile, the last step taken has seen the last change.
"""

from dataclasses import replace

from chalicelib.contacts import service as contacts
from chalicelib.contacts.models import Contact
from chalicelib.conversations import store
from chalicelib.conversations.changes import events_of
from chalicelib.conversations.models import Conversation
from chalicelib.core import clock, ids
from chalicelib.core.table import ConditionFailedError, Write, tenant_rows, transact
from chalicelib.events import outbox
from chalicelib.events.models import SYSTEM, Event
from chalicelib.jobs import service as jobs
from chalicelib.jobs.models import Job, Step
from chalicelib.visitors import service as visitors
from chalicelib.visitors.models import Visitor

COMPANY_JOB = "contact.company"


def follow_contact(job: Job) -> Step:
    """Give the next conversation of a merged contact to the one it was merged into; to nobody if there is none.

    Each step takes a conversation off the contact's list, so that what is left is what is still to be done.
    """
    tenant_id, contact_id = job.tenant_id, job.args["contact_id"]
    conversation_id, more = store.next_in_facet(tenant_id, "con", contact_id, None)
    if conversation_id is None:
        return Step(finished=True)
    before = store.find(tenant_id, conversation_id)
    if not isinstance(before, Conversation) or before.hot.contact_id != contact_id:
        return Step([store.unlisting(tenant_id, "con", contact_id, conversation_id)], finished=not more)
    target = contacts.find_contact(tenant_id, job.args["into"]) if "into" in job.args else None
    visitor = visitors.find_visitor(tenant_id, before.hot.visitor_id)
    return replace(_following(before, visitor, target), finished=not more)


def follow_visitor(job: Job) -> Step:
    """Let the next conversation of a visitor belong to the contact that he is now, and be closed to a blocked one."""
    visitor = visitors.find_visitor(job.tenant_id, job.args["visitor_id"])
    if visitor is None:
        return Step(finished=True)
    conversation_id, more = store.next_in_facet(job.tenant_id, "vis", visitor.id, job.cursor)
    before = store.find(job.tenant_id, conversation_id) if conversation_id else None
    if not isinstance(before, Conversation) or before.hot.visitor_id != visitor.id:
        return Step(finished=not more, cursor=conversation_id)
    contact = contacts.find_contact(job.tenant_id, visitor.contact_id) if visitor.contact_id else None
    return replace(_following(before, visitor, contact), finished=not more, cursor=conversation_id)


def on_event(event: Event) -> None:
    """Let conversations follow when a contact goes to another company. The job's id derives from the event."""
    if event.type != "contact.updated" or "company_id" not in event.previous:
        return
    tenant_id, contact_id = event.tenant_id, event.data["id"]
    # What is opened from now on is of the new company; so where there is nothing, nothing will have to follow.
    if store.next_in_facet(tenant_id, "con", contact_id, None)[0] is None:
        return
    job_id = ids.derived("job", event.id, "company")
    job, writes = jobs.starting(tenant_id, COMPANY_JOB, {"contact_id": contact_id}, SYSTEM, job_id=job_id)
    try:
        transact(writes)
    except ConditionFailedError:
        return
    jobs.started(job)


def follow_state(job: Job) -> Step:
    """Let the next conversation of a contact be of the contact's company, and closed to its visitor if blocked."""
    tenant_id, contact_id = job.tenant_id, job.args["contact_id"]
    conversation_id, more = store.next_in_facet(tenant_id, "con", contact_id, job.cursor)
    before = store.find(tenant_id, conversation_id) if conversation_id else None
    contact = contacts.find_contact(tenant_id, contact_id)
    # What a merge or deletion takes off the list meanwhile, it takes care of.
    if not isinstance(before, Conversation) or contact is None or before.hot.contact_id != contact.id:
        return Step(finished=not more, cursor=conversation_id)
    visitor = visitors.find_visitor(tenant_id, before.hot.visitor_id)
    return replace(_following(before, visitor, contact), finished=not more, cursor=conversation_id)


def _following(before: Conversation, visitor: Visitor | None, contact: Contact | None) -> Step:
    """Return the step that makes a conversation what its visitor and contact, as they were read, say."""
    blocked = bool((visitor and visitor.blocked) or (contact and contact.blocked))
    hot = replace(before.hot, contact_id=contact.id if contact else None, blocked=blocked)
    after = replace(before, hot=hot, cold=replace(before.cold, company_id=contact.company_id if contact else None))
    if after == before:
        return Step()
    events = events_of(before, after, SYSTEM)
    if events:  # whether the visitor may write shows on visitor and contact, so it is no event of each conversation
        hot = replace(hot, updated_at=clock.now_ms(), pos=hot.pos + len(events))
    writes = [
        *store.changing(before, replace(after, hot=hot), has_events=bool(events)),
        *outbox.event_writes(tenant_rows(before.tenant_id), before.id, before.hot.pos, events),
        *_requiring(visitor, contact),
    ]
    return Step(writes, done=1, changed=(before.id,) if events else ())


def _requiring(visitor: Visitor | None, contact: Contact | None) -> list[Write]:
    return [
        *([visitors.requiring_same(visitor)] if visitor else []),
        *([contacts.requiring_contact(contact.tenant_id, contact.id, contact.state)] if contact else []),
    ]
