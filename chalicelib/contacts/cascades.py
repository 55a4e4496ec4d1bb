"""The steps of jobs that change what belongs to a contact, or to a company that contacts belong to."""

from dataclasses import replace

from chalicelib.companies import service as companies
from chalicelib.contacts import note_store, store
from chalicelib.contacts.models import Contact, Merged
from chalicelib.contacts.service import find_contact, updated_event
from chalicelib.core import clock
from chalicelib.events.models import SYSTEM
from chalicelib.jobs.models import Job, Step

NOTES_A_STEP = 20


def remove_words(job: Job) -> Step:
    """Take a merged contact away from the words it was found by: at once there would be too many writes."""
    source = store.find(job.tenant_id, job.args["contact_id"])
    if not isinstance(source, Merged):
        return Step(finished=True)
    words = store.removing_words(job.tenant_id, source.id, source.found_by)
    return Step([*words, store.forgetting_words(job.tenant_id, source.id)], finished=True)


def move_notes(job: Job) -> Step:
    """Give the notes about a merged contact to the one it was merged into; delete them if that one is deleted."""
    notes, more = note_store.first(job.tenant_id, job.args["contact_id"], NOTES_A_STEP)
    if not notes:
        return Step(finished=True)
    writes = [note_store.deleting(note) for note in notes]
    if target := find_contact(job.tenant_id, job.args["into"]):
        writes += [note_store.creating(replace(note, contact_id=target.id)) for note in notes]
        writes.append(store.adding_notes(job.tenant_id, target.id, len(notes)))
    return Step(writes, done=len(notes), finished=not more)


def delete_notes(job: Job) -> Step:
    """Delete the notes about a deleted contact."""
    notes, more = note_store.first(job.tenant_id, job.args["contact_id"], NOTES_A_STEP)
    return Step([note_store.deleting(note) for note in notes], done=len(notes), finished=not more)


def follow_company(job: Job) -> Step:
    """Let the next contact of a company be found by its new name, or belong to none if it was deleted."""
    company_id = job.args["company_id"]
    contact_id, more = store.next_of_company(job.tenant_id, company_id, job.cursor)
    if contact_id is None:
        return Step(finished=True)
    before = store.find(job.tenant_id, contact_id)
    if not isinstance(before, Contact) or before.company_id != company_id:
        return Step(finished=not more, cursor=contact_id)
    company = companies.find_company(job.tenant_id, company_id)
    if company:
        # Nothing that callers see has changed, so there is no event.
        after = replace(before, company_name=company.name)
        writes = [*store.changing(before, after, []), companies.requiring_company(company)]
        return Step(writes, done=1, finished=not more, cursor=contact_id)
    after = replace(before, company_id=None, company_name=None, updated_at=clock.now_ms(), pos=before.pos + 1)
    writes = store.changing(before, after, [updated_event(before, after, SYSTEM)])
    return Step(writes, done=1, finished=not more, cursor=contact_id, changed=(contact_id,))
