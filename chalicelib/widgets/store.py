"""Where widgets and domains are kept: rows, keys, and one function per access pattern."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from chalicelib.core.items import Item
from chalicelib.core.table import TEST_SUFFIX, Key, Write, batch_get, tenant_rows
from chalicelib.tenants import service as tenants
from chalicelib.tenants.partitions import Traces
from chalicelib.widgets.models import MAX_DOMAINS, MAX_WIDGETS, Domain, Widget

WIDGETS = "wgt"
DOMAINS = "dom"
QUOTA = "quota"
_LIMITS = {WIDGETS: MAX_WIDGETS, DOMAINS: MAX_DOMAINS}

# Stored under the field's own name: these rows are few and small.
_STORED = tuple(each.name for each in fields(Widget) if each.name not in {"tenant_id", "id"})


def widget_key(tenant_id: str, widget_id: str) -> Key:
    """Return where a widget's row is."""
    return tenant_rows(tenant_id).key(WIDGETS, widget_id)


def find_widget(tenant_id: str, widget_id: str) -> Widget | None:
    """Read one widget."""
    row = tenant_rows(tenant_id).get(WIDGETS, widget_id)
    return widget_from_item(row) if row else None


def find_widget_for_change(tenant_id: str, widget_id: str) -> tuple[Widget | None, int | None]:
    """Read one widget as it is now, and the tenant's position that recording a change needs. One call."""
    row, pos = tenants.find_for_change(tenant_id, WIDGETS, widget_id)
    return widget_from_item(row) if row else None, pos


def list_widgets(tenant_id: str) -> list[Widget]:
    """Read all of a tenant's widgets, newest first."""
    found = tenant_rows(tenant_id).query(WIDGETS, limit=MAX_WIDGETS, newest_first=True)
    return [widget_from_item(row) for row in found.items]


def find_widget_and_domains(
    tenant_id: str, widget_id: str, domains: Sequence[str]
) -> tuple[Widget | None, frozenset[str], bool]:
    """Read a widget, which of `domains` the tenant allows, and whether the tenant is active, in one call."""
    rows = tenant_rows(tenant_id)
    key, tenant = rows.key(WIDGETS, widget_id), tenants.tenant_key(tenant_id.removesuffix(TEST_SUFFIX))
    guards = {rows.key(_guard_pk(domain), "-"): domain for domain in domains}
    found = batch_get([key, tenant, *guards])
    widget = widget_from_item(found[key]) if key in found else None
    allowed = frozenset(domain for guard, domain in guards.items() if guard in found)
    return widget, allowed, tenants.is_active(found.get(tenant))


def putting_widget(widget: Widget) -> Write:
    """Return the write of a new widget."""
    return tenant_rows(widget.tenant_id).putting(WIDGETS, widget.id, widget_to_item(widget), absent=True)


def updating_widget(widget: Widget, changed: dict[str, Any], *, read_version: int) -> Write:
    """Return the write of what changed, for as long as the widget is at the version that was read."""
    set_ = {**changed, "version": widget.version, "updated_at": widget.updated_at}
    return tenant_rows(widget.tenant_id).updating(WIDGETS, widget.id, set_=set_, when={"version": read_version})


def deleting_widget(widget: Widget) -> Write:
    """Return the deletion of a widget at the version that was read."""
    return tenant_rows(widget.tenant_id).deleting(WIDGETS, widget.id, when={"version": widget.version})


def find_domain_for_change(tenant_id: str, domain_id: str) -> tuple[Domain | None, int | None]:
    """Read one domain as it is now, and the tenant's position that recording a change needs. One call."""
    row, pos = tenants.find_for_change(tenant_id, DOMAINS, domain_id)
    return domain_from_item(row) if row else None, pos


def list_domains(tenant_id: str) -> list[Domain]:
    """Read all of a tenant's domains, newest first."""
    found = tenant_rows(tenant_id).query(DOMAINS, limit=MAX_DOMAINS, newest_first=True)
    return [domain_from_item(row) for row in found.items]


def putting_domain(domain: Domain) -> Write:
    """Return the write of a new domain."""
    row = {"domain": domain.domain, "created_at": domain.created_at}
    return tenant_rows(domain.tenant_id).putting(DOMAINS, domain.id, row, absent=True)


def claiming_domain(domain: Domain) -> Write:
    """Return the guard that makes a domain unique in its tenant, and by which an Origin is looked up."""
    return tenant_rows(domain.tenant_id).putting(_guard_pk(domain.domain), "-", {"id": domain.id}, absent=True)


def deleting_domain(domain: Domain) -> list[Write]:
    """Return the deletion of a domain and of its guard."""
    rows = tenant_rows(domain.tenant_id)
    return [rows.deleting(DOMAINS, domain.id, exists=True), rows.deleting(_guard_pk(domain.domain), "-")]


def traces(_tenant_space: str, found: Sequence[Item]) -> Traces:
    """Return the guards of domains, and the lists of widgets."""
    guards = [(_guard_pk(row["domain"]), "-") for row in found if "domain" in row]
    return Traces(guards, ids=[row["sk"] for row in found if "domain" not in row])


def taking_quota(tenant_id: str, kind: str) -> Write:
    """Return the write that counts one more widget or domain, as long as there is room."""
    return tenant_rows(tenant_id).updating(QUOTA, kind, add={"n": 1}, at_most={"n": _LIMITS[kind] - 1})


def returning_quota(tenant_id: str, kind: str) -> Write:
    """Return the write that counts one less."""
    return tenant_rows(tenant_id).updating(QUOTA, kind, add={"n": -1})


def widget_to_item(widget: Widget) -> Item:
    """Return a widget's row."""
    return {name: getattr(widget, name) for name in _STORED}


def widget_from_item(row: Item) -> Widget:
    """Read a widget's row."""
    stored = {name: row[name] for name in _STORED if name in row}
    return Widget(tenant_id=_space(row), id=row["sk"], **stored)


def domain_from_item(row: Item) -> Domain:
    """Read a domain's row."""
    return Domain(_space(row), row["sk"], row["domain"], row["created_at"])


def _space(row: Item) -> str:
    space: str = row["pk"].partition("#")[0]
    return space


def _guard_pk(domain: str) -> str:
    return f"u#domain#{domain}"
