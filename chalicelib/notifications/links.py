"""The links in these mails: back to a chat, and out of the mails. Stateless, as all tokens in our mails are."""

from urllib.parse import quote, urlsplit

from chalicelib.core import clock, ids
from chalicelib.core.config import settings
from chalicelib.core.frozen import frozen
from chalicelib.core.sealed import opened, seal
from chalicelib.notifications.models import Kind

CHAT_S = 7 * 86_400
FRAGMENT = "parley_token"  # what the chat on the site looks for behind the # of its page's address

_CHAT, _MEMBER, _ADDRESS = "parley_vc_", "parley_um_", "parley_uv_"
_KINDS: tuple[Kind, ...] = ("assigned", "new", "message")


@frozen
class ChatLink:
    """Whose chat a link opens, for as long as the visitor's address is the one that was written to."""

    tenant_id: str
    visitor_id: str
    conversation_id: str
    address_hash: bytes


@frozen
class MemberChoice:
    """Which mails a member turns off."""

    tenant_id: str
    user_id: str
    kind: Kind


@frozen
class AddressChoice:
    """Which address wants no more replies of a tenant."""

    tenant_id: str
    address_hash: bytes


def to_conversation(conversation_id: str) -> str:
    """Return where a member reads a conversation. It opens nothing by itself: one has to be signed in."""
    return f"{settings().inbox_url}?conversation={conversation_id}"


def to_chat(link: ChatLink) -> str:
    """Return the URL that brings a visitor back, for seven days."""
    parts = [ids.to_bytes(each) for each in (link.tenant_id, link.visitor_id, link.conversation_id)]
    expires = (clock.now_s() + CHAT_S).to_bytes(4, "big")
    return f"{settings().api_url}/mail/chat?token={seal(_CHAT, *parts, link.address_hash, expires)}"


def read_chat(token: str) -> ChatLink | None:
    """Return what the token of a link to a chat opens; None if it is none, or over."""
    found = opened(_CHAT, token, 16, 16, 16, 16, 4)
    if found is None or int.from_bytes(found[4], "big") <= clock.now_s():
        return None
    tenant, visitor, conversation, hashed, _ = found
    named = ids.from_bytes("tn", tenant), ids.from_bytes("vis", visitor), ids.from_bytes("conv", conversation)
    return ChatLink(*named, address_hash=hashed)


def to_unsubscribe(choice: MemberChoice | AddressChoice) -> str:
    """Return the URL that turns mails off. It does not expire: an old mail's must work, too."""
    tenant = ids.to_bytes(choice.tenant_id)
    if isinstance(choice, MemberChoice):
        kind = _KINDS.index(choice.kind).to_bytes(1, "big")
        token = seal(_MEMBER, tenant, ids.to_bytes(choice.user_id), kind)
    else:
        token = seal(_ADDRESS, tenant, choice.address_hash)
    return f"{settings().api_url}/mail/unsubscribe?token={token}"


def read_unsubscribe(token: str) -> MemberChoice | AddressChoice | None:
    """Return whose mails a token turns off; None if it is none."""
    if found := opened(_MEMBER, token, 16, 16, 1):
        tenant, user, kind = found
        return MemberChoice(ids.from_bytes("tn", tenant), ids.from_bytes("usr", user), _KINDS[kind[0]])
    if found := opened(_ADDRESS, token, 16, 16):
        return AddressChoice(ids.from_bytes("tn", found[0]), found[1])
    return None


def page_and_origin(url: str | None) -> tuple[str, str] | None:
    """Return a page's address, safe in a header and without what is behind the #, and its origin."""
    try:
        parts = urlsplit(url or "")
        origin = f"{parts.scheme}://{parts.netloc}".encode("ascii").decode().lower()
    except ValueError:
        return None
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
    query = "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~?") if parts.query else ""
    return origin + path + query, origin
