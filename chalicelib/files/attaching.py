"""Tying files to a conversation, in the transaction of the message that brings them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from chalicelib.core import ids
from chalicelib.core.errors import FieldError, InvalidError
from chalicelib.core.table import Write
from chalicelib.files import store
from chalicelib.files.models import Attachment, File


def attaching(
    tenant_id: str, file_ids: Sequence[str], conversation_id: str, author: Mapping[str, str], visitor_id: str | None
) -> tuple[tuple[Attachment, ...], list[Write]]:
    """Return what the message keeps of the files, and the writes that tie them to its conversation.

    `author` sends the message; `visitor_id` is who may see it, None for a note. A visitor sends only what he has
    uploaded, the others anything but that; a file belongs to one conversation. Raises InvalidError that names every
    file that can't be sent. One read; none without files.
    """
    if not file_ids:
        return (), []
    found = store.find_all(tenant_id, [each for each in file_ids if ids.is_id("fil", each)])
    errors = [
        FieldError(f"attachments.{place}", *problem)
        for place, each in enumerate(file_ids)
        if (problem := _problem(found.get(each), conversation_id, author))
    ]
    if errors:
        raise InvalidError(errors[0].message, param=errors[0].param, errors=errors)
    files = [found[each] for each in file_ids]
    writes = []
    for before in files:
        after = replace(before, conversation_id=conversation_id, visitor_id=visitor_id or before.visitor_id)
        writes += store.attaching(before, after)
    return tuple(Attachment.of(file) for file in files), writes


def _problem(file: File | None, conversation_id: str, author: Mapping[str, str]) -> tuple[str, str] | None:
    if file is None or ("visitor" in (file.created_by["type"], author["type"]) and not _own(file, author)):
        return "not_found", "There is no such file, or you may not send it."
    if file.status != "ready":
        return "not_ready", "The file is not ready. Complete its upload first."
    if file.conversation_id not in (None, conversation_id):
        return "attached_elsewhere", "The file belongs to another conversation. Upload it again."
    return None


def _own(file: File, author: Mapping[str, str]) -> bool:
    return file.created_by["id"] == author["id"]
