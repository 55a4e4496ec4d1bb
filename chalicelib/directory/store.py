"""Rows of the directory: a table of its own in one region, the home, which all regions read and write.

A claim that is not settled expires by itself, so a process that dies between the claim and the tenant leaves nothing
behind. `pos` is the position of the tenant's event that the row follows from: what comes late changes nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chalicelib.core import aws, clock, dynamodb, log
from chalicelib.core.config import settings
from chalicelib.core.items import Expression, from_attributes, to_attributes
from chalicelib.core.writes import ConditionFailedError, Write, run

UNSETTLED_S = 86_400  # how long a claim waits for its tenant's first event

# Slugs: pk `slug#<slug>`.


def claim_slug(slug: str, tenant_id: str, pos: int) -> bool:
    """Reserve a slug for a tenant that was read at `pos` and is about to take it; False when it is another's. One call.

    Of two tenants of one region that want it at once, both may get it: the region's own transaction decides.
    """
    expression, now = Expression(), clock.now_s()
    row = {"pk": f"slug#{slug}", "region": settings().region, "tenant": tenant_id, "pos": pos}
    mine = f"{expression.name('region')} = {expression.value(settings().region)}"
    again = f"{expression.name('tenant')} = {expression.value(tenant_id)}"
    expiry = expression.name("exp")
    return _write(
        "Put",
        slug,
        {
            "Item": to_attributes({**row, "exp": now + UNSETTLED_S}),
            "ConditionExpression": f"attribute_not_exists(pk) OR {expiry} <= {expression.value(now)}"
            f" OR ({mine} AND attribute_exists({expiry}))"
            f" OR ({again} AND {expression.name('pos')} < {expression.value(pos)})",
            **expression.params(),
        },
    )


def settle_slug(slug: str, tenant_id: str, pos: int) -> bool:
    """Make a slug a tenant's for good, as its event at `pos` says; False when it is not, or no longer. One call."""
    expression = Expression()
    row = {"pk": f"slug#{slug}", "region": settings().region, "tenant": tenant_id, "pos": pos}
    mine = f"{expression.name('region')} = {expression.value(settings().region)}"
    again = f"{expression.name('tenant')} = {expression.value(tenant_id)}"
    return _write(
        "Put",
        slug,
        {
            "Item": to_attributes(row),
            "ConditionExpression": f"attribute_not_exists(pk)"
            f" OR ({again} AND {expression.name('pos')} <= {expression.value(pos)})"
            f" OR ({mine} AND attribute_exists({expression.name('exp')}))",
            **expression.params(),
        },
    )


def release_slug(slug: str, tenant_id: str, pos: int) -> bool:
    """Free a slug that a tenant gave up by its event at `pos`; False when it has been claimed anew since. One call."""
    expression = Expression()
    again = f"{expression.name('tenant')} = {expression.value(tenant_id)}"
    return _write(
        "Delete",
        slug,
        {
            "Key": to_attributes({"pk": f"slug#{slug}"}),
            "ConditionExpression": f"{again} AND {expression.name('pos')} < {expression.value(pos)}",
            **expression.params(),
        },
    )


def find_region(slug: str) -> str | None:
    """Return the code of the region that has a slug. One call."""
    params = {"Key": to_attributes({"pk": f"slug#{slug}"}), "ConsistentRead": True, "TableName": _name()}
    with _failures_told():
        found = dynamodb.call("get_item", params, table_name=False, place=_home())
    return from_attributes(found["Item"])["region"] if "Item" in found else None


def _write(kind: str, slug: str, params: dict[str, Any]) -> bool:
    write = Write(kind, dynamodb.Key(f"slug#{slug}", ""), {**params, "TableName": _name()})
    try:
        with _failures_told():
            run(write, place=_home())
    except ConditionFailedError:
        return False
    return True


@contextmanager
def _failures_told() -> Iterator[None]:
    """Count what fails, for an alarm: only this region knows, and callers are few and get a 503 now and then."""
    try:
        yield
    except ConditionFailedError:
        raise
    except Exception as exc:
        log.error("directory_failed", exc=exc, metrics={"DirectoryFailed": 1})
        raise


def _name() -> str:
    return settings().directory_table


def _home() -> aws.Place:
    return aws.Place(settings().directory_aws_region, settings().directory_endpoint)
