"""What a demo tenant consists of; the tenants themselves are in `demo_data_acme` and `demo_data_globex`."""

from dataclasses import dataclass, field
from typing import Any, Literal

HOUR, DAY = 60, 1440  # minutes, the unit of all times here

DESKTOP = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
MAC = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/26.1 Safari/605.1.15"
)
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 26_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/26.1 Mobile/15E148 Safari/604.1"
)

RoleName = Literal["owner", "admin", "agent", "viewer"]


@dataclass(frozen=True)
class Colleague:
    """A member of a demo tenant."""

    name: str
    email: str


@dataclass(frozen=True)
class Guest:
    """A visitor and what their browser told."""

    page: str
    ip: str
    name: str | None = None
    email: str | None = None
    locale: str = "en-GB"
    agent: str = DESKTOP
    referrer: str | None = None
    context: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Line:
    """Something said, `after` minutes after what was said before it."""

    by: Literal["visitor", "owner", "admin", "agent"]
    after: int
    text: str
    private: bool = False


@dataclass(frozen=True)
class Story:
    """A conversation that began `ago` minutes before the data was made; no two of a tenant in the same minute."""

    ago: int
    guest: Guest
    talk: tuple[Line, ...] = ()  # none: somebody who only looked around
    status: Literal["open", "pending", "snoozed", "closed"] = "open"
    wakes_in: int = 0  # minutes from now, of a snoozed one
    assignee: RoleName | None = None
    tags: tuple[str, ...] = ()
    priority: Literal["low", "medium", "high", "urgent"] | None = None
    subject: str | None = None
    read: bool = True  # whether an agent has read the visitor's last words
    rating: tuple[int, str | None] | None = None


@dataclass(frozen=True)
class DemoTag:
    """A tag that has more than a name. The others come with the conversations that have them."""

    name: str
    color: str
    translations: dict[str, str]


@dataclass(frozen=True)
class DemoTeam:
    """A team, its members, and the tags whose conversations are given to it."""

    name: str
    description: str
    members: tuple[RoleName, ...]
    tags: frozenset[str]


@dataclass(frozen=True)
class DemoTenant:
    """A tenant with its people, its widget, tags and teams, and its conversations, oldest first."""

    name: str
    language: Literal["en", "de"]
    color: str
    members: dict[RoleName, Colleague]
    tags: tuple[DemoTag, ...]
    teams: tuple[DemoTeam, ...]
    stories: tuple[Story, ...]


def visitor(after: int, text: str) -> Line:
    """Return what the visitor says."""
    return Line("visitor", after, text)


def agent(after: int, text: str) -> Line:
    """Return what the agent says."""
    return Line("agent", after, text)


def admin(after: int, text: str) -> Line:
    """Return what the admin says, who answers too."""
    return Line("admin", after, text)


def owner(after: int, text: str) -> Line:
    """Return what the owner says, who steps in now and then."""
    return Line("owner", after, text)


def note(by: Literal["owner", "admin", "agent"], after: int, text: str) -> Line:
    """Return a note among colleagues, which the visitor never sees."""
    return Line(by, after, text, private=True)
