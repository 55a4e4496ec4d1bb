"""`/v1/tenants` and `/v1/api-keys`."""

from chalicelib.core.errors import RateLimitedError
from chalicelib.core.http import Api, Call, Page, PageQuery, Role
from chalicelib.core.http.access import InsufficientRoleError, TenantSuspendedError
from chalicelib.core.http.pages import page_of
from chalicelib.directory.models import SlugTakenError
from chalicelib.events.models import Event
from chalicelib.jobs.models import Job, JobOut
from chalicelib.tenants import api_keys, audit, erasing, invitations, members, service
from chalicelib.tenants.models import (
    AlreadyInvitedError,
    AlreadyMemberError,
    ApiKey,
    CreatedTenant,
    Invitation,
    IssuedKey,
    KeyLimitError,
    LastOwnerError,
    Member,
    MemberLimitError,
    MembershipLimitError,
    MyTenant,
    OutlivesCallerError,
    OwnersOnlyError,
    PlanLimitError,
    ScopeNotHeldError,
    Tenant,
)
from chalicelib.tenants.schemas import (
    ApiKeyOut,
    AuditEntryOut,
    ChangeRole,
    CreateApiKey,
    CreatedTenantOut,
    CreateTenant,
    EraseTenant,
    InvitationOut,
    InviteMember,
    IssuedKeyOut,
    MemberOut,
    MyTenantOut,
    RotateApiKey,
    TenantOut,
    UpdateApiKey,
    UpdateTenant,
)

api = Api("Tenants", live_only=True)
keys_api = Api("API keys", live_only=True, fresh=True)


@api.post(
    "/v1/tenants",
    tenant=False,
    body=CreateTenant,
    answer=CreatedTenantOut,
    status=201,
    errors=(SlugTakenError, MembershipLimitError),
)
def create_tenant(call: Call, body: CreateTenant) -> CreatedTenant:
    """Create a tenant (organisation) that you own. It starts with a widget."""
    return service.create_tenant(
        call.principal.id, body.name, slug=body.slug, language=body.language, domain=body.domain
    )


@api.get("/v1/tenants", tenant=False, fresh=True, query=PageQuery, answer=MyTenantOut, paged=True)
def list_tenants(call: Call, query: PageQuery) -> Page[MyTenant]:
    """List the tenants that you belong to, with your role in each."""
    mine = service.list_my_tenants(call.principal)
    return page_of(mine, query, call.principal.id, "tenants", lambda each: each.tenant.id)


@api.get("/v1/tenants/{tenant_id}", scope="tenants:read", answer=TenantOut)
def get_tenant(_call: Call, tenant_id: str) -> Tenant:
    """Retrieve a tenant's settings."""
    return service.get_tenant(tenant_id)


@api.patch(
    "/v1/tenants/{tenant_id}",
    role=Role.ADMIN,
    scope="tenants:write",
    body=UpdateTenant,
    answer=TenantOut,
    errors=(SlugTakenError,),
)
def update_tenant(call: Call, body: UpdateTenant, tenant_id: str) -> Tenant:
    """Update a tenant's settings."""
    return service.update_tenant(tenant_id, call.principal, body.given(), expected_version=call.if_match)


@api.delete(
    "/v1/tenants/{tenant_id}",
    role=Role.OWNER,
    fresh=True,
    while_suspended=True,
    body=EraseTenant,
    answer=JobOut,
    status=202,
)
def erase_tenant(call: Call, body: EraseTenant, tenant_id: str) -> Job:
    """Erase a tenant with all its data, for good. From now on nothing of it works, and nothing stops that.

    The work begins after three minutes. `GET /v1/jobs/{job_id}` tells owners how far it is; when it is done, the tenant
    answers 404.
    """
    return erasing.start_erasing(tenant_id, call.principal.actor, body.confirm)


@api.post(
    "/v1/tenants/{tenant_id}/export",
    role=Role.OWNER,
    fresh=True,
    while_suspended=True,
    answer=JobOut,
    status=202,
    errors=(TenantSuspendedError,),
)
def export_tenant(call: Call, tenant_id: str) -> Job:
    """Write all that a tenant has to one file, in a job, whose `download_url` then has it. It is kept for a day.

    Each line of it, once it is unzipped, is an object as the API shows it. While the job runs, asking again answers it
    instead of starting another one.
    """
    from chalicelib.tenants import exporting  # noqa: PLC0415 - few calls need it

    return exporting.start_export(tenant_id, call.principal.actor)


@api.get("/v1/tenants/{tenant_id}/members", scope="members:read", query=PageQuery, answer=MemberOut, paged=True)
def list_members(_call: Call, query: PageQuery, tenant_id: str) -> Page[Member | Invitation]:
    """List a tenant's members, and those who have been invited."""
    return members.list_members(tenant_id, query)


@api.post(
    "/v1/tenants/{tenant_id}/members",
    role=Role.ADMIN,
    scope="members:write",
    fresh=True,
    body=InviteMember,
    answer=MemberOut,
    status=201,
    errors=(
        AlreadyMemberError,
        AlreadyInvitedError,
        MemberLimitError,
        OwnersOnlyError,
        OutlivesCallerError,
        PlanLimitError,
        RateLimitedError,
    ),
)
def invite_member(call: Call, body: InviteMember, tenant_id: str) -> Invitation:
    """Invite somebody to a tenant, by mail. Only owners can invite owners, and API keys that end nobody."""
    return invitations.invite_member(tenant_id, call.principal, body.email, Role.named(body.role), body.name)


@api.patch(
    "/v1/tenants/{tenant_id}/members/{member_id}",
    role=Role.ADMIN,
    scope="members:write",
    fresh=True,
    body=ChangeRole,
    answer=MemberOut,
    errors=(LastOwnerError, OwnersOnlyError, OutlivesCallerError),
)
def change_role(call: Call, body: ChangeRole, tenant_id: str, member_id: str) -> Member:
    """Change a member's role. To hand a tenant over, make another an owner, then yourself something else."""
    return members.change_role(
        tenant_id, call.principal, member_id, Role.named(body.role), expected_version=call.if_match
    )


@api.delete(
    "/v1/tenants/{tenant_id}/members/{member_id}",
    scope="members:write",
    fresh=True,
    errors=(InsufficientRoleError, LastOwnerError, OwnersOnlyError),
)
def remove_member(call: Call, tenant_id: str, member_id: str) -> None:
    """Remove a member (admins), leave (anybody), or revoke an invitation by its id."""
    members.remove_member(tenant_id, call.principal, member_id, expected_version=call.if_match)


@api.get(
    "/v1/tenants/{tenant_id}/invitations",
    role=Role.ADMIN,
    scope="members:read",
    query=PageQuery,
    answer=InvitationOut,
    paged=True,
)
def list_invitations(_call: Call, query: PageQuery, tenant_id: str) -> Page[Invitation]:
    """List the invitations that have not been accepted, expired ones included."""
    return invitations.list_invitations(tenant_id, query)


@api.post(
    "/v1/tenants/{tenant_id}/invitations/{invitation_id}/resend",
    role=Role.ADMIN,
    scope="members:write",
    fresh=True,
    answer=InvitationOut,
    errors=(OwnersOnlyError, OutlivesCallerError, RateLimitedError),
)
def resend_invitation(call: Call, tenant_id: str, invitation_id: str) -> Invitation:
    """Send an invitation again, good for seven more days. Links sent before stop working."""
    return invitations.resend_invitation(tenant_id, call.principal, invitation_id)


@api.get(
    "/v1/tenants/{tenant_id}/audit-log",
    role=Role.ADMIN,
    scope="members:read",
    query=PageQuery,
    answer=AuditEntryOut,
    paged=True,
)
def list_audit_log(_call: Call, query: PageQuery, tenant_id: str) -> Page[Event]:
    """List every administrative change of a tenant, newest first."""
    return audit.list_entries(tenant_id, query)


@keys_api.get("/v1/api-keys", role=Role.ADMIN, scope="api_keys:read", query=PageQuery, answer=ApiKeyOut, paged=True)
def list_keys(call: Call, query: PageQuery) -> Page[ApiKey]:
    """List the tenant's API keys."""
    return api_keys.list_keys(call.tenant_id, query)


@keys_api.post(
    "/v1/api-keys",
    role=Role.ADMIN,
    scope="api_keys:write",
    body=CreateApiKey,
    answer=IssuedKeyOut,
    status=201,
    errors=(KeyLimitError, OutlivesCallerError, ScopeNotHeldError),
)
def create_key(call: Call, body: CreateApiKey) -> IssuedKey:
    """Create an API key. Its secret is in this answer and nowhere else."""
    return api_keys.create_key(
        call.tenant_id,
        call.principal,
        body.name,
        scopes=body.scopes,
        mode=body.mode,
        expires_at=body.expires_at,
        author_name=body.author_name,
    )


@keys_api.get("/v1/api-keys/{key_id}", role=Role.ADMIN, scope="api_keys:read", answer=ApiKeyOut)
def get_key(call: Call, key_id: str) -> ApiKey:
    """Retrieve an API key, without its secret."""
    return api_keys.get_key(call.tenant_id, key_id)


@keys_api.patch(
    "/v1/api-keys/{key_id}",
    role=Role.ADMIN,
    scope="api_keys:write",
    body=UpdateApiKey,
    answer=ApiKeyOut,
    errors=(OutlivesCallerError, ScopeNotHeldError),
)
def update_key(call: Call, body: UpdateApiKey, key_id: str) -> ApiKey:
    """Update an API key's name, scopes or expiry."""
    return api_keys.update_key(call.tenant_id, call.principal, key_id, body.given(), expected_version=call.if_match)


@keys_api.delete("/v1/api-keys/{key_id}", role=Role.ADMIN, scope="api_keys:write")
def revoke_key(call: Call, key_id: str) -> None:
    """Revoke an API key, at once."""
    api_keys.revoke_key(call.tenant_id, call.principal, key_id, expected_version=call.if_match)


@keys_api.post(
    "/v1/api-keys/{key_id}/rotate",
    role=Role.ADMIN,
    scope="api_keys:write",
    body=RotateApiKey,
    answer=IssuedKeyOut,
    errors=(OutlivesCallerError, ScopeNotHeldError),
)
def rotate_key(call: Call, body: RotateApiKey, key_id: str) -> IssuedKey:
    """Give an API key a new secret; the one before may overlap for up to a day."""
    return api_keys.rotate_key(
        call.tenant_id,
        call.principal,
        key_id,
        expire_previous_in=body.expire_previous_in,
        expected_version=call.if_match,
    )
