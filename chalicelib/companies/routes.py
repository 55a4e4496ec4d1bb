"""`/v1/companies`."""

from chalicelib.companies import service
from chalicelib.companies.models import Company, CompanyOut, CreateCompany, UpdateCompany
from chalicelib.core.http import Api, Call, Page, PageQuery, Role

api = Api("Companies")


@api.get("/v1/companies", scope="companies:read", query=PageQuery, answer=CompanyOut, paged=True)
def list_companies(call: Call, query: PageQuery) -> Page[Company]:
    """List companies, newest first."""
    return service.list_companies(call.tenant_id, query)


@api.post("/v1/companies", role=Role.AGENT, scope="companies:write", body=CreateCompany, answer=CompanyOut, status=201)
def create_company(call: Call, body: CreateCompany) -> Company:
    """Create a company."""
    return service.create_company(call.tenant_id, body.given(), call.principal.actor)


@api.get("/v1/companies/{company_id}", scope="companies:read", answer=CompanyOut)
def retrieve_company(call: Call, company_id: str) -> Company:
    """Retrieve a company."""
    return service.get_company(call.tenant_id, company_id)


@api.patch(
    "/v1/companies/{company_id}", role=Role.AGENT, scope="companies:write", body=UpdateCompany, answer=CompanyOut
)
def update_company(call: Call, body: UpdateCompany, company_id: str) -> Company:
    """Change a company. A job lets the search for contacts follow its new name."""
    return service.update_company(call.tenant_id, company_id, body.given(), call.principal.actor, call.if_match)


@api.delete("/v1/companies/{company_id}", role=Role.AGENT, scope="companies:write")
def delete_company(call: Call, company_id: str) -> None:
    """Delete a company. Its contacts stay; a job takes them out of it."""
    service.delete_company(call.tenant_id, company_id, call.principal.actor, call.if_match)
