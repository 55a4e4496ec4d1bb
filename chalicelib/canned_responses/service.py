"""What people do with canned responses: write them, find them, and use them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chalicelib.canned_responses import store
from chalicelib.canned_responses.models import (
    CannedResponse,
    CannedResponseNotFoundError,
    CannedResponseOut,
    ListCannedResponses,
    ShortcutTakenError,
    TooManyCannedResponsesError,
)
from chalicelib.canned_responses.search import matching
from chalicelib.canned_responses.template import Rendered, fill_in
from chalicelib.core import clock, ids
from chalicelib.core.errors import PreconditionFailedError
from chalicelib.core.http import Page
from chalicelib.core.http.pages import page_of
from chalicelib.core.table import TEST_SUFFIX, ConditionFailedError, StaleError, retrying, transact
from chalicelib.tenants import service as tenants

Actor = dict[str, str]


def get_canned_response(tenant_id: str, response_id: str) -> CannedResponse:
    """Return a canned response; raises CannedResponseNotFoundError."""
    found = store.find(tenant_id, response_id) if ids.is_id("can", response_id) else None
    if found is None:
        raise CannedResponseNotFoundError
    return found


def list_canned_responses(tenant_id: str, query: ListCannedResponses) -> Page[CannedResponse]:
    """Return a page of those that the query asks for, newest first. One query, however many there are."""
    found = store.list_all(tenant_id)
    if query.tag:
        found = [response for response in found if query.tag in response.tags]
    if query.language:
        wanted = query.language.lower()
        found = [response for response in found if (response.language or "").lower() == wanted]
    if query.search:
        found = matching(found, query.search)
    return page_of(found, query, tenant_id, "canned-responses", lambda response: response.id)


def create_canned_response(
    tenant_id: str,
    actor: Actor,
    *,
    shortcut: str,
    content: str,
    **more: Any,  # noqa: ANN401 - as CannedResponse has them
) -> CannedResponse:
    """Add a text. Raises ShortcutTakenError and TooManyCannedResponsesError."""
    now = clock.now_ms()
    response = CannedResponse(tenant_id, ids.new("can"), shortcut, content, actor, now, now, **more)

    def attempt() -> CannedResponse:
        claim = store.claiming_shortcut(response)
        room = store.taking_room(tenant_id, count=1, size=response.size)
        record = tenants.recording(tenant_id, actor, "canned_response.created", _shown(response))
        try:
            tenants.commit(tenant_id, [store.putting(response), claim, room, *record], result=response)
        except ConditionFailedError as exc:
            if claim in exc.failed:
                raise ShortcutTakenError(param="shortcut") from exc
            if room in exc.failed:
                raise TooManyCannedResponsesError from exc
            raise
        return response

    return retrying(attempt)


def update_canned_response(
    tenant_id: str, actor: Actor, response_id: str, changes: Mapping[str, Any], *, expected_version: int | None = None
) -> CannedResponse:
    """Change a text; a shortcut it gives up is free at once.

    Raises CannedResponseNotFoundError, PreconditionFailedError, ShortcutTakenError and TooManyCannedResponsesError.
    """

    def attempt() -> CannedResponse:
        before, pos = _expected(tenant_id, response_id, expected_version)
        changed = {name: value for name, value in changes.items() if getattr(before, name) != value}
        if not changed:
            return before
        after = replace(before, **changed, version=before.version + 1, updated_at=clock.now_ms())
        _commit_change(before, after, changed, actor, pos)
        return after

    return retrying(attempt)


def delete_canned_response(
    tenant_id: str, actor: Actor, response_id: str, *, expected_version: int | None = None
) -> None:
    """Remove a text; its shortcut is free at once. Raises CannedResponseNotFoundError and PreconditionFailedError."""

    def attempt() -> None:
        response, pos = _expected(tenant_id, response_id, expected_version)
        room = store.taking_room(tenant_id, count=-1, size=-response.size)
        record = tenants.recording_at(tenant_id, pos, actor, "canned_response.deleted", _shown(response))
        try:
            tenants.commit(tenant_id, [store.deleting(response), store.freeing_shortcut(response), room, *record])
        except ConditionFailedError as exc:
            raise StaleError from exc

    retrying(attempt)


def render_canned_response(tenant_id: str, response_id: str, agent: str, given: Mapping[str, str]) -> Rendered:
    """Use a text outside a conversation, with the values that are `given`. Raises CannedResponseNotFoundError."""
    response = get_canned_response(tenant_id, response_id)
    return use_canned_response(response, {**common_values(response, agent), **given})


def common_values(response: CannedResponse, agent: str) -> dict[str, str]:
    """Return the values that need no conversation. One read if the text names the tenant, none otherwise."""
    values = {"agent.name": agent}
    if "tenant.name" in response.variables:
        # Test data has no tenant of its own.
        live = response.tenant_id.removesuffix(TEST_SUFFIX)
        values["tenant.name"] = tenants.get_tenant(live, consistent=False).name
    return values


def use_canned_response(response: CannedResponse, values: Mapping[str, str | None]) -> Rendered:
    """Fill in the text's variables and count the use. Raises CannedResponseNotFoundError if it is gone by then."""
    rendered = fill_in(response.content, values)
    try:
        transact([store.counting_use(response)], result=rendered)
    except ConditionFailedError as exc:
        raise CannedResponseNotFoundError from exc
    return rendered


def _commit_change(
    before: CannedResponse, after: CannedResponse, changed: Mapping[str, Any], actor: Actor, pos: int | None
) -> None:
    tenant_id, shown, shown_before = after.tenant_id, _shown(after), _shown(before)
    change = store.updating(after, changed, read_version=before.version)
    renamed = [store.claiming_shortcut(after), store.freeing_shortcut(before)] if "shortcut" in changed else []
    grown = after.size - before.size
    room = [store.taking_room(tenant_id, count=0, size=grown)] if grown else []
    previous = {name: shown_before[name] for name in changed}
    record = tenants.recording_at(tenant_id, pos, actor, "canned_response.updated", shown, previous)
    try:
        tenants.commit(tenant_id, [change, *renamed, *room, *record], result=after)
    except ConditionFailedError as exc:
        if change in exc.failed:
            raise StaleError from exc
        if renamed and renamed[0] in exc.failed:
            raise ShortcutTakenError(param="shortcut") from exc
        if room and room[0] in exc.failed:
            raise TooManyCannedResponsesError from exc
        raise


def _expected(tenant_id: str, response_id: str, expected_version: int | None) -> tuple[CannedResponse, int | None]:
    """Return the canned response in the version the caller has seen, and the tenant's position."""
    if not ids.is_id("can", response_id):
        raise CannedResponseNotFoundError
    response, pos = store.find_for_change(tenant_id, response_id)
    if response is None:
        raise CannedResponseNotFoundError
    if expected_version not in {None, response.version}:
        raise PreconditionFailedError
    return response, pos


def _shown(response: CannedResponse) -> dict[str, Any]:
    return CannedResponseOut.of(response).model_dump(mode="json")
