"""Rows of this slice.

| row | what |
|---|---|
| `T#notify` / `usr_…` | a member's preferences, once they differ from the usual |
| `T#unsubscribed` / `<hash>` | an address that wants no more replies by mail from this tenant |
| `T#conv_…` / `offline` | up to which message the visitor was told by mail |
"""

from dataclasses import asdict

from chalicelib.conversations import service as conversations
from chalicelib.core import clock, keyring
from chalicelib.core.errors import ContentionError, NotFoundError
from chalicelib.core.items import Item
from chalicelib.core.table import ConditionFailedError, StaleError, Write, run, tenant_rows, transact
from chalicelib.notifications.models import Preferences, Told
from chalicelib.tenants import service as tenants
from chalicelib.tenants.models import MAX_MEMBERS

_PREFERENCES = "notify"
_UNSUBSCRIBED = "unsubscribed"
_TOLD = "offline"


def find_preferences(tenant_id: str, user_id: str) -> Preferences:
    """Read a member's preferences; the usual ones if they never chose. One read."""
    return _preferences(tenant_rows(tenant_id).get(_PREFERENCES, user_id, consistent=True) or {})


def put_preferences(tenant_id: str, user_id: str, chosen: Preferences) -> None:
    """Keep a member's preferences; raises NotFoundError for who is none. One transaction."""
    _write(
        tenants.requiring_member(tenant_id, user_id),
        tenant_rows(tenant_id).putting(_PREFERENCES, user_id, asdict(chosen)),
    )


def turn_off(tenant_id: str, user_id: str, kind: str) -> None:
    """Turn one kind of mail off for a member, and leave the others; raises NotFoundError. One transaction."""
    usual = {name: value for name, value in asdict(Preferences()).items() if name != kind}
    off = tenant_rows(tenant_id).updating(_PREFERENCES, user_id, set_={kind: False}, default=usual)
    _write(tenants.requiring_member(tenant_id, user_id), off)


def forget_preferences(tenant_id: str, user_id: str) -> None:
    """Delete the preferences of somebody who left. One write."""
    run(tenant_rows(tenant_id).deleting(_PREFERENCES, user_id))


def list_wanting_new(tenant_id: str) -> list[str]:
    """Return the user ids of who wants to hear of new conversations. One query."""
    found = tenant_rows(tenant_id).query(_PREFERENCES, limit=MAX_MEMBERS)
    return [row["sk"] for row in found.items if _preferences(row).new]


def find_told(tenant_id: str, conversation_id: str, email: str) -> tuple[Told, bool]:
    """Read what a visitor was told of a conversation, and whether the address is unsubscribed. One call."""
    rows = tenant_rows(tenant_id)
    told, off = rows.key(conversation_id, _TOLD), rows.key(_UNSUBSCRIBED, address_hash(tenant_id, email).hex())
    found = rows.batch_get([told, off], consistent=True)
    row = found.get(told, {})
    return Told(**{name: row[name] for name in asdict(Told()) if name in row}), off in found


def put_told(tenant_id: str, conversation_id: str, before: Told, after: Told) -> None:
    """Note up to which message a visitor is told; raises StaleError if that has changed since `before`.

    Raises ContentionError if the conversation has gone since it was read: nothing would ever remove the note. One
    transaction.
    """
    there = conversations.requiring(tenant_id, conversation_id)
    when = {"to": before.to or None}
    try:
        transact([there, tenant_rows(tenant_id).updating(conversation_id, _TOLD, set_=asdict(after), when=when)])
    except ConditionFailedError as exc:
        raise (ContentionError if there in exc.failed else StaleError) from exc


def unsubscribe(tenant_id: str, hashed: bytes) -> None:
    """Note that an address wants no more replies; raises NotFoundError for a tenant that is gone. One transaction."""
    row = tenant_rows(tenant_id).putting(_UNSUBSCRIBED, hashed.hex(), {"at": clock.now_ms()})
    _write(tenants.requiring_tenant(tenant_id), row)


def is_unsubscribed(tenant_id: str, email: str) -> bool:
    """Tell whether an address wants no more mails of a tenant. One read."""
    return tenant_rows(tenant_id).get(_UNSUBSCRIBED, address_hash(tenant_id, email).hex()) is not None


def address_hash(tenant_id: str, email: str) -> bytes:
    """Return what stands for an address in rows and links of one tenant (16 bytes)."""
    return keyring.keyed_hash("notified", tenant_id, email)[:16]


def _write(required: Write, write: Write) -> None:
    """Write under a condition: a link of an old mail must leave nothing behind where a tenant or member was."""
    try:
        transact([required, write])
    except ConditionFailedError:
        raise NotFoundError from None


def _preferences(row: Item) -> Preferences:
    return Preferences(**{name: row[name] for name in asdict(Preferences()) if name in row})
