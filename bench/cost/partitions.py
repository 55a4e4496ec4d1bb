"""At what load does one partition of an index throttle? Messages come at random, each to the shard of its conversation.

A partition takes 1,000 write units in a second. What DynamoDB may lend beyond that for some minutes is not counted on.
"""

import random
from collections import Counter

PARTITION_UNITS = 1000
SECONDS = 30
BEARABLE = 0.001  # of messages that are throttled, and therefore tried again
STEPS = 6


def bearable_rate(units: float, shards: int) -> int:
    """Return the messages a second at which a thousandth is throttled, each writing `units` to one of `shards`."""
    low, high = 0.7, 1.0  # of what the partitions could take if messages came evenly
    full = PARTITION_UNITS * shards / units
    for _ in range(STEPS):
        middle = (low + high) / 2
        if throttled(full * middle, units, shards) <= BEARABLE:
            low = middle
        else:
            high = middle
    return round(full * low / 10) * 10


def throttled(rate: float, units: float, shards: int) -> float:
    """Return the share of messages that find their partition without units; always the same for the same load."""
    chance, now = random.Random(1), 0.0
    seen: Counter[tuple[int, int]] = Counter()  # messages by second and shard
    while (now := now + chance.expovariate(rate)) < SECONDS:
        seen[int(now), chance.randrange(shards)] += 1
    taken = PARTITION_UNITS // units
    return sum(max(0, each - taken) for each in seen.values()) / seen.total()
