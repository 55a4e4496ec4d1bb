"""Deleting closed conversations that their tenant keeps no longer, oldest first and some pages of each tenant an hour.

Each page notes where the next one begins, so whoever dies only delays it, and what is closed since a short while but
was silent for long is not in the way of what comes behind it.
"""

import time

from chalicelib.conversations import store
from chalicelib.conversations.deletion import delete_as_read
from chalicelib.conversations.models import Conversation
from chalicelib.core import clock, log
from chalicelib.core.due import keys_due
from chalicelib.core.errors import UnavailableError
from chalicelib.core.table import StaleError
from chalicelib.events.models import SYSTEM
from chalicelib.tenants import partitions, retaining
from chalicelib.tenants.partitions import Place
from chalicelib.tenants.retaining import Look

PAGE = 50  # conversations: both rows of each, in one read
PAGES = 10  # of a tenant and run
A_SHARD = 100  # tenants
SECONDS = 120.0


def delete_expired() -> None:
    """Delete what tenants that are due keep no longer. Runs each hour; each tenant is due once a day."""
    deadline = time.monotonic() + SECONDS
    for key in keys_due(retaining.DUE, retaining.DUE_SHARDS, f"{clock.now_ms():013d}~", A_SHARD, SECONDS):
        tenant_id = key.pk.partition("#")[0]
        try:
            for _ in range(PAGES):
                if not _delete_page(tenant_id) or time.monotonic() > deadline:
                    break
        except UnavailableError:
            log.warning("retention_put_off", aggregate=key.pk)  # it stays due, and the others go on


def _delete_page(tenant_id: str) -> bool:
    """Look through the next page and delete what is to go; tell whether there is more."""
    look = retaining.find_look(tenant_id)
    if look is None:
        return False
    # One that is suspended can't say that it is to be kept; one that is being erased is erased by a job.
    place = _go_through(look) if look.tenant.status == "active" else None
    retaining.put_off(look, place)
    return place is not None


def _go_through(look: Look) -> Place | None:
    """Delete what is to go of a page; return where the next one begins, if there is one."""
    try:
        entries, rows, more = partitions.listed(look.tenant.id, "activity", ("closed",), look.place, PAGE)
    except IndexError:
        return None
    last = clock.now_ms() - (look.tenant.retention_days or 0) * retaining.DAY_MS
    silent = [entry for entry in entries if entry["a_sk"] <= f"{last:013d}~"]
    wanted = [entry["pk"].partition("#")[2] for entry in silent]
    for found in store.find_all(rows.scope, wanted).values():
        if isinstance(found, Conversation) and _is_over(found, last):
            _delete(look, found)
    if more and len(silent) == len(entries):
        return Place(look.place.number, entries[-1]["a_sk"])
    return Place(look.place.number + 1)


def _is_over(found: Conversation, last: int) -> bool:
    hot = found.hot
    return hot.status == "closed" and max(hot.activity, hot.closed_at or 0) <= last


def _delete(look: Look, found: Conversation) -> None:
    try:
        delete_as_read(found, SYSTEM, [retaining.requiring_retention(look.tenant)])
    except StaleError:
        return  # somebody has reopened it or written just now, or the tenant keeps it for longer
