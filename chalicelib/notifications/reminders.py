"""Looking again later: a message of a queue that is seen after some minutes, so that no row is written for it."""

from chalicelib.core import aws, clock
from chalicelib.core.config import settings
from chalicelib.events.models import Event
from chalicelib.notifications.models import Reminder

LONGEST_S = 900  # SQS's own limit


def later(event: Event, to: str, after_s: int) -> None:
    """Look whether the message of `event` has been read, so long after it was written. One send."""
    data = event.data
    reminder = Reminder(to, event.tenant_id, data["conversation_id"], data["seq"], event.at)  # type: ignore[arg-type]
    again(reminder, event.at + after_s * 1000 - clock.now_ms())


def again(reminder: Reminder, wait_ms: int) -> None:
    """Look once more after a while, at most 15 minutes. One send."""
    delay_s = min(LONGEST_S, max(0, -(-wait_ms // 1000)))
    aws.send(settings().reminders_queue_url, reminder.to_json(), delay_s=delay_s)
