"""Every test here works on the real engine with stand-ins for the other services."""

import pytest

from tests.support.aws import Services


@pytest.fixture(autouse=True)
def _services(services: Services) -> Services:
    return services
