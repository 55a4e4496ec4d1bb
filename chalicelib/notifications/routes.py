"""A member's preferences, and what the links in the mails open."""

from pydantic import Field

from chalicelib.core.http import Api, Call, Raw, Request
from chalicelib.mail.languages import language_for
from chalicelib.notifications import offline, pages, service
from chalicelib.notifications.links import FRAGMENT
from chalicelib.notifications.models import Preferences, PreferencesOut, SetPreferences

api = Api("Notifications", kinds=("user",))

HTML = "text/html; charset=utf-8"
MINE = "/v1/tenants/{tenant_id}/members/me/notifications"


class WithToken(Request):
    """A link's token."""

    token: str = Field(default="", max_length=500)


@api.get(MINE, answer=PreferencesOut)
def retrieve_notifications(call: Call, tenant_id: str) -> Preferences:
    """Show of what you hear by mail in this tenant."""
    return service.get_preferences(tenant_id, call.principal.id)


@api.put(MINE, body=SetPreferences, answer=PreferencesOut)
def replace_notifications(call: Call, body: SetPreferences, tenant_id: str) -> Preferences:
    """Choose of what you hear by mail in this tenant.

    Of one conversation you hear at most once in each quarter of an hour.
    """
    return service.set_preferences(tenant_id, call.principal.id, Preferences(**body.model_dump()))


@api.get("/mail/unsubscribe", public=True, query=WithToken, raw=HTML)
def show_unsubscribe(call: Call, query: WithToken) -> Raw:  # noqa: ARG001 - programs that open links change nothing
    """Show the page that turns the mails off that had this link."""
    return _page(call, "ask")


@api.post("/mail/unsubscribe", public=True, query=WithToken, raw=HTML)
def unsubscribe(call: Call, query: WithToken) -> Raw:
    """Turn the mails off that had this link. Mail programs may do so in one click (RFC 8058)."""
    return _page(call, "done" if service.unsubscribe(query.token) else "wrong")


@api.get("/mail/chat", public=True, query=WithToken, raw=HTML, also={302: None})
def return_to_chat(call: Call, query: WithToken) -> Raw:
    """Lead a visitor from a mail back to the page where the chat is; the token stands behind the # of its address.

    The chat gives it as `visitor_token` when it begins a session.
    """
    found = offline.find_page(query.token)
    if found is None:
        return _page(call, "over")
    call.answer_headers |= {"Location": f"{found}#{FRAGMENT}={query.token}", "Referrer-Policy": "no-referrer"}
    return Raw("", HTML, 302)


def _page(call: Call, name: str) -> Raw:
    call.answer_headers.update(pages.security_headers())
    return Raw(pages.page(name, language_for(call.headers.get("accept-language"))), HTML)
