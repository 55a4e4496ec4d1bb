"""The reference page: whole, self-contained, and navigable by anybody."""

import re
from base64 import b64encode
from collections import Counter
from hashlib import sha256
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from chalicelib.health.page import render
from tests.support.openapi import document

VOID = {"meta", "link", "input", "wbr", "br", "hr", "img"}


class Page(HTMLParser):
    """What the tests ask about a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []  # tags closed out of order
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def all(self, name: str) -> list[str]:
        return [value for _, attrs in self.tags if (value := attrs.get(name)) is not None]


@pytest.fixture(scope="module")
def rendered() -> tuple[str, str]:
    return render(document())


@pytest.fixture(scope="module")
def page(rendered: tuple[str, str]) -> Page:
    return Page(rendered[0])


def test_it_is_well_formed_and_every_placeholder_is_filled(rendered: tuple[str, str], page: Page) -> None:
    assert (page.wrong, page.open) == ([], [])
    assert re.findall(r"{{\w+}}", rendered[0]) == []


def test_ids_are_unique_and_every_inner_link_leads_somewhere(page: Page) -> None:
    ids = Counter(page.all("id"))
    assert [each for each, times in ids.items() if times > 1] == []
    assert {href[1:] for href in page.all("href") if href.startswith("#")} - set(ids) == set()
    assert set(page.all("aria-labelledby")) | set(page.all("for")) | set(page.all("aria-describedby")) <= set(ids)


def test_every_operation_and_every_error_has_its_place(page: Page) -> None:
    ids = set(page.all("id"))
    names = {each["operationId"] for item in document()["paths"].values() for each in item.values()}
    assert names - ids == set()
    assert {f"error-{error['code']}" for error in document()["x-errors"]} - ids == set()
    assert set(page.all("data-for")) == names


def test_it_loads_nothing_and_its_policy_lets_only_its_own_style_and_script_run(rendered: tuple[str, str]) -> None:
    text, policy = rendered
    assert re.findall(r"<(?:script|img|iframe|object|embed)[^>]*\bsrc=|@import|url\(", text) == []
    assert re.findall(r"<link[^>]*href=\"(?!data:)", text) == []
    assert re.findall(r"<[a-z0-9]+ [^>]*\b(?:style|on[a-z]+)=", text) == []
    for tag in ("style", "script"):
        (inside,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert f"'sha256-{b64encode(sha256(inside.encode()).digest()).decode()}'" in policy
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


def test_it_has_landmarks_a_language_a_skip_link_and_headings_in_order(page: Page) -> None:
    tags = [tag for tag, _ in page.tags]
    assert all(tag in tags for tag in ("header", "nav", "main", "h1"))
    assert dict(page.tags)["html"]["lang"] == "en"
    assert next(attrs for tag, attrs in page.tags if tag == "a")["href"] == "#content"
    levels = [int(tag[1]) for tag in tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert [pair for pair in pairwise(levels) if pair[1] > pair[0] + 1] == []


def test_it_stays_well_below_what_a_function_may_answer(rendered: tuple[str, str]) -> None:
    operations = sum(len(item) for item in document()["paths"].values())
    assert len(rendered[0].encode()) < 60_000 + 8_000 * operations


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_the_contrast_that_wcag_aa_asks_for(rendered: tuple[str, str], scheme: str) -> None:
    light, dark = (
        dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6})", block))
        for block in re.findall(r":root {(.*?)}", rendered[0], re.DOTALL)
    )
    colours = light if scheme == "light" else dark
    text = {"ink", "soft", "link", "get", "post", "put", "patch", "delete"}
    poor = {
        (name, ground): ratio
        for name in text
        for ground in ("page", "tint", "code")
        if (ratio := contrast(colours[name], colours[ground])) < 4.5
    }
    assert poor == {}
    assert contrast(colours["ink"], colours["mark"]) >= 4.5


def contrast(one: str, other: str) -> float:
    """The ratio of https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
