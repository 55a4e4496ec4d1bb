"""Every error code is documented with its cure, on the page that answers link to and in `docs/errors.md`."""

import re
from pathlib import Path

import pytest

from chalicelib.health.cures import CURES
from tests.support.openapi import document

PAGE = Path(__file__).resolve().parents[2] / "docs" / "errors.md"
ROW = re.compile(r"^\| (\d{3}) \| `(\w+)` \| (.+) \|$", re.MULTILINE)


@pytest.fixture(scope="module")
def catalogue() -> dict[str, int]:
    return {error["code"]: error["status"] for error in document()["x-errors"]}


def test_every_code_has_a_cure_and_every_cure_a_code(catalogue):
    assert sorted(CURES) == sorted(catalogue)


def test_the_page_lists_every_code_with_its_status_and_cure(catalogue):
    wanted = sorted((status, code, CURES[code]) for code, status in catalogue.items())
    table = PAGE.read_text().partition("## By code")[2]
    shown = [(int(status), code, cure) for status, code, cure in ROW.findall(table)]
    assert shown == wanted


def test_a_code_has_one_cure_wherever_it_is_used(catalogue):
    assert len(catalogue) == len(document()["x-errors"])
