"""The mails to owners and admins when an endpoint fails for long, and when it is given up."""

from urllib.parse import urlsplit

from chalicelib.core import ids
from chalicelib.core.errors import NotFoundError
from chalicelib.core.table import TEST_SUFFIX
from chalicelib.events.models import Event
from chalicelib.mail.models import Mail
from chalicelib.mail.service import enqueue
from chalicelib.tenants import service as tenants

_TEMPLATES = {"webhook.failing": "webhook_failing", "webhook.disabled": "webhook_disabled"}


def on_event(event: Event) -> None:
    """Tell owners and admins; an event seen again sends none. Subscribed in app.py."""
    template = _TEMPLATES.get(event.type)
    if template is None or event.tenant_id.endswith(TEST_SUFFIX):
        return
    try:
        tenant = tenants.get_tenant(event.tenant_id)
    except NotFoundError:
        return  # deleted meanwhile
    if tenant.status != "active":
        return
    params = {
        "tenant": tenant.name,
        "webhook": event.data["id"],
        "host": urlsplit(event.data["url"]).hostname or "",
        "since": event.data.get("failing_since", ""),
    }
    for admin in tenants.list_admins(event.tenant_id):
        mail_id = ids.derived("mail", event.id, admin.user_id)
        enqueue(Mail(mail_id, admin.email, template, tenant.language, params))
