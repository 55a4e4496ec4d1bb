"""Ids of one moment still sort in the order in which they were made, and no two are the same."""

from chalicelib.core import clock, ids
from tests.support.threads import at_once


def test_ids_of_one_millisecond_sort_in_the_order_they_were_made():
    with clock.reading(lambda: 1_800_000_000_000):
        made = [ids.new_ulid() for _ in range(2000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert {each[:10] for each in made} == {made[0][:10]}


def test_threads_of_one_process_never_get_the_same():
    with clock.reading(lambda: 1_800_000_000_001):
        made = at_once(8, lambda: [ids.new_ulid() for _ in range(2000)])
    assert len({each for some in made for each in some}) == 16_000


def test_a_clock_that_is_set_back_is_followed():
    with clock.reading(lambda: 1_800_000_000_002):
        later = ids.new_ulid()
    with clock.reading(lambda: 1_800_000_000_000):
        assert ids.new_ulid() < later
