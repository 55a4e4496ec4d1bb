"""The mails that follow from a tenant's events."""

from chalicelib.core import clock, ids
from chalicelib.core.config import settings
from chalicelib.core.errors import NotFoundError
from chalicelib.core.table import TEST_SUFFIX
from chalicelib.events.models import Event
from chalicelib.mail.models import Mail
from chalicelib.mail.service import enqueue
from chalicelib.tenants import invitations, store

_SENDING = {"member.invited", "invitation.resent"}


def on_event(event: Event) -> None:
    """Mail an invitation that is still open. The link is computed here: events and rows hold no token."""
    if event.type not in _SENDING or event.tenant_id.endswith(TEST_SUFFIX):
        return
    try:
        tenant, invitation = store.find_invitation(event.tenant_id, event.data["id"])
    except NotFoundError:
        return
    if (
        tenant.status != "active"
        or invitation is None
        or invitation.outcome != "pending"
        or invitation.expires_at <= clock.now_ms()
    ):
        return
    link = f"{settings().api_url}/auth/accept-invite?token={invitations.token_of(invitation)}"
    params = {"link": link, "tenant": tenant.name, "role": invitation.role.label}
    mail_id = ids.derived("mail", event.id, "invitation")
    enqueue(Mail(mail_id, invitation.email, "invitation", tenant.language, params))
