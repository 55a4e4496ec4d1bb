"""Looking through what was said last, for the search in conversations."""

from collections.abc import Callable

from chalicelib.core.table import tenant_rows
from chalicelib.events.newest import newest_keys
from chalicelib.messages import store

LOOKED_AT = 2000
_A_CALL = 100


def conversations_saying(tenant_id: str, matches: Callable[[str], bool], limit: int) -> tuple[list[str], int | None]:
    """Return up to `limit` conversations with a matching text among the tenant's newest 2,000, newest first.

    The second value is when the oldest text was said that was looked at. At most four queries a shard of the log and
    twenty BatchGets, however much was said.
    """
    rows, keys = tenant_rows(tenant_id), newest_keys(tenant_id, "m#", LOOKED_AT)
    found: dict[str, None] = {}
    until: int | None = None
    for start in range(0, len(keys), _A_CALL):
        part = keys[start : start + _A_CALL]
        items = rows.batch_get(part)
        messages = [store.from_item(items[key]) for key in part if key in items]
        for message in messages:
            until = message.moved.at if message.moved else message.created_at
            if matches(message.content):
                found[message.conversation_id] = None
        if len(found) >= limit:
            break
    return list(found), until
