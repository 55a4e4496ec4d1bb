"""A widget's identity secret, with which its tenant's server signs who a visitor is.

It is derived from the deployment's pepper and a generation that the widget's row counts, so that it is nowhere stored:
who reads the table can sign for nobody.
"""

from dataclasses import replace
from typing import Any

from chalicelib.core import clock, keyring, tokens
from chalicelib.core.table import retrying
from chalicelib.tenants import service as tenants
from chalicelib.widgets import service, store
from chalicelib.widgets.models import IdentitySecretStatusOut, IssuedSecret, Widget
from chalicelib.widgets.service import Actor


def rotate_secret(
    tenant_id: str, actor: Actor, widget_id: str, *, expire_previous_in: int, expected_version: int | None = None
) -> IssuedSecret:
    """Give a widget a new secret; the one before is good for so many more seconds, older ones no more.

    Raises WidgetNotFoundError and PreconditionFailedError.
    """

    def attempt() -> IssuedSecret:
        before, pos = service.expected(tenant_id, widget_id, expected_version)
        now = clock.now_ms()
        until = now + 1000 * expire_previous_in if expire_previous_in and before.identity_generation else None
        changed: dict[str, Any] = {
            "identity_generation": before.identity_generation + 1,
            "identity_rotated_at": now,
            "identity_previous_until": until,
        }
        after = replace(before, **changed, version=before.version + 1, updated_at=now)
        issued = IssuedSecret(after, _secret(after, after.identity_generation))
        shown = {"id": widget_id, **IdentitySecretStatusOut.of(after).model_dump(mode="json")}
        record = tenants.recording_at(tenant_id, pos, actor, "widget.identity_secret_rotated", shown)
        change = store.updating_widget(after, changed, read_version=before.version)
        service.commit_or_reread(tenant_id, [change, *record], result=issued)
        return issued

    return retrying(attempt)


def valid_secrets(tenant_id: str, widget_id: str) -> list[str]:
    """Return the secrets that a widget's identity tokens may be signed with now, the newest first. One read."""
    widget = store.find_widget(tenant_id, widget_id)
    if widget is None or widget.identity_generation == 0:
        return []
    overlapping = (widget.identity_previous_until or 0) > clock.now_ms()
    newest = widget.identity_generation
    return [_secret(widget, newest), *([_secret(widget, newest - 1)] if overlapping else [])]


def _secret(widget: Widget, generation: int) -> str:
    raw = keyring.keyed_hash("identity-secret", widget.tenant_id, widget.id, str(generation))
    return tokens.pack("parley_is_", raw)
