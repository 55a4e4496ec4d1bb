"""The mails that follow from what happens to accounts: only here is it looked up whether an address has one."""

from chalicelib.auth import mail_tokens, store
from chalicelib.auth.mail_tokens import Reset
from chalicelib.auth.service import reset_link
from chalicelib.core import ids
from chalicelib.core.config import settings
from chalicelib.events.models import Event
from chalicelib.mail.languages import language_for
from chalicelib.mail.models import Mail
from chalicelib.mail.service import enqueue

_NOTICES = {  # each has a template of its name
    "user.password_changed",
    "user.totp_enabled",
    "user.totp_disabled",
    "user.recovery_code_used",
}


def on_event(event: Event) -> None:
    """Consume an event."""
    if event.type == "user.registration_requested":
        _answer_registration(event)
    elif event.type == "user.password_reset_requested":
        _answer_reset_request(event)
    elif event.type == "user.email_change_requested":
        _answer_email_change(event)
    elif event.type in _NOTICES:
        _notify(event)


def _answer_registration(event: Event) -> None:
    registration = store.find_registration(event.data["id"])
    if registration is None:
        return  # verified meanwhile: the event is seen a second time
    if store.find_user_id(registration.email):
        enqueue(_mail(event, registration.email, "already_registered"))
        return
    token = mail_tokens.for_registration(registration.id, event.at // 1000 + mail_tokens.VERIFY_S)
    link = f"{settings().api_url}/auth/verify-email?token={token}"
    enqueue(_mail(event, registration.email, "verify_email", link=link))


def _answer_reset_request(event: Event) -> None:
    email = store.find_reset_email(event.data["id"])
    user_id = store.find_user_id(email) if email else None
    user = store.find_user(user_id) if user_id else None
    if user is None or user.disabled:
        return
    link = reset_link(mail_tokens.for_reset(Reset.of(user), event.at // 1000 + mail_tokens.RESET_S))
    enqueue(_mail(event, user.email, "reset_password", link=link))


def _answer_email_change(event: Event) -> None:
    change = store.find_email_change(event.data["id"])
    user = store.find_user(change.user_id) if change else None
    if change is None or user is None or user.disabled:
        return
    # First the notice: once the link is out, the address that should get it may be gone.
    enqueue(_mail(event, user.email, "email_change_requested", user.language))
    if store.find_user_id(change.email):
        enqueue(_mail(event, change.email, "address_in_use"))
    else:
        token = mail_tokens.for_email_change(change.id, event.at // 1000 + mail_tokens.CHANGE_S)
        link = f"{settings().api_url}/auth/confirm-email?token={token}"
        enqueue(_mail(event, change.email, "confirm_email", user.language, link=link))


def _notify(event: Event) -> None:
    user = store.find_user(event.data["id"])
    if user:
        enqueue(_mail(event, user.email, event.type.partition(".")[2], user.language))


def _mail(event: Event, to: str, template: str, language: str | None = None, **params: str) -> Mail:
    language = language or language_for(event.data.get("language"))
    return Mail(ids.derived("mail", event.id, template), to, template, language, params)
