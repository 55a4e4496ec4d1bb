"""Which mails have gone out: `SENT_MAIL <mail id> / -`, kept as long as a queue could deliver a message again."""

from chalicelib.core import clock
from chalicelib.core.table import SENT_MAIL, ConditionFailedError, run

LEASE_S = 120  # below the queue's visibility timeout (180 s), so a retry finds the lease over
KEEP_S = 7 * 86_400


def claim(mail_id: str) -> bool:
    """Reserve a mail for sending; False when it has been sent or is reserved. One write."""
    now = clock.now_s()
    reserve = SENT_MAIL.updating(
        mail_id, "-", set_={"until": now + LEASE_S, "exp": now + KEEP_S}, when={"sent": None}, at_most={"until": now}
    )
    try:
        run(reserve)
    except ConditionFailedError:
        return False
    return True


def is_sent(mail_id: str) -> bool:
    """Tell whether a mail has been sent. One read."""
    return "sent" in (SENT_MAIL.get(mail_id, "-", consistent=True) or {})


def mark_sent(mail_id: str) -> None:
    """Record that a mail has been sent. One write."""
    run(SENT_MAIL.updating(mail_id, "-", set_={"sent": clock.now_s()}))
