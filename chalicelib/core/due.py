"""Walking what is due: entries of the pending index, for functions that run every minute or hour."""

import random
import time
from collections.abc import Iterator

from chalicelib.core import log, table
from chalicelib.core.dynamodb import Key

MINUTE_S = 45.0  # of the minute until the next run


def keys_due(name: str, shards: int, before: str, a_shard: int, seconds: float = MINUTE_S) -> Iterator[Key]:
    """Yield the keys of rows listed under `name#<shard>` with a sort key below `before`, until the time is up.

    The shards come in another order each time, so that none is always the one that is not come to. At most `a_shard`
    keys of each; the others are due again at the next run.
    """
    deadline = time.monotonic() + seconds
    for shard in random.sample(range(shards), shards):
        for key in table.pending_keys(f"{name}#{shard}", before, a_shard):
            if time.monotonic() > deadline:
                log.warning("sweep_cut_short", of=name, shard=shard)
                return
            yield key
