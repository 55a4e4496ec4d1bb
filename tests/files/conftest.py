"""A site with a visitor, and the stand-in for S3."""

import pytest

from tests.support.aws import Services
from tests.support.chats import Chat, new_chat, new_site
from tests.support.tenants import Organisation


@pytest.fixture(autouse=True)
def _services(services: Services) -> Services:
    return services


@pytest.fixture
def site(services: Services) -> Organisation:
    """A tenant whose widget may stand on ORIGIN."""
    return new_site()


@pytest.fixture
def chat(site: Organisation) -> Chat:
    """A visitor of it."""
    return new_chat(site)
