"""Which mails have gone out, and which addresses get none.

| row | what |
|---|---|
| `M#<mail id>` | a mail claimed or sent, kept as long as a queue could deliver a message again |
| `M#stop#<hash>` | an address that bounced or complained; stays when lifted: an old notice can't stop it again |
"""

from enum import Enum

from chalicelib.core import clock, keyring
from chalicelib.core.frozen import frozen
from chalicelib.core.table import SENT_MAIL, ConditionFailedError, run, transact

LEASE_S = 120  # below the queue's visibility timeout (180 s), so a retry finds the lease over
KEEP_S = 7 * 86_400


class Claim(Enum):
    """What came of the wish to send a mail."""

    OURS = "ours"
    TAKEN = "taken"  # by another worker, or it has been sent
    STOPPED = "stopped"  # its reader is to get no more


@frozen
class Stop:
    """Why an address gets no more mail."""

    reason: str  # bounce or complaint
    at: int  # milliseconds


def claim(mail_id: str, address: str) -> Claim:
    """Reserve a mail for sending unless its address is stopped. One call."""
    now = clock.now_s()
    allowed = SENT_MAIL.checking(_stop_pk(address), "-", when={"why": None})
    reserve = SENT_MAIL.updating(
        mail_id, "-", set_={"until": now + LEASE_S, "exp": now + KEEP_S}, when={"sent": None}, at_most={"until": now}
    )
    try:
        transact([allowed, reserve])
    except ConditionFailedError as exc:
        return Claim.STOPPED if allowed in exc.failed else Claim.TAKEN
    return Claim.OURS


def is_sent(mail_id: str) -> bool:
    """Tell whether a mail has been sent. One read."""
    return "sent" in (SENT_MAIL.get(mail_id, "-", consistent=True) or {})


def mark_sent(mail_id: str) -> None:
    """Record that a mail has been sent. One write."""
    run(SENT_MAIL.updating(mail_id, "-", set_={"sent": clock.now_s()}))


def stop(address: str, found: Stop) -> None:
    """Stop mail to an address, unless that was lifted after `found.at`. One write."""
    set_ = {"why": found.reason, "at": found.at}
    try:
        run(SENT_MAIL.updating(_stop_pk(address), "-", set_=set_, at_most={"off": found.at}))
    except ConditionFailedError:
        return


def find_stop(address: str) -> Stop | None:
    """Read why an address gets no mail; None if it does."""
    row = SENT_MAIL.get(_stop_pk(address), "-", consistent=True) or {}
    return Stop(row["why"], row["at"]) if "why" in row else None


def lift_stop(address: str, at: int) -> None:
    """Let mail go to an address again; notices from before `at` no longer count. One write."""
    run(SENT_MAIL.updating(_stop_pk(address), "-", set_={"why": None, "off": at}))


def _stop_pk(address: str) -> str:
    return f"stop#{keyring.keyed_hash('mail-stop', address).hex()}"
