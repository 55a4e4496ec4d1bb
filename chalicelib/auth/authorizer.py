"""From a credential to a principal: access tokens, visitors' tokens and API keys, and nothing else."""

from chalicelib.auth import jwts, pool, pool_tokens, session_store, sessions, store, visitor_tokens
from chalicelib.core import regions
from chalicelib.core.errors import UnauthenticatedError
from chalicelib.core.http import Principal
from chalicelib.core.table import TEST_SUFFIX, USERS
from chalicelib.tenants import service as tenants

LONGEST = 4096  # characters; ours have about 900
KEY_PREFIXES = ("parley_live_", "parley_test_")


def authenticate(token: str) -> Principal:
    """Return who holds `token`, the Authorization header's value; raises UnauthenticatedError and WrongRegionError.

    At most one read; two for a user of a trusted pool.
    """
    scheme, _, credential = token.partition(" ")
    if scheme.lower() != "bearer" or not credential.isascii() or len(credential) > LONGEST:
        raise UnauthenticatedError
    if credential.startswith(KEY_PREFIXES):
        return tenants.authenticate_key(credential)
    # Where a pool has the users, a token of ours is a visitor's or nobody's.
    uses = (visitor_tokens.USE,) if pool_tokens.is_trusted() else (visitor_tokens.USE, "access")
    claims = jwts.read(credential, *uses)
    if claims is None:
        regions.require_own_issuer(jwts.claimed_issuer(credential))
    if claims is None and pool_tokens.is_trusted():
        return pool.authenticate(credential)
    if claims is None:
        raise UnauthenticatedError
    return _visitor(claims) if claims["token_use"] == visitor_tokens.USE else _user(claims)


def _visitor(claims: jwts.Claims) -> Principal:
    visitor = visitor_tokens.from_claims(claims)
    admission = visitor_tokens.admission(visitor)
    if admission is visitor_tokens.Admission.REFUSED:
        raise UnauthenticatedError
    suspended = admission is visitor_tokens.Admission.SUSPENDED
    return Principal(
        kind="visitor",
        id=visitor.visitor_id,
        expires_at=claims["exp"] * 1000,
        origin=visitor.origin,
        widget_id=visitor.widget_id,
        tenant_space=visitor.tenant_space,
        suspended=frozenset({visitor.tenant_space.removesuffix(TEST_SUFFIX)}) if suspended else frozenset(),
        name=visitor.name,
        contact_id=visitor.contact_id,
    )


def _user(claims: jwts.Claims) -> Principal:
    user_id: str = claims["sub"]
    session_id: str = claims["origin_jti"]
    keys = store.user_key(user_id), session_store.session_key(user_id, session_id), tenants.person_key(user_id)
    rows = USERS.batch_get(keys, consistent=True)
    user, session = store.user_from_item(rows.get(keys[0])), session_store.session_from_item(rows.get(keys[1]))
    if not sessions.is_live(session, user):
        raise UnauthenticatedError
    person = tenants.person_from_item(rows.get(keys[2]))
    return Principal(
        kind="user",
        id=user_id,
        name=(person and person.name) or "",
        memberships=person.memberships if person else {},
        suspended=person.suspended if person else frozenset(),
        expires_at=claims["exp"] * 1000,
        session_id=session_id,
    )
