"""What our mails say: one look, as text and as HTML, in each language."""

import html
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Template:
    """A mail's words. `{name}` is replaced by a parameter; the link, if there is one, stands alone on its line."""

    subject: str
    before: str
    button: str = ""  # the link's label in HTML; empty: a mail without a link
    after: str = ""


@dataclass(frozen=True)
class Rendered:
    """A mail ready to send."""

    subject: str
    text: str
    html: str


# No mail that anyone can cause to be sent to anyone repeats what that person typed: it would carry their spam.
_ENGLISH = {
    "verify_email": Template(
        "Confirm your e-mail address",
        "Somebody, hopefully you, has signed up to Parley with this address. Confirm it to finish:",
        "Confirm my address",
        "The link works once, for 24 hours. If it was not you, do nothing: no account is made.",
    ),
    "already_registered": Template(
        "You already have an account",
        "Somebody, hopefully you, has tried to sign up to Parley with this address, which has an account. "
        "Log in with it; if you forgot your password, ask for a new one there.",
        after="If it was not you, do nothing: nothing has changed.",
    ),
    "reset_password": Template(
        "Choose a new password",
        "Somebody, hopefully you, has asked for a new password for your Parley account. Choose one here:",
        "Choose a new password",
        "The link works once, for one hour, and ends all your sessions. If it was not you, do nothing: "
        "your password stays as it is.",
    ),
    "password_changed": Template(
        "Your password has been changed",
        "The password of your Parley account has just been changed, and all other sessions have been ended.",
        after="If it was not you, ask for a new password on the log-in page at once, and tell your administrator.",
    ),
    "totp_enabled": Template(
        "Your account has a second factor now",
        "From now on, logging in to your Parley account takes a code of your authenticator app. "
        "Keep the recovery codes where you find them without it.",
        after="If it was not you, change your password at once and tell your administrator.",
    ),
    "totp_disabled": Template(
        "Your account has no second factor any more",
        "Logging in to your Parley account takes only the password again.",
        after="If it was not you, change your password at once and tell your administrator.",
    ),
    "recovery_code_used": Template(
        "A recovery code has been used",
        "Somebody, hopefully you, has logged in to your Parley account with a recovery code. It works no more; "
        "new ones are made in your account's settings.",
        after="If it was not you, change your password at once and tell your administrator.",
    ),
    "confirm_email": Template(
        "Confirm your new e-mail address",
        "Somebody, hopefully you, wants to move their Parley account to this address. Confirm it to finish:",
        "Use this address",
        "The link works once, for one hour. If it was not you, do nothing: no account is moved.",
    ),
    "address_in_use": Template(
        "This address has an account already",
        "Somebody, hopefully you, has tried to move another Parley account to this address, which has its own.",
        after="Nothing has changed. To use this address for the other account, move this one elsewhere first.",
    ),
    "email_change_requested": Template(
        "Somebody wants to change your e-mail address",
        "Somebody, hopefully you, has asked to move your Parley account to another address. "
        "It is moved when the link in a mail to that address is opened within the hour.",
        after="If it was not you, somebody knows your password: change it now, which ends that link and all other "
        "sessions.",
    ),
    "invitation": Template(
        "You are invited to {tenant} on Parley",
        "You are invited to join “{tenant}” on Parley as {role}. Accept here:",
        "Accept the invitation",
        "The link works once, for seven days. If you don't know who invited you, do nothing.",
    ),
}
TEMPLATES = {"en": _ENGLISH}

_PAGE = """<!doctype html>
<html lang="{language}"><body style="margin:0;padding:24px;background:#f4f5f7;font:16px/1.5 sans-serif;color:#1d2433">
<div style="max-width:520px;margin:auto;padding:32px;background:#fff;border-radius:8px">
<h1 style="margin:0 0 16px;font-size:20px">{subject}</h1>
{parts}
</div></body></html>
"""


def render(name: str, language: str, params: Mapping[str, str]) -> Rendered:
    """Render the template called `name`; raises KeyError for an unknown one or a missing parameter."""
    language = language if name in TEMPLATES.get(language, {}) else "en"
    template = TEMPLATES[language][name]
    subject = _one_line(template.subject.format_map(params))
    link = params["link"] if template.button else ""
    before, after = template.before.format_map(params), template.after.format_map(params)
    text = "\n\n".join(part for part in (before, link, after) if part) + "\n"
    parts = [f"<p>{html.escape(before)}</p>"]
    if link:
        parts.append(
            f'<p><a href="{html.escape(link)}" style="display:inline-block;padding:10px 20px;border-radius:6px;'
            f'background:#2456d6;color:#fff;text-decoration:none">{html.escape(template.button)}</a></p>'
        )
    parts.append(f'<p style="color:#5b6475">{html.escape(after)}</p>')
    page = _PAGE.format(language=language, subject=html.escape(subject), parts="\n".join(parts))
    return Rendered(subject, text, page)


def _one_line(text: str) -> str:
    """Return `text` without anything that could end a header: a tenant's name may stand in a subject."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
