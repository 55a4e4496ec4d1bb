"""Every test here works on the real engine with stand-ins for the other services, and asks as everybody."""

from collections.abc import Iterator

import pytest

from tests.matrix.test_matrix import ROUTES_A_STAGE, Stage
from tests.support.aws import Services
from tests.support.gateway import door
from tests.support.settings import changed


@pytest.fixture(autouse=True)
def _services(services: Services) -> Services:
    return services


@pytest.fixture(scope="module")
def gateway():
    """The local gateway in front of the app."""
    with door() as opened:
        yield opened


@pytest.fixture(scope="module")
def _stages() -> list[Stage]:
    return []


@pytest.fixture
def playing(services: Services, _stages: list[Stage]) -> Iterator[Stage]:
    """Two tenants and everybody, for one more route."""
    if not _stages or _stages[-1].played == ROUTES_A_STAGE:
        _stages.append(Stage())
    stage = _stages[-1]
    stage.played += 1
    yield stage
    # A required attribute that was made up would refuse every contact that the next route's request needs.
    if any(each["required"] for each in stage.tenant.owner.client.get("/v1/custom-attributes").json["data"]):
        _stages.clear()


@pytest.fixture
def paying() -> Iterator[None]:
    """Switch billing on, as routes about money say first that it is off."""
    with changed(BILLING="stripe"):
        yield
