"""Transcripts that somebody wants by mail."""

from chalicelib.conversations import service as conversations
from chalicelib.core import ids
from chalicelib.events.models import Event
from chalicelib.mail.languages import language_for
from chalicelib.mail.models import Mail, Quote
from chalicelib.mail.service import enqueue
from chalicelib.messages.models import Message
from chalicelib.messages.transcript import Transcript, transcript_of
from chalicelib.notifications import links, store
from chalicelib.notifications.links import AddressChoice
from chalicelib.tenants import service as tenants
from chalicelib.visitors import service as visitors

MAX_BYTES = 100_000  # of text: a queue message has 256 KB, escapes and authors included


def send(event: Event) -> None:
    """Mail a transcript, unless the address wants no mails of this tenant. Again sends the same mail, which goes once.

    What it holds is what the conversation is now: a message deleted since it was asked for is not in it.
    """
    conversation = conversations.find_conversation(event.tenant_id, event.data["id"])
    to: str = event.data["email"]
    if conversation is None or store.is_unsubscribed(event.tenant_id, to):
        return
    visitor = visitors.find_visitor(event.tenant_id, conversation.hot.visitor_id)
    tenant = tenants.get_tenant(event.tenant_id)
    if tenant.status != "active":
        return
    language = event.data["language"] or language_for(visitor.locale if visitor else None, tenant.language)
    found = transcript_of(conversation, "de" if language == "de" else "en", "")
    everything = event.data["told"] == "everything"
    hashed = store.address_hash(tenant.id, to)
    mail = Mail(
        id=ids.derived("mail", event.id),
        to=to,
        template="transcript" if everything else "transcript_of_replies",
        language=language,
        params={"tenant": tenant.name, "number": str(conversation.hot.number)},
        quotes=tuple(_newest(found, own=everything)[::-1]),
        sender=tenant.name,
        unsubscribe=links.to_unsubscribe(AddressChoice(tenant.id, hashed)),
    )
    enqueue(mail)


def _newest(transcript: Transcript, *, own: bool) -> list[Quote]:
    """Return the newest messages that fit, newest first; `own`: the visitor's as well."""
    kept: list[Quote] = []
    room = MAX_BYTES
    for message in reversed(transcript.messages):
        if message.author.type == "visitor" and not own:
            continue
        quote = Quote(f"{transcript.author_of(message)}, {transcript.time_of(message)}", _text(transcript, message))
        room -= len(quote.author.encode()) + len(quote.text.encode())
        if room < 0:
            break
        kept.append(quote)
    return kept


def _text(transcript: Transcript, message: Message) -> str:
    names = [] if message.deleted_at else [f"[{each.name}]" for each in message.attachments]
    return "\n".join(part for part in (transcript.text_of(message), *names) if part)
