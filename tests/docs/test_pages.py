"""The examples of the documentation's pages, run as a reader would: one after the other against the demo data."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.pages import ROOT, Example, examples

DOCS = ROOT / "docs"
QUICK_START = DOCS / "quick-start.md"
# Those of the API come first: they show what is in the demo data as it comes.
PAGES = [page for page in [*sorted(DOCS.glob("api/*.md")), *sorted(DOCS.glob("*.md"))] if "```bash" in page.read_text()]


@pytest.mark.stack
@pytest.mark.xdist_group("docs")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_the_examples_of_a_page_answer_as_it_says(shell, page):
    setup, *_ = examples(QUICK_START)
    if examples(page)[0] != setup:
        shell.run(setup.commands)
    for example in examples(page):
        printed = shell.run(example.commands)
        assert bool(re.search(r'\{"error": ?\{', printed)) == example.refused, f"{example.commands}\n{printed}"
        assert not example.differences(printed), f"{example.commands}\n{printed}"


def shown(kind: str, answer: str) -> Example:
    return Example("", refused=False, kind=kind, answer=answer)


@pytest.mark.parametrize(
    ("kind", "answer", "printed"),
    [
        ("json", '{"id": "msg_…", "seq": 2}', '{"seq": 2, "id": "msg_01"}'),
        ("json", '{"a": {"b": "…"}, "…": "…"}', '{"a": {"b": [1]}, "c": null}'),
        ("json", '[1, "…"] {"a": null}', '[1, 2, 3]\n{"a": null}\n'),
        ("text", "204", "204\n\n"),
        ("text", "Order …: two tents.", "Order 1042: two tents.\n"),
    ],
)
def test_an_answer_like_the_one_shown_is_taken(kind, answer, printed):
    assert shown(kind, answer).differences(printed) == []


@pytest.mark.parametrize(
    ("kind", "answer", "printed"),
    [
        ("json", '{"id": "msg_…"}', '{"id": "conv_01"}'),
        ("json", '{"id": "msg_…"}', '{"id": "msg_"}'),
        ("json", '{"seq": 2}', '{"seq": 3}'),
        ("json", '{"seq": 1}', '{"seq": true}'),
        ("json", '{"seq": 1}', '{"seq": 1, "more": 1}'),
        ("json", '{"seq": 1, "gone": "…", "…": "…"}', '{"seq": 1, "more": 1}'),
        ("json", '{"a": [{"b": 1}]}', '{"a": [{"b": 2}]}'),
        ("json", "[1, 2]", "[1, 2, 3]"),
        ("json", '[1, 2, "…"]', "[1]"),
        ("json", "{} {}", "{}"),
        ("json", "{}", "{} {}"),
        ("text", "204", "404"),
        ("text", "204", '{"error": {}}\n204'),
    ],
)
def test_another_answer_than_the_one_shown_is_noticed(kind, answer, printed):
    assert len(shown(kind, answer).differences(printed)) == 1


def documents() -> list[Path]:
    return [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
        *DOCS.rglob("*.md"),
    ]


def anchors(page: Path) -> Iterator[str]:
    """Yield what GitHub makes of a page's headings; none of ours comes twice in a page."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for heading in re.findall(r"^#+ (.+)$", prose, re.MULTILINE):
        text = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", heading)
        yield re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", documents(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page):
    found = list(anchors(page))
    assert len(found) == len(set(found))
    for to in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", page.read_text()):
        path, _, anchor = to.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), to
        assert not anchor or anchor in anchors(target), to


def test_no_page_is_long():
    def lines(page: Path) -> int:
        return sum(
            not line.startswith("|") for line in page.read_text().splitlines()
        )  # a table is not read, but searched

    # One line a row; one section an alarm, or an operation, which is all that somebody comes for.
    longer = {"data-model.md": 200, "runbooks.md": 400, "conversations.md": 180}
    assert [page.name for page in DOCS.glob("**/*.md") if lines(page) > longer.get(page.name, 160)] == []
    sections = re.split(r"^## ", (DOCS / "runbooks.md").read_text(), flags=re.MULTILINE)
    assert max(section.count("\n") for section in sections) <= 34


DECISIONS = sorted((DOCS / "decisions").glob("*.md"))


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
