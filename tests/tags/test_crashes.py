"""What tags mean for conversations happens once, wherever the process dies."""

import pytest

from tests.crashes.scenarios import delete_tag, rename_tag, tag_and_snooze
from tests.support.crashes import AFTER, enumerated


@pytest.mark.parametrize(("scenario", "least"), [(rename_tag, 12), (delete_tag, 10), (tag_and_snooze, 6)])
def test_it_is_done_once(services, scenario, least):
    assert enumerated(lambda: scenario(services), services, AFTER) >= least
