"""Who belongs to a tenant, with which role, and how that ends. A tenant always keeps an owner."""

from collections.abc import Sequence
from dataclasses import replace

from chalicelib.core import clock, ids
from chalicelib.core.errors import NotFoundError, PreconditionFailedError
from chalicelib.core.http import Page, PageQuery, Principal, Role
from chalicelib.core.http.access import InsufficientRoleError
from chalicelib.core.http.pages import page_of
from chalicelib.core.items import Item
from chalicelib.core.table import retrying
from chalicelib.events.models import NewEvent
from chalicelib.tenants import store
from chalicelib.tenants.audit import commit
from chalicelib.tenants.invitations import revoke_invitation
from chalicelib.tenants.models import Invitation, LastOwnerError, Member, OwnersOnlyError, Tenant, require_lasting
from chalicelib.tenants.schemas import MemberOut


def list_members(tenant_id: str, query: PageQuery) -> Page[Member | Invitation]:
    """List the members and those whose invitation is still open, newest first."""
    members, invitations = store.list_members(tenant_id)
    now = clock.now_ms()
    rows: list[Member | Invitation] = [*members, *(each for each in invitations if each.expires_at > now)]
    rows.sort(key=_place, reverse=True)
    return page_of(rows, query, tenant_id, "members", _place)


def find_members(tenant_id: str, user_ids: Sequence[str]) -> tuple[Tenant, list[Member]]:
    """Return a tenant and those of `user_ids` that are members of it. One call a hundred. Raises NotFoundError."""
    tenant, rows = store.find_tenant_and_rows(tenant_id, *user_ids)
    return tenant, [store.member_from_item(rows[user_id]) for user_id in user_ids if user_id in rows]


def find_member(tenant_id: str, user_id: str) -> Member | None:
    """Return a member of a tenant, or None."""
    return store.find_member(tenant_id, user_id) if ids.is_id("usr", user_id) else None


def list_admins(tenant_id: str) -> list[Member]:
    """Return who is told of what only they can mend: owners and admins. One query."""
    return [member for member in store.list_members(tenant_id)[0] if member.role >= Role.ADMIN]


def count_members(tenant_id: str) -> int:
    """Return how many have joined. One query."""
    return len(store.list_members(tenant_id)[0])


def _place(one: Member | Invitation) -> str:
    since = one.joined_at if isinstance(one, Member) else one.created_at
    return f"{since:013d}#{one.id}"


def change_role(
    tenant_id: str, actor: Principal, user_id: str, role: Role, *, expected_version: int | None = None
) -> Member:
    """Give a member another role. Only owners make or change owners, and the last one stays an owner.

    An API key that ends gives nobody more than they have: it would stay.
    """

    def attempt() -> Member:
        tenant, member, own_role = _get_member(tenant_id, actor, user_id)
        if expected_version not in {None, member.version}:
            raise PreconditionFailedError
        if member.role is role:
            return member
        _may_touch(own_role, member.role, role)
        if role > member.role:
            require_lasting(actor)
        owners = _owners_after(tenant, member.role, role)
        changed = replace(member, role=role, version=member.version + 1)
        event = NewEvent("member.role_changed", _shown(changed), actor.actor, {"role": member.role.label})
        writes = store.changing_tenant(tenant, event, {"owners": owners})
        commit(tenant_id, [*writes, *store.changing_role(tenant_id, member, role)], result=changed)
        return changed

    return retrying(attempt)


def remove_member(tenant_id: str, actor: Principal, member_id: str, *, expected_version: int | None = None) -> None:
    """End a membership, one's own or (for admins) another's; an invitation's id revokes the invitation."""
    if ids.is_id("inv", member_id):
        if actor.memberships[tenant_id] < Role.ADMIN:
            raise InsufficientRoleError
        if expected_version is not None:
            raise PreconditionFailedError  # an invitation has no version, so none can be the right one
        revoke_invitation(tenant_id, actor, member_id)
        return

    def attempt() -> None:
        tenant, member, own_role = _get_member(tenant_id, actor, member_id)
        if expected_version not in {None, member.version}:
            raise PreconditionFailedError
        if member.user_id != actor.id:
            _may_touch(own_role, member.role)
        owners = _owners_after(tenant, member.role, None)
        event = NewEvent("member.removed", _shown(member), actor.actor)
        writes = store.changing_tenant(tenant, event, {"owners": owners, "members": tenant.members - 1})
        commit(tenant_id, [*writes, *store.leaving(tenant_id, member)])

    retrying(attempt)


def _get_member(tenant_id: str, actor: Principal, user_id: str) -> tuple[Tenant, Member, Role]:
    """Read the tenant, a member, and the caller's role as it is now, in one call."""
    if not ids.is_id("usr", user_id):
        raise NotFoundError
    tenant, rows = store.find_tenant_and_rows(tenant_id, user_id, actor.id)
    own_role = _own_role(tenant_id, actor, rows)
    if user_id not in rows:
        raise NotFoundError
    return tenant, store.member_from_item(rows[user_id]), own_role


def _own_role(tenant_id: str, actor: Principal, rows: dict[str, Item]) -> Role:
    if actor.kind != "user":
        return actor.memberships[tenant_id]
    if actor.id not in rows:
        raise NotFoundError  # removed a moment ago: to them the tenant is not there
    return store.member_from_item(rows[actor.id]).role


def _may_touch(own: Role, *touched: Role) -> None:
    if own < Role.ADMIN:
        raise InsufficientRoleError("This needs the role admin or above.")
    if own < Role.OWNER and Role.OWNER in touched:
        raise OwnersOnlyError


def _owners_after(tenant: Tenant, before: Role, after: Role | None) -> int:
    owners = tenant.owners - (before is Role.OWNER) + (after is Role.OWNER)
    if owners == 0:
        raise LastOwnerError
    return owners


def _shown(member: Member) -> dict[str, object]:
    return MemberOut.of(member).model_dump(mode="json")
