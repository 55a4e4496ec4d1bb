"""Rows that earlier releases wrote, read and rewritten in the layout of this one.

A row without the attribute `lv` has its kind's first layout, as all have until a kind gets a second: nothing is stored,
asked or compared for that. How to bring out a new layout: docs/upgrading.md.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from chalicelib.core import dynamodb, log
from chalicelib.core.dynamodb import Key
from chalicelib.core.errors import ContentionError, UnavailableError
from chalicelib.core.frozen import frozen
from chalicelib.core.items import Expression, Item, from_attributes

ATTRIBUTE = "lv"  # of a row: its layout, unless that is the first


class NewerRowError(UnavailableError):
    """A row has a layout that this release doesn't know: a newer one is being deployed. Try again."""


@frozen
class Layout:
    """How a kind of row has changed. `pk` and `sk` are as in docs/data-model.md: `T#conv_…`, `meta`; `…` ends a prefix.

    The n-th of `steps` makes layout n + 1 of layout n: a pure function that returns a new item. `writes` is the layout
    that this release writes: the newest, unless the release before does not read that yet.
    """

    pk: str
    sk: str
    steps: Sequence[Callable[[Item], Item]]
    writes: int

    @property
    def newest(self) -> int:
        """The layout in which rows are read."""
        return len(self.steps) + 1

    @property
    def name(self) -> str:
        """What operators know it by."""
        return f"{self.pk} {self.sk}"

    def has(self, pk: str, sk: str) -> bool:
        """Tell whether a row is of this kind."""
        scope, _, rest = pk.partition("#")
        return _fits(self.sk, sk) and _fits(self.pk, f"{'T' if scope.startswith('tn_') else scope}#{rest}")


_layouts: list[Layout] = []


def register(layout: Layout) -> None:
    """Make a kind's layouts known. Called from app.py: whichever function meets a row has to know."""
    if not 1 <= layout.writes <= layout.newest:
        raise ValueError(f"{layout.name}: what is written must be read")
    if layout.name in {each.name for each in _layouts}:
        raise ValueError(f"{layout.name} is registered")
    _layouts.append(layout)


def unregister(layout: Layout) -> None:
    """Forget a kind's layouts. For tests."""
    _layouts.remove(layout)


def registered() -> list[Layout]:
    """Return the kinds that have more than one layout."""
    return list(_layouts)


def layout_of(key: Key) -> Layout | None:
    """Return the layouts of a row's kind, if it has more than one."""
    return next((each for each in _layouts if each.has(*key)), None)


def read(item: Item) -> Item:
    """Return a whole row in its kind's newest layout. Raises NewerRowError."""
    if not _layouts and ATTRIBUTE not in item:
        return item
    layout = layout_of(Key(item["pk"], item["sk"]))
    return _brought_to(layout.newest if layout else 1, layout, item)


def stamp(key: Key) -> dict[str, int | None]:
    """Return the attribute that tells the layout of a row which is written; None, and so none, for the first."""
    layout = layout_of(key)
    return {ATTRIBUTE: layout.writes if layout.writes > 1 else None} if layout else {}


def requirement(key: Key, expression: Expression) -> str | None:
    """Return the condition that a row, if it is there, has the layout of what is about to change it."""
    layout = layout_of(key)
    if layout is None:
        return None
    if layout.writes == 1:
        return f"attribute_not_exists({expression.name(ATTRIBUTE)})"
    is_current = f"{expression.name(ATTRIBUTE)} = {expression.value(layout.writes)}"
    return f"(attribute_not_exists({expression.name('pk')}) OR {is_current})"


def catch_up(keys: Iterable[Key]) -> bool:
    """Bring rows that a condition failed on to the layout that is written; tell whether that may have been why.

    It may even where nothing is to do any more: others are as fast. One read for each row of a kind that has several
    layouts, and one write if it is old. Raises NewerRowError.
    """
    several = [key for key in keys if layout_of(key)]
    for key in several:
        rewrite(key)
    return bool(several)


def is_old(item: Item | None) -> bool:
    """Tell whether a row, as it is stored, has an earlier layout than is written. Raises NewerRowError."""
    layout = item and layout_of(Key(item["pk"], item["sk"]))
    if not item or not layout:
        return False
    if item.get(ATTRIBUTE, 1) > layout.writes:
        raise _newer(item, layout.writes)
    return bool(item.get(ATTRIBUTE, 1) < layout.writes)


def rewrite(key: Key, stored: Item | None = None) -> float:
    """Bring a row to the layout that is written, for as long as it is as it was read: `stored`, or now.

    Returns the write units used: none where nothing was to do. Raises ContentionError when others were always faster.
    """
    for attempt in range(dynamodb.MAX_ATTEMPTS):
        item = stored or _get(key)
        if not item or not is_old(item):
            return 0.0
        if answer := dynamodb.update_if(_rewriting(key, item)):
            return float(answer["ConsumedCapacity"]["CapacityUnits"])
        stored = None
        dynamodb.pause(attempt)
    raise ContentionError


def _rewriting(key: Key, item: Item) -> dict[str, Any]:
    """Return the update: only what differs is written, and every attribute that was read is compared."""
    layout = layout_of(key)
    assert layout  # noqa: S101 - for mypy: the row is old, so it has one
    after = _brought_to(layout.writes, layout, item) | {ATTRIBUTE: layout.writes}
    changed = {name: after.get(name) for name in {*item, *after} if item.get(name) != after.get(name)}
    as_read = item | dict.fromkeys(after.keys() - item.keys())
    del as_read["pk"], as_read["sk"]
    expression = Expression()
    update = expression.update(changed, {}, {})
    condition = expression.condition(as_read, {}, exists=True)
    params = {"Key": key.wire, "UpdateExpression": update, "ConditionExpression": condition}
    return params | expression.params() | {"ReturnConsumedCapacity": "TOTAL"}


def _brought_to(version: int, layout: Layout | None, item: Item) -> Item:
    has = item.get(ATTRIBUTE, 1)
    if has > version:
        raise _newer(item, version)
    item = {name: value for name, value in item.items() if name != ATTRIBUTE}
    for step in layout.steps[has - 1 : version - 1] if layout else ():
        item = step(item)
    return item


def _newer(item: Item, known: int) -> NewerRowError:
    log.warning("row_is_newer", pk=item["pk"].partition("#")[0], layout=item[ATTRIBUTE], known=known)
    return NewerRowError()


def _get(key: Key) -> Item | None:
    answer = dynamodb.call("get_item", {"Key": key.wire, "ConsistentRead": True})
    return from_attributes(answer["Item"]) if "Item" in answer else None


def _fits(pattern: str, value: str) -> bool:
    return value.startswith(pattern[:-1]) if pattern.endswith("…") else value == pattern
