"""`/v1/widgets`, `/v1/domains` and the configuration that the widget itself reads."""

from chalicelib.core.http import Api, Call, Page, PageQuery, Role
from chalicelib.core.http.access import OriginNotAllowedError, TenantSuspendedError
from chalicelib.core.regions import WrongRegionError
from chalicelib.widgets import identity, service
from chalicelib.widgets.models import (
    AddDomain,
    ConfigurationOut,
    CreateWidget,
    Domain,
    DomainExistsError,
    DomainOut,
    IdentitySecretOut,
    IdentitySecretStatusOut,
    IssuedSecret,
    RotateIdentitySecret,
    TooManyDomainsError,
    TooManyWidgetsError,
    UpdateWidget,
    Widget,
    WidgetOut,
)

api = Api("Widgets")
domains_api = Api("Domains")
public_api = Api("Widget", widget=True)

CACHE = "public, max-age=300"


@api.get("/v1/widgets", scope="widgets:read", query=PageQuery, answer=WidgetOut, paged=True)
def list_widgets(call: Call, query: PageQuery) -> Page[Widget]:
    """List the tenant's widgets, newest first."""
    return service.list_widgets(call.tenant_id, query)


@api.post(
    "/v1/widgets",
    role=Role.ADMIN,
    scope="widgets:write",
    body=CreateWidget,
    answer=WidgetOut,
    status=201,
    errors=(TooManyWidgetsError,),
)
def create_widget(call: Call, body: CreateWidget) -> Widget:
    """Create a widget. Its `client_token` works on the pages of a domain that `/v1/domains` allows."""
    return service.create_widget(call.tenant_id, call.principal.actor, **body.given())


@api.get("/v1/widgets/{widget_id}", scope="widgets:read", answer=WidgetOut)
def get_widget(call: Call, widget_id: str) -> Widget:
    """Read a widget."""
    return service.get_widget(call.tenant_id, widget_id)


@api.patch("/v1/widgets/{widget_id}", role=Role.ADMIN, scope="widgets:write", body=UpdateWidget, answer=WidgetOut)
def update_widget(call: Call, body: UpdateWidget, widget_id: str) -> Widget:
    """Change a widget. Browsers may show the old configuration for up to five minutes."""
    return service.update_widget(
        call.tenant_id, call.principal.actor, widget_id, body.given(), expected_version=call.if_match
    )


@api.delete("/v1/widgets/{widget_id}", role=Role.ADMIN, scope="widgets:write")
def delete_widget(call: Call, widget_id: str) -> None:
    """Delete a widget: its client token stops working. Conversations that came through it stay."""
    service.delete_widget(call.tenant_id, call.principal.actor, widget_id, expected_version=call.if_match)


@api.get(
    "/v1/widgets/{widget_id}/identity-secret",
    role=Role.ADMIN,
    scope="widgets:read",
    answer=IdentitySecretStatusOut,
)
def get_identity_secret(call: Call, widget_id: str) -> Widget:
    """Read whether a widget has an identity secret, and since when; never the secret."""
    return service.get_widget(call.tenant_id, widget_id)


@api.post(
    "/v1/widgets/{widget_id}/identity-secret",
    role=Role.ADMIN,
    scope="widgets:write",
    body=RotateIdentitySecret,
    answer=IdentitySecretOut,
)
def rotate_identity_secret(call: Call, body: RotateIdentitySecret, widget_id: str) -> IssuedSecret:
    """Make a widget's identity secret, or replace it.

    With it your server signs who a visitor is (`POST /widget/v1/identify`). It is shown this once. The one before stays
    good for a day unless `expire_previous_in` says less; older ones end at once.
    """
    return identity.rotate_secret(
        call.tenant_id,
        call.principal.actor,
        widget_id,
        expire_previous_in=body.expire_previous_in,
        expected_version=call.if_match,
    )


@domains_api.get("/v1/domains", scope="domains:read", query=PageQuery, answer=DomainOut, paged=True)
def list_domains(call: Call, query: PageQuery) -> Page[Domain]:
    """List the domains whose pages may embed the tenant's widgets, newest first."""
    return service.list_domains(call.tenant_id, query)


@domains_api.post(
    "/v1/domains",
    role=Role.ADMIN,
    scope="domains:write",
    body=AddDomain,
    answer=DomainOut,
    status=201,
    errors=(DomainExistsError, TooManyDomainsError),
)
def add_domain(call: Call, body: AddDomain) -> Domain:
    """Allow a domain. `*.example.com` stands for `www.example.com`, not for `example.com` or `a.b.example.com`."""
    return service.add_domain(call.tenant_id, call.principal.actor, body.domain)


@domains_api.delete("/v1/domains/{domain_id}", role=Role.ADMIN, scope="domains:write")
def remove_domain(call: Call, domain_id: str) -> None:
    """Remove a domain: its pages can no longer open conversations."""
    service.remove_domain(call.tenant_id, call.principal.actor, domain_id)


@public_api.get(
    "/widget/v1/configuration/{client_token}",
    public=True,
    answer=ConfigurationOut,
    errors=(OriginNotAllowedError, TenantSuspendedError, WrongRegionError),
)
def get_configuration(call: Call, client_token: str) -> Widget:
    """Read what a widget needs to show itself. The page's `Origin` must be among the tenant's domains."""
    site = service.open_site(client_token, call.origin)
    call.allowed_origin = call.origin
    call.answer_headers["Cache-Control"] = CACHE
    return site.widget
