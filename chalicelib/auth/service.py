"""How a person gets into their account: sign up, verify, log in, forget the password, accept an invitation."""

from chalicelib.auth import attempts, mail_tokens, passwords, sessions, store, two_factor
from chalicelib.auth.mail_tokens import Reset
from chalicelib.auth.models import (
    Device,
    InvalidCredentialsError,
    InvalidTokenError,
    Registration,
    SignupClosedError,
    TokenUsedError,
    User,
)
from chalicelib.auth.pool import require_own_issuer
from chalicelib.auth.schemas import JoinedOut, RegisteredOut, SentOut, TokensOut, UserOut
from chalicelib.core import clock, ids, ratelimit, regions, table
from chalicelib.core.config import settings
from chalicelib.core.errors import InvalidError, RateLimitedError
from chalicelib.tenants import service as tenants
from chalicelib.tenants.models import AlreadyMemberError


def register(email: str, password: str, name: str | None, source_ip: str, language: str = "en") -> RegisteredOut:
    """Sign up. Nothing here depends on whether the address has an account: the dispatcher finds out, and mails.

    Raises SignupClosedError, InvalidError for the password, and RateLimitedError.
    """
    if not settings().signup_open:
        raise SignupClosedError
    passwords.check_policy(password, email)
    attempts.count_address(source_ip)
    attempts.count_mail(email)
    store.add_registration(Registration(ids.new("reg"), email, name, passwords.hashed(password)), language)
    return RegisteredOut(email=email, name=name, status="verification_sent")


def verify_email(token: str) -> User:
    """Make the user of a registration; raises InvalidTokenError and TokenUsedError."""
    registration = store.find_registration(mail_tokens.read_registration(token))
    if registration is None:
        raise TokenUsedError
    user = _new_user(registration.email, registration.name, registration.password_hash)
    writes = store.creating_user(user)
    writes += [
        store.ending_registration(registration.id),
        tenants.new_person_write(user.id, user.email, user.name),
    ]
    try:
        table.transact(writes)
    except table.ConditionFailedError:
        raise TokenUsedError from None  # another click was faster, or another registration of the same address
    return user


def log_in(email: str, password: str, code: str | None, device: Device, source_ip: str) -> TokensOut:
    """Begin a session. Unknown, unverified and wrong are one error, after the same work and the same reads.

    Raises InvalidCredentialsError, RateLimitedError and, only once the password is right, what `two_factor.check`
    does. Every try counts before its password is looked at, and only one with all that is needed forgets the others.
    """
    account = attempts.account(email)
    attempts.count_address(source_ip)
    ratelimit.take_attempt(account)
    user = store.find_user(store.find_user_id(email) or store.NOBODY)
    right = passwords.matches(password, user.password_hash if user else None)
    if user is None or not right or user.disabled:
        raise InvalidCredentialsError
    two_factor.check(user, code)
    ratelimit.forget_attempts(account)
    return sessions.start(user, device)


def forgot_password(email: str, source_ip: str, language: str = "en") -> SentOut:
    """Ask for a link to choose a new password. As with `register`, the dispatcher finds out whether there is a user.

    Raises RateLimitedError for the caller's address; a mailbox that got too many mails just gets no more.
    """
    attempts.count_address(source_ip)
    try:
        attempts.count_mail(email)
    except RateLimitedError:
        return SentOut(status="sent")
    store.add_reset_request(ids.new("rst"), email, language)
    return SentOut(status="sent")


def reset_password(token: str, password: str) -> User:
    """Set a new password and end all sessions; raises InvalidTokenError, TokenUsedError and InvalidError."""
    reset = mail_tokens.read_reset(token)

    def attempt() -> User:
        user = store.find_user(reset.user_id)
        if user is None:
            raise InvalidTokenError
        if Reset.of(user) != reset:
            raise TokenUsedError
        passwords.check_policy(password, user.email)
        changed = {"pw": password_hash, "pwv": user.password_version + 1}
        first = user.password_hash is None  # of an account that an operator made: nobody needs a warning
        store.change_user(user, "user.password_set" if first else "user.password_changed", changed)
        return user

    password_hash = passwords.hashed(password)
    user = table.retrying(attempt)
    ratelimit.forget_attempts(attempts.account(user.email))
    return user


def accept_invitation(token: str, password: str | None, name: str | None) -> JoinedOut:
    """Join a tenant, with the account of the invited address or a new one, whose password is then required.

    The link proves the address. Raises InvalidError and what `find_invitation` and `accepting` of `tenants` raise.
    """
    tenants.find_invitation(token)  # nobody makes us hash with a forged token
    # Hashed once, outside the loop that is repeated when somebody else changes the tenant.
    password_hash = passwords.hashed(password) if password is not None else None

    def attempt() -> JoinedOut:
        opened = tenants.find_invitation(token)
        user_id = store.find_user_id(opened.email)
        user = store.find_user(user_id) if user_id else None
        person, creating = None, []
        if user is None:
            user = _invited(opened.email, password, password_hash, name)
            creating = store.creating_user(user)
        else:
            person = tenants.get_person(user.id)
        try:
            joining = tenants.accepting(opened, user.id, user.email, user.name, person)
            tenants.commit(opened.tenant.id, [*creating, *joining])
        except AlreadyMemberError:
            tenants.find_invitation(token)  # raises if that is how they became one since it was read
            raise
        except table.ConditionFailedError:
            raise table.StaleError from None  # the address got an account, or the account this membership, meanwhile
        return JoinedOut(tenant_id=opened.tenant.id, role=opened.invitation.role.label, user=UserOut.of(user))

    return table.retrying(attempt)


def create_owner(email: str, name: str | None) -> tuple[User, str] | None:
    """Make a verified user without a password, for an operator; with the link to set one. None if there is one."""
    user = _new_user(email, name, None)
    try:
        table.transact([*store.creating_user(user), tenants.new_person_write(user.id, email, name)])
    except table.ConditionFailedError:
        return None
    expires_at_s = clock.now_s() + mail_tokens.VERIFY_S
    token = mail_tokens.for_reset(Reset.of(user), expires_at_s)
    return user, reset_link(token)


def reset_link(token: str) -> str:
    """Return the page that a reset token opens."""
    return f"{settings().api_url}/auth/reset-password?token={token}"


def _invited(email: str, password: str | None, password_hash: str | None, name: str | None) -> User:
    require_own_issuer()
    if password is None:
        raise InvalidError.field("password", "Choose a password: this address has no account yet.", "required")
    passwords.check_policy(password, email)
    return _new_user(email, name, password_hash)


def _new_user(email: str, name: str | None, password_hash: str | None) -> User:
    return User(regions.new_id("usr"), email, name, password_hash, password_version=1, created_at=clock.now_ms())
