"""What becomes of mails: an address that does not exist, or whose reader complains, gets no more.

SES's events: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
"""

import json
from datetime import datetime
from email.utils import parseaddr
from typing import Any

from chalicelib.core import clock, log
from chalicelib.core.addresses import UnusableAddressError, normalised
from chalicelib.mail import store
from chalicelib.mail.sns_gateway import Notification
from chalicelib.mail.store import Stop


def take(notification: Notification) -> None:
    """Stop mail to the addresses that a permanent bounce or a complaint names; anything else is only logged.

    Taking it twice changes nothing, and one from before an operator lifted the stop is too old to count.
    """
    event = _event(notification.message)
    kind = str(event.get("eventType") or event.get("notificationType") or "other").lower()
    details = event.get(kind)
    if not isinstance(details, dict) or not _is_final(kind, details):
        log.info("mail_feedback_noted", kind=kind, notification=notification.id)
        return
    at = clock.to_ms(datetime.fromisoformat(notification.sent_at))
    for address in _addresses(details):
        store.stop(address, Stop(kind, at))
        # Without the address: who knows it asks `python -m parley allow-mail`.
        log.warning("mail_stopped", reason=kind, notification=notification.id)


def find_stop(address: str) -> Stop | None:
    """Return why an address gets no mail, or None."""
    return store.find_stop(normalised(address))


def allow(address: str) -> None:
    """Let mail go to an address again."""
    store.lift_stop(normalised(address), clock.now_ms())
    log.info("mail_allowed")


def _event(message: str) -> dict[str, Any]:
    """Return SES's event; its greeting when a topic is connected is plain text, and none."""
    try:
        found = json.loads(message)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _is_final(kind: str, details: dict[str, Any]) -> bool:
    """Tell whether to stop. A full mailbox or a lost connection passes; `not-spam` is a complaint taken back."""
    if kind == "bounce":
        return bool(details.get("bounceType") == "Permanent")
    return kind == "complaint" and details.get("complaintFeedbackType") != "not-spam"


def _addresses(details: dict[str, Any]) -> set[str]:
    found = set()
    for each in [*details.get("bouncedRecipients", ()), *details.get("complainedRecipients", ())]:
        try:
            found.add(normalised(parseaddr(str(each["emailAddress"]))[1]))
        except UnusableAddressError:
            log.warning("mail_feedback_unreadable")  # none that we could have sent to
    return found
