"""The fence around long work on one tenant's rows: a session that IAM lets touch that tenant's partitions only.

A step of a job that named another tenant's row by mistake would be refused by DynamoDB itself, whatever the code is.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from chalicelib.core import aws, clock
from chalicelib.core.config import settings
from chalicelib.core.table import TEST_SUFFIX

SESSION_S = 3600  # the most that AWS gives to a role that was itself assumed, as a function's is
_EARLY_MS = 300_000  # a session is replaced so long before it ends: no function runs that long
_KEPT = 16  # tenants whose clients a process keeps
# The table's key has a policy of its own, which lets the account's callers of DynamoDB use it. IAM may cut that, too,
# down to what a session's policy names; by itself this gives nothing, as the role has no such right.
_TABLE_KEY = {
    "Effect": "Allow",
    "Action": ["kms:Decrypt", "kms:DescribeKey"],
    "Resource": "*",
    "Condition": {"StringLike": {"kms:ViaService": "dynamodb.*.amazonaws.com"}},
}

_tenant: ContextVar[str] = ContextVar("fenced_tenant", default="")
_clients: dict[str, tuple[int, Any]] = {}  # by tenant: until when it is good, and the client


def tenant() -> str:
    """Return whose rows alone may be touched now; empty where there is no fence."""
    return _tenant.get()


@contextmanager
def within(tenant_id: str) -> Iterator[None]:
    """Let DynamoDB refuse all but a tenant's rows inside the block. Where no role is set, as locally, nobody refuses.

    Raises UnavailableError when there is no session to be had. Threads begun inside the block are not fenced.
    """
    client = _client(tenant_id) if settings().jobs_role else None
    fenced, used = _tenant.set(tenant_id), aws.table_client.set(client)
    try:
        yield
    finally:
        aws.table_client.reset(used)
        _tenant.reset(fenced)


@contextmanager
def lifted() -> Iterator[None]:
    """Let what is nobody's partition be touched inside the block: people and guards, by who ends their last tie."""
    fenced, used = _tenant.set(""), aws.table_client.set(None)
    try:
        yield
    finally:
        aws.table_client.reset(used)
        _tenant.reset(fenced)


def policy(tenant_id: str) -> dict[str, Any]:
    """Return what a session may do of that what its role may: calls that name keys, and only keys of the tenant.

    A tenant's test data has a scope of its own, `tn_…~test`, from which its members and plan can be read, not changed.
    The other way round it can be changed: who erases a tenant erases both.
    """
    tenant = tenant_id.removesuffix(TEST_SUFFIX)
    if tenant == tenant_id:
        statements = [_allowing(["dynamodb:*"], tenant, tenant + TEST_SUFFIX)]
    else:
        statements = [_allowing(["dynamodb:*"], tenant_id)]
        statements.append(_allowing(["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"], tenant_id, tenant))
    return {"Version": "2012-10-17", "Statement": [*statements, _TABLE_KEY]}


def _allowing(actions: list[str], *scopes: str) -> dict[str, Any]:
    condition = {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{scope}#*" for scope in scopes]},
        "Null": {"dynamodb:LeadingKeys": "false"},  # the other alone also holds where there is no key
    }
    return {"Effect": "Allow", "Action": actions, "Resource": "*", "Condition": condition}


def _client(tenant_id: str) -> Any:  # noqa: ANN401 - botocore makes its client classes at run time
    now = clock.now_ms()
    until, client = _clients.get(tenant_id, (0, None))
    if until <= now:
        name = tenant_id.replace("~", ".")  # which CloudTrail shows
        session = aws.assume(settings().jobs_role, name, json.dumps(policy(tenant_id)), SESSION_S)
        client = aws.client_with("dynamodb", session)
        _clients.pop(tenant_id, None)
        while len(_clients) >= _KEPT:
            del _clients[next(iter(_clients))]
        _clients[tenant_id] = now + SESSION_S * 1000 - _EARLY_MS, client
    return client
