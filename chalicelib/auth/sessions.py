"""Sessions: the tokens of a sign-in, their exchange for newer ones, and their end.

A refresh token is sealed with the pepper and names its session and how many exchanges came before it, so nothing of it
is stored: a forged one costs no read and ends no session, and parallel exchanges of one token give the same successor.
"""

import hmac

from chalicelib.auth import jwts, session_store, store
from chalicelib.auth.models import (
    Device,
    InvalidRefreshTokenError,
    OwnSession,
    RefreshTokenReusedError,
    Session,
    User,
)
from chalicelib.auth.schemas import TokensOut, UserOut
from chalicelib.core import clock, ids, keyring, log, regions, tokens
from chalicelib.core.errors import NotFoundError, UnauthenticatedError
from chalicelib.core.frozen import frozen
from chalicelib.core.http import Page, PageQuery, Principal
from chalicelib.core.http.pages import page_of
from chalicelib.core.table import ConditionFailedError, StaleError, retrying

ACCESS_S = 900
GRACE_MS = 60_000  # how long the token before the current one still gives the current one
AUDIENCE = "parley"  # as Cognito's app client: `client_id` of access tokens, `aud` of id tokens

_PREFIX = "parley_rt_"


@frozen
class _Refresh:
    user_id: str
    session_id: str
    generation: int


def start(user: User, device: Device | None = None) -> TokensOut:
    """Sign a user in."""
    now = clock.now_ms()
    session = Session(
        id=ids.new("ses"),
        user_id=user.id,
        password_version=user.password_version,
        generation=0,
        created_at=now,
        refreshed_at=now,
        device=device or Device(),
    )
    session_store.add_session(session)
    return _tokens(user, session, session.generation)


def refresh(token: str, device: Device) -> TokensOut:
    """Exchange a refresh token. Raises InvalidRefreshTokenError; RefreshTokenReusedError, having ended the session."""
    read = _read(token)

    def exchange() -> TokensOut:
        session, user = _find(read)
        if read.generation == session.generation:
            try:
                session_store.advance_session(session, device)
            except ConditionFailedError:
                raise StaleError from None
        elif read.generation != session.generation - 1 or clock.now_ms() - session.refreshed_at > GRACE_MS:
            _end(read)
            log.warning("refresh_token_reused", user_id=user.id, session_id=session.id)
            raise RefreshTokenReusedError
        return _tokens(user, session, read.generation + 1)

    return retrying(exchange)


def end(token: str) -> None:
    """Log out: end the refresh token's session. Doing so twice is fine; raises InvalidRefreshTokenError if forged."""
    _end(_read(token))


def is_live(session: Session | None, user: User | None) -> bool:
    """Tell whether a session still stands: not ended, its user not disabled, and the password the one it began with."""
    if session is None or user is None or user.disabled:
        return False
    return session.password_version == user.password_version


def find_own(caller: Principal) -> tuple[Session, User]:
    """Return the caller's session and user as they are now; raises UnauthenticatedError if the session is over."""
    (session,), user = session_store.find_sessions_and_user(caller.id, caller.session_id)
    if session is None or user is None or not is_live(session, user):
        raise UnauthenticatedError
    return session, user


def list_own(caller: Principal, query: PageQuery) -> Page[OwnSession]:
    """List the caller's sessions, newest first."""
    current, user = find_own(caller)
    rows = [
        OwnSession(session, session.id == current.id)
        for session in session_store.list_sessions(user.id)
        if is_live(session, user)
    ]
    return page_of(rows, query, user.id, "sessions", lambda row: row.session.id)


def revoke(caller: Principal, session_id: str) -> None:
    """End one of the caller's sessions, perhaps the current one; raises NotFoundError."""
    if not ids.is_id("ses", session_id):
        raise NotFoundError

    def attempt() -> None:
        (current, target), user = session_store.find_sessions_and_user(caller.id, caller.session_id, session_id)
        if user is None or not is_live(current, user):
            raise UnauthenticatedError
        if target is None or not is_live(target, user):
            raise NotFoundError
        try:
            session_store.end_session(target, user)
        except ConditionFailedError:
            raise StaleError from None

    retrying(attempt)


def revoke_others(caller: Principal) -> None:
    """End all sessions of the caller's but the one that asks, however many, in one transaction."""

    def attempt() -> None:
        current, user = find_own(caller)
        changed = {"pwv": user.password_version + 1}
        store.change_user(user, "user.sessions_revoked", changed, also=[session_store.keeping_session(current)])

    retrying(attempt)


def _find(read: _Refresh) -> tuple[Session, User]:
    (session,), user = session_store.find_sessions_and_user(read.user_id, read.session_id)
    if session is None or user is None or not is_live(session, user):
        raise InvalidRefreshTokenError
    return session, user


def _end(read: _Refresh) -> None:
    def attempt() -> None:
        (session,), user = session_store.find_sessions_and_user(read.user_id, read.session_id)
        if session is None or user is None:
            return
        try:
            session_store.end_session(session, user)
        except ConditionFailedError:
            raise StaleError from None

    retrying(attempt)


def _tokens(user: User, session: Session, generation: int) -> TokensOut:
    common = {"sub": user.id, "origin_jti": session.id, "auth_time": session.created_at // 1000}
    access = {"token_use": "access", "client_id": AUDIENCE, "scope": "", "jti": ids.new_ulid()}
    identity = {"token_use": "id", "aud": AUDIENCE, "email": user.email, "email_verified": True, "name": user.name}
    return TokensOut(
        access_token=jwts.sign(common | access, ACCESS_S),
        id_token=jwts.sign(common | identity | {"jti": ids.new_ulid()}, ACCESS_S),
        refresh_token=_pack(_Refresh(user.id, session.id, generation)),
        expires_in=ACCESS_S,
        user=UserOut.of(user),
    )


def _pack(refresh: _Refresh) -> str:
    parts = (ids.to_bytes(refresh.user_id), ids.to_bytes(refresh.session_id), refresh.generation.to_bytes(4, "big"))
    return tokens.pack(_PREFIX, *parts, keyring.keyed_hash(_PREFIX, *parts))


def _read(token: str) -> _Refresh:
    found = tokens.unpack(_PREFIX, token, 16, 16, 4, 32)
    if found is None:
        raise InvalidRefreshTokenError
    *parts, seal = found
    user, session, generation = parts
    user_id = ids.from_bytes("usr", user)
    regions.require_home(user_id)
    if not hmac.compare_digest(keyring.keyed_hash(_PREFIX, *parts), seal):
        raise InvalidRefreshTokenError
    return _Refresh(user_id, ids.from_bytes("ses", session), int.from_bytes(generation, "big"))
