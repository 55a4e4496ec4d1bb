"""What a visitor does through the chat on a site."""

from chalicelib.auth import visitor_tokens
from chalicelib.conversations import listing
from chalicelib.conversations import service as conversations
from chalicelib.conversations.models import Conversation
from chalicelib.core import keyring, ratelimit
from chalicelib.core.config import settings
from chalicelib.core.http import Page, PageQuery, Principal
from chalicelib.messages import editing, opening
from chalicelib.messages import service as messages
from chalicelib.messages.models import Author, Message, NewMessage, Opened
from chalicelib.messenger.models import Identified, Session
from chalicelib.notifications import links, offline
from chalicelib.visitors import linking
from chalicelib.visitors import service as visitors
from chalicelib.visitors.identity import read_identity_token
from chalicelib.visitors.models import Seen, Visitor
from chalicelib.widgets.identity import valid_secrets
from chalicelib.widgets.models import Site

NEW_VISITOR_WINDOW_S = 60


def start_session(site: Site, origin: str, earlier_token: str | None, seen: Seen, address: str) -> Session:
    """Let a visitor in: the one an earlier token names if it was made here, otherwise a new one.

    Raises RateLimitedError when too many visitors come from one address.
    """
    visitor = _resumed(site, earlier_token, seen) if earlier_token else None
    if visitor is None:
        name = keyring.keyed_hash("address", address).hex()[:32]
        ratelimit.count_in_window(f"session#{name}", settings().sessions_per_address, NEW_VISITOR_WINDOW_S)
        visitor = visitors.create_visitor(site.tenant_space, site.widget.id, seen)
    # Whoever he has proven to be, he proves again: an old token may have been found by somebody else.
    token = visitor_tokens.issue(site.tenant_space, visitor.id, site.widget.id, origin, name=visitor.name)
    return Session(token, visitor, site.widget)


def _resumed(site: Site, earlier_token: str, seen: Seen) -> Visitor | None:
    """Return the visitor that an earlier session's token names, or that of a link in a mail to him."""
    if link := links.read_chat(earlier_token):
        visitor = offline.find_visitor(link) if link.tenant_id == site.tenant_space else None
        return visitors.resume_visitor(site.tenant_space, visitor.id, seen) if visitor else None
    claims = visitor_tokens.read_for_resume(earlier_token)
    if claims is None or claims.tenant_space != site.tenant_space:
        return None
    return visitors.resume_visitor(site.tenant_space, claims.visitor_id, seen)


def claim_identity(tenant_id: str, visitor: Principal, name: str | None, email: str | None) -> Identified:
    """Note who the visitor says to be. What he has proven stays proven."""
    return visitors.identify_visitor(tenant_id, visitor.id, name, email, lambda now: _identified(visitor, now))


def prove_identity(tenant_id: str, visitor: Principal, token: str) -> Identified:
    """Note who the visitor is by his site's signed word; the token in the answer opens the contact's conversations.

    Raises InvalidError for the token and OtherIdentityError.
    """
    secrets = valid_secrets(tenant_id, visitor.widget_id)
    identity = read_identity_token(token, secrets)
    return linking.prove_visitor(
        tenant_id, visitor.id, identity, lambda now: _identified(visitor, now, now.contact_id or "")
    )


def _identified(caller: Principal, visitor: Visitor, proven_contact_id: str | None = None) -> Identified:
    token = visitor_tokens.issue(
        visitor.tenant_id,
        visitor.id,
        caller.widget_id,
        caller.origin,
        name=visitor.name,
        contact_id=caller.contact_id if proven_contact_id is None else proven_contact_id,
    )
    return Identified(token, visitor)


def begin_conversation(
    tenant_id: str, visitor: Principal, content: str, client_msg_id: str | None, file_ids: tuple[str, ...] = ()
) -> Opened:
    """Begin a conversation with what the visitor says, at the widget where he says it."""
    new = opening.NewConversation(
        visitor_id=visitor.id,
        actor=visitor.actor,
        first=_message(visitor, content, client_msg_id, file_ids),
        hot={"widget_id": visitor.widget_id},
        proven_contact_id=visitor.contact_id or None,
    )
    return opening.open_conversation(tenant_id, new)


def say(
    tenant_id: str,
    conversation_id: str,
    visitor: Principal,
    content: str,
    client_msg_id: str | None,
    file_ids: tuple[str, ...] = (),
) -> Message:
    """Say something in one of the visitor's own conversations."""
    return messages.send_message(tenant_id, conversation_id, _message(visitor, content, client_msg_id, file_ids))


def edit_own_message(
    tenant_id: str, conversation_id: str, visitor: Principal, message_id: str, content: str
) -> Message:
    """Change what one of the visitor's own messages says."""
    return editing.edit_message(tenant_id, conversation_id, message_id, content, _editor(visitor))


def delete_own_message(tenant_id: str, conversation_id: str, visitor: Principal, message_id: str) -> None:
    """Delete one of the visitor's own messages."""
    editing.delete_message(tenant_id, conversation_id, message_id, _editor(visitor))


def list_own_conversations(tenant_id: str, visitor: Principal, query: PageQuery) -> Page[Conversation]:
    """List the visitor's conversations, newest activity first, and the contact's whom he has proven to be."""
    return listing.list_own(tenant_id, visitor.id, visitor.contact_id or None, query)


def list_own_messages(
    tenant_id: str, conversation_id: str, visitor: Principal, after_seq: int, limit: int, cursor: str | None
) -> Page[Message]:
    """List what was said to and by the visitor after a `seq`."""
    own = get_own_conversation(tenant_id, conversation_id, visitor)
    if own.id != conversation_id:
        after_seq = 0  # merged: a `seq` of the one that is gone means nothing in this one
    return messages.list_for_visitor(own, after_seq, limit, cursor)


def get_own_conversation(tenant_id: str, conversation_id: str, visitor: Principal) -> Conversation:
    """Return one of the visitor's own conversations."""
    found = conversations.get_conversation(tenant_id, conversation_id)
    return conversations.own_conversation(found, visitor.id, visitor.contact_id)


def _editor(visitor: Principal) -> editing.Editor:
    return editing.Editor("visitor", visitor.id, visitor.actor, proven_contact_id=visitor.contact_id)


def _message(visitor: Principal, content: str, client_msg_id: str | None, file_ids: tuple[str, ...]) -> NewMessage:
    author = Author("visitor", visitor.id, visitor.name or None)
    return NewMessage(
        author,
        content,
        client_msg_id=client_msg_id,
        proven_contact_id=visitor.contact_id,
        file_ids=file_ids,
    )
