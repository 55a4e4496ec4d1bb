"""What a person changes about their own account: name, language, password, address."""

from dataclasses import replace
from typing import Any

from chalicelib.auth import attempts, mail_tokens, passwords, pool_tokens, session_store, sessions, store
from chalicelib.auth.models import (
    AddressTakenError,
    EmailChange,
    InvalidTokenError,
    Profile,
    Session,
    TokenUsedError,
    User,
    WrongPasswordError,
)
from chalicelib.auth.schemas import SentOut
from chalicelib.core import ids, ratelimit
from chalicelib.core.errors import InvalidError, UnauthenticatedError
from chalicelib.core.http import Principal
from chalicelib.core.table import USERS, ConditionFailedError, retrying
from chalicelib.tenants import service as tenants


def get_profile(caller: Principal) -> Profile:
    """Return the caller and their memberships as they are now; raises UnauthenticatedError if their session is over."""
    session_key = session_store.session_key(caller.id, caller.session_id)
    keys = store.user_key(caller.id), tenants.person_key(caller.id)
    rows = USERS.batch_get([*keys, *([session_key] if caller.session_id else [])], consistent=True)  # a pool's has none
    user, person = store.user_from_item(rows.get(keys[0])), tenants.person_from_item(rows.get(keys[1]))
    session = session_store.session_from_item(rows.get(session_key))
    if user is None or not (pool_tokens.is_trusted() or sessions.is_live(session, user)):
        raise UnauthenticatedError
    return Profile(user, dict(person.memberships) if person else {})


def update_profile(caller: Principal, changes: dict[str, Any]) -> Profile:
    """Change the caller's `name` or `language`; what their tenants know of them follows the event."""

    def attempt() -> Profile:
        before = get_profile(caller)
        user = replace(before.user, **changes)
        if user == before.user:
            return before
        changed = {"name": user.name, "lang": user.language}
        naming = tenants.changing_person(user.id, {"name": user.name})
        store.change_user(before.user, "user.updated", changed, also=[naming])
        return replace(before, user=user)

    return retrying(attempt)


def confirm_password(caller: Principal, password: str, param: str = "password") -> tuple[Session, User]:
    """Return the caller's session and user if `password` is theirs; every try counts as one of logging in does.

    Raises UnauthenticatedError, RateLimitedError and WrongPasswordError. After the effect call `forget_attempts`.
    """
    session, user = sessions.find_own(caller)
    ratelimit.take_attempt(attempts.account(user.email))
    if not passwords.matches(password, user.password_hash):
        raise WrongPasswordError(param=param)
    return session, user


def forget_attempts(user: User) -> None:
    """Let the user's next tries be free again."""
    ratelimit.forget_attempts(attempts.account(user.email))


def change_password(caller: Principal, current: str, new: str) -> User:
    """Replace the caller's password and end all their sessions but this one; a mail tells them.

    Raises what `confirm_password` does, and InvalidError for the new password.
    """
    known = confirm_password(caller, current, "current_password")
    passwords.check_policy(new, known[1].email, "new_password")
    password_hash = passwords.hashed(new)

    def attempt() -> User:
        session, user = sessions.find_own(caller)
        if user.password_hash != known[1].password_hash:
            raise WrongPasswordError(param="current_password")  # somebody has changed it meanwhile
        changed = {"pw": password_hash, "pwv": user.password_version + 1}
        keeping = session_store.keeping_session(session)
        store.change_user(user, "user.password_changed", changed, also=[keeping], result=user)
        return user

    user = retrying(attempt)
    forget_attempts(user)
    return user


def change_email(caller: Principal, email: str, password: str) -> SentOut:
    """Ask to move the account to another address: a link goes there, a notice to the one it has now.

    Whether the address is free is for the dispatcher to find out, as with `register`. Raises what `confirm_password`
    does, InvalidError for the address one has, and RateLimitedError for a mailbox that got too many mails.
    """
    _, user = confirm_password(caller, password)
    if email == user.email:
        raise InvalidError.field("email", "This is your address already.")
    attempts.count_mail(email)
    sent = SentOut(status="sent")
    change = EmailChange(ids.new("chg"), user.id, email, user.password_version, user.email_version)
    store.add_email_change(change, result=sent)
    forget_attempts(user)
    return sent


def confirm_email(token: str) -> User:
    """Move an account to the address that the token was sent to; raises InvalidTokenError, TokenUsedError,
    AddressTakenError.

    Sessions stay; links that were sent to the address before end. The tenants' member rows follow the event.
    """
    change_id = mail_tokens.read_email_change(token)

    def attempt() -> User:
        change = store.find_email_change(change_id)
        if change is None:
            raise TokenUsedError
        user = store.find_user(change.user_id)
        if user is None or user.disabled:
            raise InvalidTokenError
        if (user.password_version, user.email_version) != (change.password_version, change.email_version):
            raise TokenUsedError
        moved = replace(user, email=change.email, email_version=user.email_version + 1)
        changed = {"email": moved.email, "ev": moved.email_version}
        guards = store.moving_email(user, moved.email)
        also = [*guards, store.ending_email_change(change.id), tenants.changing_person(user.id, {"email": moved.email})]
        try:
            store.change_user(user, "user.email_changed", changed, also=also)
        except ConditionFailedError:
            raise AddressTakenError from None  # all else that the others depend on would have changed the user, too
        return moved

    return retrying(attempt)
