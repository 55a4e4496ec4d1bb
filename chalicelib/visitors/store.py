"""Rows of visitors: `vis_…`/`meta`, listed in the activity index in the order of their creation."""

from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.core import clock, shards
from chalicelib.core.items import Item
from chalicelib.core.listing import Source
from chalicelib.core.table import Key, Write, tenant_rows
from chalicelib.events import outbox
from chalicelib.events.models import NewEvent
from chalicelib.visitors.models import PageView, Visitor

MAX_VIEWS = 50  # of a visitor; a newer one takes the oldest one's place


def key(tenant_id: str, visitor_id: str) -> Key:
    """Return a visitor's key, for reads that take it along."""
    return tenant_rows(tenant_id).key(visitor_id, "meta")


def find(tenant_id: str, visitor_id: str) -> Visitor | None:
    """Read a visitor as it is now."""
    item = tenant_rows(tenant_id).get(visitor_id, "meta", consistent=True)
    return from_item(item) if item else None


def creating(visitor: Visitor, event: NewEvent) -> list[Write]:
    """Return the writes of a new visitor."""
    rows = tenant_rows(visitor.tenant_id)
    shard = shards.of(rows.scope, visitor.id)
    item = _to_item(visitor) | {"a_pk": f"{rows.scope}#{partition(shard)}", "a_sk": visitor.id}
    item |= outbox.new_aggregate(rows, visitor.id, 1)
    return [
        rows.putting(visitor.id, "meta", item, absent=True),
        *outbox.event_writes(rows, visitor.id, 0, [event]),
    ]


def changing(visitor: Visitor, changed: Mapping[str, Any], events: Sequence[NewEvent]) -> list[Write]:
    """Return the writes of a change with its events, conditioned on the visitor as it was read."""
    rows = tenant_rows(visitor.tenant_id)
    update = rows.updating(
        visitor.id,
        "meta",
        set_={**changed, "pos": visitor.pos + len(events)},
        default=outbox.pending(rows, visitor.id) if events else None,
        when={"pos": visitor.pos},
    )
    return [update, *outbox.event_writes(rows, visitor.id, visitor.pos, events)]


def touching(visitor: Visitor, changed: Mapping[str, Any], when: Mapping[str, Any] | None = None) -> Write:
    """Return the write of what is no event: when and where the visitor was last seen."""
    rows = tenant_rows(visitor.tenant_id)
    return rows.updating(visitor.id, "meta", set_={"ls": clock.now_ms(), **changed}, when=when, exists=True)


def noting_company(visitor: Visitor, company_id: str | None) -> Write:
    """Return the write that notes which company a visitor's conversations are of, while he is the same person."""
    rows = tenant_rows(visitor.tenant_id)
    return rows.updating(visitor.id, "meta", set_={"com": company_id}, when=identity_of(visitor), exists=True)


def counting_view(tenant_id: str, visitor_id: str, changed: Mapping[str, Any]) -> Write:
    """Return the write that counts a page view of a visitor, who must be there, and says where he is now."""
    rows = tenant_rows(tenant_id)
    return rows.updating(visitor_id, "meta", set_={"ls": clock.now_ms(), **changed}, add={"vn": 1}, exists=True)


def putting_view(tenant_id: str, visitor_id: str, number: int, view: PageView) -> Write:
    """Return the write of a page view in its place of the ring, where it replaces an older one."""
    row = {"n": number, "url": view.url, "ttl": view.title, "ref": view.referrer_url, "at": view.at}
    return tenant_rows(tenant_id).putting(visitor_id, f"v#{number % MAX_VIEWS:02d}", row)


def list_views(tenant_id: str, visitor_id: str) -> list[PageView]:
    """Read a visitor's page views, in no order."""
    found = tenant_rows(tenant_id).query(visitor_id, prefix="v#", limit=MAX_VIEWS)
    return [PageView(row["url"], row.get("ttl"), row.get("ref"), row["at"], row["n"]) for row in found.items]


def moving(tenant_id: str, visitor_id: str, before: str | None, after: str | None) -> list[Write]:
    """Return the writes that take a visitor from one contact's list to another's."""
    rows = tenant_rows(tenant_id)
    if before == after:
        return []
    gone = [rows.deleting(before, visitor_id)] if before else []
    return [*gone, *([rows.putting(after, visitor_id, {})] if after else [])]


def newest_of_contact(tenant_id: str, contact_id: str, limit: int) -> list[str]:
    """Return the ids of the newest visitors on a contact's list."""
    found = tenant_rows(tenant_id).query(contact_id, prefix="vis_", limit=limit, newest_first=True)
    return [row["sk"] for row in found.items]


def next_of_contact(tenant_id: str, contact_id: str) -> tuple[str | None, bool]:
    """Return one of a contact's visitors, and whether there are more."""
    found = tenant_rows(tenant_id).query(contact_id, prefix="vis_", limit=1, consistent=True)
    return (found.items[0]["sk"] if found.items else None), found.more


def requiring_same(visitor: Visitor) -> Write:
    """Return the condition that a visitor is still the same person, and still blocked or not."""
    return tenant_rows(visitor.tenant_id).checking(visitor.id, "meta", when=identity_of(visitor), exists=True)


def identity_of(visitor: Visitor) -> dict[str, Any]:
    """Return what of a visitor's row says who he is and whether he may write."""
    return {"con": visitor.contact_id, "bl": visitor.blocked or None}


def listed(tenant_id: str) -> Source:
    """Return all of a tenant's visitors, newest first."""
    partitions = [partition(shard) for shard in shards.read(tenant_id)]
    return Source(tenant_rows(tenant_id), partitions, "activity")


def partition(shard: int) -> str:
    """Return the index partition of a shard, without the tenant."""
    return f"vis#{shard}"


def _to_item(visitor: Visitor) -> Item:
    return {
        "id": visitor.id,
        "wgt": visitor.widget_id,
        "nm": visitor.name,
        "em": visitor.email,
        "con": visitor.contact_id,
        "com": visitor.company_id,
        "ver": visitor.verified or None,
        "cx": visitor.context,
        "page": visitor.page_url,
        "ref": visitor.referrer_url,
        "ua": visitor.user_agent,
        "ip": visitor.ip,
        "loc": visitor.locale,
        "fs": visitor.first_seen_at,
        "ls": visitor.last_seen_at,
        "bl": visitor.blocked or None,
    }


def from_item(item: Item) -> Visitor:
    """Read a visitor's row."""
    return Visitor(
        tenant_id=item["pk"].partition("#")[0],
        id=item["id"],
        widget_id=item.get("wgt"),
        name=item.get("nm"),
        email=item.get("em"),
        contact_id=item.get("con"),
        verified=item.get("ver", False),
        context=item.get("cx", "{}"),
        page_url=item.get("page"),
        referrer_url=item.get("ref"),
        user_agent=item.get("ua"),
        ip=item.get("ip"),
        locale=item.get("loc"),
        first_seen_at=item["fs"],
        last_seen_at=item["ls"],
        blocked=item.get("bl", False),
        opening_bucket=item.get("ob"),
        pos=item["pos"],
        company_id=item.get("com"),
    )
