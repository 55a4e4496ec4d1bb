"""Rows of users, registrations, and requests for a new password or address."""

from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.auth.models import EmailChange, Registration, Totp, User
from chalicelib.core import clock, keyring
from chalicelib.core.items import Item
from chalicelib.core.table import (
    GUARDS,
    NOTHING,
    USERS,
    ConditionFailedError,
    Key,
    StaleError,
    Write,
    live,
    run,
    transact,
)
from chalicelib.events import outbox
from chalicelib.events.models import SYSTEM, NewEvent

REGISTRATION_S = 90_000  # an hour longer than its link, so that a late click is told the truth
REQUEST_S = 7_200  # of a reset or a change of address: an hour longer than its link, as above

NOBODY = "usr_" + 26 * "0"  # read where there is no user, so that both cost the same


# E-mail addresses: GUARDS, pk `email#` and a keyed hash, sk `-`: one user an address, found without listing any.


def _email_guard(email: str) -> str:
    return f"email#{keyring.keyed_hash('email', email).hex()}"


def find_user_id(email: str) -> str | None:
    """Return the id of the user with this address."""
    row = GUARDS.get(_email_guard(email), "-", consistent=True)
    return row["user"] if row else None


# Users of a trusted pool: GUARDS, pk `pool#` and a keyed hash of issuer and `sub`, sk `-`.


def find_pool_user_id(subject: str) -> str | None:
    """Return the id of the user who is this subject of the pool."""
    row = GUARDS.get(f"pool#{subject}", "-", consistent=True)
    return row["user"] if row else None


def claiming_pool_user(user_id: str, subject: str) -> Write:
    """Return the write that makes a subject of the pool this user; its condition fails when it is one."""
    return GUARDS.putting(f"pool#{subject}", "-", {"user": user_id}, absent=True)


# Users: pk the id, sk `meta`. An aggregate: its events say when sessions end.


def user_key(user_id: str) -> Key:
    """Return the key of a user's row."""
    return USERS.key(user_id, "meta")


def user_from_item(row: Item | None) -> User | None:
    """Read a user's row."""
    if row is None:
        return None
    return User(
        id=row["pk"].partition("#")[2],
        email=row["email"],
        name=row.get("name"),
        password_hash=row.get("pw"),
        password_version=row["pwv"],
        created_at=row["c"],
        disabled=row.get("off", False),
        language=row.get("lang", "en"),
        email_version=row.get("ev", 0),
        totp=Totp(row["tk"], row["ts"], frozenset(row.get("rc", ()))) if "tk" in row else None,
        totp_pending=row.get("tp"),
        pool_subject=row.get("sub"),
        pos=row["pos"],
    )


def find_user(user_id: str) -> User | None:
    """Read a user."""
    return user_from_item(USERS.get(user_id, "meta", consistent=True))


def creating_user(user: User) -> list[Write]:
    """Return the writes of a new user; the first one's condition fails when the address has one."""
    row = {
        "email": user.email,
        "name": user.name,
        "pw": user.password_hash,
        "pwv": user.password_version,
        "c": user.created_at,
        "sub": user.pool_subject,
        "pos": 0,
        "dpos": 0,
    }
    return [
        GUARDS.putting(_email_guard(user.email), "-", {"user": user.id}, absent=True),
        USERS.putting(user.id, "meta", row, absent=True),
    ]


def moving_email(user: User, new: str) -> list[Write]:
    """Return the writes that give up a user's address for another; the first one's condition: nobody has it."""
    return [
        GUARDS.putting(_email_guard(new), "-", {"user": user.id}, absent=True),
        GUARDS.deleting(_email_guard(user.email), "-", when={"user": user.id}),
    ]


def change_user(
    user: User,
    event_type: str,
    changed: Mapping[str, Any],
    *,
    also: Sequence[Write] = (),
    when: Mapping[str, Any] | None = None,
    result: object = NOTHING,
) -> None:
    """Change a user's row, record why, and commit `also` with it. One transaction.

    Raises StaleError if anything that has an event happened to the user since they were read, or an attribute is not
    what `when` says, and ConditionFailedError when a condition of `also` does not hold.
    """
    # The event names the user and nothing else: events outlive what a person may want forgotten.
    event = NewEvent(event_type, {"id": user.id}, {"type": "user", "id": user.id})
    try:
        transact([*recording(user, event, changed, when), *also], result=result)
    except ConditionFailedError as exc:
        if user_key(user.id) in {write.key for write in exc.failed}:
            raise StaleError from exc
        raise
    outbox.notify(USERS, user.id)


def recording(
    user: User, event: NewEvent, changed: Mapping[str, Any], when: Mapping[str, Any] | None = None
) -> list[Write]:
    """Return the writes that change a user's row and record why; they fail if it changed since it was read."""
    default = outbox.pending(USERS, user.id)
    set_, condition = {**changed, "pos": user.pos + 1}, {**(when or {}), "pos": user.pos}
    return [
        USERS.updating(user.id, "meta", set_=set_, default=default, when=condition),
        *outbox.event_writes(USERS, user.id, user.pos, [event], logged=False),
    ]


def use_totp_step(user: User, step: int) -> None:
    """Use a code of a second factor up; raises ConditionFailedError if it or a later one is. One write."""
    sealed = user.totp and user.totp.sealed
    run(USERS.updating(user.id, "meta", set_={"ts": step}, when={"tk": sealed}, at_most={"ts": step - 1}))


# Registrations (`reg_…`), reset requests (`rst_…`) and changes of address (`chg_…`): pk the id, sk `meta`. Aggregates
# of one event, so that the dispatcher finds out whether there is a user, and the request does the same work either way.


def add_registration(registration: Registration, language: str) -> None:
    """Write a registration and its event. One write."""
    row = {"email": registration.email, "name": registration.name, "pw": registration.password_hash}
    _add_request(registration.id, "user.registration_requested", row, REGISTRATION_S, language)


def add_reset_request(request_id: str, email: str, language: str) -> None:
    """Write a request for a new password and its event. One write."""
    _add_request(request_id, "user.password_reset_requested", {"email": email}, REQUEST_S, language)


def add_email_change(change: EmailChange, *, result: object) -> None:
    """Write a request for a new address and its event. One write."""
    row = {"user": change.user_id, "email": change.email, "pwv": change.password_version, "ev": change.email_version}
    _add_request(change.id, "user.email_change_requested", row, REQUEST_S, result=result)


def _add_request(
    request_id: str,
    event_type: str,
    row: dict[str, Any],
    keep_s: int,
    language: str | None = None,
    *,
    result: object = NOTHING,
) -> None:
    # The event names the row and the mail's language, no person: events outlive the row by weeks.
    data = {"id": request_id} | ({"language": language} if language else {})
    event = NewEvent(event_type, data, SYSTEM)
    row |= {"exp": clock.now_s() + keep_s, **outbox.new_aggregate(USERS, request_id, 1)}
    transact(
        [
            USERS.putting(request_id, "meta", row, absent=True),
            *outbox.event_writes(USERS, request_id, 0, [event], logged=False),
        ],
        result=result,
    )
    outbox.notify(USERS, request_id)


def find_registration(registration_id: str) -> Registration | None:
    """Read a registration that is neither verified nor expired."""
    row = live(USERS.get(registration_id, "meta", consistent=True), clock.now_s())
    return Registration(registration_id, row["email"], row.get("name"), row["pw"]) if row else None


def ending_registration(registration_id: str) -> Write:
    """Return the write that uses a registration up; its condition fails when that has happened."""
    return USERS.deleting(registration_id, "meta", exists=True)


def find_reset_email(request_id: str) -> str | None:
    """Return the address that a new password was asked for."""
    row = live(USERS.get(request_id, "meta", consistent=True), clock.now_s())
    return row["email"] if row else None


def find_email_change(change_id: str) -> EmailChange | None:
    """Read a change of address that is neither confirmed nor expired."""
    row = live(USERS.get(change_id, "meta", consistent=True), clock.now_s())
    return EmailChange(change_id, row["user"], row["email"], row["pwv"], row["ev"]) if row else None


def ending_email_change(change_id: str) -> Write:
    """Return the write that uses a change of address up; its condition fails when that has happened."""
    return USERS.deleting(change_id, "meta", exists=True)
