"""A Stripe of its own for each test."""

from collections.abc import Iterator

import pytest

from tests.support.stripe_double import World


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.double.close()
