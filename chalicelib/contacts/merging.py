"""Merging two contacts that are one person: at once for who they are, by a job for what belongs to them.

The one that stays keeps its own values and takes over what it lacks. From the moment of the merge the other one is no
longer found, reading it answers the one that stays, and nothing can be linked to it any more; so what the job has still
to move can only become less.
"""

import json
from dataclasses import replace
from typing import Any

from chalicelib.companies import service as companies
from chalicelib.companies.models import Company
from chalicelib.contacts import store
from chalicelib.contacts.models import (
    MAX_MERGED_ATTRIBUTES_BYTES,
    MAX_MERGED_NOTES_BYTES,
    MAX_OTHERS,
    Contact,
    ContactNotFoundError,
    Merged,
    MergedTooLargeError,
    TooManyMergedError,
)
from chalicelib.contacts.service import Actor, commit, merged_error, shown, updated_event
from chalicelib.core import clock, ids
from chalicelib.core.errors import InvalidError, PreconditionFailedError
from chalicelib.core.table import retrying, tenant_rows
from chalicelib.events import outbox
from chalicelib.events.models import NewEvent
from chalicelib.jobs import service as jobs
from chalicelib.jobs.models import Job

MERGE_JOB = "contact.merge"

_FILLED = ("name", "email", "phone", "title", "role", "external_id")


def merge_contact(tenant_id: str, contact_id: str, into: str, actor: Actor, expected_version: int | None = None) -> Job:
    """Merge a contact, of the version that is expected, into another one; doing it again answers the first job.

    Raises ContactNotFoundError, InvalidError for `into`, ContactMergedError, TooManyMergedError, MergedTooLargeError
    and PreconditionFailedError. One read, or two where a company is taken over, one transaction, three queue sends.
    """

    def attempt() -> Job:
        source, target = _read(tenant_id, contact_id, into)
        if isinstance(source, Merged):
            if source.into != into:
                raise merged_error(source)
            return jobs.get_job(tenant_id, source.job_id)
        if expected_version not in {None, source.version}:
            raise PreconditionFailedError
        if isinstance(target, Merged):
            raise merged_error(target)
        return _merge(source, target, actor)

    return retrying(attempt)


def _read(tenant_id: str, contact_id: str, into: str) -> tuple[Contact | Merged, Contact | Merged]:
    if not ids.is_id("con", contact_id):
        raise ContactNotFoundError
    wanted = [contact_id, *([into] if ids.is_id("con", into) else [])]
    found = store.find_all(tenant_id, wanted)
    if contact_id not in found:
        raise ContactNotFoundError
    if into == contact_id:
        raise InvalidError.field("into", "A contact can't be merged into itself.")
    if into not in found:
        raise InvalidError.field("into", "There is no such contact.", "not_found")
    return found[contact_id], found[into]


def _merge(source: Contact, target: Contact, actor: Actor) -> Job:
    company = _company_of(source) if target.company_id is None else None
    after = replace(_joined(target, source, company), updated_at=clock.now_ms(), pos=target.pos + 1)
    if max(len(after.other_emails), len(after.other_external_ids)) > MAX_OTHERS:
        raise TooManyMergedError
    if _is_too_large(after):
        raise MergedTooLargeError
    job, starting = jobs.starting(source.tenant_id, MERGE_JOB, {"contact_id": source.id, "into": target.id}, actor)
    data = {**shown(source), "merged_into": target.id}
    left = {"into": target.id, "job": job.id, "found_by": " ".join(source.found_by) or None}
    writes = [
        *store.burying(source, left, NewEvent("contact.merged", data, dict(actor), counts={"contacts": -1})),
        *store.changing(target, after, [updated_event(target, after, actor)]),
        *store.handing_over(source, target.id),
        # Else a job that lets the company's contacts follow its new name, or its end, might be past this one.
        *([companies.requiring_company(company)] if company else []),
        *starting,
    ]
    commit(target, writes, result=job)
    outbox.notify(tenant_rows(source.tenant_id), source.id)
    jobs.started(job)
    return job


def _is_too_large(after: Contact) -> bool:
    notes = json.dumps(after.notes, ensure_ascii=False)  # as the event has them, where some signs take six bytes
    return (
        len(notes.encode()) > MAX_MERGED_NOTES_BYTES
        or len(after.custom_attributes.encode()) > MAX_MERGED_ATTRIBUTES_BYTES
    )


def _company_of(contact: Contact) -> Company | None:
    return companies.find_company(contact.tenant_id, contact.company_id) if contact.company_id else None


def _joined(target: Contact, source: Contact, company: Company | None) -> Contact:
    """Return the contact that stays, with what it lacked and the other one had; `company` is the other one's, as is."""
    filled: dict[str, Any] = {name: getattr(target, name) or getattr(source, name) for name in _FILLED}
    if company:
        filled |= {"company_id": company.id, "company_name": company.name}
    emails, external_ids = [*target.emails, *source.emails], [*target.external_ids, *source.external_ids]
    notes = [each for each in (target.notes, source.notes) if each]
    attributes = {**json.loads(source.custom_attributes), **json.loads(target.custom_attributes)}
    return replace(
        target,
        **filled,
        notes="\n\n".join(notes) or None,
        other_emails=tuple(each for each in emails if each != filled["email"]),
        other_external_ids=tuple(each for each in external_ids if each != filled["external_id"]),
        custom_attributes=json.dumps(attributes, ensure_ascii=False, separators=(",", ":")),
    )
