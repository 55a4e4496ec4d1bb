"""Lists of contacts and the search: as many calls, and as much read, with 10,000 contacts as with 100."""

from collections import Counter
from collections.abc import Iterator

import pytest

from chalicelib.core import aws
from chalicelib.core.aws import Params, Proceed
from tests.support.aws import Services, install
from tests.support.contacts import CONTACTS
from tests.support.crowd import fill_contacts
from tests.support.faults import injected
from tests.support.tenants import Organisation, new_tenant

pytestmark = pytest.mark.xdist_group("contacts-at-size")  # the large tenant is made once
SIZES = (100, 10_000)
QUERIES = ["limit=20", "search=lee000042", "search=ana+lee000048", "search=c42@", "search=nobody"]


@pytest.fixture(scope="module")
def tenants(engine: str, _secret: str) -> Iterator[list[Organisation]]:
    install(Services(_secret))
    found = [new_tenant() for _ in SIZES]
    for tenant, size in zip(found, SIZES, strict=True):
        fill_contacts(tenant.id, size)
    yield found
    aws.interceptors.clear()


class Reading:
    """Counts calls of the table and the capacity that they use."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.units = 0.0

    def __call__(self, service: str, operation: str, params: Params, proceed: Proceed) -> Params:
        """Let the call through and count it."""
        if service != "dynamodb":
            return proceed()
        params["ReturnConsumedCapacity"] = "TOTAL"
        answer = proceed()
        used = answer.get("ConsumedCapacity", [])
        self.calls[operation] += 1
        self.units += sum(each["CapacityUnits"] for each in (used if isinstance(used, list) else [used]))
        return answer


def cost(tenant: Organisation, query: str, wanted: int) -> Reading:
    client, reading = tenant.owner.client, Reading()
    with injected(reading):
        answer = client.get(f"{CONTACTS}?{query}")
    assert len(answer.json["data"]) == wanted
    return reading


@pytest.mark.parametrize("query", QUERIES)
def test_it_costs_the_same(tenants: list[Organisation], query: str):
    wanted = {"limit=20": 20, "search=nobody": 0}.get(query, 1)
    small, large = (cost(tenant, query, wanted) for tenant in tenants)
    assert large.calls == small.calls
    assert large.units == small.units
    assert small.units > 0


def test_a_word_that_all_have_is_read_to_a_limit_and_no_further(tenants: list[Organisation]):
    reading = cost(tenants[-1], "search=lee", 20)
    assert reading.calls["query"] == 1
    assert reading.units < 60
