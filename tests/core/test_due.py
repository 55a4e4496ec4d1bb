"""What is due is walked from another end each time, and not for longer than there is time."""

from itertools import count
from types import SimpleNamespace

import pytest

from chalicelib.core import due, table
from chalicelib.core.due import keys_due
from chalicelib.core.table import Key


@pytest.fixture
def listed(monkeypatch):
    """Two keys in each shard, named by it."""
    monkeypatch.setattr(
        table, "pending_keys", lambda shard, _before, limit: [Key(f"{shard}/{n}", "-") for n in range(2)][:limit]
    )


def test_every_shard_is_come_to_once(listed):
    found = [key.pk for key in keys_due("D", 16, "9", 100)]
    assert sorted(found) == sorted(f"D#{shard}/{n}" for shard in range(16) for n in range(2))


def test_a_shard_gives_no_more_than_its_share(listed):
    assert len(list(keys_due("D", 16, "9", 1))) == 16


def test_the_first_shard_is_not_always_the_same(listed):
    assert len({next(keys_due("D", 16, "9", 1)) for _ in range(100)}) > 1  # by chance alone: once in 10**118 runs


def test_it_ends_when_its_time_is_up(listed, monkeypatch):
    times = count()
    monkeypatch.setattr(due, "time", SimpleNamespace(monotonic=lambda: next(times)))
    assert len(list(keys_due("D", 16, "9", 100, seconds=5))) == 5
