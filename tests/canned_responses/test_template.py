"""Variables in a text: what is refused, and what they become."""

import pytest

from chalicelib.canned_responses.models import RenderCannedResponse, Values
from chalicelib.canned_responses.template import (
    MAX_VARIABLES,
    VARIABLES,
    fill_in,
    names_in,
    problem_with,
    without_variables,
)

ANA = {"visitor.name": "Ana", "visitor.email": "ana@example.com"}


@pytest.mark.parametrize(
    ("content", "becomes", "missing"),
    [
        ("Hello", "Hello", []),
        ("Hi {{visitor.name}}!", "Hi Ana!", []),
        ("Hi {{  visitor.name\t}}!", "Hi Ana!", []),
        ("{{visitor.name}}{{visitor.name}}", "AnaAna", []),
        ("Hi {{visitor.name|there}}!", "Hi Ana!", []),
        ("By {{agent.name|us}}", "By us", []),
        ("By {{agent.name| all of us }}.", "By all of us.", []),
        ("By {{agent.name|a|b}}.", "By a|b.", []),
        ("By {{agent.name|}}.", "By .", []),  # an empty default says that nothing may stand there
        ("By {{agent.name}}.", "By .", ["agent.name"]),
        ("{{tenant.name}} {{agent.name}} {{tenant.name}}", "  ", ["tenant.name", "agent.name"]),
        ("{{agent.name|us}} {{agent.name}}", "us ", ["agent.name"]),
        ("{{{visitor.name}}}", "{Ana}", []),
        ("{a} } }} { {", "{a} } }} { {", []),
    ],
)
def test_variables_become_values_defaults_or_nothing(content, becomes, missing):
    assert problem_with(content) is None
    rendered = fill_in(content, ANA)
    assert (rendered.content, rendered.missing) == (becomes, missing)


@pytest.mark.parametrize("value", [None, "", "  \n"])
def test_a_blank_value_is_not_known(value):
    assert fill_in("{{visitor.name|there}}", {"visitor.name": value}).content == "there"
    assert fill_in("{{visitor.name}}", {"visitor.name": value}).missing == ["visitor.name"]


@pytest.mark.parametrize("value", ["{{visitor.email}}", r"\1\g<0>", "<b>&amp;", "{{", "}}", "{0}", "%s", "$1", "|x"])
def test_a_value_stays_what_it_is(value):
    assert fill_in("a{{visitor.name}}b{{visitor.email}}", ANA | {"visitor.name": value}).content == (
        f"a{value}bana@example.com"
    )


def test_values_cannot_join_into_a_variable():
    halves = {"visitor.name": "{{visitor", "agent.name": ".email}}", "visitor.email": "secret"}
    assert fill_in("{{visitor.name}}{{agent.name}}", halves).content == "{{visitor.email}}"


@pytest.mark.parametrize(
    ("content", "code", "named"),
    [
        ("{{visitor.nam}}", "unknown_variable", "{{visitor.nam}}"),
        ("{{Visitor.Name}}", "unknown_variable", "{{Visitor.Name}}"),
        ("{{visitor name}}", "unknown_variable", "{{visitor name}}"),
        ("{{visitor.name}} {{a}} {{b|c}}", "unknown_variable", "{{a}}, {{b}}"),
        ("{{}}", "unknown_variable", "{{}}"),
        ("{{|x}}", "unknown_variable", "{{}}"),
        ("{{" + "x" * 9000 + "}}", "unknown_variable", "{{" + "x" * 50 + "…}}"),
        ("{{visitor.name", "malformed_variable", "}}"),
        ("{{visitor.name}", "malformed_variable", "}}"),
        ("{{visitor.name|{}}}", "malformed_variable", "braces"),
        ("{{visitor.name|{{agent.name}}}}", "malformed_variable", "braces"),
        ("{{ {{visitor.name}} }}", "malformed_variable", "braces"),
        ("{{visitor.name}}" * (MAX_VARIABLES + 1), "too_many_variables", str(MAX_VARIABLES)),
    ],
)
def test_what_would_reach_a_customer_as_braces_is_refused(content, code, named):
    found = problem_with(content)
    assert found is not None
    assert found[0] == code
    assert named in found[1]
    assert len(found[1]) < 500


def test_what_stands_around_a_variable_is_not_taken_for_one():
    assert problem_with("{" + "{{visitor.name}}" + "{") is None


def test_the_names_in_a_text_come_once_in_their_order():
    assert names_in("{{ agent.name }} {{visitor.name|x}} {{agent.name|y}}") == ["agent.name", "visitor.name"]


def test_the_words_that_are_always_there():
    assert without_variables("Hi{{visitor.name|there}}friend").split() == ["Hi", "friend"]


def test_every_variable_can_be_given_a_value():
    assert [field.alias for field in Values.model_fields.values()] == list(VARIABLES)
    given = dict.fromkeys(VARIABLES, "x") | {"conversation.number": 7}
    values = RenderCannedResponse.model_validate({"variables": given}).values()
    assert fill_in("".join("{{" + name + "}}" for name in VARIABLES), values).content == "xxx7x"


@pytest.mark.parametrize("text", ["{{" + " " * 9990, "{{" * 5000, "{{visitor.name|" * 600, "{" * 10_000, "{{|" * 3000])
def test_a_hostile_text_takes_as_long_as_any_other(text):
    """A hundred times the longest there is: a pattern that takes quadratic time would not come to an end."""
    assert problem_with(text * 100) is not None
    assert fill_in(text * 100, {}).content
