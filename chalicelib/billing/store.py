"""Rows of billing: what is known of a tenant's subscription, who may change it now, Stripe's customers and events."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from chalicelib.billing.models import Account, Report
from chalicelib.core import clock
from chalicelib.core.items import Item
from chalicelib.core.table import GUARDS, Key, Rows, Write, pending_keys, run, tenant_rows, walk_pending
from chalicelib.tenants.partitions import Traces

PK = "billing"
DUE_SHARDS = 16
DUE_PARTITION = "S#"
KEEP_EVENT_S = 30 * 86_400
STRIPE = Rows("B")  # what Stripe has told, of whatever tenant

_STORED = {
    "created_at": "ct",
    "updated_at": "ut",
    "trial_until": "tu",
    "plan": "plan",
    "status": "st",
    "customer_id": "cus",
    "subscription_id": "sub",
    "quantity": "qty",
    "period_end": "pe",
    "trial_end": "te",
    "cancel_at": "ca",
    "version": "v",
    "ticket": "tk",
    "synced_at": "sy",
    "told": "told",
    "reported": "rd",
    "report": "rp",
}
# What others than the holder of the newest ticket write.
_NOT_OURS = {"created_at", "trial_until", "customer_id", "ticket", "reported", "report"}


def find(tenant_id: str) -> Account | None:
    """Read a tenant's account."""
    row = tenant_rows(tenant_id).get(PK, "state")
    return _from_item(tenant_id, row) if row else None


def creating(account: Account, due: int | None) -> Write:
    """Return the write of a new account, to be looked at when it is `due`."""
    return tenant_rows(account.tenant_id).putting(PK, "state", _item(account) | _due(account, due), absent=True)


def take_ticket(tenant_id: str) -> Account:
    """Take the newest ticket, and read the account. One update; raises ConditionFailedError if there is no account."""
    rows = tenant_rows(tenant_id)
    return _from_item(tenant_id, run(rows.updating(PK, "state", add={"tk": 1}, exists=True), returning=True))


def applying(before: Account, after: Account, due: int | None) -> Write:
    """Return the write of what a look at Stripe has found, for as long as its ticket is the newest."""
    rows, old, new = tenant_rows(after.tenant_id), _item(before), _item(after)
    ours = {short for name, short in _STORED.items() if name not in _NOT_OURS}
    changed = {name: new[name] for name in ours if new[name] != old[name]}
    when: dict[str, Any] = {"tk": before.ticket}
    if after.reported != before.reported:
        changed["rd"] = new["rd"]
        when |= {"rd": old["rd"], "rp": None}
    return rows.updating(PK, "state", set_={**changed, **_due(after, due)}, when=when)


def linking_customer(account: Account, customer_id: str, due: int) -> list[Write]:
    """Return the writes that make a customer of Stripe's this tenant's."""
    rows = tenant_rows(account.tenant_id)
    changed = {"cus": customer_id, **_due(account, due)}
    return [
        rows.updating(PK, "state", set_=changed, when={"cus": None}, exists=True),
        GUARDS.putting(_guard(customer_id), "-", {"tenant": account.tenant_id}),
    ]


def find_tenant_of(customer_id: str) -> str | None:
    """Return the tenant that a customer of Stripe's is."""
    row = GUARDS.get(_guard(customer_id), "-")
    return row["tenant"] if row else None


def telling(account: Account, told: frozenset[str]) -> Write:
    """Return the write that notes what the tenant has been told, unless somebody else has meanwhile."""
    rows = tenant_rows(account.tenant_id)
    return rows.updating(PK, "state", set_={"told": told or None}, when={"told": account.told or None})


def planning_report(account: Account, report: Report) -> Write:
    """Return the write of a report about to be made, unless there is one or something was reported since."""
    when = {"rp": None, "rd": dict(account.reported) or None}
    return tenant_rows(account.tenant_id).updating(PK, "state", set_={"rp": asdict(report)}, when=when)


def ending_report(account: Account, report: Report) -> Write:
    """Return the write that notes that a report was made."""
    kept = {month: count for month, count in account.reported.items() if month >= _year_before(report.month)}
    changed = {"rd": {**kept, report.month: report.last}, "rp": None}
    return tenant_rows(account.tenant_id).updating(PK, "state", set_=changed, when={"rp": asdict(report)})


def locking(tenant_id: str, owner: str, seconds: int) -> Write:
    """Return the write that lets one change of a subscription at a time talk to Stripe, for so many seconds at most."""
    now = clock.now_s()
    row = {"by": owner, "exp": now + seconds}
    return tenant_rows(tenant_id).putting(PK, "lock", row, absent_or_expired_at=now)


def unlocking(tenant_id: str, owner: str) -> Write:
    """Return the write that ends a lock, which fails when it has run out and is another's."""
    return tenant_rows(tenant_id).deleting(PK, "lock", when={"by": owner})


def keeping_event(event_id: str, type_: str, customer_id: str) -> Write:
    """Return the write that notes an event of Stripe's, for 30 days; one that is noted already fails."""
    now = clock.now_s()
    row = {"ty": type_, "cus": customer_id, "at": clock.now_ms(), "exp": now + KEEP_EVENT_S}
    return STRIPE.putting(event_id, "-", row, absent_or_expired_at=now)


def due_keys(shard: int, limit: int) -> list[Key]:
    """Return the keys of accounts that are due now, oldest first."""
    return pending_keys(f"{DUE_PARTITION}{shard}", f"{clock.now_ms():013d}", limit)


def list_due(shard: int) -> Iterator[str]:
    """Yield the tenants of all accounts that will ever be due."""
    for key in walk_pending(f"{DUE_PARTITION}{shard}"):
        yield key.pk.partition("#")[0]


def _due(account: Account, due: int | None) -> dict[str, str | None]:
    if due is None:
        return {"p_pk": None, "p_sk": None}
    shard = zlib.crc32(account.tenant_id.encode()) % DUE_SHARDS
    return {"p_pk": f"{DUE_PARTITION}{shard}", "p_sk": f"{due:013d}"}


def traces(_tenant_space: str, found: Sequence[Item]) -> Traces:
    """Return the guard of the tenant's customer at Stripe."""
    return Traces(guards=[_guard(row["cus"]) for row in found if "cus" in row])


def _guard(customer_id: str) -> str:
    return f"stripe#{customer_id}"


def _year_before(month: str) -> str:
    return f"{int(month[:4]) - 1}{month[4:]}"


def _item(account: Account) -> Item:
    item: Item = {short: getattr(account, name) for name, short in _STORED.items()}
    report = asdict(account.report) if account.report else None
    return item | {"told": account.told or None, "rd": dict(account.reported) or None, "rp": report}


def _from_item(tenant_id: str, row: Mapping[str, Any]) -> Account:
    known = {name: row[short] for name, short in _STORED.items() if short in row}
    known["told"] = frozenset(known.get("told", ()))
    if "report" in known:
        known["report"] = Report(**known["report"])
    return Account(tenant_id, **known)
