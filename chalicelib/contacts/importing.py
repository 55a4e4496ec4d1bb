"""Importing contacts from a CSV file: a job that takes as many rows a step as one transaction holds.

A row is committed together with the place behind it, so it has its effect once. What a row is refused for is kept with
the same transaction, and becomes a file in the end.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, field, replace

from chalicelib.contacts import store
from chalicelib.contacts.csv_columns import Column, columns_of, given_of, header_of
from chalicelib.contacts.csv_text import BOM, WINDOW, Record, guess_delimiter, next_record, written
from chalicelib.contacts.models import IMPORT_JOB, Contact
from chalicelib.contacts.schemas import ImportContacts
from chalicelib.contacts.service import Given, Known, change, creating, drafted
from chalicelib.contacts.upserts import but_seconds, require_match
from chalicelib.core.errors import ConflictError, FieldError, InvalidError
from chalicelib.core.frozen import frozen
from chalicelib.core.table import StaleError, Write, transact
from chalicelib.files import blocks
from chalicelib.files import service as files
from chalicelib.files.models import File, FileNotFoundInTenantError
from chalicelib.jobs import service as jobs
from chalicelib.jobs.models import Job, Step

ROWS_A_STEP = 20
WRITES_A_STEP = 95  # of the 100 of a transaction: the job's own row, its event, and the errors come on top
TEXTUAL = {"text/csv", "text/plain", "application/octet-stream"}  # the last: what looks as if it had markup in it
_MESSAGES = {
    "malformed": "This row is no CSV: text stands beside a quoted cell, or a line ends within one.",
    "unclosed_quote": "A quote in this line is not closed within 64 KB.",
    "not_utf8": "This row is not UTF-8.",
    "line_too_long": "This line has more than 64 KB. What comes after it was not read.",
    "file_deleted": "The file was deleted. What comes after this line was not read.",
}

Actor = Mapping[str, str]


def start_import(tenant_id: str, body: ImportContacts, actor: Actor) -> Job:
    """Start the job, once the file's first line is understood. Raises InvalidError for the file and each bad column.

    Two reads, one or two of the bucket, one transaction, one queue send.
    """
    file = _file(tenant_id, body.file_id)
    window = blocks.read(file, 0, WINDOW)
    begin, is_last = len(BOM) if window.startswith(BOM) else 0, len(window) == file.size
    if b"\x00" in window:
        raise InvalidError.field("file_id", "The file is not UTF-8. Save it as “CSV UTF-8”.", "not_utf8")
    delimiter = body.delimiter or guess_delimiter(window, begin, is_last=is_last)
    head = next_record(window, begin, delimiter, is_last=is_last)
    if head is None or head.error or not head.cells:
        why = _MESSAGES.get(head.error or "", "") if head else ""
        raise InvalidError.field("file_id", f"The first line must name the columns. {why}".strip(), "no_header")
    columns = columns_of(head.cells, body.columns)
    args = {
        "file_id": file.id,
        "columns": json.dumps([asdict(column) for column in columns]),
        "width": str(len(head.cells)),
        "delimiter": delimiter,
        "on_duplicate": body.on_duplicate,
        "actor": json.dumps(dict(actor)),
        "begin": f"{begin + head.size} {1 + head.lines} 0",
        "output": "contacts-not-imported.csv",
    }
    job, writes = jobs.starting(tenant_id, IMPORT_JOB, args, actor)
    transact(writes, result=job)
    jobs.started(job)
    return job


def import_rows(job: Job) -> Step:
    """Take the next rows, as many as one transaction holds."""
    place, line, number = map(int, (job.cursor or job.args["begin"]).split(" "))
    batch = _Batch(job)
    try:
        records, ended = _records(job, place)
    except FileNotFoundInTenantError:
        batch.refuse(line, (FieldError("", "file_deleted", _MESSAGES["file_deleted"]),))
        return batch.step(number, finished=True)
    rows = list(_rows(batch, line, records))
    found = _Found(job.tenant_id, rows)
    taken = sum(1 for _ in _taken(batch, rows, found))
    done = records[:taken]
    ended = (ended and taken == len(records)) or any(record.error == "line_too_long" for record in done)
    place, line = place + sum(record.size for record in done), line + sum(record.lines for record in done)
    return batch.step(number, place=place, line=line, finished=ended)


@frozen
class _Row:
    """What a record says, or what it is refused for."""

    line: int
    given: Given = field(default_factory=dict)
    errors: Sequence[FieldError] = ()

    @property
    def wanted(self) -> list[tuple[str, str]]:
        """What it is found by."""
        kinds = ((store.EXTERNAL_ID, "external_id"), (store.EMAIL, "email"))
        return [(kind, self.given[name]) for kind, name in kinds if self.given.get(name)]


class _Found:
    """Who has what the rows of a step name, in two reads."""

    def __init__(self, tenant_id: str, rows: Sequence[_Row]) -> None:
        self._owners = store.find_all_owners(tenant_id, {pair for row in rows for pair in row.wanted})
        self._contacts = store.find_all(tenant_id, set(self._owners.values()))

    def of(self, row: _Row) -> Contact | None:
        """Return the contact that a row is about. Raises EmailTakenError where its two names are of two contacts."""
        owners = {kind: self._owners[kind, value] for kind, value in row.wanted if (kind, value) in self._owners}
        if not owners:
            return None
        found = self._contacts.get(owners.get(store.EXTERNAL_ID) or owners[store.EMAIL])
        if not isinstance(found, Contact):
            raise StaleError  # deleted or merged a moment ago
        require_match(found, owners, row.given)
        return found


class _Batch:
    """What a step writes: rows that have nothing to do with each other, as long as there is room for all of one."""

    def __init__(self, job: Job) -> None:
        self.job, self.known = job, Known(job.tenant_id)
        self.columns = [Column(**each) for each in json.loads(job.args["columns"])]
        self.actor: Actor = json.loads(job.args["actor"])
        self.drafts: list[Contact] = []
        self.writes: list[Write] = []
        self.checks: dict[object, Write] = {}  # by key: two contacts may name one company
        self.room = WRITES_A_STEP
        self.touched: set[tuple[str, str]] = set()  # addresses and external ids of contacts that change
        self.changed: list[str] = []
        self.counted: dict[str, int] = {}
        self.errors: list[tuple[object, ...]] = []

    def take(self, row: _Row, everybody: _Found) -> bool:
        """Take a row in; False if it must wait for the next step. Raises what it is refused for."""
        if self.touched & set(row.wanted):
            return False  # what was read of them will be otherwise
        found = everybody.of(row)
        touches = {*row.wanted, *(_names(found) if found else [])}
        if self.touched & touches:
            return False
        if found and self.job.args["on_duplicate"] == "skip":
            self._count("skipped")
            return True
        if found is None:
            after, checks = drafted(self.job.tenant_id, row.given, self.actor, self.known)
            # Its row and event, its places among words, its guards, and its place in the company's list.
            needed, writes = 3 + len(after.words) + len(row.wanted), list[Write]()
        else:
            after, writes = change(found, but_seconds(found, row.given), self.actor, self.known)
            checks = [write for write in writes if write.kind == "ConditionCheck"]
            writes = [write for write in writes if write.kind != "ConditionCheck"]
            needed = len(writes)
        if needed + len(checks) > self.room:
            return False
        self.room -= needed + len(checks)
        self.touched |= touches
        self.checks |= {check.key: check for check in checks}
        self.writes += writes
        if found is None:
            self.drafts.append(after)
            self._count("created")
        else:
            self.changed += [after.id] if writes else []
            self._count("updated" if writes else "unchanged")
        return True

    def refuse(self, line: int, errors: Sequence[FieldError]) -> None:
        """Note why a row is refused."""
        self.errors += [(line, header_of(each.param, self.columns), each.code, each.message) for each in errors]
        self._count("refused")

    def step(self, number: int, *, place: int = 0, line: int = 0, finished: bool) -> Step:
        """Return the step; `number` is that of the next text about what was refused."""
        writes = [*self.writes, *self.checks.values()]
        created: list[Contact] = []
        if self.drafts:
            first = store.next_number(self.job.tenant_id, len(self.drafts))
            created = [replace(draft, number=taken) for taken, draft in enumerate(self.drafts, first)]
        writes += [write for contact in created for write in creating(contact, self.actor)]
        if self.errors:
            header = [("line", "column", "code", "message")] if number == 0 else []
            writes.append(jobs.adding_text(self.job, number, written([*header, *self.errors])))
            number += 1
        return Step(
            writes,
            done=sum(self.counted.values()),
            finished=finished,
            cursor=f"{place} {line} {number}",
            counted=self.counted,
            changed=(*(contact.id for contact in created), *self.changed),
        )

    def _count(self, outcome: str) -> None:
        self.counted[outcome] = self.counted.get(outcome, 0) + 1


def _taken(batch: _Batch, rows: Sequence[_Row], found: _Found) -> Iterator[_Row]:
    """Yield the rows that the step deals with, empty ones too."""
    for row in rows:
        if row.errors:
            batch.refuse(row.line, row.errors)
        elif row.given:
            try:
                if not batch.take(row, found):
                    return
            except (InvalidError, ConflictError) as refusal:
                own = FieldError(refusal.param or "", refusal.code, refusal.message)
                batch.refuse(row.line, refusal.errors or (own,))
        yield row


def _rows(batch: _Batch, line: int, records: Sequence[Record]) -> Iterator[_Row]:
    width, definitions = int(batch.job.args["width"]), batch.known.definitions()
    for record in records:
        if record.error:
            yield _Row(line, errors=(FieldError("", record.error, _MESSAGES[record.error]),))
        else:
            try:
                yield _Row(line, given_of(record.cells, width, batch.columns, definitions))
            except InvalidError as refusal:
                yield _Row(line, errors=refusal.errors)
        line += record.lines


def _records(job: Job, place: int) -> tuple[list[Record], bool]:
    """Return the next records from a place in the file, and whether they are the last."""
    file = files.get_file(job.tenant_id, job.args["file_id"])
    window = blocks.read(file, place, WINDOW)
    is_last = place + len(window) == file.size
    records: list[Record] = []
    start = 0
    while len(records) < ROWS_A_STEP:
        record = next_record(window, start, job.args["delimiter"], is_last=is_last)
        if record is None:
            break
        records.append(record)
        start += record.size
    return records, is_last and start == len(window)


def _names(contact: Contact) -> list[tuple[str, str]]:
    return [
        *((store.EMAIL, each) for each in contact.emails),
        *((store.EXTERNAL_ID, each) for each in contact.external_ids),
    ]


def _file(tenant_id: str, file_id: str) -> File:
    try:
        file = files.get_file(tenant_id, file_id)
    except FileNotFoundInTenantError:
        raise InvalidError.field("file_id", "There is no such file.", "not_found") from None
    if file.status != "ready":
        raise InvalidError.field("file_id", "The upload of this file is not complete.", "not_ready")
    if file.content_type not in TEXTUAL:
        raise InvalidError.field("file_id", f"This file is no CSV, but {file.content_type}.", "not_csv")
    return file
