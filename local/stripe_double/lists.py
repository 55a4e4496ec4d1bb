"""Lists with cursors, and the objects that `expand` puts in the place of ids."""

from collections.abc import Callable
from typing import Any

from local.stripe_double.account import Account, public
from local.stripe_double.errors import Refused, no_such
from local.stripe_double.forms import Params, Reader, form, integer, text
from local.stripe_double.ledger import Object, copied

MOST = 100
DEEPEST = 4
Matches = Callable[[Object], bool]


def listing(**filters: Reader) -> Reader:
    """Read the parameters of a list."""
    return form(limit=integer, starting_after=text, ending_before=text, **filters)


MOMENT = form(gt=integer, gte=integer, lt=integer, lte=integer)


def moment(node: Any, name: str) -> Params | int:  # noqa: ANN401 - a node of the form
    """A moment, or bounds of one."""
    found: Params | int = MOMENT(node, name) if isinstance(node, dict) else integer(node, name)
    return found


def within(value: int, bounds: Params | int) -> bool:
    if isinstance(bounds, int):
        return value == bounds
    tests = {"gt": int.__gt__, "gte": int.__ge__, "lt": int.__lt__, "lte": int.__le__}
    return all(tests[name](value, bound) for name, bound in bounds.items())


def page(found: list[Object], params: Params, url: str, noun: str) -> Object:
    """Cut a page out of everything that matches, newest first."""
    limit = params.get("limit", 10)
    if not 1 <= limit <= MOST:
        raise Refused(f"Invalid limit: must be between 1 and {MOST}", code="parameter_invalid_integer", param="limit")
    after, before = params.get("starting_after"), params.get("ending_before")
    if after and before:
        raise Refused(
            "You may only specify one of these parameters: starting_after, ending_before.", param="starting_after"
        )
    place = {each["id"]: number for number, each in enumerate(found)}
    if (after or before) and (after or before) not in place:
        raise no_such(noun, after or before or "", "starting_after" if after else "ending_before")
    if before:
        end = place[before]
        start = max(0, end - limit)
        return _list(found[start:end], url, more=start > 0)
    start = place[after] + 1 if after else 0
    return _list(found[start : start + limit], url, more=len(found) > start + limit)


def _list(rows: list[Object], url: str, *, more: bool) -> Object:
    return {"object": "list", "data": [copied(row) for row in rows], "has_more": more, "url": url}


# Where an id may be replaced by what it names; ids say themselves of which kind they are.
_EXPANDABLE = {
    "configuration", "customer", "default_payment_method", "default_price", "invoice", "latest_invoice", "price",
    "product", "subscription", "tiers",
}  # fmt: skip


def expand(account: Account, found: Any, paths: list[str]) -> Any:  # noqa: ANN401 - an object or a list
    """Replace ids by objects along the paths, such as `data.customer` or `latest_invoice`."""
    for path in paths:
        steps = path.split(".")
        if len(steps) > DEEPEST:
            raise Refused(f"You cannot expand more than {DEEPEST} levels of a property.", param="expand")
        _walk(account, found, steps, path)
    return found


def _walk(account: Account, node: Any, steps: list[str], path: str) -> None:  # noqa: ANN401 - as above
    if isinstance(node, list):
        for each in node:
            _walk(account, each, steps, path)
        return
    name, rest = steps[0], steps[1:]
    if not isinstance(node, dict) or (name not in node and name not in _EXPANDABLE):
        raise Refused(f"This property cannot be expanded ({path}).", param="expand")
    if name == "tiers":
        node[name] = public(node.get("_tiers"))
    value = node.get(name)
    if isinstance(value, str):
        target = account.ledger.look(value)
        if name not in _EXPANDABLE or target is None:
            raise Refused(f"This property cannot be expanded ({path}).", param="expand")
        node[name] = copied(target)
    if rest and node.get(name) is not None:
        _walk(account, node[name], rest, path)
