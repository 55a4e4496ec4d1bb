"""Stripe's double, and a tenant that may pay."""

from collections.abc import Iterator

import pytest

from tests.support.aws import Services
from tests.support.stripe import Till
from tests.support.tenants import Organisation, new_tenant

pytest.register_assert_rewrite("tests.billing.histories")  # what differs stands in the failure then


@pytest.fixture
def till(services: Services) -> Iterator[Till]:
    found = Till(services)
    with found.open():
        yield found


@pytest.fixture
def tenant(till: Till) -> Organisation:
    return new_tenant()
