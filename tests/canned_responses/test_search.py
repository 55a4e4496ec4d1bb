"""Which canned responses a search finds."""

import pytest

from chalicelib.canned_responses.models import CannedResponse
from chalicelib.canned_responses.search import matching

GREETING = CannedResponse(
    tenant_id="tn",
    id="can_1",
    shortcut="/hello-de",
    content="Grüß Gott {{visitor.name|Besucher}}, wie kann ich helfen? E-Mail: x@example.com",
    title="Begrüßung (formell)",
    created_by={},
    created_at=0,
    updated_at=0,
)


@pytest.mark.parametrize(
    "text",
    [
        *("/hello-de", "/hel", "hel", "HELLO", "hello-d", "/"),
        *("grüß", "grü", "gru", "GRUSS", "gru\u0308ß", "gott", "begru", "formell", "helfen"),
        *("e-mail", "mail", "example.com", "x@ex"),
        *("wie helfen", "helfen wie", "/hello gott", "hel hel", "  gott  "),
        "\uff47ott",  # full width
    ],
)
def test_the_beginning_of_the_shortcut_or_of_words_finds_it(text):
    assert matching([GREETING], text) == [GREETING]


@pytest.mark.parametrize(
    "text", ["ello", "/ello", "/gott", "ott", "elfen", "visitor", "besucher", "gott bye", "/hello bye", "???", "//h"]
)
def test_the_middle_of_a_word_another_word_or_a_variable_does_not(text):
    assert matching([GREETING], text) == []


def test_of_many_only_those_that_match_stay_in_order():
    others = [
        CannedResponse("tn", f"can_{number}", f"/s{number}", content, {}, 0, 0)
        for number, content in enumerate(["refund", "nothing", "Refunds take"])
    ]
    assert [each.id for each in matching(others, "refund")] == ["can_0", "can_2"]
