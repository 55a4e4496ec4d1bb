"""A conversation to keep or to print: as plain text, or as a page that loads nothing from elsewhere."""

import html
from collections.abc import Mapping
from typing import Literal

from chalicelib.conversations import service as conversations
from chalicelib.conversations.models import Conversation
from chalicelib.core import clock
from chalicelib.core.frozen import frozen
from chalicelib.core.http import Raw
from chalicelib.core.table import TEST_SUFFIX
from chalicelib.messages import store
from chalicelib.messages.models import Message
from chalicelib.tenants import service as tenants

MOST = 1000  # messages, the newest ones
MAX_CHARACTERS = 500_000  # of their texts together: at four bytes each well below what Lambda answers (6 MB)
_A_QUERY = 250

TEXT, HTML = "text/plain; charset=utf-8", "text/html; charset=utf-8"

Language = Literal["en", "de"]

_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "title": "Conversation #{number} with {tenant}",
        "begun": "Begun",
        "left_out": "Only the newest messages are shown; older ones are left out.",
        "deleted": "This message has been deleted.",
        "edited": "edited",
        "note": "note",
        "visitor": "Visitor",
        "agent": "Agent",
        "bot": "Bot",
        "system": "System",
        "empty": "No messages.",
    },
    "de": {
        "title": "Unterhaltung Nr. {number} mit {tenant}",
        "begun": "Begonnen",
        "left_out": "Nur die neuesten Nachrichten sind gezeigt; ältere fehlen.",
        "deleted": "Diese Nachricht wurde gelöscht.",
        "edited": "bearbeitet",
        "note": "Notiz",
        "visitor": "Besucher",
        "agent": "Mitarbeiter",
        "bot": "Bot",
        "system": "System",
        "empty": "Keine Nachrichten.",
    },
}

_PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
<style>
body{{margin:0;background:#f4f5f7;color:#1d2433;font:16px/1.5 system-ui,sans-serif}}
main{{max-width:44rem;margin:2rem auto;padding:2rem;background:#fff;border-radius:.5rem}}
h1{{margin:0;font-size:1.4rem}}
.hint,time{{color:#5b6475;font-size:.875rem}}
ol{{list-style:none;margin:1.5rem 0 0;padding:0}}
li{{margin:0 0 1rem;padding:.75rem 1rem;border-left:3px solid #2456d6;background:#f4f5f7;break-inside:avoid}}
li.visitor{{border-color:#767e8c}}
li.note{{border-color:#a66a00;background:#fff6e0}}
p{{margin:.25rem 0 0;white-space:pre-wrap;overflow-wrap:anywhere}}
.deleted p{{color:#5b6475;font-style:italic}}
@media print{{body,main,li,li.note{{background:#fff}}main{{margin:0;padding:0;max-width:none}}}}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
{head}
<ol>
{messages}
</ol>
</main>
</body>
</html>
"""


@frozen
class Transcript:
    """What is to be shown, oldest message first."""

    tenant_name: str
    language: Language
    conversation: Conversation
    messages: list[Message]
    left_out: bool  # older messages than these

    @property
    def title(self) -> str:
        """The heading."""
        return self.word("title").format(number=self.conversation.hot.number, tenant=self.tenant_name)

    def word(self, name: str) -> str:
        """Return one of our own words in the reader's language."""
        return _WORDS[self.language][name]

    def author_of(self, message: Message) -> str:
        """Return who said it, and what kind of message it is if not a plain one."""
        name = message.author.name or self.word(message.author.type)
        kinds = [
            *([self.word("note")] if message.private else []),
            *([self.word("edited")] if message.edited_at and not message.deleted_at else []),
        ]
        return f"{name} ({', '.join(kinds)})" if kinds else name

    def time_of(self, message: Message) -> str:
        """Return when it was said, to the minute."""
        return _time(message.created_at)

    def text_of(self, message: Message) -> str:
        """Return what it says, or that it is deleted."""
        return self.word("deleted") if message.deleted_at else message.content


def get_transcript(
    tenant_id: str, conversation_id: str, language: Language | None, accepted: str, *, notes: bool
) -> Transcript:
    """Return a conversation's newest thousand messages, in the language asked for, else accepted, else the tenant's.

    Two reads and at most four queries for messages, more only where they are so long that a query ends at 1 MB.
    Raises ConversationNotFoundError.
    """
    conversation = conversations.get_conversation(tenant_id, conversation_id)
    return transcript_of(conversation, language, accepted, notes=notes)


def transcript_of(
    conversation: Conversation, language: Language | None, accepted: str, *, notes: bool = False
) -> Transcript:
    """As `get_transcript`, of a conversation that has been read; at most four queries, and a read of the tenant."""
    tenant_id = conversation.tenant_id
    tenant = tenants.get_tenant(tenant_id.removesuffix(TEST_SUFFIX))
    messages, left_out = _newest(conversation)
    shown = [message for message in messages if notes or not message.private]
    chosen = language or _preferred(accepted) or tenant.language
    return Transcript(tenant.name, chosen, conversation, shown, left_out)


def rendered(transcript: Transcript, form: Literal["text", "html"], headers: dict[str, str]) -> Raw:
    """Return it as an answer, and set what a browser should know of it."""
    headers["Content-Language"] = transcript.language
    if form == "text":
        return Raw(as_text(transcript), TEXT)
    headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    return Raw(as_page(transcript), HTML)


def as_text(transcript: Transcript) -> str:
    """Render as plain text. Lines of a message are indented, so that none can pose as another message's head."""
    head = [transcript.title, *_subject(transcript), _begun(transcript)]
    if transcript.left_out:
        head.append(transcript.word("left_out"))
    parts = ["\n".join(head)]
    for message in transcript.messages:
        lines = [f"    {line}".rstrip() for line in transcript.text_of(message).splitlines()]
        author = " ".join(transcript.author_of(message).split())
        parts.append("\n".join([f"[{_time(message.created_at)}] {author}:", *lines]))
    if not transcript.messages:
        parts.append(transcript.word("empty"))
    return "\n\n".join(parts) + "\n"


def as_page(transcript: Transcript) -> str:
    """Render as a page."""
    head = [*_subject(transcript), _begun(transcript)]
    if transcript.left_out:
        head.append(transcript.word("left_out"))
    if not transcript.messages:
        head.append(transcript.word("empty"))
    return _PAGE.format(
        language=transcript.language,
        title=html.escape(transcript.title),
        head="\n".join(f'<p class="hint">{html.escape(line)}</p>' for line in head),
        messages="\n".join(_item(transcript, message) for message in transcript.messages),
    )


def _item(transcript: Transcript, message: Message) -> str:
    kind = "note" if message.private else message.author.type
    return (
        f'<li class="{kind}{" deleted" if message.deleted_at else ""}">'
        f"<strong>{html.escape(transcript.author_of(message))}</strong> "
        f'<time datetime="{clock.rfc3339(message.created_at)}">{_time(message.created_at)}</time>'
        f"<p>{html.escape(transcript.text_of(message))}</p></li>"
    )


def _newest(conversation: Conversation) -> tuple[list[Message], bool]:
    """Return messages, oldest first, and whether there are older ones."""
    found: list[Message] = []
    last, characters = conversation.hot.seq, 0
    while last > 0 and len(found) < MOST and characters < MAX_CHARACTERS:
        part, _ = store.between(conversation.tenant_id, conversation.id, 1, last, _A_QUERY, newest_first=True)
        found += part
        characters += sum(len(message.content) for message in part)
        last = part[-1].seq - 1 if part else 0
    return found[:MOST][::-1], last > 0 or len(found) > MOST


def _preferred(accepted: str) -> Language | None:
    """Return the first of our languages that an Accept-Language header names; weights are rarely out of order."""
    for each in accepted.lower().split(","):
        tag = each.partition(";")[0].strip()[:2]
        if tag == "de":
            return "de"
        if tag == "en":
            return "en"
    return None


def _subject(transcript: Transcript) -> list[str]:
    return [" ".join(transcript.conversation.cold.subject.split())] if transcript.conversation.cold.subject else []


def _begun(transcript: Transcript) -> str:
    return f"{transcript.word('begun')}: {_time(transcript.conversation.hot.created_at)}"


def _time(ms: int) -> str:
    return clock.rfc3339(ms)[:16].replace("T", " ") + " UTC"
