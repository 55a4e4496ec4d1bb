"""Kinds of rows that have several layouts for as long as a test goes on, and rows as they are stored."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from chalicelib.core import dynamodb, upgrades
from chalicelib.core.dynamodb import Key
from chalicelib.core.items import Item, from_attributes
from chalicelib.core.upgrades import Layout


def described(item: Item) -> Item:
    """A step that can be seen through the API, and that it was taken once."""
    return item | {"description": item.get("description", "") + "+"}


@contextmanager
def layouts(
    pk: str = "T#team", sk: str = "team_…", *, writes: int = 2, steps: tuple[Callable[[Item], Item], ...] = (described,)
) -> Iterator[Layout]:
    """Let the code know several layouts of a kind: of teams, unless said otherwise."""
    layout = Layout(pk, sk, steps, writes)
    upgrades.register(layout)
    try:
        yield layout
    finally:
        upgrades.unregister(layout)


def stored(pk: str, sk: str) -> dict[str, Any]:
    """Read a row as it is stored, whatever its layout."""
    return from_attributes(dynamodb.call("get_item", {"Key": Key(pk, sk).wire, "ConsistentRead": True})["Item"])
