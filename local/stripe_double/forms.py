"""Stripe's form encoding, `items[0][price]=…`, and reading it as typed parameters with Stripe's own refusals."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from local.stripe_double.errors import Refused

Node = str | dict[str, Any]
Reader = Callable[[Node, str], Any]  # a value and its full name, to what it means
Params = dict[str, Any]

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
LARGEST = 999_999_999_999


def parse(text: str) -> dict[str, Node]:
    """Turn a query or a body into a tree; lists have the keys "0", "1" …"""
    tree: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        found = _NAME.fullmatch(name)
        if found is None:
            raise Refused(f"Invalid parameter name: {name}", param=name)
        path = [found[1], *re.findall(r"\[([^\[\]]*)\]", found[2])]
        node = tree
        for step, key in enumerate(path):
            place = key or str(len(node))
            if step == len(path) - 1:
                node[place] = value
            else:
                node = node.setdefault(place, {})
                if not isinstance(node, dict):
                    raise Refused(f"Invalid object: {name}", param=name)
    return tree


def form(required: Mapping[str, Reader] | None = None, /, **optional: Reader) -> Reader:
    """An object with these fields; any other is an error, and `expand` is always known."""
    needed = required or {}
    known = {**needed, **optional, "expand": many(text)}

    def read(node: Node, name: str) -> Params:
        if not isinstance(node, dict):
            raise Refused("Invalid object", param=name)
        for key in node:
            if key not in known:
                full = _within(name, key)
                raise Refused(f"Received unknown parameter: {full}", code="parameter_unknown", param=full)
        for key in needed:
            if key not in node:
                full = _within(name, key)
                raise Refused(f"Missing required param: {full}.", code="parameter_missing", param=full)
            if node[key] == "":
                full = _within(name, key)
                raise Refused(
                    f"You passed an empty string for '{full}'. We assume empty values are an attempt to unset a"
                    f" parameter; however '{full}' cannot be unset.",
                    code="parameter_invalid_empty",
                    param=full,
                )
        return {key: known[key](value, _within(name, key)) for key, value in node.items()}

    return read


def text(node: Node, name: str) -> str | None:
    """A string; None for an empty one, which unsets."""
    if not isinstance(node, str):
        raise Refused(f"Invalid string: {name}", param=name)
    return node or None


def integer(node: Node, name: str) -> int:
    """A whole number, zero or more."""
    if not isinstance(node, str) or not re.fullmatch(r"-?\d{1,12}", node):
        raise Refused(f"Invalid integer: {node}", code="parameter_invalid_integer", param=name)
    if int(node) < 0:
        raise Refused("This value must be greater than or equal to 0.", code="parameter_invalid_integer", param=name)
    return int(node)


def boolean(node: Node, name: str) -> bool:
    if node not in {"true", "false"}:
        raise Refused(f"Invalid boolean: {node}", param=name)
    return node == "true"


def decimal(node: Node, name: str) -> str:
    """An amount in cents with at most 12 decimal places, kept as text as Stripe does."""
    if not isinstance(node, str) or not re.fullmatch(r"\d{1,12}(\.\d{1,12})?", node):
        raise Refused(f"Invalid decimal: {node}", param=name)
    return node


def choice(*allowed: str) -> Reader:
    def read(node: Node, name: str) -> str:
        if node not in allowed:
            last = f" or {allowed[-1]}" if len(allowed) > 1 else ""
            listed = ", ".join(allowed[: -1 if last else None]) + last
            raise Refused(f"Invalid {name}: must be one of {listed}", param=name)
        return str(node)

    return read


def either(word: str, other: Reader) -> Reader:
    """That word, or what `other` reads."""
    return lambda node, name: word if node == word else other(node, name)


def unsettable(other: Reader) -> Reader:
    """None for an empty string, or what `other` reads."""
    return lambda node, name: None if node == "" else other(node, name)


def many(each: Reader) -> Reader:
    """A list."""

    def read(node: Node, name: str) -> list[Any]:
        if node == "":
            return []
        if not isinstance(node, dict) or not all(key.isdigit() for key in node):
            raise Refused("Invalid array", param=name)
        ordered = sorted(node, key=int)
        return [each(node[key], _within(name, key)) for key in ordered]

    return read


def metadata(node: Node, name: str) -> dict[str, str]:
    """Up to 50 keys; an empty value removes its key, and an empty string all of them (told by the key "")."""
    if node == "":
        return {"": ""}
    if not isinstance(node, dict) or not all(isinstance(value, str) for value in node.values()):
        raise Refused("Metadata must be a set of key-value pairs", param=name)
    for key, value in node.items():
        if len(key) > 40:
            raise Refused("Metadata keys can be at most 40 characters long", param=name)
        if len(value) > 500:
            raise Refused("Metadata values can be at most 500 characters long", param=_within(name, key))
    return dict(node)


def anything(node: Node, _name: str) -> Node:
    """What changes nothing here: looks of the hosted pages, say."""
    return node


def merged(known: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Metadata after an update."""
    if "" in given:
        return {}
    return {key: value for key, value in {**known, **given}.items() if value != ""}


def _within(name: str, key: str) -> str:
    return f"{name}[{key}]" if name else key
