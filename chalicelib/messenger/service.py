"""What a visitor does through the chat on a site."""

from chalicelib.auth import visitor_tokens
from chalicelib.conversations import listing
from chalicelib.conversations import service as conversations
from chalicelib.conversations.listing import ListConversations
from chalicelib.conversations.models import Conversation
from chalicelib.core import keyring, ratelimit
from chalicelib.core.config import settings
from chalicelib.core.http import Page, PageQuery
from chalicelib.messages import opening
from chalicelib.messages import service as messages
from chalicelib.messages.models import Author, Message, NewMessage, Opened
from chalicelib.messenger.models import Session
from chalicelib.visitors import service as visitors
from chalicelib.visitors.models import Seen, Visitor
from chalicelib.widgets.models import Site

NEW_VISITOR_WINDOW_S = 60


def start_session(site: Site, origin: str, earlier_token: str | None, seen: Seen, address: str) -> Session:
    """Let a visitor in: the one an earlier token names if it was made here, otherwise a new one.

    Raises RateLimitedError when too many visitors come from one address.
    """
    visitor = _resumed(site, earlier_token, seen)
    if visitor is None:
        name = keyring.keyed_hash("address", address).hex()[:32]
        ratelimit.count_in_window(f"session#{name}", settings().sessions_per_address, NEW_VISITOR_WINDOW_S)
        visitor = visitors.create_visitor(site.tenant_space, site.widget.id, seen)
    token = visitor_tokens.issue(site.tenant_space, visitor.id, site.widget.id, origin)
    return Session(token, visitor, site.widget)


def _resumed(site: Site, earlier_token: str | None, seen: Seen) -> Visitor | None:
    claims = visitor_tokens.read_for_resume(earlier_token) if earlier_token else None
    if claims is None or claims.tenant_space != site.tenant_space:
        return None
    return visitors.resume_visitor(site.tenant_space, claims.visitor_id, seen)


def begin_conversation(
    tenant_id: str, visitor_id: str, widget_id: str, content: str, client_msg_id: str | None
) -> Opened:
    """Begin a conversation with what the visitor says, at the widget where he says it."""
    new = opening.NewConversation(
        visitor_id=visitor_id,
        actor={"type": "visitor", "id": visitor_id},
        first=_message(visitor_id, content, client_msg_id),
        hot={"widget_id": widget_id},
    )
    return opening.open_conversation(tenant_id, new)


def say(tenant_id: str, conversation_id: str, visitor_id: str, content: str, client_msg_id: str | None) -> Message:
    """Say something in one of the visitor's own conversations."""
    return messages.send_message(tenant_id, conversation_id, _message(visitor_id, content, client_msg_id))


def list_own_conversations(tenant_id: str, visitor_id: str, query: PageQuery) -> Page[Conversation]:
    """List the visitor's conversations, newest activity first."""
    wanted = ListConversations.model_validate({**query.model_dump(exclude_none=True), "visitor_id": visitor_id})
    return listing.list_conversations(tenant_id, wanted)


def list_own_messages(
    tenant_id: str, conversation_id: str, visitor_id: str, after_seq: int, limit: int, cursor: str | None
) -> Page[Message]:
    """List what was said to and by the visitor after a `seq`."""
    conversation = conversations.get_conversation(tenant_id, conversation_id)
    own = conversations.own_conversation(conversation, visitor_id)
    return messages.list_for_visitor(own, after_seq, limit, cursor)


def get_own_conversation(tenant_id: str, conversation_id: str, visitor_id: str) -> Conversation:
    """Return one of the visitor's own conversations."""
    return conversations.own_conversation(conversations.get_conversation(tenant_id, conversation_id), visitor_id)


def _message(visitor_id: str, content: str, client_msg_id: str | None) -> NewMessage:
    return NewMessage(Author("visitor", visitor_id, None), content, client_msg_id=client_msg_id)
