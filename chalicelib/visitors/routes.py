"""`/v1/visitors`."""

from chalicelib.core.http import Api, Call, Page, PageQuery
from chalicelib.visitors import service
from chalicelib.visitors.models import Visitor, VisitorOut

api = Api("Visitors")


@api.get("/v1/visitors", scope="visitors:read", query=PageQuery, answer=VisitorOut, paged=True)
def list_visitors(call: Call, query: PageQuery) -> Page[Visitor]:
    """List visitors, newest first."""
    return service.list_visitors(call.tenant_id, query)


@api.get("/v1/visitors/{visitor_id}", scope="visitors:read", answer=VisitorOut)
def retrieve_visitor(call: Call, visitor_id: str) -> Visitor:
    """Retrieve a visitor."""
    return service.get_visitor(call.tenant_id, visitor_id)
