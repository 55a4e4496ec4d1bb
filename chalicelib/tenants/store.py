"""Rows of tenants, members, invitations and people.

A tenant's administration is one aggregate: every change of its settings, members, invitations, keys and widgets is
conditioned on the `pos` that was read, so what was read before a change still holds when it commits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from chalicelib.core import clock, ids
from chalicelib.core.errors import NotFoundError
from chalicelib.core.http import Role
from chalicelib.core.items import Item
from chalicelib.core.table import (
    GUARDS,
    TEST_SUFFIX,
    USERS,
    ConditionFailedError,
    Key,
    StaleError,
    Write,
    batch_get,
    live,
    run,
    tenant_rows,
)
from chalicelib.events import outbox
from chalicelib.events.models import Event, NewEvent, event_from_item
from chalicelib.tenants.models import Invitation, Limits, Member, Person, Status, Tenant

AGGREGATE = "tenant"
KEEP_CLOSED_S = 30 * 86_400  # how long a link says "accepted already" rather than "no such invitation"


# Tenants: pk `tenant`, sk `meta`; their events beside them, kept for good: they are the audit log.


def tenant_key(tenant_id: str) -> Key:
    """Return the key of a tenant's row."""
    return tenant_rows(tenant_id).key(AGGREGATE, "meta")


def tenant_from_item(tenant_id: str, row: Item | None) -> Tenant:
    """Read a tenant's row; raises NotFoundError if there is none."""
    if row is None:
        raise NotFoundError
    return Tenant(
        id=tenant_id,
        name=row["name"],
        slug=row["slug"],
        language=row["lang"],
        created_at=row["c"],
        updated_at=row["u"],
        version=row["v"],
        owners=row["owners"],
        members=row["members"],
        keys=row["keys"],
        pos=row["pos"],
        limits=limits_of(row),
        status=status_of(row),
        retention_days=row.get("keep"),
        export_job_id=row.get("export"),
    )


def status_of(row: Item) -> Status:
    """Read whether a tenant is active. Nothing is stored of one that is."""
    found: Status = row.get("off", "active")
    return found


def is_active(row: Item | None) -> bool:
    """Tell whether the tenant whose row this is may be used: it is there, and neither suspended nor being erased."""
    return row is not None and status_of(row) == "active"


def limits_of(row: Item | None) -> Limits:
    """Read what a tenant's row says of its plan. Test data has none, and so no limits."""
    return Limits(**(row or {}).get("lim", {}))


def settings_of(tenant: Tenant) -> Item:
    """Return the attributes that a change of settings writes."""
    return {
        "name": tenant.name,
        "slug": tenant.slug,
        "lang": tenant.language,
        "keep": tenant.retention_days,
        "u": tenant.updated_at,
        "v": tenant.version,
    }


def get_tenant(tenant_id: str, *, consistent: bool = True) -> Tenant:
    """Read a tenant; raises NotFoundError."""
    return tenant_from_item(tenant_id, tenant_rows(tenant_id).get(AGGREGATE, "meta", consistent=consistent))


def list_tenants(tenant_ids: Sequence[str]) -> list[Tenant]:
    """Read tenants, those that are gone left out. One call per hundred."""
    keys = {tenant_key(tenant_id): tenant_id for tenant_id in tenant_ids}
    return [tenant_from_item(keys[key], row) for key, row in batch_get(list(keys), consistent=True).items()]


def creating_tenant(tenant: Tenant, events: Sequence[NewEvent]) -> list[Write]:
    """Return the writes of a new tenant and its first events; the second one is the slug's."""
    rows = tenant_rows(tenant.id)
    counts = {"owners": tenant.owners, "members": tenant.members, "keys": tenant.keys}
    row = settings_of(tenant) | counts | {"c": tenant.created_at} | _limited(tenant.limits)
    return [
        rows.putting(AGGREGATE, "meta", row | outbox.new_aggregate(rows, AGGREGATE, len(events)), absent=True),
        claiming_slug(tenant.slug, tenant.id),
        *outbox.event_writes(rows, AGGREGATE, 0, events, keep=True),
    ]


def changing_limits(tenant: Tenant, limits: Limits, events: Sequence[NewEvent]) -> list[Write]:
    """Return the writes that give a tenant what another plan allows; they fail if it has changed since it was read."""
    rows = tenant_rows(tenant.id)
    changed = {**(_limited(limits) or {"lim": None}), "pos": tenant.pos + len(events)}
    return [
        rows.updating(
            AGGREGATE, "meta", set_=changed, default=outbox.pending(rows, AGGREGATE), when={"pos": tenant.pos}
        ),
        *outbox.event_writes(rows, AGGREGATE, tenant.pos, events, keep=True),
    ]


def _limited(limits: Limits) -> Item:
    known = {name: value for name, value in asdict(limits).items() if value is not None}
    return {"lim": known} if limits != Limits() else {}


def find_limits(tenant_id: str) -> tuple[Limits, int | None]:
    """Read what a tenant's plan allows, with what `find_pos` gives. One call. Raises NotFoundError."""
    row = tenant_rows(tenant_id).get(AGGREGATE, "meta")
    if row is None and not tenant_id.endswith(TEST_SUFFIX):
        raise NotFoundError
    return limits_of(row), row["pos"] if row else None


def claiming_slug(slug: str, tenant_id: str) -> Write:
    """Return the write that makes a slug this tenant's; its condition fails when it is another's."""
    return GUARDS.putting(f"slug#{slug}", "-", {"tenant": tenant_id}, absent=True)


def find_tenant_id(slug: str) -> str | None:
    """Return the tenant that has a slug in this region. One call."""
    row = GUARDS.get(f"slug#{slug}", "-")
    return row["tenant"] if row else None


def releasing_slug(slug: str, tenant_id: str) -> Write:
    """Return the write that gives a slug free."""
    return GUARDS.deleting(f"slug#{slug}", "-", when={"tenant": tenant_id})


def changing_tenant(tenant: Tenant, event: NewEvent, set_: Mapping[str, Any] | None = None) -> list[Write]:
    """Return the writes that change a tenant's row and record why; they fail if anything changed since it was read."""
    return recording(tenant.id, tenant.pos, event, set_=set_)


def find_pos(tenant_id: str) -> int | None:
    """Return the position of the tenant's last event; None for test data that has none yet. Raises NotFoundError."""
    row = tenant_rows(tenant_id).get(AGGREGATE, "meta", consistent=True)
    if row is None and not tenant_id.endswith(TEST_SUFFIX):
        raise NotFoundError
    return row["pos"] if row else None


def find_for_change(tenant_id: str, pk: str, sk: str) -> tuple[Item | None, int | None]:
    """Read a row as it is now, together with what `find_pos` gives. One call. Raises NotFoundError."""
    rows = tenant_rows(tenant_id)
    wanted, tenant = rows.key(pk, sk), tenant_key(tenant_id)
    found = rows.batch_get([wanted, tenant], consistent=True)
    if tenant not in found and not tenant_id.endswith(TEST_SUFFIX):
        raise NotFoundError
    return found.get(wanted), found[tenant]["pos"] if tenant in found else None


def recording(tenant_id: str, pos: int | None, *events: NewEvent, set_: Mapping[str, Any] | None = None) -> list[Write]:
    """Return the writes that add events behind `pos`. A tenant's test data becomes an aggregate with its first."""
    rows, before = tenant_rows(tenant_id), pos or 0
    default: dict[str, Any] = outbox.pending(rows, AGGREGATE)
    if pos is None:
        default["dpos"] = 0
    changed = {**(set_ or {}), "pos": before + len(events)}
    return [
        rows.updating(AGGREGATE, "meta", set_=changed, default=default, when={"pos": pos}),
        *outbox.event_writes(rows, AGGREGATE, before, events, keep=True),
    ]


def list_events(tenant_id: str, low: int, high: int) -> list[Event]:
    """Read the tenant's events at positions `low` to `high`, newest first."""
    bounds = (outbox.event_key(low), outbox.event_key(high))
    found = tenant_rows(tenant_id).query(AGGREGATE, between=bounds, newest_first=True)
    return [event_from_item(row) for row in found.items]


# Members: pk `member`, sk the user's id; pending invitations in the same partition, sk `inv_…`, so that the members'
# list is one query. A closed invitation moves to pk `invitation`, and expires.


def member_from_item(row: Item) -> Member:
    """Read a member's row."""
    return Member(row["sk"], row["email"], row.get("name"), Role.named(row["role"]), row["c"], row["v"])


def find_member(tenant_id: str, user_id: str) -> Member | None:
    """Read a member, also for the tenant's test data."""
    row = tenant_rows(tenant_id.removesuffix(TEST_SUFFIX)).get("member", user_id, consistent=True)
    return member_from_item(row) if row else None


def joining(tenant_id: str, member: Member) -> Write:
    """Return the write of a new member."""
    row = {"email": member.email, "name": member.name, "role": member.role.label, "c": member.joined_at, "v": 1}
    return tenant_rows(tenant_id).putting("member", member.user_id, row, absent=True)


def requiring_tenant(tenant_id: str) -> Write:
    """Return the condition that a tenant is still there."""
    return tenant_rows(tenant_id).checking(AGGREGATE, "meta", exists=True)


def requiring_member(tenant_id: str, user_id: str) -> Write:
    """Return the condition that somebody is still a member, in whatever role."""
    return tenant_rows(tenant_id.removesuffix(TEST_SUFFIX)).checking("member", user_id, exists=True)


def requiring_agent(tenant_id: str, user_id: str) -> Write:
    """Return the condition that somebody is a member who may answer, for a transaction that gives him something."""
    rows, viewer = tenant_rows(tenant_id.removesuffix(TEST_SUFFIX)), {"role": Role.VIEWER.label}
    return rows.checking("member", user_id, exists=True, unless=viewer)


def is_member(tenant_id: str, user_id: str) -> bool:
    """Tell whether somebody is a member, in whatever role. One read."""
    return tenant_rows(tenant_id.removesuffix(TEST_SUFFIX)).get("member", user_id) is not None


def changing_role(tenant_id: str, member: Member, role: Role) -> list[Write]:
    """Return the writes that change a member's role, in the tenant and with the person."""
    changed = {"role": role.label, "v": member.version + 1}
    return [
        tenant_rows(tenant_id).updating("member", member.user_id, set_=changed, when={"v": member.version}),
        USERS.updating(member.user_id, "person", set_={f"in.{tenant_id}": role.label}, exists=True),
    ]


def renaming(tenant_id: str, before: Member, after: Member) -> Write:
    """Return the write that gives a member's row another name or address unless somebody else has changed it."""
    changed = {"email": after.email, "name": after.name, "v": after.version}
    return tenant_rows(tenant_id).updating("member", after.user_id, set_=changed, when={"v": before.version})


def leaving(tenant_id: str, member: Member) -> list[Write]:
    """Return the writes that end a membership, in the tenant and with the person."""
    return [
        tenant_rows(tenant_id).deleting("member", member.user_id, exists=True),
        USERS.updating(member.user_id, "person", set_={f"in.{tenant_id}": None}, exists=True),
    ]


def marking(person: Person, tenant_id: str, *, suspended: bool) -> Write:
    """Return the write that tells the authorizer, by the person's row, whether one of their tenants is active."""
    after = person.suspended | {tenant_id} if suspended else person.suspended - {tenant_id}
    when = {"off": person.suspended or None}
    return USERS.updating(person.user_id, "person", set_={"off": after or None}, when=when, exists=True)


def forget_tenant(user_id: str, tenant_id: str) -> None:
    """Let a person belong to a tenant no more, if they do. A read and a write; raises StaleError."""
    person = find_person(user_id)
    if person is None:
        return
    changed = {f"in.{tenant_id}": None, "off": (person.suspended - {tenant_id}) or None}
    when = {"off": person.suspended or None}
    try:
        run(USERS.updating(user_id, "person", set_=changed, when=when, exists=True))
    except ConditionFailedError:
        raise StaleError from None


def find_persons(user_ids: Sequence[str]) -> list[Person]:
    """Read people. One call per hundred."""
    found = USERS.batch_get([person_key(user_id) for user_id in user_ids])
    return [person for row in found.values() if (person := person_from_item(row))]


def invitation_from_item(tenant_id: str, row: Item) -> Invitation:
    """Read an invitation's row, pending or closed."""
    return Invitation(
        id=row["sk"],
        tenant_id=tenant_id,
        email=row["email"],
        name=row.get("name"),
        role=Role.named(row["role"]),
        invited_by=row["by"],
        created_at=row["c"],
        expires_at=row["until"],
        sent=row["sent"],
        outcome=row.get("out", "pending"),
    )


def inviting(invitation: Invitation) -> Write:
    """Return the write of a new invitation, or of one that is sent again."""
    pk, rows = "member", tenant_rows(invitation.tenant_id)
    return rows.putting(pk, invitation.id, _invitation_row(invitation), absent=invitation.sent == 1)


def closing(invitation: Invitation, outcome: str) -> list[Write]:
    """Return the writes that take an invitation off the pending ones and remember for a while how it ended."""
    rows = tenant_rows(invitation.tenant_id)
    row = _invitation_row(invitation) | {"out": outcome, "exp": clock.now_s() + KEEP_CLOSED_S}
    return [
        rows.deleting("member", invitation.id, when={"sent": invitation.sent}),
        rows.putting("invitation", invitation.id, row),
    ]


def _invitation_row(invitation: Invitation) -> Item:
    return {
        "email": invitation.email,
        "name": invitation.name,
        "role": invitation.role.label,
        "by": invitation.invited_by,
        "c": invitation.created_at,
        "until": invitation.expires_at,
        "sent": invitation.sent,
    }


def list_members(tenant_id: str) -> tuple[list[Member], list[Invitation]]:
    """Read all members and pending invitations, those past their time included. One query."""
    found = tenant_rows(tenant_id).query("member", limit=1000, consistent=True).items
    members = [member_from_item(row) for row in found if ids.is_id("usr", row["sk"])]
    return members, [invitation_from_item(tenant_id, row) for row in found if ids.is_id("inv", row["sk"])]


def find_tenant_and_rows(tenant_id: str, *sks: str) -> tuple[Tenant, dict[str, Item]]:
    """Read the tenant and rows of its member partition by sort key, in one call; raises NotFoundError for no tenant."""
    rows = tenant_rows(tenant_id)
    keys = [tenant_key(tenant_id), *(rows.key("member", sk) for sk in sks)]
    found = rows.batch_get(keys, consistent=True)
    return tenant_from_item(tenant_id, found.pop(keys[0], None)), {key.sk: row for key, row in found.items()}


def find_invitation(tenant_id: str, invitation_id: str) -> tuple[Tenant, Invitation | None]:
    """Read an invitation, pending or closed, and its tenant, in one call; raises NotFoundError for no tenant."""
    rows = tenant_rows(tenant_id)
    pending, closed = rows.key("member", invitation_id), rows.key("invitation", invitation_id)
    found = rows.batch_get([tenant_key(tenant_id), pending, closed], consistent=True)
    tenant = tenant_from_item(tenant_id, found.get(tenant_key(tenant_id)))
    row = live(found.get(closed), clock.now_s()) or found.get(pending)
    return tenant, invitation_from_item(tenant_id, row) if row else None


# People: pk the user's id, sk `person`; `in` maps tenants to roles.


def person_key(user_id: str) -> Key:
    """Return the key of a person's row, which the authorizer reads together with the session."""
    return USERS.key(user_id, "person")


def person_from_item(row: Item | None) -> Person | None:
    """Read a person's row."""
    if row is None:
        return None
    user_id = row["pk"].partition("#")[2]
    memberships = {tenant_id: Role.named(role) for tenant_id, role in row["in"].items()}
    return Person(user_id, row["email"], row.get("name"), memberships, frozenset(row.get("off", ())))


def find_person(user_id: str) -> Person | None:
    """Read a person."""
    return person_from_item(USERS.get(user_id, "person", consistent=True))


def new_person(person: Person) -> Write:
    """Return the write of a new person."""
    memberships = {tenant_id: role.label for tenant_id, role in person.memberships.items()}
    row = {"email": person.email, "name": person.name, "in": memberships}
    return USERS.putting(person.user_id, "person", row, absent=True)


def changing_person(user_id: str, changed: Mapping[str, Any]) -> Write:
    """Return the write that changes a person's `name` or `email`."""
    return USERS.updating(user_id, "person", set_=changed, exists=True)


def requiring_person(person: Person) -> Write:
    """Return the condition that a person is still called and reached as they were read."""
    return USERS.checking(person.user_id, "person", when={"email": person.email, "name": person.name})


def adding_membership(person: Person, tenant_id: str, role: Role) -> Write:
    """Return the write that makes a person belong to one more tenant, for as long as they are as they were read.

    Else a member's row could be made of a name or address that the person has just given up.
    """
    path = f"in.{tenant_id}"
    when = {path: None, "email": person.email, "name": person.name}
    return USERS.updating(person.user_id, "person", set_={path: role.label}, when=when, exists=True)


def list_memberships(person: Person) -> dict[str, Member]:
    """Read a person's rows as a member, by tenant. One call: nobody belongs to more than a hundred tenants."""
    keys = {tenant_rows(tenant_id).key("member", person.user_id): tenant_id for tenant_id in person.memberships}
    return {keys[key]: member_from_item(row) for key, row in batch_get(list(keys), consistent=True).items()}
