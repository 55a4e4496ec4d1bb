"""Whatever has happened, in whatever order we were told: what we know ends as what Stripe has.

1,000 histories in every `make check`, the same ones each time; 10,000 by `make billing-histories`.
"""

from collections.abc import Iterator

import pytest
from hypothesis import Phase, given, settings

from chalicelib.billing import store
from tests.billing.histories import CHANGES, HISTORIES, Step, World
from tests.support.aws import Services
from tests.support.properties import tried
from tests.support.stripe import without_tickets


@pytest.fixture
def world(services: Services) -> Iterator[World]:
    with World.of(services) as found:
        yield found


@tried(900)
@given(history=HISTORIES)
def test_late_doubled_shuffled_stale_and_lost_hooks_end_in_stripes_state(world: World, history: list[Step]):
    world.run(history)


@tried(100)
@given(history=CHANGES)
def test_with_every_hook_lost_one_reconcile_heals_it(world: World, history: list[Step]):
    world.run_without_hooks(history)


def test_writing_without_the_newest_ticket_is_found_out(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(store, "applying", without_tickets(store.applying))
    as_it_is = settings(derandomize=True, database=None, deadline=None, max_examples=900, phases=[Phase.generate])
    with pytest.raises(AssertionError, match=r"assert \{"):
        as_it_is(given(HISTORIES)(world.run))()
