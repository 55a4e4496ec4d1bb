"""Who the users of a trusted Cognito pool are here: one user of ours for each `sub`."""

from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from chalicelib.auth import pool_tokens, store
from chalicelib.auth.models import (
    AddressTakenError,
    EmailNotVerifiedError,
    InvalidIdTokenError,
    LoginElsewhereError,
    User,
)
from chalicelib.core import clock, keyring, regions
from chalicelib.core.errors import NotFoundError, UnauthenticatedError
from chalicelib.core.http import Principal
from chalicelib.core.http.schema import Email
from chalicelib.core.table import USERS, ConditionFailedError, StaleError, retrying, transact
from chalicelib.tenants import service as tenants


def require_own_issuer() -> None:
    """Refuse what is about passwords, sessions and second factors of our own where a pool has them."""
    if pool_tokens.is_trusted():
        raise LoginElsewhereError


def authenticate(token: str) -> Principal:
    """Return who holds an access token of the pool; raises UnauthenticatedError. Two reads, none for a foreign one."""
    claims = pool_tokens.read(token, "access")
    user_id = store.find_pool_user_id(_subject(claims)) if claims else None
    if claims is None or user_id is None:
        raise UnauthenticatedError
    keys = store.user_key(user_id), tenants.person_key(user_id)
    rows = USERS.batch_get(keys, consistent=True)
    user, person = store.user_from_item(rows.get(keys[0])), tenants.person_from_item(rows.get(keys[1]))
    if user is None or user.disabled:
        raise UnauthenticatedError
    return Principal(
        kind="user",
        id=user_id,
        name=(person and person.name) or "",
        memberships=person.memberships if person else {},
        suspended=person.suspended if person else frozenset(),
        expires_at=claims["exp"] * 1000,
    )


def sign_in(id_token: str) -> User:
    """Make the user of a pool's user known, from an id token; the same again for one who is.

    A verified address that has a user here makes them that user, unless another of the pool's users is them already.
    Raises NotFoundError where no pool is trusted, InvalidIdTokenError, EmailNotVerifiedError and AddressTakenError.
    """
    if not pool_tokens.is_trusted():
        raise NotFoundError
    claims = pool_tokens.read(id_token, "id")
    if claims is None:
        raise InvalidIdTokenError
    subject = _subject(claims)

    def attempt() -> User:
        user_id = store.find_pool_user_id(subject)
        if user_id is None:
            return _link_or_create(subject, _verified_email(claims), _name(claims))
        return _usable(store.find_user(user_id))

    return retrying(attempt)


def _link_or_create(subject: str, email: str, name: str | None) -> User:
    user_id = store.find_user_id(email)
    try:
        if user_id is None:
            user = User(regions.new_id("usr"), email, name, None, password_version=1, created_at=clock.now_ms())
            user = replace(user, pool_subject=subject)
            person = tenants.new_person_write(user.id, email, name)
            transact([*store.creating_user(user), store.claiming_pool_user(user.id, subject), person])
            return user
        user = _usable(store.find_user(user_id))
        if user.pool_subject == subject:
            return user  # made meanwhile
        if user.pool_subject is not None:
            raise AddressTakenError
        claiming = store.claiming_pool_user(user.id, subject)
        store.change_user(user, "user.linked", {"sub": subject}, also=[claiming])
        return user
    except ConditionFailedError:
        raise StaleError from None  # somebody was faster with this address or this subject


def _usable(user: User | None) -> User:
    if user is None or user.disabled:
        raise InvalidIdTokenError
    return user


def _subject(claims: dict[str, Any]) -> str:
    return keyring.keyed_hash("pool", claims["iss"], claims["sub"]).hex()


def _verified_email(claims: dict[str, Any]) -> str:
    if claims.get("email_verified") is not True:
        raise EmailNotVerifiedError
    try:
        return TypeAdapter(Email).validate_python(claims.get("email"))
    except ValidationError:
        raise EmailNotVerifiedError from None


def _name(claims: dict[str, Any]) -> str | None:
    name = claims.get("name")
    return name if isinstance(name, str) and name.isprintable() and 0 < len(name) <= 200 else None
