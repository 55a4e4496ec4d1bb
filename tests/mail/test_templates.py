"""What mails say: the same in both languages, the same as text and as HTML, readable by everybody's mail program."""

import re
import string
from html.parser import HTMLParser
from typing import Any

import pytest

from chalicelib.mail.languages import LANGUAGES, language_for
from chalicelib.mail.models import Mail, Quote
from chalicelib.mail.templates import WORDS, render

NAMES = sorted(WORDS["en"].templates)
LINK = "https://api.test/auth/verify-email?token=abc&x=<y>"
UNSUBSCRIBE = "https://api.test/mail/unsubscribe?token=def"
EVERY = [(name, language) for name in NAMES for language in LANGUAGES]


def mail(template: str, language: str = "en", **changed: Any) -> Mail:
    params = {"link": LINK, "tenant": "<script>{link}</script>", "role": "agent", "number": "17"}
    params |= {"host": "hooks.example.com", "webhook": "whk_x", "since": "2026-11-21T14:00:00Z"}
    params |= {"date": "2026-12-05", "plan": "Starter", "used": "80", "allowed": "100"}
    return Mail("mail_x", "ada@example.com", template, language, params, **{"unsubscribe": UNSUBSCRIBE, **changed})


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


class Words(HTMLParser):
    """The text of a page as a screen reader has it, and its elements with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self._silent = "", 0
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if self._silent or tag in {"style", "title"} or ("aria-hidden", "true") in attrs:
            self._silent += tag not in {"meta", "br"}

    def handle_endtag(self, tag):
        self._silent = max(0, self._silent - 1)

    def handle_data(self, data):
        if not self._silent:
            self.text += data


class TestLanguages:
    def test_both_have_the_same_templates_with_the_same_parameters(self):
        for name in NAMES:
            english, german = WORDS["en"].templates[name], WORDS["de"].templates[name]
            for part in ("subject", "before", "button", "after", "footer"):
                one, other = getattr(english, part), getattr(german, part)
                assert placeholders(one) == placeholders(other), (name, part)
                assert bool(one) == bool(other), (name, part)
                assert not one or one != other, (name, part)
        assert set(WORDS) == set(LANGUAGES)
        assert set(WORDS["en"].templates) == set(WORDS["de"].templates)

    @pytest.mark.parametrize(
        ("wishes", "language"),
        [
            (("de",), "de"),
            (("de-AT",), "de"),
            (("DE_at",), "de"),
            (("fr-FR,fr;q=0.9,en;q=0.5,de;q=0.8",), "de"),
            (("en-GB,de;q=0.9",), "en"),
            (("de;q=0,en",), "en"),
            (("fr", "de"), "de"),
            ((None, "", "xx"), "en"),
            (("de;q=nonsense",), "en"),
        ],
    )
    def test_the_reader_gets_the_first_of_ours_that_is_wished_for(self, wishes, language):
        assert language_for(*wishes) == language

    def test_a_language_without_words_falls_back(self):
        assert render(mail("assigned", "xx")) == render(mail("assigned", "en"))


@pytest.mark.parametrize(("name", "language"), EVERY)
class TestEach:
    def test_says_the_same_as_text_and_as_html(self, name, language):
        quotes = (Quote("Ada", "Good morning!\n<b>Second</b> line"),)
        found = render(mail(name, language, quotes=quotes))
        page = " ".join(Words(found.html).text.split())
        for line in found.text.splitlines():
            said = line.removeprefix("> ").strip()
            if said in {"--", "Ada:", f"{WORDS[language].unsubscribe}:", UNSUBSCRIBE}:
                continue  # marks of plain text; in HTML the link to unsubscribe has a label
            assert said in page, said
        assert f'href="{UNSUBSCRIBE}"' in found.html or UNSUBSCRIBE not in found.text

    def test_lets_nobody_put_markup_into_it(self, name, language):
        found = render(mail(name, language, quotes=(Quote("<img src=x>", '"><script>alert(1)</script>'),)))
        assert "<script" not in found.html
        assert "<img" not in found.html

    def test_has_its_links_alone_on_their_lines(self, name, language):
        found = render(mail(name, language, quotes=(Quote("Eve", "https://evil.test/?token=1"),)))
        alone = {line for line in found.text.splitlines() if line.startswith("https://")}
        template = WORDS[language].templates[name]
        assert alone == {*([LINK] if template.button else []), *([UNSUBSCRIBE] if template.footer else [])}

    def test_is_made_for_small_screens_the_dark_and_screen_readers(self, name, language):
        found = render(mail(name, language))
        elements = Words(found.html).elements
        assert ("html", {"lang": language, "dir": "ltr"}) in elements
        assert ("meta", {"name": "color-scheme", "content": "light dark"}) in elements
        assert all(attrs.get("role") == "presentation" for tag, attrs in elements if tag == "table")
        assert [tag for tag, _ in elements].count("h1") == 1
        assert "prefers-color-scheme:dark" in found.html
        assert not re.search(r"<(img|script|link|form|iframe)\b", found.html)  # it asks no other host for anything

    def test_shows_its_beginning_in_the_list_of_mails(self, name, language):
        hidden = render(mail(name, language)).html.split("aria-hidden")[1].split("&#847;")[0]
        assert len(hidden) > 20
