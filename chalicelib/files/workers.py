"""What goes on behind: the bytes of deleted files, and files that nothing has taken up."""

from chalicelib.core import clock, log, table
from chalicelib.core.due import keys_due
from chalicelib.core.errors import UnavailableError
from chalicelib.core.table import ConditionFailedError, rows_of, transact
from chalicelib.events import outbox
from chalicelib.events.models import SYSTEM, Event
from chalicelib.files import s3_gateway, store
from chalicelib.files.service import deleting
from chalicelib.files.showing import incoming_key, object_prefix

A_PASS = 100  # files swept per shard and run, oldest first
SECONDS = 150.0  # of the function's five minutes, the rest of which is for conversations


def on_event(event: Event) -> None:
    """Delete the bytes of a deleted file, also those of an upload that nobody completed. Subscribed in app.py."""
    if event.type in {"file.deleted", "file.discarded"}:
        file_id = event.pk.partition("#")[2]
        s3_gateway.delete_all(object_prefix(event.tenant_id, file_id))
        s3_gateway.delete_all(incoming_key(event.tenant_id, file_id))


def sweep_orphans() -> None:
    """Delete what was uploaded a day ago and is attached to nothing. Runs each hour."""
    now = f"{clock.now_ms():013d}~"
    for key in keys_due("F", store.DUE_SHARDS, now, A_PASS, SECONDS):
        try:
            _sweep(key.pk)
        except UnavailableError:
            log.warning("orphan_not_swept", aggregate=key.pk)  # it stays due, and the others go on


def _sweep(full_pk: str) -> None:
    tenant_id, _, file_id = full_pk.partition("#")
    file = store.find(tenant_id, file_id)
    if file is None or file.conversation_id is not None:
        table.run(rows_of(full_pk).deleting(file_id, "due"))
        return
    try:
        transact(deleting(file, SYSTEM))
    except ConditionFailedError:
        return  # a message has taken it up just now, or somebody has deleted it
    outbox.notify(rows_of(full_pk), file_id)
