"""A mail that somebody will get."""

import json
from collections.abc import Mapping
from dataclasses import asdict, field
from typing import Any

from chalicelib.core.addresses import UnusableAddressError, normalised
from chalicelib.core.frozen import frozen


class UnsafeAddressError(ValueError):
    """An address that could break out of its header, or that is none. Never expected: routes check addresses."""


class MailBusyError(Exception):
    """Another worker has claimed the mail and has not sent it yet: try again after its lease."""


@frozen
class Quote:
    """What somebody said, for a mail that tells of it."""

    author: str  # empty: the visitor
    text: str


@frozen
class Mail:
    """What to send and to whom; whoever enqueues the same `id` twice sends one mail."""

    id: str  # derived from the event it follows from
    to: str
    template: str  # a name in `mail.templates`
    language: str  # one of `mail.languages`
    params: Mapping[str, str] = field(default_factory=dict)
    quotes: tuple[Quote, ...] = ()
    sender: str = ""  # in whose name; empty: as PARLEY_MAIL_FROM says. The address stays ours
    unsubscribe: str = ""  # the URL that turns such mails off, by GET for people and by POST for programs (RFC 8058)

    def to_json(self) -> str:
        """Return the queue message."""
        return json.dumps(asdict(self), separators=(",", ":"), ensure_ascii=False)

    @staticmethod
    def from_json(body: str) -> "Mail":
        """The inverse of `to_json`."""
        found: dict[str, Any] = json.loads(body)
        quotes = tuple(Quote(**each) for each in found.pop("quotes", ()))
        return Mail(**found, quotes=quotes)


@frozen
class Template:
    """A mail's words. `{name}` is replaced by a parameter."""

    subject: str
    before: str
    button: str = ""  # the label of the link that `params["link"]` is; empty: a mail without a link
    after: str = ""
    footer: str = ""  # why the reader gets it


@frozen
class Words:
    """All that our mails say in one language."""

    plain_link: str
    unsubscribe: str
    visitor: str
    templates: Mapping[str, Template]


def check_address(address: str) -> str:
    """Return `address` as it stands in a header; raises UnsafeAddressError."""
    try:
        return normalised(address)
    except UnusableAddressError:
        raise UnsafeAddressError("not an address that mail can be sent to") from None
