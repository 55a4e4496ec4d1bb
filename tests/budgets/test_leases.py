"""What rate limits cost under the default settings: nothing on most requests of a caller who keeps on calling."""

import math
import os
from collections.abc import Iterator

import pytest

from chalicelib.core import clock
from chalicelib.core.aws import Params, Proceed
from tests.support.chats import new_chat, new_site
from tests.support.client import Client
from tests.support.faults import injected
from tests.support.settings import changed
from tests.support.tenants import Organisation, new_key

MINUTE_MS = 60_000


class Taken:
    """Counts the leases that are taken; an interceptor."""

    def __init__(self) -> None:
        self.leases = 0

    def __call__(self, service: str, operation: str, params: Params, proceed: Proceed) -> Params:
        if service == "dynamodb" and operation == "update_item":
            self.leases += params["Key"]["pk"]["S"].startswith("R#rate#")
        return proceed()


@pytest.fixture(autouse=True)
def _default_limits() -> Iterator[None]:
    with changed():
        for name in [name for name in os.environ if name.endswith("_REQUESTS")]:
            del os.environ[name]
        yield


@pytest.fixture
def tenant() -> Organisation:
    return new_site()


def cost(caller: Client, url: str, requests: int, minutes: int = 1) -> int:
    """Return how many leases one of several minutes takes, the last."""
    start = clock.now_ms()
    taken = Taken()
    for minute in range(minutes):
        taken.leases = 0
        with clock.reading(lambda: start + minute * MINUTE_MS), injected(taken):  # noqa: B023 - read inside only
            assert [caller.get(url).status for _ in range(requests)] == [200] * requests
    return taken.leases


@pytest.mark.parametrize("kind", ["key", "user", "visitor"])
def test_a_first_request_costs_an_update_for_the_caller_and_one_for_the_tenant(tenant, kind):
    assert cost(*caller(tenant, kind), 1) == 2


@pytest.mark.parametrize("kind", ["key", "user"])
@pytest.mark.parametrize(("requests", "updates"), [(1, 2), (6, 2), (12, 2), (60, 6), (100, 11)])
def test_a_steady_callers_minute_in_one_process(tenant, kind, requests, updates):
    assert cost(*caller(tenant, kind), requests, minutes=3) == updates


@pytest.mark.parametrize("requests", [1, 4, 20])
def test_a_visitor_whose_limit_is_small_takes_four_at_a_time(tenant, requests):
    assert cost(*caller(tenant, "visitor"), requests, minutes=3) == math.ceil(requests / 4) + 1


def test_whoever_is_refused_costs_nothing(tenant):
    client, url = caller(tenant, "key")
    taken, now = Taken(), clock.now_ms()
    with changed(KEY_REQUESTS="2"), clock.reading(lambda: now):
        assert [client.get(url).status for _ in range(3)] == [200, 200, 429]
        with injected(taken):
            assert client.get(url).status == 429
    assert taken.leases == 0


def caller(tenant: Organisation, kind: str) -> tuple[Client, str]:
    if kind == "visitor":
        return new_chat(tenant).client, "/widget/v1/conversations"
    return (new_key(tenant) if kind == "key" else tenant.owner.client), "/v1/companies"
