"""What goes out by mail: reminders whose time is over, and the mails with their links."""

from dataclasses import dataclass
from typing import Any

from chalicelib.notifications.models import Reminder
from tests.support.aws import Services
from tests.support.chats import ORIGIN, Chat, new_chat
from tests.support.people import new_email
from tests.support.queues import deliver, drain, take
from tests.support.tenants import Organisation

PAGE = f"{ORIGIN}/prices?plan=pro"


@dataclass
class Post:
    """What is on its way to somebody."""

    services: Services

    def reminders(self) -> list[Reminder]:
        """Let the dispatcher see all events; return who is to be reminded later, and take it from the queue."""
        drain(self.services)
        return [Reminder.from_json(body) for body in take(self.services, "reminders")]

    def remind(self, *found: Reminder) -> None:
        """Let the time of these reminders be over."""
        import app

        assert deliver(app.remind, [each.to_json() for each in found]) == []
        drain(self.services)

    def to(self, email: str) -> list[dict[str, Any]]:
        """Return the mails to an address, oldest first."""
        return [mail for mail in self.services.mails if mail["Destination"]["ToAddresses"] == [email]]


def identified(tenant: Organisation, **more: object) -> tuple[Chat, str]:
    """Return a visitor who has given an address."""
    chat, email = new_chat(tenant, **{"page_url": PAGE, **more}), new_email()
    assert chat.client.post("/widget/v1/identify", {"email": email, "name": "Kim"}).status == 200
    return chat, email


def text_of(mail: dict[str, Any]) -> str:
    """Return a mail's plain text."""
    text: str = mail["Content"]["Simple"]["Body"]["Text"]["Data"]
    return text


def link_of(mail: dict[str, Any], path: str) -> str:
    """Return the link in a mail that leads to this path, without the host."""
    (line,) = [line for line in text_of(mail).splitlines() if line.startswith(f"https://api.test{path}?")]
    return line.removeprefix("https://api.test")


def header_of(mail: dict[str, Any], name: str) -> str:
    """Return a header of a mail, empty if it has none."""
    headers: dict[str, str] = {each["Name"]: each["Value"] for each in mail["Content"]["Simple"]["Headers"]}
    return headers.get(name, "")
