"""Inviting people by mail, and their joining."""

import hmac
from collections.abc import Sequence
from dataclasses import replace

from chalicelib.core import clock, ids, keyring, ratelimit, regions, tokens
from chalicelib.core.config import settings
from chalicelib.core.errors import NotFoundError
from chalicelib.core.http import Page, PageQuery, Principal, Role
from chalicelib.core.http.access import TenantSuspendedError
from chalicelib.core.http.pages import page_of
from chalicelib.core.table import Write, retrying
from chalicelib.events.models import NewEvent
from chalicelib.tenants import store
from chalicelib.tenants.audit import commit
from chalicelib.tenants.models import (
    LARGER,
    MAX_MEMBERS,
    MAX_MEMBERSHIPS,
    AlreadyInvitedError,
    AlreadyMemberError,
    Invitation,
    InvitationAcceptedError,
    InvitationExpiredError,
    InvitationNotFoundError,
    Member,
    MemberLimitError,
    MembershipLimitError,
    OpenInvitation,
    OwnersOnlyError,
    Person,
    PlanLimitError,
    Tenant,
    require_lasting,
)
from chalicelib.tenants.schemas import InvitationOut, MemberOut

LIFE_MS = 7 * 86_400_000
MAILS_PER_ADDRESS = 10  # that one tenant may have sent to one mailbox in an hour
PREFIX = "parley_inv_"
_MAC_BYTES = 16


def invite_member(tenant_id: str, actor: Principal, email: str, role: Role, name: str | None) -> Invitation:
    """Invite an address; the mail follows from the event. One invitation at a time, and an expired one is replaced.

    Raises RateLimitedError when the mailbox got too many mails from this tenant, or the tenant sent too many, and
    OutlivesCallerError for an API key that ends.
    """
    require_lasting(actor)
    _count_mail(tenant_id, email)
    return retrying(lambda: _invite(tenant_id, actor, email, role, name))


def _invite(tenant_id: str, actor: Principal, email: str, role: Role, name: str | None) -> Invitation:
    # The tenant first: whatever changes in the list after this makes the commit stale.
    tenant = store.get_tenant(tenant_id)
    if role is Role.OWNER and _role_of(actor, tenant_id) is not Role.OWNER:
        raise OwnersOnlyError
    members, invitations = store.list_members(tenant_id)
    if any(member.email == email for member in members):
        raise AlreadyMemberError(param="email")
    now = clock.now_ms()
    expired = [each for each in invitations if each.email == email]
    if any(each.expires_at > now for each in expired):
        raise AlreadyInvitedError(param="email")
    if tenant.members - len(expired) >= MAX_MEMBERS:
        raise MemberLimitError
    _require_seat(tenant, tenant.members + 1 - len(expired))
    made = Invitation(ids.new("inv"), tenant_id, email, name, role, actor.id, now, now + LIFE_MS)
    event = NewEvent("member.invited", _shown(made), actor.actor)
    writes = store.changing_tenant(tenant, event, {"members": tenant.members + 1 - len(expired)})
    closing = [write for each in expired for write in store.closing(each, "revoked")]
    commit(tenant_id, [*writes, *closing, store.inviting(made)], result=made)
    return made


def _require_seat(tenant: Tenant, members: int) -> None:
    seats = tenant.limits.seats
    if seats is not None and members > seats:
        raise PlanLimitError(f"Your plan has {seats} seats, those of open invitations included: free one. {LARGER}")


def list_invitations(tenant_id: str, query: PageQuery) -> Page[Invitation]:
    """List the invitations that are still to be accepted, and those that expired, newest first."""
    _, invitations = store.list_members(tenant_id)
    invitations.sort(key=lambda each: each.id, reverse=True)
    return page_of(invitations, query, tenant_id, "invitations", lambda each: each.id)


def resend_invitation(tenant_id: str, actor: Principal, invitation_id: str) -> Invitation:
    """Send an invitation again: seven more days, and links sent before stop working. Raises as `invite_member`."""
    require_lasting(actor)

    def attempt() -> Invitation:
        tenant, before = _get_pending(tenant_id, invitation_id)
        _may_touch(actor, before)
        _count_mail(tenant_id, before.email)
        again = replace(before, sent=before.sent + 1, expires_at=clock.now_ms() + LIFE_MS)
        event = NewEvent("invitation.resent", _shown(again), actor.actor, _changed(_shown(before), _shown(again)))
        commit(tenant_id, [*store.changing_tenant(tenant, event), store.inviting(again)], result=again)
        return again

    return retrying(attempt)


def revoke_invitation(tenant_id: str, actor: Principal, invitation_id: str) -> None:
    """Take an invitation back; its link stops working."""

    def attempt() -> None:
        tenant, invitation = _get_pending(tenant_id, invitation_id)
        _may_touch(actor, invitation)
        event = NewEvent("invitation.revoked", _shown(invitation), actor.actor)
        writes = store.changing_tenant(tenant, event, {"members": tenant.members - 1})
        commit(tenant_id, [*writes, *store.closing(invitation, "revoked")])

    retrying(attempt)


def _count_mail(tenant_id: str, email: str) -> None:
    # By tenant: else anybody could use up what a stranger's mailbox may get, and so keep his reset links from him.
    name = f"invitation#{tenant_id}#{keyring.keyed_hash('mail', email).hex()}"
    ratelimit.count_in_window(name, MAILS_PER_ADDRESS, 3600)
    # And all together: inviting and revoking in turn must not mail any number of strangers.
    ratelimit.count_in_window(f"invitations#{tenant_id}", settings().invitations_per_tenant, 86_400)


def _get_pending(tenant_id: str, invitation_id: str) -> tuple[Tenant, Invitation]:
    if not ids.is_id("inv", invitation_id):
        raise NotFoundError
    tenant, rows = store.find_tenant_and_rows(tenant_id, invitation_id)
    if invitation_id not in rows:
        raise NotFoundError
    return tenant, store.invitation_from_item(tenant_id, rows[invitation_id])


def _may_touch(actor: Principal, invitation: Invitation) -> None:
    if invitation.role is Role.OWNER and _role_of(actor, invitation.tenant_id) is not Role.OWNER:
        raise OwnersOnlyError


def _role_of(actor: Principal, tenant_id: str) -> Role | None:
    return actor.memberships.get(tenant_id)


def _shown(invitation: Invitation) -> dict[str, object]:
    return InvitationOut.of(invitation).model_dump(mode="json")


def _changed(before: dict[str, object], after: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in before.items() if after[name] != value}


def token_of(invitation: Invitation) -> str:
    """Return the token of an invitation's newest link. It is computed, so no secret is stored."""
    return tokens.pack(PREFIX, ids.to_bytes(invitation.tenant_id), ids.to_bytes(invitation.id), _mac(invitation))


def _mac(invitation: Invitation) -> bytes:
    parts = (invitation.tenant_id, invitation.id, str(invitation.sent))
    return keyring.keyed_hash("invitation", *parts)[:_MAC_BYTES]


def find_invitation(token: str) -> OpenInvitation:
    """Return the pending invitation that a link's token proves. One read; none for a token we never made.

    Raises InvitationNotFoundError, InvitationAcceptedError, InvitationExpiredError, TenantSuspendedError or
    WrongRegionError.
    """
    parts = tokens.unpack(PREFIX, token, 16, 16, _MAC_BYTES)
    if parts is None:
        raise InvitationNotFoundError(param="token")
    tenant_id = ids.from_bytes("tn", parts[0])
    regions.require_home(tenant_id)
    try:
        tenant, found = store.find_invitation(tenant_id, ids.from_bytes("inv", parts[1]))
    except NotFoundError:
        raise InvitationNotFoundError(param="token") from None
    if found is None or not hmac.compare_digest(parts[2], _mac(found)) or found.outcome == "revoked":
        raise InvitationNotFoundError(param="token")
    if tenant.status != "active":
        raise TenantSuspendedError
    if found.outcome == "accepted":
        raise InvitationAcceptedError
    if found.expires_at <= clock.now_ms():
        raise InvitationExpiredError
    return OpenInvitation(found, tenant)


def accepting(
    opened: OpenInvitation, user_id: str, email: str, name: str | None, person: Person | None
) -> Sequence[Write]:
    """Return the writes by which a user joins, for the transaction that may also make the user.

    `person` is the user's row as it was read; None makes one. Commit them with `commit(tenant id, …)` inside
    `core.table.retrying`, beginning with `find_invitation`: of two at once, one joins and the other's second look
    raises InvitationAcceptedError. Raises AlreadyMemberError, MembershipLimitError and PlanLimitError.
    """
    invitation, tenant = opened.invitation, opened.tenant
    if person:
        email, name = person.email, person.name  # what the write below makes sure of
    if person and tenant.id in person.memberships:
        raise AlreadyMemberError
    _require_seat(tenant, tenant.members)  # he has one since he was invited, unless the plan has become smaller
    if person and len(person.memberships) >= MAX_MEMBERSHIPS:
        raise MembershipLimitError
    member = Member(user_id, email, name or invitation.name, invitation.role, clock.now_ms())
    shown = MemberOut.of(member).model_dump(mode="json")
    event = NewEvent("member.joined", shown, {"type": "user", "id": user_id})
    owners = tenant.owners + (member.role is Role.OWNER)
    joined = {tenant.id: member.role}
    return [
        *store.changing_tenant(tenant, event, {"owners": owners}),
        *store.closing(invitation, "accepted"),
        store.joining(tenant.id, member),
        store.adding_membership(person, tenant.id, member.role)
        if person
        else store.new_person(Person(user_id, email, member.name, joined)),
    ]
