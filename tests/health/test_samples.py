"""The believable values of the API's description are what their fields take."""

import pytest

from chalicelib.core import ids
from chalicelib.health.samples import SAMPLES

IDS = sorted(name for name in SAMPLES if name.endswith("_id") and str(SAMPLES[name]).endswith(SAMPLES["request_id"]))
IDS.remove("request_id")


@pytest.mark.parametrize("name", IDS)
def test_a_sample_id_is_one_that_we_could_have_made(name: str) -> None:
    assert ids.is_id(SAMPLES[name].partition("_")[0], SAMPLES[name])


def test_a_list_and_what_it_holds_agree() -> None:
    assert SAMPLES["default_widget"]["id"] == SAMPLES["widget_id"]
    assert SAMPLES["actor"] == {"type": "user", "id": SAMPLES["user_id"]}
