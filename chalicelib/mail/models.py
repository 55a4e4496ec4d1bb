"""A mail that somebody will get."""

import json
from dataclasses import asdict, dataclass, field


class UnsafeAddressError(ValueError):
    """An address that could break out of its header, or that is none. Never expected: routes check addresses."""


class MailBusyError(Exception):
    """Another worker has claimed the mail and has not sent it yet: try again after its lease."""


@dataclass(frozen=True)
class Mail:
    """What to send and to whom; whoever enqueues the same `id` twice sends one mail."""

    id: str  # derived from the event it follows from
    to: str
    template: str  # a name in `mail.templates`
    language: str  # "en"; what is not translated falls back to it
    params: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the queue message."""
        return json.dumps(asdict(self), separators=(",", ":"), ensure_ascii=False)

    @staticmethod
    def from_json(body: str) -> "Mail":
        """The inverse of `to_json`."""
        return Mail(**json.loads(body))


def check_address(address: str) -> str:
    """Return `address` if it can stand in a header as it is; raises UnsafeAddressError."""
    blank = any(char.isspace() or not char.isprintable() for char in address)
    if blank or address.count("@") != 1 or set(address) & set('<>(),;:\\"[]'):
        raise UnsafeAddressError("not an address that mail can be sent to")
    return address
