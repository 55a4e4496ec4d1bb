"""`docs/api/`: every operation has an example, under its name, that calls it, or is described on another page."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.openapi import document
from tests.support.pages import ROOT, examples

API = ROOT / "docs" / "api"
NOT_FOR_YOUR_CODE = {"Health", "Widget"}  # the first is for monitors; the second has a page of its own, for browsers
PAGES = sorted(page for page in API.glob("*.md") if page.name != "README.md")

_SECTION = re.compile(r"^## ([^\n]+)\n`([A-Z]+ /[^`\n]+)`(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_CALL = re.compile(r"\b(?:call|curl) (.*?)(?=\bcall |\bcurl |\Z)", re.DOTALL)


class Section(NamedTuple):
    """What a page says about one operation."""

    page: Path
    title: str
    operation: str
    text: str


SECTIONS = [Section(page, *found) for page in PAGES for found in _SECTION.findall(page.read_text())]


def unnamed(path: str) -> str:
    """A path without the names of what it holds: `/v1/files/{}` for `/v1/files/{file_id}`."""
    return re.sub(r"\{\w+\}", "{}", path)


def calls(text: str) -> set[str]:
    """The operations that a text's blocks of commands call."""
    found = set()
    for block in re.findall(r"^```bash\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        for command in _CALL.findall(block.replace("\\\n", "")):
            path = re.search(r"\$API(/[^\s\"?]+)", command)
            method = re.search(r"-X ([A-Z]+)", command)
            sends = re.search(r" -[dF] ", command)
            if path:
                parts = ["{}" if part[0] == "$" else part for part in path[1].removesuffix(")").split("/")[1:]]
                found.add(f"{method[1] if method else 'POST' if sends else 'GET'} /{'/'.join(parts)}")
    return found


@pytest.fixture(scope="module")
def operations() -> set[str]:
    """Those that integrators call, as the code has them."""
    return {
        f"{method.upper()} {path}"
        for path, methods in document()["paths"].items()
        if path.startswith("/v1/")
        for method, operation in methods.items()
        if not NOT_FOR_YOUR_CODE & set(operation["tags"])
    }


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.operation)
def test_an_example_calls_its_operation_and_shows_the_answer(section):
    assert unnamed(section.operation) in calls(section.text)
    assert re.search(r"^```(json|text)$", section.text, re.MULTILINE)


def test_every_operation_has_an_example_or_is_described_on_another_page(operations):
    other = [page.read_text() for page in (ROOT / "docs").glob("*.md")]
    elsewhere = {operation for text in other for operation in calls(text)}
    elsewhere |= {unnamed(operation) for text in other for operation in re.findall(r"`([A-Z]+ /v1/[^`]+)`", text)}
    missing = {operation for operation in operations if unnamed(operation) not in elsewhere}
    missing -= {section.operation for section in SECTIONS}
    assert not missing, "give them a section in docs/api, or name them on another page of docs"


def test_every_example_is_of_an_operation_that_is_there(operations):
    assert not {section.operation for section in SECTIONS} - operations
    assert len({section.operation for section in SECTIONS}) == len(SECTIONS)


def test_the_first_page_lists_every_example():
    rows = re.findall(r"^\| `(.+)` \| \[(.+)\]\((.+\.md)#.+\) \|$", (API / "README.md").read_text(), re.MULTILINE)
    assert sorted(rows) == sorted((section.operation, section.title, section.page.name) for section in SECTIONS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_page_begins_as_the_quick_start_does(page):
    assert examples(page)[0] == examples(ROOT / "docs" / "quick-start.md")[0]
