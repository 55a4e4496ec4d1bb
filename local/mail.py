"""The mail catcher: an SMTP server that keeps every mail, and the page that shows them."""

import asyncio
import email
import email.policy
import json
import socket
from collections import deque
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import parse_qs

from aiosmtpd.smtp import SMTP, Envelope

from local.gateway.answers import Answer
from local.kinds import Receive, Scope, Send
from local.mail_page import render

KEPT = 1000


@dataclass(frozen=True)
class Mail:
    """One mail as its reader sees it."""

    to: str  # several recipients are separated by ", "
    sender: str
    subject: str
    text: str
    html: str
    received_at: str


class Mailbox:
    """The newest mails, newest first; each is on disk before its sender is told that it was taken."""

    def __init__(self, file: Path, kept: int = KEPT) -> None:
        self._file = file
        self._mails: deque[Mail] = deque(_read(file), maxlen=kept)
        file.parent.mkdir(parents=True, exist_ok=True)
        rewritten = file.with_suffix(".new")  # without what fell out and without a line half written by a kill
        rewritten.write_text("".join(_line(mail) for mail in self._mails))
        rewritten.replace(file)
        self._out = file.open("a", encoding="utf-8")

    def add(self, mail: Mail) -> None:
        self._mails.append(mail)
        self._out.write(_line(mail))
        self._out.flush()

    def list(self, to: str = "") -> list[Mail]:
        """All mails, or those to one address."""
        wanted = to.strip().lower()
        return [m for m in reversed(self._mails) if not wanted or wanted in m.to.lower().split(", ")]

    def close(self) -> None:
        self._out.close()


class _Catcher:
    """What aiosmtpd calls; anything is taken, nothing is sent on."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_DATA(self, _server: object, _session: object, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        self._mailbox.add(read_mail(envelope.original_content or b"", list(envelope.rcpt_tos)))
        return "250 Taken"


async def serve_smtp(mailbox: Mailbox, sock: socket.socket) -> asyncio.Server:
    """Take mails from this listening socket."""
    catcher = _Catcher(mailbox)
    return await asyncio.get_running_loop().create_server(
        lambda: SMTP(catcher, hostname="localhost", enable_SMTPUTF8=True), sock=sock
    )


def read_mail(content: bytes, recipients: list[str]) -> Mail:
    """Take a raw message apart."""
    message = email.message_from_bytes(content, policy=email.policy.default)
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Mail(
        to=", ".join(recipients),
        sender=str(message.get("From", "")),
        subject=str(message.get("Subject", "")),
        text=_part(message, "plain"),
        html=_part(message, "html"),
        received_at=now,
    )


class MailPage:
    """ASGI: the mails as a page for people, or as JSON for `Accept: application/json`; `?to=` picks a recipient."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        to = parse_qs(scope["query_string"].decode("latin-1")).get("to", [""])[0]
        mails = self._mailbox.list(to)
        if b"application/json" in headers.get(b"accept", b""):
            body, kind = json.dumps({"data": [_public(mail) for mail in mails]}).encode(), b"application/json"
        else:
            body, kind = render([_public(mail) for mail in mails], to).encode(), b"text/html; charset=utf-8"
        answer = Answer(200, [(b"content-type", kind), (b"cache-control", b"no-store")], body)
        await answer.send(send)


def _public(mail: Mail) -> dict[str, str]:
    return {"from": mail.sender} | {name: value for name, value in asdict(mail).items() if name != "sender"}


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return str(part.get_content()).replace("\r\n", "\n") if part else ""


def _line(mail: Mail) -> str:
    return json.dumps(asdict(mail)) + "\n"


def _read(file: Path) -> list[Mail]:
    if not file.exists():
        return []
    mails = []
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            mails.append(Mail(**json.loads(line)))
        except (ValueError, TypeError):
            continue  # the last line, cut off by a kill: its sender was never told that it arrived
    return mails
