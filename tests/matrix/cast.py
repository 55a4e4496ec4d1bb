"""Who asks: everybody that a tenant knows or should not know, each with a credential of their own."""

from dataclasses import dataclass

from chalicelib.core import clock, ids
from chalicelib.tenants import models
from tests.matrix.policy import Caller
from tests.support.chats import new_chat
from tests.support.client import Client
from tests.support.clocks import later
from tests.support.tenants import Organisation, anonymous, new_key, new_member, new_user

HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Principal:
    """Somebody with a credential, and what the policy needs to know of them."""

    client: Client
    caller: Caller


NAMES = (
    *("anonymous", "forged token", "expired token", "expired key", "revoked key"),
    *("owner", "admin", "agent", "viewer", "stranger", "member of nothing"),
    *("read key", "write key", "test key"),
    *("visitor", "other visitor", "visitor elsewhere"),
)


def cast(tenant: Organisation, visitor: Client) -> dict[str, Principal]:
    """Return everybody by name; `visitor` is whose conversations the requests are about."""
    nobody, users = Caller("none"), ("admin", "agent", "viewer")
    header, other = {"X_Tenant_ID": tenant.id}, new_chat(tenant).client
    found = {
        "anonymous": Principal(anonymous(), nobody),
        "forged token": Principal(anonymous().using(tenant.owner.client.token[:-8] + "AAAAAAAA"), nobody),
        "expired token": Principal(_expired_user(tenant), nobody),
        "expired key": Principal(_expired_key(tenant), nobody),
        "revoked key": Principal(_revoked_key(tenant), nobody),
        "owner": Principal(tenant.owner.client, Caller("user", "owner")),
        **{role: Principal(new_member(tenant, role).client, Caller("user", role)) for role in users},
        "stranger": Principal(_other_owner().using(**header), Caller("user")),
        "member of nothing": Principal(new_user().client.using(**header), Caller("user")),
        "read key": Principal(new_key(tenant, scopes=_scopes("read")), Caller("key")),
        "write key": Principal(new_key(tenant), Caller("key", may_write=True)),
        "test key": Principal(new_key(tenant, mode="test"), Caller("key", may_write=True, test=True)),
        "visitor": Principal(visitor, Caller("visitor")),
        "other visitor": Principal(other, Caller("visitor", own=False)),
        "visitor elsewhere": Principal(
            visitor.using(Origin="https://elsewhere.example"), Caller("visitor", right_origin=False)
        ),
    }
    assert tuple(found) == NAMES
    return found


def _scopes(kind: str) -> list[str]:
    return sorted(scope for scope in models.SCOPES if scope.endswith(f":{kind}"))


def _other_owner() -> Client:
    user = new_user()
    assert user.client.post("/v1/tenants", {"name": "Other"}).status == 201
    return user.client


def _expired_user(tenant: Organisation) -> Client:
    from chalicelib.auth import sessions, store

    user = store.find_user(tenant.owner.user_id)
    assert user is not None
    with later(-HOUR_MS):
        return anonymous().using(sessions.start(user).access_token, X_Tenant_ID=tenant.id)


def _expired_key(tenant: Organisation) -> Client:
    with later(-HOUR_MS):
        soon = clock.rfc3339(clock.now_ms() + 60_000)
        answer = tenant.owner.client.post("/v1/api-keys", {"name": "old", "expires_at": soon})
    assert answer.status == 201, answer.text
    return anonymous().using(answer.json["secret"])


def _revoked_key(tenant: Organisation) -> Client:
    answer = tenant.owner.client.post("/v1/api-keys", {"name": ids.new_ulid()})
    assert tenant.owner.client.delete(f"/v1/api-keys/{answer.json['id']}").status == 204
    return anonymous().using(answer.json["secret"])
