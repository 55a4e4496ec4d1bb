"""The safety net under the events queue: what stayed pending is sent again, and parked when that does not help."""

from chalicelib.core import aws, clock, log, table
from chalicelib.core.config import settings
from chalicelib.core.due import keys_due
from chalicelib.events.outbox import PENDING_SHARDS

OLD_MS = 180_000
PER_SHARD = 100  # entries sent again per shard and minute, oldest first
MAX_PASSES = 5
PARK_MS = OLD_MS + MAX_PASSES * 60_000  # not before, as sweeps may overlap
BACKLOG = 1000  # messages waiting in the queue: then it is slow, not lossy, and sweeping would only add to it


def sweep() -> None:
    """Send every entry that has been pending for three minutes to the events queue again. Runs each minute."""
    if _queue_depth() > BACKLOG:
        log.warning("sweep_skipped", reason="queue_behind")
        return
    before = f"{clock.now_ms() - OLD_MS:013d}"
    for key in keys_due("P", PENDING_SHARDS, before, PER_SHARD):
        _resend(key.pk)


def _resend(full_pk: str) -> None:
    rows, pk = table.rows_of(full_pk), full_pk.partition("#")[2]
    try:
        row = table.run(rows.updating(pk, "meta", add={"pr": 1}, exists=True), returning=True)
    except table.ConditionFailedError:
        return  # gone
    listed: str = row.get("p_pk", "")
    if not listed.startswith("P#"):
        return  # the index lags: it is dispatched or parked already
    if row["pr"] <= MAX_PASSES or int(row["p_sk"]) > clock.now_ms() - PARK_MS:
        aws.send(settings().events_queue_url, full_pk)
        return
    parked = rows.updating(
        pk, "meta", set_={"p_pk": listed.replace("P#", "PX#")}, when={"p_pk": listed, "dpos": row["dpos"]}
    )
    try:
        table.run(parked)
    except table.ConditionFailedError:
        return  # it moved on after all
    log.error("event_parked", metrics={"EventsParked": 1}, aggregate=full_pk, dpos=row["dpos"], pos=row["pos"])


def _queue_depth() -> int:
    answer = aws.call(
        "sqs",
        "get_queue_attributes",
        {"QueueUrl": settings().events_queue_url, "AttributeNames": ["ApproximateNumberOfMessages"]},
    )
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])
