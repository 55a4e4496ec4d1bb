"""The statistics that the enumeration bench judges by, against values of the textbook."""

import math
import random

import pytest

from bench.enumeration import CRITICAL, chance, distance


@pytest.mark.parametrize(
    ("one", "other", "gap"),
    [
        ([1, 2, 3], [1, 2, 3], 0),
        ([1, 2, 3], [4, 5, 6], 1),
        ([1, 2, 3, 4], [3, 4, 5, 6], 0.5),
        ([1, 1, 1, 2], [1, 2, 2, 2], 0.5),
    ],
)
def test_the_distance_is_the_largest_gap_between_the_distributions(one, other, gap):
    assert distance(one, other) == distance(other, one) == gap


@pytest.mark.parametrize(("critical", "p"), [(1.224, 0.10), (1.358, 0.05), (1.628, 0.01), (CRITICAL, 0.001)])
def test_the_chance_is_the_tables(critical, p):
    samples = 100_000  # where the approximation is the table's limit
    assert chance(critical * math.sqrt(2 / samples), samples, samples) == pytest.approx(p, rel=0.02)
    assert chance(0, samples, samples) == 1


def test_a_shift_of_a_tenth_of_the_spread_is_seen_and_none_is_not():
    draw = random.Random(7)
    one, same = ([draw.gauss(0, 1) for _ in range(5000)] for _ in range(2))
    limit = CRITICAL * math.sqrt(2 / 5000)
    assert distance(one, same) < limit < distance(one, [value + 0.1 for value in same])
