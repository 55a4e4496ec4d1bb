"""The mails to owners and admins about a trial's end, a failed payment, the end of a subscription, and limits."""

from chalicelib.core import ids
from chalicelib.core.errors import NotFoundError
from chalicelib.events.models import Event
from chalicelib.mail.models import Mail
from chalicelib.mail.service import enqueue
from chalicelib.tenants import service as tenants

_TEMPLATES = {
    "subscription.trial_ending": "trial_ending",
    "subscription.duplicate_canceled": "duplicate_canceled",
    "plan.limit_near": "limit_near",
    "plan.limit_reached": "limit_reached",
}
_BY_STATUS = {"past_due": "payment_failed", "unpaid": "subscription_unpaid", "canceled": "subscription_canceled"}


def on_event(event: Event) -> None:
    """Tell owners and admins; an event seen again sends none. Subscribed in app.py."""
    template = _TEMPLATES.get(event.type)
    if event.type == "subscription.updated" and "status" in event.previous:
        template = _BY_STATUS.get(event.data["status"])
    if template is None:
        return
    try:
        tenant = tenants.get_tenant(event.tenant_id)
    except NotFoundError:
        return  # deleted meanwhile
    if tenant.status != "active":
        return
    params = {
        "tenant": tenant.name,
        "plan": str(event.data["plan"]).capitalize(),
        "date": str(event.data.get("trial_ends_at") or "")[:10],
        "used": str(event.data.get("used", "")),
        "allowed": str(event.data.get("allowed", "")),
    }
    for admin in tenants.list_admins(event.tenant_id):
        mail_id = ids.derived("mail", event.id, admin.user_id)
        enqueue(Mail(mail_id, admin.email, template, tenant.language, params))
