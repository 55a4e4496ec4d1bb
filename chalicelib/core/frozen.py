"""Frozen dataclasses that are cheap to define: a cold start defines a hundred of them."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, dataclass_transform

Defined = TypeVar("Defined")

_METHODS = {"__repr__", "__eq__", "__hash__"}


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(defined: type[Defined]) -> type[Defined]:
    """Make a dataclass of a class whose objects are shown and compared by their fields, and never changed.

    The standard `@dataclass(frozen=True)` compiles six methods for each class, which was a fifth of a cold start. Here
    `__init__` is compiled with the first object, and the others are the same for all. That nobody assigns to a field is
    mypy's to check: it is not checked at run time as well.
    """
    if hasattr(defined, "__dataclass_fields__"):
        raise TypeError(f"{defined.__name__} extends a dataclass: `__init__` would not know its fields")
    written = dict(vars(defined))  # the decorator takes the fields' own settings away
    shared = {name: method for name, method in vars(_ByFields).items() if name in _METHODS - written.keys()}
    for name, method in {**shared, "__init__": _compiling(defined, written)}.items():
        setattr(defined, name, method)
    return dataclass(init=False, repr=False, eq=False)(defined)


def _compiling(defined: type, written: dict[str, Any]) -> Callable[..., None]:
    """Return the `__init__` until the first object is made, which puts the real one in its place."""

    def first(self: object, *args: object, **values: object) -> None:
        names = {*written["__annotations__"], "__annotations__", "__module__", "__post_init__"} & written.keys()
        twin = type(defined.__name__, (), {name: written[name] for name in names})
        made = vars(dataclass(repr=False, eq=False)(twin))["__init__"]
        setattr(defined, "__init__", made)  # noqa: B010 - mypy would not have it
        made(self, *args, **values)

    return first


class _ByFields:
    """What the standard decorator would write out for each class."""

    def __repr__(self: Any) -> str:
        shown = ", ".join(f"{each.name}={getattr(self, each.name)!r}" for each in fields(self) if each.repr)
        return f"{type(self).__qualname__}({shown})"

    def __eq__(self: Any, other: object) -> bool:
        compared = [each.name for each in fields(self) if each.compare]
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in compared)

    def __hash__(self: Any) -> int:
        hashed = [each.name for each in fields(self) if (each.compare if each.hash is None else each.hash)]
        return hash(tuple(getattr(self, name) for name in hashed))
