"""The directory of all regions follows a tenant's slug."""

from chalicelib.core.errors import NotFoundError
from chalicelib.directory import service as directory
from chalicelib.events.models import Event
from chalicelib.tenants import store

_CHANGES = {"tenant.created", "tenant.updated"}


def on_event(event: Event) -> None:
    """Consume an event: settle the slug that the tenant has taken, free the one it had before."""
    previous = event.previous.get("slug")
    if event.type not in _CHANGES or (event.type == "tenant.updated" and previous is None):
        return
    try:
        current = store.get_tenant(event.tenant_id).slug
    except NotFoundError:
        return
    if event.data["slug"] == current:  # otherwise a later event says more
        directory.settle_slug(current, event.tenant_id, event.pos)
    if previous is not None:
        directory.release_slug(previous, event.tenant_id, event.pos)


def settle_now(tenant_id: str) -> bool:
    """Settle the slug of a tenant that may be older than the directory; False when another region has it."""
    before = store.get_tenant(tenant_id)
    ours = directory.settle_slug(before.slug, tenant_id, before.pos)
    after = store.get_tenant(tenant_id)
    if after.slug != before.slug:  # its event may have found nothing to free
        directory.release_slug(before.slug, tenant_id, after.pos)
    return ours
