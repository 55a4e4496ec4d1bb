"""Rows of API keys: pk `key`, sk the key's id, so that a token leads to its row without an index."""

from chalicelib.core.items import Item
from chalicelib.core.table import ConditionFailedError, Write, run, tenant_rows
from chalicelib.tenants import store
from chalicelib.tenants.models import MAX_KEYS, ApiKey, Status


def key_from_item(tenant_id: str, row: Item) -> ApiKey:
    """Read a key's row."""
    return ApiKey(
        id=row["sk"],
        tenant_id=tenant_id,
        name=row["name"],
        mode=row["mode"],
        scopes=frozenset(row["scopes"]),
        hash=row["h"],
        created_by=row["by"],
        created_at=row["c"],
        updated_at=row["u"],
        hint=row["hint"],
        author_name=row.get("author"),
        expires_at=row.get("until"),
        last_used_at=row.get("used"),
        previous_hash=row.get("ph"),
        previous_until=row.get("puntil"),
        version=row["v"],
    )


def _row(key: ApiKey) -> Item:
    return {
        "name": key.name,
        "mode": key.mode,
        "scopes": key.scopes,
        "h": key.hash,
        "by": key.created_by,
        "c": key.created_at,
        "u": key.updated_at,
        "hint": key.hint,
        "author": key.author_name,
        "until": key.expires_at,
        "ph": key.previous_hash,
        "puntil": key.previous_until,
        "v": key.version,
    }


def find_key(tenant_id: str, key_id: str) -> ApiKey | None:
    """Read a key, consistently: a revoked one must not go on working."""
    row = tenant_rows(tenant_id).get("key", key_id, consistent=True)
    return key_from_item(tenant_id, row) if row else None


def find_key_and_status(tenant_id: str, key_id: str) -> tuple[ApiKey | None, Status]:
    """Read a key as it is now, and whether its tenant is active. One call."""
    rows = tenant_rows(tenant_id)
    key, tenant = rows.key("key", key_id), store.tenant_key(tenant_id)
    found = rows.batch_get([key, tenant])
    return key_from_item(tenant_id, found[key]) if key in found else None, store.status_of(found.get(tenant, {}))


def list_keys(tenant_id: str) -> list[ApiKey]:
    """Read all keys, newest first. One query."""
    found = tenant_rows(tenant_id).query("key", limit=MAX_KEYS, newest_first=True, consistent=True)
    return [key_from_item(tenant_id, row) for row in found.items]


def creating(key: ApiKey) -> Write:
    """Return the write of a new key."""
    return tenant_rows(key.tenant_id).putting("key", key.id, _row(key), absent=True)


def changing(before: ApiKey, after: ApiKey) -> Write:
    """Return the write that changes a key unless somebody else has; it leaves `used` alone."""
    return tenant_rows(after.tenant_id).updating("key", after.id, set_=_row(after), when={"v": before.version})


def deleting(key: ApiKey) -> Write:
    """Return the write that ends a key."""
    return tenant_rows(key.tenant_id).deleting("key", key.id, exists=True)


def mark_used(key: ApiKey, now_ms: int, unless_since_ms: int) -> None:
    """Note when a key was used last, unless that was noted since `unless_since_ms` or the key is gone."""
    write = tenant_rows(key.tenant_id).updating(
        "key", key.id, set_={"used": now_ms}, at_most={"used": unless_since_ms}, exists=True
    )
    try:
        run(write)
    except ConditionFailedError:
        return
