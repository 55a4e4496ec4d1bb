"""Every test here works on the real engine with stand-ins for the other services."""

import pytest

from tests.support.aws import Services

pytest.register_assert_rewrite(
    "tests.crashes.billing", "tests.crashes.scenarios"
)  # what is not as it must be stands in the failure then


@pytest.fixture(autouse=True)
def _services(services: Services) -> Services:
    return services
