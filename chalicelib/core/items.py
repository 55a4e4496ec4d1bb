"""DynamoDB's wire format: Python values to attribute values and back, and expressions built from plain mappings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Item = dict[str, Any]  # str, int, bool, bytes, list, dict or set[str] by attribute name; an absent one is None
Attribute = dict[str, Any]


def to_attribute(value: Any) -> Attribute:  # noqa: ANN401 - any storable value
    """Return the attribute value of `value`. Floats are not storable: free JSON is stored as text."""
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int):
        return {"N": str(value)}
    if isinstance(value, bytes):
        return {"B": value}
    if isinstance(value, set | frozenset):
        return {"SS": sorted(value)}
    if isinstance(value, list | tuple):
        return {"L": [to_attribute(each) for each in value]}
    if isinstance(value, dict):
        return {"M": {name: to_attribute(each) for name, each in value.items()}}
    raise TypeError(f"{type(value).__name__} cannot be stored")


def from_attribute(attribute: Attribute) -> Any:  # noqa: ANN401 - any storable value
    """The inverse of `to_attribute`."""
    ((kind, value),) = attribute.items()
    if kind in {"S", "BOOL", "B"}:
        return value
    if kind == "N":
        return int(value)
    if kind == "SS":
        return set(value)
    if kind == "L":
        return [from_attribute(each) for each in value]
    if kind == "M":
        return {name: from_attribute(each) for name, each in value.items()}
    raise TypeError(f"an attribute of kind {kind} was not written by us")


def to_attributes(item: Mapping[str, Any]) -> dict[str, Attribute]:
    """Marshal an item; attributes that are None are left out."""
    return {name: to_attribute(value) for name, value in item.items() if value is not None}


def from_attributes(attributes: Mapping[str, Attribute]) -> Item:
    """Unmarshal an item."""
    return {name: from_attribute(value) for name, value in attributes.items()}


@dataclass
class Expression:
    """Collects the names and values of one request while its expressions are written."""

    names: dict[str, str] = field(default_factory=dict)
    values: dict[str, Attribute] = field(default_factory=dict)

    def name(self, path: str) -> str:
        """Return the placeholder of an attribute, or of a map's entry when `path` has dots."""
        placeholders = []
        for part in path.split("."):
            placeholder = f"#{len(self.names)}"
            self.names[placeholder] = part
            placeholders.append(placeholder)
        return ".".join(placeholders)

    def value(self, value: Any) -> str:  # noqa: ANN401 - any storable value
        """Return the placeholder of a value."""
        placeholder = f":{len(self.values)}"
        self.values[placeholder] = to_attribute(value)
        return placeholder

    def condition(
        self,
        when: Mapping[str, Any],
        at_most: Mapping[str, Any],
        exists: bool | None,
        unless: Mapping[str, Any] | None = None,
    ) -> str | None:
        """Render conditions joined by AND.

        `when` is equality (None: absent), `at_most` is `absent or <=`, `exists` is about the row, `unless` inequality.
        """
        terms = []
        if exists is not None:
            terms.append(f"attribute_{'exists' if exists else 'not_exists'}({self.name('pk')})")
        for path, value in when.items():
            if value is None:
                terms.append(f"attribute_not_exists({self.name(path)})")
            else:
                terms.append(f"{self.name(path)} = {self.value(value)}")
        for path, value in at_most.items():
            terms.append(f"(attribute_not_exists({self.name(path)}) OR {self.name(path)} <= {self.value(value)})")
        terms += [f"{self.name(path)} <> {self.value(value)}" for path, value in (unless or {}).items()]
        return " AND ".join(terms) or None

    def update(self, set_: Mapping[str, Any], add: Mapping[str, int], default: Mapping[str, Any]) -> str:
        """Render an update: `set_` (None removes), `add` to numbers, and `default` where the attribute is absent."""
        sets = [f"{self.name(path)} = {self.value(value)}" for path, value in set_.items() if value is not None]
        for path, value in default.items():
            sets.append(f"{self.name(path)} = if_not_exists({self.name(path)}, {self.value(value)})")
        removes = [self.name(path) for path, value in set_.items() if value is None]
        adds = [f"{self.name(path)} {self.value(value)}" for path, value in add.items()]
        clauses = [("SET", sets), ("REMOVE", removes), ("ADD", adds)]
        return " ".join(f"{verb} {', '.join(terms)}" for verb, terms in clauses if terms)

    def params(self) -> dict[str, Any]:
        """Return the request members for the placeholders used so far."""
        found: dict[str, Any] = {}
        if self.names:
            found["ExpressionAttributeNames"] = self.names
        if self.values:
            found["ExpressionAttributeValues"] = self.values
        return found
