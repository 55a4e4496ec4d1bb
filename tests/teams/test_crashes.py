"""What the end of a team, or of a membership, means happens once, wherever the process dies."""

import pytest

from tests.crashes.scenarios import delete_team, leave_team
from tests.support.crashes import AFTER, enumerated


@pytest.mark.parametrize(("scenario", "least"), [(delete_team, 12), (leave_team, 8)])
def test_it_is_done_once(services, scenario, least):
    assert enumerated(lambda: scenario(services), services, AFTER) >= least
