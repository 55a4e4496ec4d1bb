"""Commands about one person: the first owner, a lost second factor, an address that gets no mail."""

from typing import Annotated

import typer

from parley import moments
from parley.errors import CommandError, Exit
from parley.session import Session, command

Email = Annotated[str, typer.Option(help="The person's address.")]
PANEL = "People"


def add_to(group: typer.Typer) -> None:
    """Register the commands."""
    command(group, "create-owner", panel=PANEL)(create_owner)
    command(group, "remove-totp", asks=True, panel=PANEL)(remove_totp)
    command(group, "allow-mail", asks=True, panel=PANEL)(allow_mail)


def create_owner(
    here: Session,
    email: Email,
    name: Annotated[str | None, typer.Option(help="What they are called.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Also make a tenant of this name, which they own.")] = None,
) -> None:
    """Make a user where sign-up is closed, perhaps with a tenant, and print the link that sets the password."""
    here.enter()
    from chalicelib.auth.service import create_owner as create
    from chalicelib.tenants.service import create_tenant

    email = _checked(email)
    made = create(email, name)
    if made is None:
        raise CommandError(f"{email} has an account. “Forgot password” sends a new link.")
    user, link = made
    here.out.say(f"user    {user.id}")
    tenant_id = None
    if tenant:
        import app  # noqa: F401 - binds the slices, so that the tenant starts with its widget

        tenant_id = create_tenant(user.id, tenant).tenant.id
        here.out.say(f"tenant  {tenant_id}")
    here.out.done(f"Choose the password within 24 hours:\n{link}", user_id=user.id, tenant_id=tenant_id, link=link)


def remove_totp(here: Session, email: Email) -> None:
    """Switch off the second factor of somebody who has lost device and recovery codes; a mail tells them.

    Make sure first, outside of mail, that it is them: whoever reads their mail can set a new password already.
    """
    here.enter()
    from chalicelib.auth.two_factor import remove

    email = _checked(email)
    here.ask(f"Let {email} in with the password alone? Be sure that it was them who asked.")
    user = remove(email)
    if user is None or user.totp is None:
        raise CommandError(f"{email} has {'no second factor' if user else 'no account'}.")
    here.out.done(f"{user.id} logs in with the password alone now.", user_id=user.id)


def allow_mail(
    here: Session,
    email: Email,
    look: Annotated[bool, typer.Option("--look", help="Only say whether mail is stopped, and why.")] = False,
) -> None:
    """Let mail go again to an address that bounced or complained."""
    here.enter()
    from chalicelib.mail import feedback

    email = _checked(email)
    stop = feedback.find_stop(email)
    if stop is None:
        here.out.done("Mail to this address is not stopped.", stopped=False)
        return
    since = moments.of_ms(stop.at)
    told = f"Mail to this address is stopped since {since}, because of a {stop.reason}."
    if look:
        here.out.done(told, stopped=True, since=since, reason=stop.reason)
        return
    here.ask(f"{told} Let it go again?")
    feedback.allow(email)
    here.out.done(
        f"{told}\nIt is allowed again. If SES has it on its own suppression list, take it off there, too.",
        stopped=False, since=since, reason=stop.reason,
    )  # fmt: skip


def _checked(email: str) -> str:
    """Return an address as we store it. Raises CommandError for what is none."""
    from pydantic import TypeAdapter, ValidationError

    from chalicelib.core.http.schema import Email as Address

    try:
        return TypeAdapter[str](Address).validate_python(email.strip())
    except ValidationError:
        raise CommandError(f"{email!r} is not an e-mail address.", Exit.USAGE) from None
