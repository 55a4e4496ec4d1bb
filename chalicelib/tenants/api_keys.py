"""API keys: made, changed, rotated, revoked, and recognised when they call."""

import hashlib
import hmac
import secrets
from dataclasses import replace
from datetime import datetime
from typing import Any

from chalicelib.core import clock, ids, regions, tokens
from chalicelib.core.errors import (
    InvalidError,
    NotFoundError,
    PreconditionFailedError,
    UnauthenticatedError,
    UnavailableError,
)
from chalicelib.core.http import Page, PageQuery, Principal, Role
from chalicelib.core.http.pages import page_of
from chalicelib.core.table import ConditionFailedError, StaleError, retrying
from chalicelib.events.models import NewEvent
from chalicelib.tenants import key_store, store
from chalicelib.tenants.audit import commit
from chalicelib.tenants.models import (
    MAX_KEYS,
    SCOPES,
    ApiKey,
    IssuedKey,
    KeyLimitError,
    Mode,
    OutlivesCallerError,
    ScopeNotHeldError,
)
from chalicelib.tenants.schemas import ApiKeyOut

PREFIXES: dict[Mode, str] = {"live": "parley_live_", "test": "parley_test_"}
SECRET_BYTES = 24
_NOTED_MS = 300_000  # how exact `last_used_at` is: a write for every request would cost more than the request


def create_key(
    tenant_id: str,
    actor: Principal,
    name: str,
    *,
    scopes: list[str] | None = None,
    mode: Mode = "live",
    expires_at: datetime | None = None,
    author_name: str | None = None,
) -> IssuedKey:
    """Make a key. Without `scopes` or `expires_at` it may do all that its maker may, for as long; never more.

    Without `author_name` visitors see the tenant's present name as the author of what it writes.
    """
    wanted = _held(actor) if scopes is None else frozenset(scopes)
    until = _lasting(actor) if expires_at is None else _future(expires_at)
    _must_hold(actor, wanted, until)

    def attempt() -> IssuedKey:
        tenant = store.get_tenant(tenant_id)
        if tenant.keys >= MAX_KEYS:
            raise KeyLimitError
        key_id, secret, now = ids.new("key"), secrets.token_bytes(SECRET_BYTES), clock.now_ms()
        token = token_of(mode, tenant_id, key_id, secret)
        made = ApiKey(
            id=key_id,
            tenant_id=tenant_id,
            name=name,
            mode=mode,
            scopes=wanted,
            hash=hash_of(secret),
            created_by=actor.actor,
            created_at=now,
            updated_at=now,
            hint=token[-4:],
            author_name=author_name or tenant.name,
            expires_at=until,
        )
        issued = IssuedKey(made, token)
        event = NewEvent("api_key.created", _shown(made), actor.actor)
        writes = store.changing_tenant(tenant, event, {"keys": tenant.keys + 1})
        commit(tenant_id, [*writes, key_store.creating(made)], result=issued)
        return issued

    return retrying(attempt)


def list_keys(tenant_id: str, query: PageQuery) -> Page[ApiKey]:
    """List keys, newest first."""
    return page_of(key_store.list_keys(tenant_id), query, tenant_id, "api-keys", lambda key: key.id)


def get_key(tenant_id: str, key_id: str) -> ApiKey:
    """Return a key; raises NotFoundError."""
    key = key_store.find_key(tenant_id, key_id) if ids.is_id("key", key_id) else None
    if key is None:
        raise NotFoundError
    return key


def update_key(
    tenant_id: str, actor: Principal, key_id: str, changes: dict[str, Any], *, expected_version: int | None = None
) -> ApiKey:
    """Change a key's `name`, `author_name`, `scopes` or `expires_at`."""
    wanted = dict(changes)
    if "expires_at" in wanted:
        wanted["expires_at"] = _future(wanted["expires_at"])
    if "scopes" in wanted:
        wanted["scopes"] = frozenset(wanted["scopes"])

    def attempt() -> ApiKey:
        before = get_key(tenant_id, key_id)
        if expected_version not in {None, before.version}:
            raise PreconditionFailedError
        after = replace(before, **wanted)
        for key in (before, after):
            _must_hold(actor, key.scopes, key.expires_at)
        if after == before:
            return before
        after = replace(after, updated_at=clock.now_ms(), version=before.version + 1)
        _commit_change(actor, "api_key.updated", before, after, after)
        return after

    return retrying(attempt)


def rotate_key(
    tenant_id: str,
    actor: Principal,
    key_id: str,
    *,
    expire_previous_in: int = 0,
    expected_version: int | None = None,
) -> IssuedKey:
    """Give a key a new secret; the one before works for `expire_previous_in` more seconds, older ones not at all."""

    def attempt() -> IssuedKey:
        before = get_key(tenant_id, key_id)
        if expected_version not in {None, before.version}:
            raise PreconditionFailedError
        _must_hold(actor, before.scopes, before.expires_at)
        secret, now = secrets.token_bytes(SECRET_BYTES), clock.now_ms()
        token = token_of(before.mode, tenant_id, key_id, secret)
        after = replace(
            before,
            hash=hash_of(secret),
            hint=token[-4:],
            previous_hash=before.hash if expire_previous_in else None,
            previous_until=now + 1000 * expire_previous_in if expire_previous_in else None,
            updated_at=now,
            version=before.version + 1,
        )
        issued = IssuedKey(after, token)
        _commit_change(actor, "api_key.rotated", before, after, issued)
        return issued

    return retrying(attempt)


def revoke_key(tenant_id: str, actor: Principal, key_id: str, *, expected_version: int | None = None) -> None:
    """End a key at once."""

    def attempt() -> None:
        tenant, key = store.get_tenant(tenant_id), get_key(tenant_id, key_id)
        if expected_version not in {None, key.version}:
            raise PreconditionFailedError
        event = NewEvent("api_key.revoked", _shown(key), actor.actor)
        writes = store.changing_tenant(tenant, event, {"keys": tenant.keys - 1})
        commit(tenant_id, [*writes, key_store.deleting(key)])

    retrying(attempt)


def _commit_change(actor: Principal, type_: str, before: ApiKey, after: ApiKey, result: object) -> None:
    old, new = _shown(before), _shown(after)
    previous = {name: value for name, value in old.items() if new[name] != value}
    tenant = store.get_tenant(after.tenant_id)
    writes = store.changing_tenant(tenant, NewEvent(type_, new, actor.actor, previous))
    try:
        commit(after.tenant_id, [*writes, key_store.changing(before, after)], result=result)
    except ConditionFailedError as exc:
        raise StaleError from exc  # the key was changed between its read and the tenant's


def _shown(key: ApiKey) -> dict[str, Any]:
    return ApiKeyOut.of(key).model_dump(mode="json", exclude={"last_used_at"})


def _held(actor: Principal) -> frozenset[str]:
    return actor.scopes if actor.kind == "api_key" else frozenset(SCOPES)


def _lasting(actor: Principal) -> int | None:
    # A token's end is no matter: a person goes on without it. Of a secret that was rotated away, it is the overlap's.
    return actor.expires_at if actor.kind == "api_key" else None


def _must_hold(actor: Principal, scopes: frozenset[str], until: int | None) -> None:
    """Refuse a key that would give, or get at, more than it has itself; a test-mode key gets no key at all."""
    if missing := scopes - _held(actor):
        raise ScopeNotHeldError(f"This key lacks {', '.join(sorted(missing))}.", param="scopes")
    end = _lasting(actor)
    if end is not None and (until is None or until > end):
        raise OutlivesCallerError(f"This key's secret works until {clock.rfc3339(end)}.", param="expires_at")


def _future(moment: datetime | None) -> int | None:
    if moment is None:
        return None
    if clock.to_ms(moment) <= clock.now_ms():
        raise InvalidError.field("expires_at", "Give a time that is still to come.")
    return clock.to_ms(moment)


def token_of(mode: Mode, tenant_id: str, key_id: str, secret: bytes) -> str:
    """Return a key as its holder has it."""
    return tokens.pack(PREFIXES[mode], ids.to_bytes(tenant_id), ids.to_bytes(key_id), secret)


def hash_of(secret: bytes) -> bytes:
    """Return what is stored of a secret."""
    # 192 random bits need no salt and no slow hash.
    return hashlib.sha256(secret).digest()


def authenticate_key(token: str) -> Principal:
    """Return whom an API key stands for. One read; none for a token whose checksum is wrong.

    Raises UnauthenticatedError for one that is wrong, revoked or expired, WrongRegionError for another region's.
    """
    for mode, prefix in PREFIXES.items():
        if parts := tokens.unpack(prefix, token, 16, 16, SECRET_BYTES):
            tenant_id = ids.from_bytes("tn", parts[0])
            regions.require_home(tenant_id)
            key, status = key_store.find_key_and_status(tenant_id, ids.from_bytes("key", parts[1]))
            now = clock.now_ms()
            if key is None or key.mode != mode or not _works(key, parts[2], now):
                break
            _note_use(key, now)
            return Principal(
                kind="api_key",
                id=key.id,
                name=key.name,
                author_name=key.author_name or "",
                memberships={key.tenant_id: Role.ADMIN},
                suspended=frozenset() if status == "active" else frozenset({key.tenant_id}),
                scopes=key.scopes,
                test_mode=mode == "test",
                expires_at=_end(key, parts[2]),
            )
    raise UnauthenticatedError


def _works(key: ApiKey, secret: bytes, now: int) -> bool:
    if key.expires_at is not None and key.expires_at <= now:
        return False
    found = hash_of(secret)
    if hmac.compare_digest(found, key.hash):
        return True
    overlapping = key.previous_hash is not None and (key.previous_until or 0) > now
    return overlapping and hmac.compare_digest(found, key.previous_hash or b"")


def _end(key: ApiKey, secret: bytes) -> int | None:
    overlap = None if hmac.compare_digest(hash_of(secret), key.hash) else key.previous_until
    return min((end for end in (key.expires_at, overlap) if end is not None), default=None)


def _note_use(key: ApiKey, now: int) -> None:
    if key.last_used_at is not None and key.last_used_at > now - _NOTED_MS:
        return
    try:
        key_store.mark_used(key, now, now - _NOTED_MS)
    except UnavailableError:
        return  # a note must not stand between a good key and its answer
