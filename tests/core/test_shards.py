"""Shards of a tenant's index keys: its own numbers only ever raise those of all."""

import pytest

from chalicelib.core import shards
from tests.support.settings import changed

OWN = "tn_01J00000000000000000000000"


@pytest.mark.parametrize(
    ("all_written", "all_read", "own", "written", "read"),
    [
        ("1", "1", "", 1, 1),
        ("1", "4", "", 1, 4),
        ("4", "1", "", 4, 4),
        ("1", "1", f"{OWN}=1/8", 1, 8),
        ("1", "1", f"{OWN}=8/8", 8, 8),
        ("1", "1", f"{OWN}=8/1", 8, 8),
        ("4", "4", f"{OWN}=2/2", 4, 4),
        ("1", "1", "tn_01J00000000000000000000001=8/8", 1, 1),
    ],
)
@pytest.mark.parametrize("space", [OWN, f"{OWN}~test"])
def test_the_larger_number_counts_and_what_is_written_is_read(all_written, all_read, own, written, read, space):
    with changed(INDEX_SHARDS=all_written, INDEX_SHARDS_READ=all_read, TENANT_INDEX_SHARDS=own):
        assert {shards.of(space, f"conv_{number}") for number in range(300)} == set(range(written))
        assert shards.read(space) == range(read)
