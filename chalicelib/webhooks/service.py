"""What an admin does with webhook endpoints."""

import secrets
from dataclasses import replace
from typing import Any

from chalicelib.core import clock, ids
from chalicelib.core.errors import PreconditionFailedError
from chalicelib.core.http import Page, PageQuery
from chalicelib.core.http.pages import page_of
from chalicelib.core.table import NOTHING, ConditionFailedError, StaleError, Write, retrying
from chalicelib.events.models import SYSTEM
from chalicelib.tenants import service as tenants
from chalicelib.tenants.models import LARGER, PlanLimitError
from chalicelib.webhooks import store
from chalicelib.webhooks.models import (
    MAX_ENDPOINTS,
    PREVIOUS_SECRET_MS,
    Endpoint,
    IssuedEndpoint,
    Reason,
    TooManyWebhooksError,
    WebhookNotFoundError,
)
from chalicelib.webhooks.schemas import CatalogueOut, EventTypeOut, FailingWebhookOut, WebhookOut

Actor = dict[str, str]


def get_catalogue() -> CatalogueOut:
    """Return every type of event, with where its schema is."""
    from chalicelib.webhooks import catalogue  # noqa: PLC0415 - a cold start of another route must not pay for it

    found = catalogue.EVENT_TYPES.items()
    return CatalogueOut(
        data=[
            EventTypeOut(type=type_, description=each.description, url=catalogue.url_of(type_)) for type_, each in found
        ]
    )


def list_endpoints(tenant_id: str, query: PageQuery) -> Page[Endpoint]:
    """Return a page of a tenant's endpoints, newest first."""
    return page_of(store.list_endpoints(tenant_id), query, tenant_id, "webhooks", lambda endpoint: endpoint.id)


def count_endpoints(tenant_id: str) -> int:
    """Return how many endpoints a tenant has. One read."""
    return store.count_endpoints(tenant_id)


def get_endpoint(tenant_id: str, endpoint_id: str) -> Endpoint:
    """Return an endpoint; raises WebhookNotFoundError."""
    found = store.find_endpoint(tenant_id, endpoint_id) if ids.is_id("whk", endpoint_id) else None
    if found is None:
        raise WebhookNotFoundError
    return found


def create_endpoint(
    tenant_id: str, actor: Actor, url: str, events: list[str], description: str | None
) -> IssuedEndpoint:
    """Make an endpoint. Raises TooManyWebhooksError and PlanLimitError."""
    now = clock.now_ms()
    made = Endpoint(tenant_id, ids.new("whk"), url, tuple(events), description, now, now, _salt())
    issued = IssuedEndpoint(made)

    def attempt() -> IssuedEndpoint:
        limits, pos = tenants.find_limits(tenant_id)
        allowed = MAX_ENDPOINTS if limits.webhooks is None else min(limits.webhooks, MAX_ENDPOINTS)
        room = store.taking_quota(tenant_id, allowed)
        record = tenants.recording_at(tenant_id, pos, actor, "webhook.created", _shown(made))
        try:
            tenants.commit(tenant_id, [store.putting_endpoint(made), room, *record], result=issued)
        except ConditionFailedError as exc:
            if room in exc.failed:
                raise (TooManyWebhooksError if allowed == MAX_ENDPOINTS else PlanLimitError(_full(allowed))) from exc
            raise
        return issued

    return retrying(attempt)


def _full(allowed: int) -> str:
    return f"Your plan allows {allowed} webhook endpoints: delete one. {LARGER}"


def update_endpoint(
    tenant_id: str, actor: Actor, endpoint_id: str, changes: dict[str, Any], *, expected_version: int | None = None
) -> Endpoint:
    """Change an endpoint; enabling one forgets its failures. Raises WebhookNotFoundError, PreconditionFailedError."""
    wanted = dict(changes)
    if "events" in wanted:
        wanted["events"] = tuple(wanted["events"])

    def attempt() -> Endpoint:
        before, pos = _expected(tenant_id, endpoint_id, expected_version)
        after = replace(before, **{name: value for name, value in wanted.items() if name != "status"})
        if wanted.get("status", before.status) != before.status:
            after = _enabled(after) if before.status == "disabled" else _disabled(after, "by_user")
        return _commit(before, after, pos, actor, "webhook.updated")

    return retrying(attempt)


def rotate_secret(
    tenant_id: str, actor: Actor, endpoint_id: str, *, expected_version: int | None = None
) -> IssuedEndpoint:
    """Give an endpoint a new secret; for a day deliveries are signed with the old one too."""

    def attempt() -> IssuedEndpoint:
        before, pos = _expected(tenant_id, endpoint_id, expected_version)
        until = clock.now_ms() + PREVIOUS_SECRET_MS
        after = replace(before, salt=_salt(), previous_salt=before.salt, previous_until=until)
        after = replace(after, version=before.version + 1, updated_at=clock.now_ms())
        record = tenants.recording_at(tenant_id, pos, actor, "webhook.secret_rotated", _shown(after))
        issued = IssuedEndpoint(after)
        _commit_or_reread(tenant_id, [store.changing_endpoint(before, after), *record], result=issued)
        return issued

    return retrying(attempt)


def delete_endpoint(tenant_id: str, actor: Actor, endpoint_id: str, *, expected_version: int | None = None) -> None:
    """Remove an endpoint: what is still to be sent there is dropped."""

    def attempt() -> None:
        found, pos = _expected(tenant_id, endpoint_id, expected_version)
        record = tenants.recording_at(tenant_id, pos, actor, "webhook.deleted", _shown(found))
        _commit_or_reread(tenant_id, [*store.deleting_endpoint(found), store.returning_quota(tenant_id), *record])

    retrying(attempt)


def disable_endpoint(tenant_id: str, endpoint_id: str, reason: Reason) -> None:
    """Disable an endpoint that is gone or has failed too long; does nothing to one that is disabled or deleted."""

    def attempt() -> None:
        before, pos = store.find_endpoint_for_change(tenant_id, endpoint_id)
        if before is not None and before.status == "enabled":
            _commit(before, _disabled(before, reason), pos, SYSTEM, "webhook.disabled")

    retrying(attempt)


def tell_of_failing(tenant_id: str, endpoint_id: str, since: int, day: int, told: int | None) -> None:
    """Record that nothing has arrived at an endpoint since a time (milliseconds): once for each `day` that counts.

    `told` is the day of which the endpoint's state says that it was recorded.
    """

    def attempt() -> None:
        found, pos = store.find_endpoint_for_change(tenant_id, endpoint_id)
        if found is None or found.status != "enabled":
            return
        data = FailingWebhookOut(**_shown(found), failing_since=since).model_dump(mode="json")  # type: ignore[arg-type]
        record = tenants.recording_at(tenant_id, pos, SYSTEM, "webhook.failing", data)
        telling = store.telling(found, since, day, told)
        try:
            tenants.commit(tenant_id, [telling, *record])
        except ConditionFailedError as exc:
            if telling not in exc.failed:
                raise

    retrying(attempt)


def _commit(before: Endpoint, after: Endpoint, pos: int | None, actor: Actor, type_: str) -> Endpoint:
    if after == before:
        return before
    after = replace(after, version=before.version + 1, updated_at=clock.now_ms())
    old, new = _shown(before), _shown(after)
    previous = {name: old[name] for name in old if old[name] != new[name] and name != "updated_at"}
    writes = [
        store.changing_endpoint(before, after),
        *tenants.recording_at(after.tenant_id, pos, actor, type_, new, previous),
    ]
    if before.status == "disabled" and after.status == "enabled":
        writes.append(store.forgetting_failures(after))
    _commit_or_reread(after.tenant_id, writes, result=after)
    return after


def _commit_or_reread(tenant_id: str, writes: list[Write], *, result: object = NOTHING) -> None:
    """Commit; whatever condition failed, something changed since it was read, so read again."""
    try:
        tenants.commit(tenant_id, writes, result=result)
    except ConditionFailedError as exc:
        raise StaleError from exc


def _expected(tenant_id: str, endpoint_id: str, expected_version: int | None) -> tuple[Endpoint, int | None]:
    """Return the endpoint in the version the caller has seen, and the tenant's position."""
    found, pos = (
        store.find_endpoint_for_change(tenant_id, endpoint_id) if ids.is_id("whk", endpoint_id) else (None, None)
    )
    if found is None:
        raise WebhookNotFoundError
    if expected_version not in {None, found.version}:
        raise PreconditionFailedError
    return found, pos


def _enabled(endpoint: Endpoint) -> Endpoint:
    return replace(endpoint, status="enabled", disabled_reason=None, disabled_at=None)


def _disabled(endpoint: Endpoint, reason: Reason) -> Endpoint:
    return replace(endpoint, status="disabled", disabled_reason=reason, disabled_at=clock.now_ms())


def _salt() -> str:
    return secrets.token_urlsafe(16)


def _shown(endpoint: Endpoint) -> dict[str, Any]:
    return WebhookOut.of(endpoint).model_dump(mode="json")
