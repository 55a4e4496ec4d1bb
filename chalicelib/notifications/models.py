"""Who wants to hear of what by mail."""

import json
from dataclasses import asdict
from typing import ClassVar, Literal

from pydantic import Field

from chalicelib.core.frozen import frozen
from chalicelib.core.http import Request, Response
from chalicelib.mail.models import Quote

AWAY_S = 120  # how long a visitor's message may be unread before its assignee is told
OFFLINE_S = 300  # how long an agent's message may be unread before the visitor is told
NEWS_MS = 86_400_000  # older events cause no mail
QUIET_MS = 900_000  # of one conversation, a visitor hears at most this often, a member once in each such window
MAX_QUOTES = 10
MAX_QUOTE = 2000  # characters of each

Kind = Literal["assigned", "new", "message"]


@frozen
class Preferences:
    """Of what a member wants to hear by mail, in one tenant."""

    assigned: bool = True
    new: bool = False
    message: bool = True


class PreferencesOut(Response):
    """Of what you hear by mail."""

    versioned: ClassVar[bool] = False  # replaced whole, by the one person whose it is

    assigned: bool = Field(description="A conversation was assigned to you by somebody else.")
    new: bool = Field(description="A visitor has begun a conversation that nobody has.")
    message: bool = Field(description="A visitor's message in your conversation was not read for two minutes.")

    @classmethod
    def of(cls, preferences: Preferences) -> "PreferencesOut":
        """Show preferences."""
        return cls(**asdict(preferences))


class SetPreferences(Request):
    """Of what you want to hear by mail."""

    assigned: bool
    new: bool
    message: bool


@frozen
class Reminder:
    """A look, some minutes after a message, whether its other side has read it. Names things, holds nothing of them."""

    to: Literal["member", "visitor"]
    tenant_id: str
    conversation_id: str
    seq: int
    at: int  # milliseconds: when the message was written

    def to_json(self) -> str:
        """Return the queue message."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @staticmethod
    def from_json(body: str) -> "Reminder":
        """The inverse of `to_json`."""
        return Reminder(**json.loads(body))


def quoted(author: str, text: str) -> Quote:
    """Return what a mail repeats of a message."""
    return Quote(author, text if len(text) <= MAX_QUOTE else text[: MAX_QUOTE - 1] + "…")


@frozen
class Told:
    """Up to which message a visitor was told by mail: the last mail's messages are those after `after`, up to `to`."""

    after: int = 0
    to: int = 0
    by: int = 0  # the message whose reminder sent it
    at: int = 0  # milliseconds
