"""Example values from JSON Schema: what a model says itself, else a sample that fits, else the plainest value."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.core.http.openapi_schemas import PREFIX, Json

_DEEPEST = 6  # a model that contains itself must end somewhere
_OPTIONAL_FIELDS = 3  # how many optional fields an example request shows
_FORMATS = {
    "date": "2026-01-15",
    "date-time": "2026-01-15T09:30:00Z",
    "email": "ana@example.com",
    "ipv4": "203.0.113.7",
    "uri": "https://example.com/",
    "uuid": "0b0c9a52-8a3e-4b6f-9d6c-4f6f3e1a2b3c",
}
_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
    "null": type(None),
}


class Examples:
    """Makes examples; `samples` are believable values by field name, or by the end of a model's name and field."""

    def __init__(self, components: Mapping[str, Json], samples: Mapping[str, Any]) -> None:
        self._components, self._samples = components, samples

    def request(self, ref: Json) -> Any:  # noqa: ANN401 - any JSON value
        """Return an example body: required fields and a few optional ones."""
        schema, owner = self._resolve(ref, "")
        if schema.get("examples"):
            return schema["examples"][0]
        properties, required = schema.get("properties", {}), schema.get("required", [])
        shown = [*required, *[name for name in properties if name not in required][:_OPTIONAL_FIELDS]]
        return {name: self.of(properties[name], name, owner) for name in properties if name in shown}

    def of(self, schema: Json, name: str = "", owner: str = "", depth: int = 0) -> Any:  # noqa: ANN401
        """Return an example of a schema; `name` and `owner` say which field of which model it is."""
        given = schema.get("examples") or [schema[key] for key in ("const",) if key in schema]
        if given:
            return given[0]
        for sample in self._samples_of(name, owner):
            if self._fits(schema, sample):
                return sample
        if "$ref" in schema:
            target, owner = self._resolve(schema, owner)
            return self.of(target, "", owner, depth)
        if "enum" in schema:
            return schema["enum"][0]
        for option in schema.get("anyOf") or schema.get("oneOf") or ():
            return self.of(option, name, owner, depth)
        return self._plain(schema, name, owner, depth)

    def _samples_of(self, name: str, owner: str) -> Iterator[Any]:
        words = re.findall(r"[A-Z][a-z0-9]*", owner)  # CreateWidget.name may take Widget.name's
        for key in (*(f"{''.join(words[start:])}.{name}" for start in range(len(words))), name):
            if key in self._samples:
                yield self._samples[key]

    def _plain(self, schema: Json, name: str, owner: str, depth: int) -> Any:  # noqa: ANN401
        kind = schema.get("type", "object")
        kind = kind[0] if isinstance(kind, list) else kind
        if kind == "object":
            return {} if depth > _DEEPEST else self._object(schema, owner, depth)
        if kind == "array":
            item = schema.get("items", {})
            wanted = max(1, schema.get("minItems", 0))
            return [] if depth > _DEEPEST else [self.of(item, name, owner, depth + 1)] * wanted
        if kind in {"integer", "number"}:
            return schema.get("default") or schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1) or 1
        if kind == "boolean":
            return schema.get("default", False)
        return None if kind == "null" else _text(schema)

    def _object(self, schema: Json, owner: str, depth: int) -> Json:
        found = {name: self.of(each, name, owner, depth + 1) for name, each in schema.get("properties", {}).items()}
        free = schema.get("additionalProperties")
        if not found and isinstance(free, dict) and free:
            return {"key": self.of(free, "", owner, depth + 1)}
        return found

    def _resolve(self, schema: Json, owner: str) -> tuple[Json, str]:
        if "$ref" not in schema:
            return schema, owner
        name = schema["$ref"].removeprefix(PREFIX)
        return self._components[name], name

    def _fits(self, schema: Json, value: Any) -> bool:  # noqa: ANN401 - any JSON value
        if "$ref" in schema:
            return self._fits(self._resolve(schema, "")[0], value)
        for options in (schema.get("anyOf"), schema.get("oneOf")):
            if options is not None:
                return any(self._fits(option, value) for option in options)
        if "enum" in schema:
            return value in schema["enum"]
        kinds = schema.get("type", [])
        if not any(_is_a(kind, value) for kind in ([kinds] if isinstance(kinds, str) else kinds)):
            return not kinds
        if isinstance(value, list):
            return all(self._fits(schema.get("items", {}), each) for each in value)
        if isinstance(value, dict) and "properties" in schema:
            return False  # built from its fields' own samples
        return _in_bounds(schema, value)


def _is_a(kind: str, value: object) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES[kind])


def _in_bounds(schema: Json, value: object) -> bool:
    if isinstance(value, str):
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
            return False
        return "pattern" not in schema or re.search(schema["pattern"], value) is not None
    if isinstance(value, int | float):
        return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
    return True


def _text(schema: Json) -> str:
    candidates = [_FORMATS.get(schema.get("format", ""), "text"), "text", "a", "example.com", "1", "x" * 32]
    if isinstance(schema.get("default"), str):
        candidates.insert(0, schema["default"])
    shortest = "x" * schema.get("minLength", 1)
    return next((each for each in candidates if _in_bounds(schema, each)), shortest)
