"""The billing function: looks at whom a hook, a member's coming or going, or the clock has named."""

from chalicelib.billing import metering, store, warnings
from chalicelib.billing.service import ask_to_look
from chalicelib.billing.sync import sync
from chalicelib.core import log
from chalicelib.core.errors import NotFoundError
from chalicelib.core.table import ConditionFailedError

PER_SHARD = 100  # accounts named by the clock per shard and run, oldest first


def look(named: str) -> None:
    """Bring one account up to date; `named` is a tenant's id, or a customer's of Stripe's."""
    tenant_id = named if named.startswith("tn_") else store.find_tenant_of(named)
    if tenant_id is None:
        log.info("customer_unknown", customer=named)  # of another region, or of something else in the same account
        return
    try:
        metering.report_usage(tenant_id)  # first what may have been begun: a plan is not changed in between
        sync(tenant_id, heard=named != tenant_id)
        metering.report_usage(tenant_id)
        warnings.warn_of_limits(tenant_id)
    except (ConditionFailedError, NotFoundError):
        log.info("account_gone", tenant=tenant_id)


def look_at_due() -> None:
    """Have every account looked at that is due. Runs each quarter of an hour."""
    for shard in range(store.DUE_SHARDS):
        for key in store.due_keys(shard, PER_SHARD):
            ask_to_look(key.pk.partition("#")[0])
