"""What the end of a team means for conversations happens once, wherever the process dies."""

from tests.crashes.scenarios import delete_team
from tests.support.crashes import AFTER, enumerated


def test_it_is_done_once(services):
    assert enumerated(lambda: delete_team(services), services, AFTER) >= 12
