"""A tenant with many rows, put straight into the engine: a budget must hold however many there are."""

from typing import Any

from chalicelib.contacts import store as contacts_store
from chalicelib.contacts.models import Contact
from chalicelib.conversations import store
from chalicelib.conversations.models import Cold, Conversation, Hot
from chalicelib.core import clock, ids, shards
from chalicelib.core.config import settings
from chalicelib.core.items import to_attributes
from chalicelib.core.table import Key, tenant_rows
from chalicelib.events import outbox
from chalicelib.events.models import SYSTEM, NewEvent
from tests.support import dynamodb

BATCH = 25  # DynamoDB's own limit
_OLD_MS = 40 * 86_400_000


def fill(tenant_id: str, conversations: int, others: int) -> None:
    """Add so many conversations (their hot rows), and so many visitors, contacts and events."""
    rows = tenant_rows(tenant_id)
    items = [_conversation(tenant_id, number) for number in range(conversations)]
    for number in range(others):
        visitor_id = ids.new("vis")
        now = clock.now_ms() - _OLD_MS
        visitor = {"id": visitor_id, "wgt": ids.new("wgt"), "fs": now, "ls": now, "pos": 0, "dpos": 0}
        shard = shards.of(rows.scope, visitor_id)
        items.append(_at(rows.key(visitor_id, "meta"), visitor | _place("a", rows.scope, f"vis#{shard}", visitor_id)))
        event = {"pos": number, "ty": "contact.created", "at": now, "by": SYSTEM, "d": "{}"}
        items.append(_at(rows.key("filler", outbox.event_key(number)), event | outbox.log_entry(rows, "filler")))
        items += _contact(tenant_id, number)
    _write(items)


def fill_contacts(tenant_id: str, count: int) -> None:
    """Add so many contacts: few first names, and last names and addresses that nobody shares."""
    items = []
    for number in range(count):
        name = f"{_FIRST_NAMES[number % len(_FIRST_NAMES)]} Lee{number:06d}"
        items += _contact(tenant_id, number, name=name, email=f"c{number}@example.com")
    _write(items)


_FIRST_NAMES = ("Ana", "Bea", "Cem", "Dana", "Eli", "Fay", "Gus", "Hana")


def _contact(
    tenant_id: str, number: int, *, name: str = "Ana Ferreira", email: str | None = None
) -> list[dict[str, Any]]:
    """Return a contact's row and those of its words; unless named, all of them have the same words."""
    at = clock.now_ms() - _OLD_MS
    made = Contact(tenant_id, ids.new("con"), 100_000 + number, at, at, name=name, email=email)
    event = NewEvent("contact.created", {}, {"type": "system", "id": "parley"})
    items = [dict(write.params["Item"]) for write in contacts_store.creating(made, event)]
    meta, *words = [item for item in items if not item["sk"]["S"].startswith("e#")]
    return [
        {name: value for name, value in meta.items() if name not in {"p_pk", "p_sk"}} | {"dpos": {"N": "1"}},
        *words,
    ]


def _conversation(tenant_id: str, number: int) -> dict[str, Any]:
    at = clock.now_ms() - _OLD_MS + number * 100
    hot = Hot(
        number=100_000 + number,
        status=("open", "pending", "snoozed", "closed")[number % 4],
        visitor_id="vis_filler",
        widget_id=None,
        contact_id=None,
        assigned_to=None,
        priority=None,
        channel="widget",
        created_at=at,
        updated_at=at,
        closed_at=None,
        snoozed_until=None,
        last_message="filler",
        last_message_at=at,
        indexed_at=at,
        seq=1,
        public_count=1,
        unread_count=0,
        visitor_unread_count=0,
        pos=2,
        recent=b"",
        bucket=None,
    )
    made = Conversation(tenant_id, ids.new("conv"), hot, Cold())
    item: dict[str, Any] = dict(store.creating(made)[0].params["Item"])
    for name in ("p_pk", "p_sk"):
        item.pop(name)
    return item | {"dpos": {"N": "2"}}


def _place(letter: str, scope: str, partition: str, sort_key: str) -> dict[str, str]:
    return {f"{letter}_pk": f"{scope}#{partition}", f"{letter}_sk": sort_key}


def _at(key: Key, item: dict[str, Any]) -> dict[str, Any]:
    return to_attributes({**item, "pk": key.pk, "sk": key.sk})


def _write(items: list[dict[str, Any]]) -> None:
    for start in range(0, len(items), BATCH):
        puts = [{"PutRequest": {"Item": item}} for item in items[start : start + BATCH]]
        answer = dynamodb.call("batch_write_item", {"RequestItems": {settings().table: puts}})
        assert not answer.get("UnprocessedItems"), answer
