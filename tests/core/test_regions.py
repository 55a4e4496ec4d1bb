"""Ids that carry a region's code."""

import itertools
import string

import pytest

from chalicelib.core import ids, regions
from chalicelib.core.regions import WrongRegionError
from tests.support.regions import ABROAD, abroad, two_regions
from tests.support.settings import changed


def test_every_code_has_a_number_of_its_own_that_fits():
    letters = ("".join(pair) for pair in itertools.product(string.ascii_lowercase, repeat=2))
    digits = [str(number) for number in range(10)] + [f"{number:02}" for number in range(100)]
    tags = [regions._tag(code + number) for code in letters for number in digits]
    assert len(set(tags)) == len(tags) == 26 * 26 * 110
    assert max(tags) < 1 << regions._TAG_BITS


@pytest.mark.parametrize("code", ["", "eu", "EU1", "eu100", "e1", "eu1x"])
def test_what_is_no_code_is_refused(code):
    with pytest.raises(ValueError, match="two letters"):
        regions._tag(code)


def test_ids_of_a_region_share_four_signs_and_nothing_else():
    made = {regions.new_id("tn") for _ in range(1000)}
    assert len(made) == 1000
    assert all(ids.is_id("tn", each) for each in made)
    assert len({each[13:17] for each in made}) == 1
    assert len({each[17:] for each in made}) == 1000


def test_an_id_is_at_home_in_its_own_region_only():
    with two_regions():
        home = regions.new_id("tn")
        regions.require_home(home)
    with abroad():
        with pytest.raises(WrongRegionError) as caught:
            regions.require_home(home)
        assert caught.value.region.base_url == "https://api.test"


def test_only_known_regions_and_only_tenants_and_users_are_elsewhere():
    with changed(REGION="jp3"):
        unknown = regions.new_id("tn")
    with abroad():
        foreign = regions.new_id("tn")
    with two_regions():
        for identifier in (unknown, foreign.replace("tn_", "conv_"), "", "tn_", foreign + "~test", ids.new("tn")):
            regions.require_home(identifier)
        with pytest.raises(WrongRegionError):
            regions.require_home(foreign)
    regions.require_home(foreign)  # who knows of no other region sends nobody away


def test_every_region_is_listed_once_the_own_one_included():
    with changed(REGIONS=f'{{"us1": "{ABROAD}/"}}'):
        assert [(each.code, each.base_url) for each in regions.all_regions()] == [
            ("eu1", "https://api.test"),
            ("us1", ABROAD),
        ]
