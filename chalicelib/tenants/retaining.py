"""When a tenant's closed conversations are looked through: a row that is due daily, of tenants with a retention."""

import zlib

from chalicelib.core import clock
from chalicelib.core.frozen import frozen
from chalicelib.core.table import ConditionFailedError, Write, run, tenant_rows
from chalicelib.tenants.models import Tenant
from chalicelib.tenants.partitions import Place
from chalicelib.tenants.store import AGGREGATE, tenant_from_item, tenant_key

DUE = "K"  # the partitions of the pending index
DUE_SHARDS = 4  # one entry a tenant, written once a day
DAY_MS = 86_400_000


@frozen
class Look:
    """A look through a tenant's conversations: when it is due, and how far it has come."""

    tenant: Tenant
    due: str
    place: Place


def scheduling(tenant: Tenant) -> Write:
    """Return the write that has the tenant looked through a day from now, or never if it keeps all."""
    rows = tenant_rows(tenant.id)
    if tenant.retention_days is None:
        return rows.deleting(AGGREGATE, "due")
    shard = zlib.crc32(tenant.id.encode()) % DUE_SHARDS
    row = {"p_pk": f"{DUE}#{shard}", "p_sk": _moment(DAY_MS), "at": str(Place())}
    return rows.putting(AGGREGATE, "due", row)


def find_look(tenant_id: str) -> Look | None:
    """Read a look that is due now. One call."""
    rows = tenant_rows(tenant_id)
    key, tenant = rows.key(AGGREGATE, "due"), tenant_key(tenant_id)
    found = rows.batch_get([key, tenant], consistent=True)
    if key not in found or tenant not in found or found[key]["p_sk"] > _moment():
        return None  # the index is behind
    row = found[key]
    return Look(tenant_from_item(tenant_id, found[tenant]), row["p_sk"], Place.read(row["at"]))


def put_off(look: Look, place: Place | None) -> None:
    """Note where a look goes on, behind the other tenants, or that it is done for a day; unless it was set anew."""
    after = {"p_sk": _moment(0 if place else DAY_MS), "at": str(place or Place())}
    rows = tenant_rows(look.tenant.id)
    try:
        run(rows.updating(AGGREGATE, "due", set_=after, when={"p_sk": look.due, "at": str(look.place)}))
    except ConditionFailedError:
        return


def requiring_retention(tenant: Tenant) -> Write:
    """Return the condition that a tenant is active and still keeps conversations for as long as when it was read."""
    when = {"keep": tenant.retention_days, "off": None}
    return tenant_rows(tenant.id).checking(AGGREGATE, "meta", when=when)


def _moment(later_ms: int = 0) -> str:
    return f"{clock.now_ms() + later_ms:013d}"
