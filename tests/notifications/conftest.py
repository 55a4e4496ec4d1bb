"""Every test here works on the real engine with stand-ins for the other services."""

import pytest

from tests.support.aws import Services
from tests.support.chats import new_site
from tests.support.mails import Post
from tests.support.tenants import Organisation


@pytest.fixture(autouse=True)
def _services(services: Services) -> Services:
    return services


@pytest.fixture
def tenant() -> Organisation:
    return new_site()


@pytest.fixture
def post(services: Services) -> Post:
    return Post(services)
