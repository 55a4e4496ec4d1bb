"""Transcripts by mail: asked for here with an event, sent by what hears of it.

A visitor's address is what he says it is, unless his site has proven who he is. A mail that he can cause to be sent to
anybody must not carry what he typed: it then holds what the agents have said, and no more.
"""

from collections.abc import Mapping
from functools import cache
from typing import Literal

from chalicelib.contacts import service as contacts
from chalicelib.conversations import service as conversations
from chalicelib.conversations.models import Conversation
from chalicelib.core import keyring, ratelimit
from chalicelib.core.http import Principal
from chalicelib.core.table import ConditionFailedError, StaleError, retrying, tenant_rows, transact
from chalicelib.events import outbox
from chalicelib.events.models import NewEvent
from chalicelib.messages.models import NoAddressError, TranscriptMail
from chalicelib.messages.transcript import Language
from chalicelib.visitors import service as visitors
from chalicelib.visitors.models import BlockedError

EVENT = "conversation.transcript_requested"
MAILS_PER_ADDRESS = 10  # in an hour, whoever asks
MAILS_PER_VISITOR = 5  # in an hour, wherever to
WINDOW_S = 3600

Told = Literal["everything", "replies"]
Actor = Mapping[str, str]


def mail_transcript(
    tenant_id: str, conversation_id: str, email: str | None, language: Language | None, actor: Actor
) -> TranscriptMail:
    """Send all that was said but notes to an address, or to the contact's, or to what the visitor has given.

    Raises NoAddressError, RateLimitedError, ConversationNotFoundError and ConversationMergedError.
    """
    limit = cache(_limit)  # once, however often it is tried

    def attempt() -> TranscriptMail:
        found = conversations.get_for_change(tenant_id, conversation_id)
        to = email or _address_of(found)
        limit("transcript", to)
        return _commit(found, TranscriptMail(found.id, to, language), "everything", actor)

    return retrying(attempt)


def mail_own_transcript(
    tenant_id: str, conversation_id: str, visitor: Principal, language: Language | None
) -> TranscriptMail:
    """Send a visitor's conversation to the address that is known to be his, or the replies in it to what he has given.

    Raises as `mail_transcript`, and BlockedError.
    """
    limit = cache(_limit)

    def attempt() -> TranscriptMail:
        found = conversations.get_conversation(tenant_id, conversation_id)
        own = conversations.own_conversation(found, visitor.id, visitor.contact_id)
        if own.hot.blocked:
            raise BlockedError
        contact = contacts.find_contact(tenant_id, visitor.contact_id) if visitor.contact_id else None
        proven = contact.email if contact else None
        to = proven or visitors.get_visitor(tenant_id, visitor.id).email
        if to is None:
            raise NoAddressError
        limit("transcripts-of", tenant_id, visitor.id, most=MAILS_PER_VISITOR)
        limit("transcript", to)
        return _commit(own, TranscriptMail(own.id, to, language), "everything" if proven else "replies", visitor.actor)

    return retrying(attempt)


def _commit(found: Conversation, mail: TranscriptMail, told: Told, actor: Actor) -> TranscriptMail:
    data = {"id": found.id, "number": found.hot.number, "email": mail.email, "language": mail.language, "told": told}
    try:
        transact(conversations.changing(found, found, [NewEvent(EVENT, data, dict(actor))]), result=mail)
    except ConditionFailedError:
        raise StaleError from None
    outbox.notify(tenant_rows(found.tenant_id), found.id)
    return mail


def _address_of(conversation: Conversation) -> str:
    hot = conversation.hot
    contact = contacts.find_contact(conversation.tenant_id, hot.contact_id) if hot.contact_id else None
    visitor = None if contact and contact.email else visitors.find_visitor(conversation.tenant_id, hot.visitor_id)
    found = (contact and contact.email) or (visitor and visitor.email)
    if not found:
        raise NoAddressError(param="email")
    return found


def _limit(*name: str, most: int = MAILS_PER_ADDRESS) -> None:
    ratelimit.count_in_window(f"mail#{keyring.keyed_hash(*name).hex()}", most, WINDOW_S)
