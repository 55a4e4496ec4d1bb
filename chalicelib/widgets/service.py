"""Widgets and the domains that may embed them: what an admin does with them, and how a visitor's page finds one."""

import secrets
from dataclasses import replace
from hmac import compare_digest
from typing import Any

from chalicelib.auth.visitor_tokens import Admission, VisitorClaims
from chalicelib.core import clock, ids, regions
from chalicelib.core.config import settings
from chalicelib.core.errors import PreconditionFailedError
from chalicelib.core.http import Page, PageQuery
from chalicelib.core.http.access import OriginNotAllowedError, TenantSuspendedError
from chalicelib.core.http.pages import page_of
from chalicelib.core.items import Item
from chalicelib.core.table import NOTHING, TEST_SUFFIX, ConditionFailedError, Key, StaleError, Write, retrying
from chalicelib.events.models import SYSTEM, NewEvent
from chalicelib.tenants import service as tenants
from chalicelib.tenants.models import Tenant
from chalicelib.widgets import store
from chalicelib.widgets.hosts import normalised
from chalicelib.widgets.models import (
    Domain,
    DomainExistsError,
    DomainNotFoundError,
    DomainOut,
    Site,
    TooManyDomainsError,
    TooManyWidgetsError,
    Widget,
    WidgetNotFoundError,
    WidgetOut,
    new_client_token,
    read_client_token,
)
from chalicelib.widgets.origins import admitting_domains

Actor = dict[str, str]


def open_site(client_token: str, origin: str) -> Site:
    """Return the widget that a public token names, for a page at `origin`. One read; none for a mistyped token.

    Raises WidgetNotFoundError, WrongRegionError, OriginNotAllowedError when the tenant does not allow pages of that
    origin, and TenantSuspendedError.
    """
    named = read_client_token(client_token)
    if named is None:
        raise WidgetNotFoundError
    tenant_space, widget_id = named
    regions.require_home(tenant_space.removesuffix(TEST_SUFFIX))
    domains = admitting_domains(origin, allow_loopback=settings().allow_loopback_domains)
    widget, allowed, active = store.find_widget_and_domains(tenant_space, widget_id, domains)
    if widget is None or not compare_digest(widget.client_token, client_token):
        raise WidgetNotFoundError
    if not allowed:
        raise OriginNotAllowedError
    if not active:
        raise TenantSuspendedError
    return Site(tenant_space, widget)


def admits(visitor: VisitorClaims) -> Admission:
    """Tell whether a visitor's token is for a widget and a site that the tenant still has. One read."""
    domains = admitting_domains(visitor.origin, allow_loopback=settings().allow_loopback_domains)
    widget, allowed, active = store.find_widget_and_domains(visitor.tenant_space, visitor.widget_id, domains)
    if widget is None or not allowed:
        return Admission.REFUSED
    return Admission.ADMITTED if active else Admission.SUSPENDED


def find_widget(tenant_id: str, widget_id: str) -> Widget | None:
    """Return a tenant's widget, or None."""
    return store.find_widget(tenant_id, widget_id) if ids.is_id("wgt", widget_id) else None


def widget_key(tenant_id: str, widget_id: str) -> Key:
    """Return where a widget's row is, for a caller that reads it together with others."""
    return store.widget_key(tenant_id, widget_id)


def requires_identity(item: Item | None) -> bool:
    """Tell whether the widget whose row was found under `widget_key` lets only proven visitors begin."""
    return item is not None and store.widget_from_item(item).identity_required


def get_widget(tenant_id: str, widget_id: str) -> Widget:
    """Return a tenant's widget; raises WidgetNotFoundError."""
    found = find_widget(tenant_id, widget_id)
    if found is None:
        raise WidgetNotFoundError
    return found


def list_widgets(tenant_id: str, query: PageQuery) -> Page[Widget]:
    """Return a page of a tenant's widgets, newest first."""
    return page_of(store.list_widgets(tenant_id), query, tenant_id, "widgets", lambda widget: widget.id)


def create_widget(tenant_id: str, actor: Actor, *, name: str, **chosen: Any) -> Widget:  # noqa: ANN401 - as Widget has them
    """Make a widget; settings that are not `chosen` get their defaults. Raises TooManyWidgetsError."""
    widget = _new_widget(tenant_id, name, **chosen)

    def attempt() -> Widget:
        room = store.taking_quota(tenant_id, store.WIDGETS)
        record = tenants.recording(tenant_id, actor, "widget.created", _shown(widget))
        try:
            tenants.commit(tenant_id, [store.putting_widget(widget), room, *record], result=widget)
        except ConditionFailedError as exc:
            if room in exc.failed:
                raise TooManyWidgetsError from exc
            raise
        return widget

    return retrying(attempt)


def update_widget(
    tenant_id: str, actor: Actor, widget_id: str, changes: dict[str, Any], *, expected_version: int | None = None
) -> Widget:
    """Change a widget's settings. Raises WidgetNotFoundError and PreconditionFailedError."""

    def attempt() -> Widget:
        before, pos = expected(tenant_id, widget_id, expected_version)
        changed = {name: value for name, value in changes.items() if getattr(before, name) != value}
        if not changed:
            return before
        after = replace(before, **changed, version=before.version + 1, updated_at=clock.now_ms())
        shown, shown_before = _shown(after), _shown(before)
        previous = {name: shown_before[name] for name in changed}
        record = tenants.recording_at(tenant_id, pos, actor, "widget.updated", shown, previous)
        change = store.updating_widget(after, changed, read_version=before.version)
        commit_or_reread(tenant_id, [change, *record], result=after)
        return after

    return retrying(attempt)


def delete_widget(tenant_id: str, actor: Actor, widget_id: str, *, expected_version: int | None = None) -> None:
    """Remove a widget; what was said through it stays. Raises WidgetNotFoundError and PreconditionFailedError."""

    def attempt() -> None:
        widget, pos = expected(tenant_id, widget_id, expected_version)
        room = store.returning_quota(tenant_id, store.WIDGETS)
        record = tenants.recording_at(tenant_id, pos, actor, "widget.deleted", _shown(widget))
        commit_or_reread(tenant_id, [store.deleting_widget(widget), room, *record])

    retrying(attempt)


def list_domains(tenant_id: str, query: PageQuery) -> Page[Domain]:
    """Return a page of a tenant's domains, newest first."""
    return page_of(store.list_domains(tenant_id), query, tenant_id, "domains", lambda domain: domain.id)


def add_domain(tenant_id: str, actor: Actor, text: str) -> Domain:
    """Let a domain's pages embed the tenant's widgets.

    Raises InvalidError for what `hosts.normalised` refuses, DomainExistsError and TooManyDomainsError.
    """
    domain = _new_domain(tenant_id, text)

    def attempt() -> Domain:
        claim, room = store.claiming_domain(domain), store.taking_quota(tenant_id, store.DOMAINS)
        record = tenants.recording(tenant_id, actor, "domain.created", _domain_shown(domain))
        try:
            tenants.commit(tenant_id, [store.putting_domain(domain), claim, room, *record], result=domain)
        except ConditionFailedError as exc:
            if claim in exc.failed:
                raise DomainExistsError(param="domain") from exc
            if room in exc.failed:
                raise TooManyDomainsError from exc
            raise
        return domain

    return retrying(attempt)


def remove_domain(tenant_id: str, actor: Actor, domain_id: str) -> None:
    """Stop a domain's pages from embedding the tenant's widgets. Raises DomainNotFoundError."""

    def attempt() -> None:
        if not ids.is_id("dom", domain_id):
            raise DomainNotFoundError
        domain, pos = store.find_domain_for_change(tenant_id, domain_id)
        if domain is None:
            raise DomainNotFoundError
        room = store.returning_quota(tenant_id, store.DOMAINS)
        record = tenants.recording_at(tenant_id, pos, actor, "domain.deleted", _domain_shown(domain))
        commit_or_reread(tenant_id, [*store.deleting_domain(domain), room, *record])

    retrying(attempt)


def start_tenant(tenant: Tenant, domain: str | None) -> tenants.Started:
    """Give a new tenant its default widget, and the domain it named. Bound in app.py."""
    widget = _new_widget(tenant.id, tenant.name, language=tenant.language)
    writes = [store.putting_widget(widget), store.taking_quota(tenant.id, store.WIDGETS)]
    events = [NewEvent("widget.created", _shown(widget), SYSTEM)]
    if domain is not None:
        first = _new_domain(tenant.id, domain)
        writes += [
            store.putting_domain(first),
            store.claiming_domain(first),
            store.taking_quota(tenant.id, store.DOMAINS),
        ]
        events.append(NewEvent("domain.created", _domain_shown(first), SYSTEM))
    return tenants.Started(writes, _shown(widget), events)


def _new_widget(tenant_id: str, name: str, **chosen: Any) -> Widget:  # noqa: ANN401 - see create_widget
    now, widget_id = clock.now_ms(), ids.new("wgt")
    token = new_client_token(tenant_id, widget_id, secrets.token_bytes(6))
    return Widget(tenant_id, widget_id, token, name, now, now, **chosen)


def _new_domain(tenant_id: str, text: str) -> Domain:
    host = normalised(text, allow_loopback=settings().allow_loopback_domains)
    return Domain(tenant_id, ids.new("dom"), host, clock.now_ms())


def expected(tenant_id: str, widget_id: str, expected_version: int | None) -> tuple[Widget, int | None]:
    """Return the widget in the version the caller has seen, and the tenant's position."""
    if not ids.is_id("wgt", widget_id):
        raise WidgetNotFoundError
    widget, pos = store.find_widget_for_change(tenant_id, widget_id)
    if widget is None:
        raise WidgetNotFoundError
    if expected_version not in {None, widget.version}:
        raise PreconditionFailedError
    return widget, pos


def commit_or_reread(tenant_id: str, writes: list[Write], *, result: object = NOTHING) -> None:
    """Commit; whatever condition failed, something changed since it was read, so read again."""
    try:
        tenants.commit(tenant_id, writes, result=result)
    except ConditionFailedError as exc:
        raise StaleError from exc


def _shown(widget: Widget) -> dict[str, Any]:
    return WidgetOut.of(widget).model_dump(mode="json")


def _domain_shown(domain: Domain) -> dict[str, Any]:
    return DomainOut.of(domain).model_dump(mode="json")
