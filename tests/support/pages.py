"""The documentation's pages: their examples, and whether an answer is the one that a page shows."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ANY = "…"  # in a page: something that differs each time, or is left out

_EXAMPLE = re.compile(
    r"^```bash(?P<refused> refused)?\n(?P<commands>.*?)^```\n(?:\n```(?P<kind>json|text)\n(?P<answer>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Example:
    """A block of commands, and right below it what they print, if the page shows that."""

    commands: str
    refused: bool
    kind: str | None  # of the answer: json or text
    answer: str

    def differences(self, printed: str) -> list[str]:
        """Return where what was printed is not what the page shows."""
        if self.kind is None:
            return []
        if self.kind == "text":
            return list(_compared(self.answer.strip(), printed.strip(), "the output"))
        return list(_compared(documents(self.answer), documents(printed), "$"))


def examples(page: Path) -> list[Example]:
    """Return a page's examples from top to bottom."""
    return [
        Example(found["commands"], bool(found["refused"]), found["kind"], found["answer"] or "")
        for found in _EXAMPLE.finditer(page.read_text())
    ]


def documents(text: str) -> list[Any]:
    """Return the JSON values that were printed one after the other."""
    decoder, found = json.JSONDecoder(), []
    while text := text.strip():
        one, end = decoder.raw_decode(text)
        found.append(one)
        text = text[end:]
    return found


def _compared(shown: Any, given: Any, where: str) -> Iterator[str]:
    if shown == ANY:
        return
    if isinstance(shown, dict) and isinstance(given, dict):
        yield from _fields(shown, given, where)
    elif isinstance(shown, list) and isinstance(given, list):
        yield from _items(shown, given, where)
    elif isinstance(shown, str) and isinstance(given, str):
        if not re.fullmatch(".+".join(map(re.escape, shown.split(ANY))), given, re.DOTALL):
            yield f"{where}: {given!r} instead of {shown!r}"
    elif (type(shown), shown) != (type(given), given):
        yield f"{where}: {given!r} instead of {shown!r}"


def _fields(shown: dict[str, Any], given: dict[str, Any], where: str) -> Iterator[str]:
    for name in shown.keys() - given.keys() - {ANY}:
        yield f"{where}.{name} is not there"
    if ANY not in shown:
        for name in given.keys() - shown.keys():
            yield f"{where}.{name} is not on the page"
    for name in shown.keys() & given.keys():
        yield from _compared(shown[name], given[name], f"{where}.{name}")


def _items(shown: list[Any], given: list[Any], where: str) -> Iterator[str]:
    more = bool(shown) and shown[-1] == ANY
    wanted = shown[:-1] if more else shown
    if len(given) < len(wanted) or (len(given) > len(wanted) and not more):
        yield f"{where} has {len(given)} instead of {len(wanted)}{' or more' if more else ''}"
    for number, (one, other) in enumerate(zip(wanted, given, strict=False)):
        yield from _compared(one, other, f"{where}[{number}]")
