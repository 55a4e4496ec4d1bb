"""Exporting contacts as CSV: a job that walks their list page by page."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chalicelib.contacts.attributes import list_definitions
from chalicelib.contacts.csv_columns import ATTRIBUTES
from chalicelib.contacts.csv_text import BOM, written
from chalicelib.contacts.listing import list_contacts
from chalicelib.contacts.models import EXPORT_JOB, Contact
from chalicelib.contacts.schemas import ListContacts
from chalicelib.core import clock
from chalicelib.core.table import transact
from chalicelib.jobs import service as jobs
from chalicelib.jobs.models import Job, Step

A_PAGE = 100
TEXT_BYTES = 300_000  # of the 400 KB that a row of the table may have

Actor = Mapping[str, str]

_PLAIN = (
    "id",
    "number",
    "name",
    "email",
    "phone",
    "company_id",
    "company",
    "title",
    "role",
    "is_primary",
    "notes",
    "external_id",
    "other_emails",
    "other_external_ids",
    "blocked",
    "created_at",
    "updated_at",
)


def start_export(tenant_id: str, filters: Mapping[str, Any], actor: Actor) -> Job:
    """Start the job. Raises InvalidError for filters that the list refuses."""
    list_contacts(tenant_id, ListContacts(**filters, limit=1))
    args = {
        "filters": json.dumps(filters),
        "attributes": json.dumps(sorted(each.key for each in list_definitions(tenant_id))),
        "output": f"contacts-{clock.rfc3339(clock.now_ms())[:10]}.csv",
    }
    job, writes = jobs.starting(tenant_id, EXPORT_JOB, args, actor)
    transact(writes, result=job)
    jobs.started(job)
    return job


def collect(job: Job) -> Step:
    """Write down the next page of contacts."""
    number, _, cursor = (job.cursor or "0 ").partition(" ")
    query = ListContacts(**json.loads(job.args["filters"]), limit=A_PAGE, cursor=cursor or None)
    page = list_contacts(job.tenant_id, query)
    keys: list[str] = json.loads(job.args["attributes"])
    lines = [written([_cells(contact, keys)]) for contact in page.rows]
    if number == "0":
        header = [*_PLAIN, *(f"{ATTRIBUTES}.{key}" for key in keys), ATTRIBUTES]
        lines.insert(0, BOM.decode() + written([header]))
    texts = list(_texts(lines))
    return Step(
        [jobs.adding_text(job, int(number) + place, text) for place, text in enumerate(texts)],
        done=len(page.rows),
        finished=page.next_cursor is None,
        cursor=f"{int(number) + len(texts)} {page.next_cursor or ''}",
    )


def _cells(contact: Contact, keys: Sequence[str]) -> list[object]:
    attributes = json.loads(contact.custom_attributes)
    shown: dict[str, object] = {
        **{name: getattr(contact, name, None) for name in _PLAIN},
        "company": contact.company_name,
        "is_primary": "true" if contact.is_primary else "false",
        "blocked": "true" if contact.blocked else "false",
        "other_emails": " ".join(contact.other_emails),
        "other_external_ids": " ".join(contact.other_external_ids),
        "created_at": clock.rfc3339(contact.created_at),
        "updated_at": clock.rfc3339(contact.updated_at),
    }
    rest = {key: value for key, value in attributes.items() if key not in keys}
    own = [_attribute(attributes.get(key)) for key in keys]
    return [*(shown[name] for name in _PLAIN), *own, json.dumps(rest, ensure_ascii=False) if rest else None]


def _attribute(value: object) -> object:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _texts(lines: Sequence[str]) -> Iterator[str]:
    """Join lines to texts of which each fits into a row."""
    joined: list[str] = []
    size = 0
    for line in lines:
        length = len(line.encode())
        if joined and size + length > TEXT_BYTES:
            yield "".join(joined)
            joined, size = [], 0
        joined.append(line)
        size += length
    if joined:
        yield "".join(joined)
