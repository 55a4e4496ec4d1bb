"""`/v1/visitors`."""

from chalicelib.core.http import Api, Call, Page, PageQuery, Role
from chalicelib.visitors import linking, page_views, service
from chalicelib.visitors.models import LinkVisitor, PageView, PageViewOut, Visitor, VisitorOut

api = Api("Visitors")

_WRITING = {"role": Role.AGENT, "scope": "visitors:write"}


@api.get("/v1/visitors", scope="visitors:read", query=PageQuery, answer=VisitorOut, paged=True)
def list_visitors(call: Call, query: PageQuery) -> Page[Visitor]:
    """List visitors, newest first."""
    return service.list_visitors(call.tenant_id, query)


@api.get("/v1/visitors/{visitor_id}", scope="visitors:read", answer=VisitorOut)
def retrieve_visitor(call: Call, visitor_id: str) -> Visitor:
    """Retrieve a visitor."""
    return service.get_visitor(call.tenant_id, visitor_id)


@api.get("/v1/visitors/{visitor_id}/page-views", scope="visitors:read", query=PageQuery, answer=PageViewOut, paged=True)
def list_page_views(call: Call, query: PageQuery, visitor_id: str) -> Page[PageView]:
    """List the newest fifty pages that a visitor has opened, newest first."""
    return page_views.list_page_views(call.tenant_id, visitor_id, query)


@api.post("/v1/visitors/{visitor_id}/identify", body=LinkVisitor, answer=VisitorOut, **_WRITING)
def link_visitor(call: Call, body: LinkVisitor, visitor_id: str) -> Visitor:
    """Say which contact a visitor is, or with null that he is nobody known.

    His conversations follow within seconds. It is an agent's word: it lets the visitor read nothing but his own
    conversations. For that, his site proves who he is (`POST /widget/v1/identify`).
    """
    return linking.link_visitor(call.tenant_id, visitor_id, body.contact_id, call.principal.actor)


@api.post("/v1/visitors/{visitor_id}/block", answer=VisitorOut, **_WRITING)
def block_visitor(call: Call, visitor_id: str) -> Visitor:
    """Block a visitor: he can open no conversation any more, and within seconds not write into those that are there.

    He can go on reading, and agents can go on answering. Blocking a blocked one is no error. Without his token he is a
    new visitor: to keep a person out, block the contact and let the widget require an identity.
    """
    return linking.block_visitor(call.tenant_id, visitor_id, call.principal.actor, blocked=True)


@api.post("/v1/visitors/{visitor_id}/unblock", answer=VisitorOut, **_WRITING)
def unblock_visitor(call: Call, visitor_id: str) -> Visitor:
    """Unblock a visitor. Unblocking one that is not blocked is no error."""
    return linking.block_visitor(call.tenant_id, visitor_id, call.principal.actor, blocked=False)
