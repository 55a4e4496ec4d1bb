"""What people do with files: send them, through the API or directly to the bucket, read about them, delete them."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from chalicelib.core import clock, ids, keyring, ratelimit
from chalicelib.core.config import settings
from chalicelib.core.errors import InvalidError
from chalicelib.core.http import Page
from chalicelib.core.http.forms import Upload
from chalicelib.core.items import Item
from chalicelib.core.listing import page_of_source
from chalicelib.core.table import NOTHING, ConditionFailedError, Key, StaleError, Write, retrying, tenant_rows, transact
from chalicelib.events import counters, outbox
from chalicelib.events.models import NewEvent
from chalicelib.files import s3_gateway, store
from chalicelib.files.models import (
    REFUSALS,
    UPLOAD_S,
    File,
    FileNotFoundInTenantError,
    ListFiles,
    NotUploadedError,
    SizeDiffersError,
    Started,
    Storage,
)
from chalicelib.files.names import clean
from chalicelib.files.showing import FileOut, incoming_key, object_prefix
from chalicelib.tenants import service as tenants
from chalicelib.tenants.models import LARGER, PlanLimitError

if TYPE_CHECKING:
    from chalicelib.files.inspection import Verdict

Actor = dict[str, str]

FILES, BYTES = "files", "file_bytes"  # the tenant's counters
_admits: list[Callable[[str, str, str], bool]] = []

VISITOR_UPLOADS, VISITOR_WINDOW_S = 60, 3600  # a visitor may send so many files in so many seconds


def upload_file(tenant_id: str, actor: Actor, upload: Upload) -> File:
    """Take a file that came with the request. Nothing is kept of one that is refused.

    The row comes first: whatever happens after it, the sweep finds the bytes.
    """
    _limit(tenant_id, actor)
    name = clean(upload.name)
    from chalicelib.files.inspection import WINDOW, check_claims, inspect  # noqa: PLC0415 - only uploads need it

    check_claims(name, upload.content_type)
    _require_room(tenant_id, actor, len(upload.data))
    verdict = inspect(upload.data[:WINDOW], upload.data[-WINDOW:], len(upload.data), name)
    file = _new(tenant_id, actor, name, verdict.content_type, len(upload.data))
    transact(store.creating(file))
    part = _part(hashlib.sha256(upload.data).hexdigest())
    s3_gateway.put(object_prefix(tenant_id, file.id) + part, upload.data, verdict.content_type)
    return _make_ready(file, verdict, part)


def start_upload(tenant_id: str, actor: Actor, name: str, content_type: str, size: int) -> Started:
    """Let a file be sent directly to the bucket: of this type, with this many bytes, under this key, for an hour."""
    _limit(tenant_id, actor)
    from chalicelib.files.inspection import check_claims  # noqa: PLC0415 - as above

    check_claims(clean(name), content_type, ("name", "content_type"))
    _require_room(tenant_id, actor, size)
    file = _new(tenant_id, actor, clean(name), content_type, size)
    form = s3_gateway.upload_form(incoming_key(tenant_id, file.id), content_type, size, UPLOAD_S)
    started = Started(file, form.url, clock.now_ms() + UPLOAD_S * 1000, form.fields)
    transact(store.creating(file), result=started)
    return started


def complete_upload(tenant_id: str, file_id: str, owner: Actor | None = None) -> File:
    """Look at what was sent directly, and make it ready; a ready one stays as it is, whatever is sent later.

    The bytes that were looked at are copied to where only we write. `owner` is the visitor who must have begun it.
    Raises what says why it is refused.
    """

    def attempt() -> File:
        before = get_file(tenant_id, file_id)
        if owner is not None and before.created_by != owner:
            raise FileNotFoundInTenantError
        if before.status == "ready":
            return before
        if before.refused_for:
            raise _refusal(before.refused_for)
        stored = s3_gateway.find(incoming_key(tenant_id, file_id))
        if stored is None:
            raise NotUploadedError
        try:
            verdict = _verdict(before, stored)
        except REFUSALS as refusal:
            _commit(before, replace(before, status="refused", refused_for=refusal.code))
            raise
        part = _part(stored.version)
        s3_gateway.copy(stored, object_prefix(tenant_id, file_id) + part, verdict.content_type)
        return _make_ready(before, verdict, part)

    return retrying(attempt)


def get_file(tenant_id: str, file_id: str) -> File:
    """Return a file; raises FileNotFoundInTenantError."""
    found = store.find(tenant_id, file_id) if ids.is_id("fil", file_id) else None
    if found is None:
        raise FileNotFoundInTenantError
    return found


def admit_with(admits: Callable[[str, str, str], bool]) -> None:
    """Set what tells whether a contact may read a conversation. Called from app.py: conversations are above."""
    _admits[:] = [admits]


def get_file_of_visitor(tenant_id: str, file_id: str, visitor: Actor, proven_contact_id: str) -> File:
    """Return a file that the visitor sent, or that a public message in a conversation of his brought.

    His are also the conversations of the contact that he has proven to be, from other devices: one read more.
    """
    found = get_file(tenant_id, file_id)
    if visitor in (found.created_by, {"type": "visitor", "id": found.visitor_id}):
        return found
    said_in = found.conversation_id if found.visitor_id else None  # no visitor: a note brought it
    if proven_contact_id and said_in and _admits[0](tenant_id, said_in, proven_contact_id):
        return found
    raise FileNotFoundInTenantError


def list_files(tenant_id: str, query: ListFiles) -> Page[File]:
    """List ready files, newest first. One query and one read."""
    rows = tenant_rows(tenant_id)
    found: dict[Key, Item] = {}

    def load(keys: Sequence[Key]) -> dict[Key, File]:
        found.update(rows.batch_get([*keys, *counters.keys(rows)]))
        return {each: file for each in keys if (file := store.from_item(found.get(each)))}

    def count() -> tuple[int, bool]:
        return (counters.total(found, rows, FILES) if found else counters.read_total(rows, FILES)), False

    return page_of_source(store.everything(tenant_id), query, tenant_id, "files", load=load, count=count)


def delete_file(tenant_id: str, file_id: str, actor: Actor) -> None:
    """Delete a file; the dispatcher removes its bytes. A message that brought it goes on naming it."""

    def attempt() -> None:
        before = get_file(tenant_id, file_id)
        try:
            transact(deleting(before, actor))
        except ConditionFailedError:
            raise StaleError from None

    retrying(attempt)
    outbox.notify(tenant_rows(tenant_id), file_id)


def deleting(file: File, actor: Actor) -> list[Write]:
    """Return the writes that delete a file. Its bytes go when the dispatcher comes to the event: `workers`."""
    if file.status != "ready":
        return store.burying(file, NewEvent("file.discarded", {"id": file.id}, actor), logged=False)
    counts = {FILES: -1, BYTES: -file.size}
    return store.burying(file, NewEvent("file.deleted", {"id": file.id}, actor, counts=counts), logged=True)


def read_storage(tenant_id: str) -> Storage:
    """Return how many files a tenant keeps, and how many bytes. One read."""
    rows = tenant_rows(tenant_id)
    found = rows.batch_get(counters.keys(rows))
    return Storage(counters.total(found, rows, FILES), counters.total(found, rows, BYTES))


def count_bytes(tenant_id: str) -> int:
    """Return how many bytes a tenant's files are. One read."""
    return read_storage(tenant_id).size


def _new(tenant_id: str, actor: Actor, name: str, content_type: str, size: int) -> File:
    return File(tenant_id, ids.new("fil"), name, content_type, size, actor, clock.now_ms())


def _limit(tenant_id: str, actor: Actor) -> None:
    if actor["type"] == "visitor":
        name = keyring.keyed_hash("upload", tenant_id, actor["id"]).hex()[:32]
        ratelimit.count_in_window(f"upload#{name}", VISITOR_UPLOADS, VISITOR_WINDOW_S)


def _require_room(tenant_id: str, actor: Actor, size: int) -> None:
    """Refuse what the plan has no room for; uploads of the same seconds may exceed it together.

    Visitors are let through: what they send must not be lost for a plan that is not theirs. Nothing is read where
    tenants don't pay. Raises PlanLimitError.
    """
    if not settings().billing or actor["type"] == "visitor":
        return
    allowed = tenants.find_limits(tenant_id)[0].storage
    if allowed is not None and count_bytes(tenant_id) + size > allowed:
        raise PlanLimitError(f"Your plan allows {allowed} bytes of files: delete some. {LARGER}")


def _verdict(file: File, stored: s3_gateway.Stored) -> "Verdict":
    if stored.size != file.size:
        raise SizeDiffersError(param="size")
    from chalicelib.files.inspection import WINDOW, inspect  # noqa: PLC0415 - as above

    head = s3_gateway.read(stored, 0, WINDOW)
    tail = head if stored.size <= WINDOW else s3_gateway.read(stored, stored.size - WINDOW, WINDOW)
    return inspect(head, tail, stored.size, file.name)


def _part(source: str) -> str:
    """Return the last part of a key. The same source gives the same one, so that bytes never change under a key."""
    return hashlib.sha256(source.encode()).hexdigest()[:16]


def _make_ready(before: File, verdict: "Verdict", part: str) -> File:
    after = replace(
        before,
        status="ready",
        content_type=verdict.content_type,
        width=verdict.width,
        height=verdict.height,
        part=part,
        pos=before.pos + 1,
    )
    counts = {FILES: 1, BYTES: after.size}
    shown = FileOut.of(after).model_dump(mode="json", exclude={"download_url"})
    _commit(before, after, NewEvent("file.created", shown, after.created_by, counts=counts))
    return after


def _commit(before: File, after: File, event: NewEvent | None = None) -> None:
    try:
        transact(store.checked(before, after, [event] if event else []), result=after if event else NOTHING)
    except ConditionFailedError:
        raise StaleError from None
    if event:
        outbox.notify(tenant_rows(after.tenant_id), after.id)


def _refusal(code: str) -> InvalidError:
    return next(error for error in REFUSALS if error.code == code)(param="file")
