"""Rows of sessions: pk the user's id, sk `s#ses_…`."""

from chalicelib.auth.models import Device, Session, User
from chalicelib.auth.store import recording, user_from_item, user_key
from chalicelib.core import clock
from chalicelib.core.items import Item
from chalicelib.core.table import USERS, Key, Write, live, run, transact
from chalicelib.events import outbox
from chalicelib.events.models import NewEvent

IDLE_S = 30 * 86_400  # a session that is not refreshed for so long is over
MAX_LISTED = 500  # the newest: nobody looks through more


def session_key(user_id: str, session_id: str) -> Key:
    """Return the key of a session's row."""
    return USERS.key(user_id, f"s#{session_id}")


def session_from_item(row: Item | None) -> Session | None:
    """Read a session's row; None for one that has been idle for too long."""
    row = live(row, clock.now_s())
    if row is None:
        return None
    return Session(
        id=row["sk"].removeprefix("s#"),
        user_id=row["pk"].partition("#")[2],
        password_version=row["pwv"],
        generation=row["gen"],
        created_at=row["c"],
        refreshed_at=row["at"],
        device=Device(row.get("ua"), row.get("net")),
    )


def find_sessions_and_user(user_id: str, *session_ids: str) -> tuple[list[Session | None], User | None]:
    """Read sessions of a user, in this order, and the user. One call."""
    keys = [session_key(user_id, session_id) for session_id in session_ids]
    found = USERS.batch_get([*keys, user_key(user_id)], consistent=True)
    return [session_from_item(found.get(key)) for key in keys], user_from_item(found.get(user_key(user_id)))


def list_sessions(user_id: str) -> list[Session]:
    """Read a user's newest sessions, those that ended with an older password included. One query."""
    found = USERS.query(user_id, prefix="s#", limit=MAX_LISTED, newest_first=True, consistent=True)
    return [session for session in map(session_from_item, found.items) if session]


def add_session(session: Session) -> None:
    """Write a new session. One write."""
    row = {
        "pwv": session.password_version,
        "gen": session.generation,
        "c": session.created_at,
        "at": session.refreshed_at,
        "exp": session.refreshed_at // 1000 + IDLE_S,
        **_seen(session.device),
    }
    # Unconditional, so that it may be repeated when its answer is lost: the id is new.
    run(USERS.putting(session.user_id, f"s#{session.id}", row))


def advance_session(session: Session, device: Device) -> None:
    """Count one exchange; raises ConditionFailedError if another was faster or the session is over. One write."""
    now = clock.now_ms()
    changed = {"gen": session.generation + 1, "at": now, "exp": now // 1000 + IDLE_S, **_seen(device)}
    run(USERS.updating(session.user_id, f"s#{session.id}", set_=changed, when={"gen": session.generation}))


def end_session(session: Session, user: User) -> None:
    """End a session and record it; raises ConditionFailedError if it has ended or the user changed. One transaction."""
    event = NewEvent("session.revoked", {"id": session.id}, {"type": "user", "id": user.id})
    ending = USERS.deleting(user.id, f"s#{session.id}", exists=True)
    transact([ending, *recording(user, event, {})])
    outbox.notify(USERS, user.id)


def keeping_session(session: Session) -> Write:
    """Return the write that takes a session along to the user's next password version, which ends the others."""
    changed = {"pwv": session.password_version + 1}
    when = {"pwv": session.password_version}
    return USERS.updating(session.user_id, f"s#{session.id}", set_=changed, when=when)


def _seen(device: Device) -> dict[str, str | None]:
    return {"ua": device.user_agent, "net": device.network}
