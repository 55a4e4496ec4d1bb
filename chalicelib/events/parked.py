"""What the sweeper has given up on, and its way back."""

from chalicelib.core import table
from chalicelib.core.frozen import frozen
from chalicelib.core.table import Key
from chalicelib.events import outbox
from chalicelib.events.outbox import PENDING_SHARDS

PER_SHARD = 1000  # listed at most


@frozen
class Parked:
    """An aggregate whose events after `dpos` have not been dispatched; `pos` is its last."""

    aggregate: str  # its full partition key
    dpos: int
    pos: int


def list_parked() -> list[Parked]:
    """List what is parked, of all tenants. For operators."""
    listed: list[Key] = []
    for shard in range(PENDING_SHARDS):
        listed += table.pending_keys(f"PX#{shard}", "~", PER_SHARD)
    # The index lags: what it lists may have gone on since.
    rows = [row for row in table.batch_get(listed).values() if _is_parked(row.get("p_pk", ""))]
    return [Parked(row["pk"], row["dpos"], row["pos"]) for row in sorted(rows, key=lambda row: str(row["p_sk"]))]


def unpark(parked: Parked) -> bool:
    """Let the dispatcher try again, and the sweeper count from the start; False if it has gone on by itself."""
    rows, pk = table.rows_of(parked.aggregate), parked.aggregate.partition("#")[2]
    pending = outbox.pending(rows, pk)
    was = pending["p_pk"].replace("P#", "PX#")
    try:
        table.run(rows.updating(pk, "meta", set_={**pending, "pr": None}, when={"p_pk": was}))
    except table.ConditionFailedError:
        return False
    outbox.notify(rows, pk)
    return True


def _is_parked(partition: str) -> bool:
    return partition.startswith("PX#")
