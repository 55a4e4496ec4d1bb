"""The reminders queue's consumer."""

from chalicelib.core import log
from chalicelib.core.errors import NotFoundError
from chalicelib.notifications import members, offline
from chalicelib.notifications.models import Reminder


def remind(body: str) -> None:
    """Tell whoever has not read a message by now."""
    reminder = Reminder.from_json(body)
    try:
        if reminder.to == "member":
            members.remind(reminder)
        else:
            offline.remind(reminder)
    except NotFoundError:
        log.info("reminder_without_object", conversation=reminder.conversation_id)  # erased meanwhile
