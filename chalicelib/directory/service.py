"""Slugs that are one tenant's in all regions together: claimed before a tenant takes one, settled by its event."""

from chalicelib.core import log
from chalicelib.core.config import settings
from chalicelib.directory import store
from chalicelib.directory.models import SlugTakenError


def claim_slug(slug: str, tenant_id: str, pos: int) -> None:
    """Reserve a slug for a day, before the transaction that gives it to a tenant which was read at `pos`.

    Raises SlugTakenError, and UnavailableError when the directory does not answer. One call; none without a directory.
    """
    if settings().directory_table and not store.claim_slug(slug, tenant_id, pos):
        raise SlugTakenError(param="slug")


def settle_slug(slug: str, tenant_id: str, pos: int) -> bool:
    """Keep what was claimed, after the tenant's event at `pos`, once or again; False when another region has it."""
    if not settings().directory_table or store.settle_slug(slug, tenant_id, pos):
        return True
    if store.find_region(slug) == settings().region:
        return True
    log.error("slug_in_two_regions", slug=slug, tenant=tenant_id)
    return False


def release_slug(slug: str, tenant_id: str, pos: int) -> None:
    """Free a slug after the tenant's event at `pos`, which gave it up. It may be said again, or late."""
    if settings().directory_table:
        store.release_slug(slug, tenant_id, pos)


def find_region(slug: str) -> str | None:
    """Return the code of the region whose tenant has a slug; None where there is none, or no directory. One call."""
    return store.find_region(slug) if settings().directory_table else None


def ask() -> None:
    """Ask the directory anything, to know that it answers. One call."""
    store.find_region("-")
