"""The mails that follow from sign-ups and forgotten passwords: only here is it looked up whether there is a user."""

from chalicelib.auth import mail_tokens, store
from chalicelib.auth.mail_tokens import Reset
from chalicelib.auth.service import reset_link
from chalicelib.core import ids
from chalicelib.core.config import settings
from chalicelib.events.models import Event
from chalicelib.mail.models import Mail
from chalicelib.mail.service import enqueue


def on_event(event: Event) -> None:
    """Consume an event."""
    if event.type == "user.registration_requested":
        _answer_registration(event)
    elif event.type == "user.password_reset_requested":
        _answer_reset_request(event)


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
    reset = Reset(user.id, user.password_version)
    link = reset_link(mail_tokens.for_reset(reset, event.at // 1000 + mail_tokens.RESET_S))
    enqueue(_mail(event, user.email, "reset_password", link=link))


def _mail(event: Event, to: str, template: str, **params: str) -> Mail:
    return Mail(ids.derived("mail", event.id, template), to, template, "en", params)
