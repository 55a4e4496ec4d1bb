"""JSON as a careful server reads it: no duplicate keys, no NaN or infinity, no NUL, nothing that is not Unicode."""

import json
from typing import Any, NoReturn

from chalicelib.core.errors import InvalidError, MalformedRequestError

MAX_DEPTH = 64  # what comes in must go out again, and rendering stops at 255


def loads(raw: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Parse a request body. Raises MalformedRequestError (400), or InvalidError (422) for text we cannot keep."""
    try:
        text = raw.decode("utf-8")
        value = json.loads(
            text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant, parse_float=_finite, parse_int=_bounded
        )
    except UnicodeDecodeError:
        raise MalformedRequestError("The body is not UTF-8.") from None
    except RecursionError:
        raise _too_deep() from None
    except json.JSONDecodeError as exc:
        raise MalformedRequestError(
            f"The body is not JSON: {exc.msg} at line {exc.lineno} column {exc.colno}."
        ) from None
    if text.count("{") + text.count("[") > MAX_DEPTH:
        _check_depth(value)
    # Only an escape can bring in a NUL or half a surrogate pair, so most bodies are not walked.
    if "\\u" in text or "\x00" in text:
        _check_text(value, "")
    return value


def _check_depth(value: object) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for each in level for inner in _inside(each)]
        if not level:
            return
    raise _too_deep()


def _inside(value: object) -> list[object]:
    found = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [each for each in found if isinstance(each, dict | list)]


def _too_deep() -> MalformedRequestError:
    return MalformedRequestError(f"The body is nested too deeply: {MAX_DEPTH} levels are the limit.")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise MalformedRequestError(f"The name {twice[:80]!r} stands twice in one object.")
    return found


def _no_constant(name: str) -> NoReturn:
    raise MalformedRequestError(f"{name} is not JSON.")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise MalformedRequestError(f"The number {text[:20]} is too large.")
    return number


def _bounded(text: str) -> int:
    if len(text) > 20:
        raise MalformedRequestError(f"The number {text[:20]}… is too large.")
    return int(text)


def _check_text(value: object, path: str) -> None:
    if isinstance(value, str):
        if "\x00" in value or any("\ud800" <= char <= "\udfff" for char in value):
            raise InvalidError.field(path or "body", "The text has a NUL or half a surrogate pair.", "invalid_text")
    elif isinstance(value, dict):
        for name, each in value.items():
            _check_text(name, path)
            _check_text(each, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for number, each in enumerate(value):
            _check_text(each, f"{path}.{number}" if path else str(number))
