"""What a merged or deleted contact means for the visitors who are that contact: a step of the contacts' jobs."""

from chalicelib.contacts import service as contacts
from chalicelib.events.models import SYSTEM
from chalicelib.jobs.models import Job, Step
from chalicelib.visitors import service, store


def follow_contact(job: Job) -> Step:
    """Let the next visitor be the contact that his was merged into; nobody known if there is none.

    Each step takes a visitor off the contact's list, so that what is left is what is still to be done.
    """
    tenant_id, contact_id = job.tenant_id, job.args["contact_id"]
    visitor_id, more = store.next_of_contact(tenant_id, contact_id)
    if visitor_id is None:
        return Step(finished=True)
    before = service.find_visitor(tenant_id, visitor_id)
    if before is None or before.contact_id != contact_id:
        return Step(store.moving(tenant_id, visitor_id, contact_id, None), finished=not more)
    target = contacts.find_contact(tenant_id, job.args["into"]) if "into" in job.args else None
    changed = {"contact_id": target.id if target else None, "verified": before.verified and target is not None}
    after, writes = service.changing(before, "visitor.updated", SYSTEM, changed)
    writes += store.moving(tenant_id, visitor_id, contact_id, after.contact_id)
    if target:
        # It may be merged or deleted itself at any time: then this step is taken again with what it has become.
        writes.append(contacts.requiring_contact(tenant_id, target.id))
    return Step(writes, done=1, finished=not more, changed=(visitor_id,))
