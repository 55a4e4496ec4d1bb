"""The tenant that the canary talks to: nobody belongs to it, so nobody lists it, and nobody pays for it."""

from chalicelib.core import clock, ids, keyring, regions
from chalicelib.core.config import settings
from chalicelib.core.frozen import frozen
from chalicelib.core.table import GUARDS, ConditionFailedError
from chalicelib.events.models import SYSTEM, NewEvent
from chalicelib.tenants import api_keys, key_store, store
from chalicelib.tenants.audit import commit
from chalicelib.tenants.models import ApiKey, Tenant
from chalicelib.tenants.schemas import TenantOut
from chalicelib.tenants.service import starting

SCOPES = frozenset({"conversations:read", "conversations:write", "messages:read", "visitors:read", "widgets:read"})


@frozen
class Nest:
    """The tenant, and the secret of the key that plays its agent."""

    tenant_id: str
    secret: str


def slug() -> str:
    """Return the slug that says what it is. People's begin with a letter or a digit, so none of them has taken it."""
    return f"-canary-{settings().region}"


def get_or_create(domain: str) -> Nest:
    """Return the canary's tenant, made at first with one widget, one domain and one key. One read."""
    guard = GUARDS.get(f"slug#{slug()}", "-")
    return _nest(guard["tenant"]) if guard else _create(domain)


def _create(domain: str) -> Nest:
    now = clock.now_ms()
    tenant = Tenant(regions.new_id("tn"), "Canary", slug(), "en", now, now, owners=0, members=0, keys=1)
    started = starting(tenant, domain)
    event = NewEvent("tenant.created", TenantOut.of(tenant).model_dump(mode="json"), SYSTEM)
    events = [event, *(event for each in started for event in each.events)]
    writes = [*store.creating_tenant(tenant, events), *(write for each in started for write in each.writes)]
    try:
        commit(tenant.id, [*writes, key_store.creating(_key(tenant.id))])
    except ConditionFailedError:  # another run was faster
        return get_or_create(domain)
    return _nest(tenant.id)


def _nest(tenant_id: str) -> Nest:
    return Nest(tenant_id, api_keys.token_of("live", tenant_id, _key_id(tenant_id), _secret(tenant_id)))


def _key(tenant_id: str) -> ApiKey:
    now, secret = clock.now_ms(), _secret(tenant_id)
    return ApiKey(
        id=_key_id(tenant_id),
        tenant_id=tenant_id,
        name="Canary",
        mode="live",
        scopes=SCOPES,
        hash=api_keys.hash_of(secret),
        created_by=SYSTEM,
        created_at=now,
        updated_at=now,
        hint=_nest(tenant_id).secret[-4:],
    )


def _key_id(tenant_id: str) -> str:
    return ids.derived("key", tenant_id, "canary")


def _secret(tenant_id: str) -> bytes:
    """Derive the key's secret from the deployment's pepper: so it is stored nowhere, and each run knows it."""
    return keyring.keyed_hash("canary", tenant_id)[: api_keys.SECRET_BYTES]
