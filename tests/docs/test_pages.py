"""The examples of the documentation's pages, run as a reader would: one after the other against the demo data."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

FENCE = re.compile(r"^```bash( refused)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md")) if "```bash" in page.read_text()]


@pytest.mark.stack
@pytest.mark.xdist_group("docs")
@pytest.mark.parametrize("page", PAGES)
def test_the_examples_of_a_page_answer_as_it_says(shell, fenced, page):
    if page != "docs/quick-start.md":
        shell.run(fenced("docs/quick-start.md", "bash")[0])
    for refused, block in FENCE.findall((ROOT / page).read_text()):
        output = shell.run(block)
        assert ('"error":' in output) == bool(refused), f"{block}\n{output}"


def test_every_link_between_pages_leads_somewhere():
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    links = [(page, to) for page in pages for to in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text())]
    broken = [(page.name, to) for page, to in links if not (page.parent / to).exists()]
    assert not broken
    assert len(PAGES) >= 4


def test_no_page_is_long():
    def lines(page: Path) -> int:
        return sum(
            not line.startswith("|") for line in page.read_text().splitlines()
        )  # a table is not read, but searched

    pages = (ROOT / "docs").glob("*.md")
    assert not [
        page.name for page in pages if lines(page) > (200 if page.name == "data-model.md" else 160)
    ]  # one line a row


DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_is_short_and_ends_with_the_check_that_keeps_it(page):
    text = page.read_text()
    assert len(text.splitlines()) <= 14
    kept = text.rsplit("\n\nKept by: ", 1)[1]
    places = [ROOT / place for place in re.findall(r"`(tests/[^`]+)`", kept)]
    assert places
    for place in places:
        tests = [place] if place.suffix else list(place.glob("test_*.py"))
        assert tests, f"nothing in {place}"
        assert all(test.exists() for test in tests), place
