"""`/v1/regions`."""

from chalicelib.core import regions
from chalicelib.core.http import Api, Call, Page, PageQuery
from chalicelib.core.http.pages import page_of
from chalicelib.core.regions import Region
from chalicelib.directory.models import RegionOut

api = Api("Regions")


@api.get("/v1/regions", public=True, query=PageQuery, answer=RegionOut, paged=True)
def list_regions(_call: Call, query: PageQuery) -> Page[Region]:
    """List the regions one can sign up in, by code. An account and its tenants stay in the one it was made in."""
    return page_of(regions.all_regions(), query, "", "regions", lambda region: region.code, newest_first=False)
