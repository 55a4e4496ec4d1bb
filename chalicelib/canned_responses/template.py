"""Variables in a text: `{{visitor.name}}`, or `{{visitor.name|there}}` with what stands there when it is not known."""

import re
from collections.abc import Mapping

from chalicelib.core.frozen import frozen

VARIABLES = ("visitor.name", "visitor.email", "agent.name", "conversation.number", "tenant.name")
MAX_VARIABLES = 50  # in one text: what it becomes stays a few times its length

# No blanks in the pattern: two ways to match one blank would make a long run of them take quadratic time.
_VARIABLE = re.compile(r"\{\{([^{}|]*)(?:\|([^{}]*))?\}\}")
_NOT_IN_TEXT = "\x00"  # requests with a NUL are refused


@frozen
class Rendered:
    """A text with its variables filled in; `missing` are those that had neither value nor default."""

    content: str
    missing: list[str]


def names_in(content: str) -> list[str]:
    """Return the names that a text uses, each once, known or not, in the order of their first use."""
    return list(dict.fromkeys(found[1].strip() for found in _VARIABLE.finditer(content)))


def without_variables(content: str) -> str:
    """Return the words of a text that are always there."""
    return _VARIABLE.sub(" ", content)


def problem_with(content: str) -> tuple[str, str] | None:
    """Return the code and the message of what is wrong with a text's variables, or None."""
    # Not removed but replaced: what stood on both sides must not become a `{{` of its own.
    if "{{" in _VARIABLE.sub(_NOT_IN_TEXT, content):
        return "malformed_variable", (
            "`{{` begins a variable, which ends with `}}` and has no braces inside, as in {{visitor.name|there}}."
        )
    if unknown := [name for name in names_in(content) if name not in VARIABLES]:
        shown = ", ".join("{{" + _cut(name) + "}}" for name in unknown[:5])
        return "unknown_variable", f"There is no variable {shown}. There are: {', '.join(VARIABLES)}."
    if len(_VARIABLE.findall(content)) > MAX_VARIABLES:
        return "too_many_variables", f"A text has at most {MAX_VARIABLES} variables."
    return None


def fill_in(content: str, values: Mapping[str, str | None]) -> Rendered:
    """Put values in the place of variables, as they are: a value that looks like a variable stays what it is.

    A value that is None or blank is not known: the default stands in for it, or nothing, and then it is missing.
    """
    missing: dict[str, None] = {}

    def value_of(found: re.Match[str]) -> str:
        name, default = found[1].strip(), found[2]
        value = values.get(name)
        if value is not None and value.strip():
            return value
        if default is None:
            missing[name] = None
            return ""
        return default.strip()

    return Rendered(_VARIABLE.sub(value_of, content), list(missing))


def _cut(name: str) -> str:
    return name if len(name) <= 50 else name[:50] + "…"
