"""Pydantic models as OpenAPI 3.1 component schemas, named as callers would name them."""

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from chalicelib.core.errors import TYPES_BY_STATUS
from chalicelib.core.http.pages import Pagination
from chalicelib.core.http.route import Route

Json = dict[str, Any]  # a piece of the document, which is free JSON to us
Model = type[BaseModel]

PREFIX = "#/components/schemas/"
_INNER_SUFFIX = "Out"  # EventOut shows the entity Event: callers need not know that there are two


class _Generator(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401, ARG002 - pydantic's signature
        return False  # a title made from the name says nothing new, and there are thousands


class Schemas:
    """The component schemas of all models that routes take or answer."""

    def __init__(self, routes: Iterable[Route]) -> None:
        routes = list(routes)
        taken = {model for route in routes for model in (route.body, route.query) if model}
        shown: set[Model] = {Pagination}
        for route in routes:
            shown |= {model for model in (route.answer, *route.also.values()) if model}
        wanted: list[tuple[Model, Literal["validation", "serialization"]]] = []
        wanted += [(model, "validation") for model in sorted(taken, key=_full_name)]
        wanted += [(model, "serialization") for model in sorted(shown, key=_full_name)]
        found, definitions = models_json_schema(wanted, ref_template=PREFIX + "{model}", schema_generator=_Generator)
        components: Json = definitions.get("$defs", {})
        renamed = _short_names(components)
        self._refs = {
            (model, mode): {"$ref": _renamed_ref(schema["$ref"], renamed)} for (model, mode), schema in found.items()
        }
        self.components: Json = {renamed[name]: _rename(schema, renamed) for name, schema in components.items()}
        for schema in self.components.values():
            schema.pop("title", None)
        for model in shown:
            self._mark_secrets(model)
        self._parameters: dict[Model, Json] = {
            route.query: self.components[self.name(route.query, "validation")] for route in routes if route.query
        }
        for route in routes:
            if route.query:  # its fields become parameters
                self.components.pop(self.name(route.query, "validation"), None)
        self.components["Error"] = error_schema()

    def taken(self, model: Model) -> Json:
        """Return the reference to a request's model."""
        return self._refs[model, "validation"]

    def shown(self, model: Model) -> Json:
        """Return the reference to an answer's model."""
        return self._refs[model, "serialization"]

    def name(self, model: Model, mode: Literal["validation", "serialization"]) -> str:
        """Return a model's name among the components."""
        ref: str = self._refs[model, mode]["$ref"]
        return ref.removeprefix(PREFIX)

    def query(self, model: Model) -> Json:
        """Return the schema whose properties are the query's parameters."""
        schema: Json = self._parameters[model]
        return schema

    def page_of(self, model: Model) -> Json:
        """Return the reference to the envelope of a list, adding it to the components."""
        name = f"{self.name(model, 'serialization')}Page"
        self.components[name] = {
            "type": "object",
            "description": "One page of the list.",
            "required": ["data", "pagination"],
            "properties": {"data": {"type": "array", "items": self.shown(model)}, "pagination": self.shown(Pagination)},
        }
        return {"$ref": PREFIX + name}

    def _mark_secrets(self, model: Model) -> None:
        properties = self.components[self.name(model, "serialization")].get("properties", {})
        for name in getattr(model, "shown_once", ()):
            said = properties[name].get("description", "")
            properties[name]["description"] = f"{said} Shown in this answer only: null when it is replayed.".strip()


def error_schema() -> Json:
    """Return the schema of the one error envelope."""
    text: Json = {"type": "string"}
    param: Json = {"type": ["string", "null"], "description": "The field or header at fault, in dots."}
    field_error: Json = {
        "type": "object",
        "required": ["param", "code", "message"],
        "properties": {"param": text, "code": text, "message": text},
    }
    error: Json = {
        "type": "object",
        "required": ["type", "code", "message", "param", "doc_url", "request_id", "errors"],
        "properties": {
            "type": {"enum": sorted({*TYPES_BY_STATUS.values(), "api_error", "invalid_request_error"})},
            "code": text | {"description": "Stable: decide by this, not by the message."},
            "message": text | {"description": "For a person: what is wrong and what to do."},
            "param": param,
            "doc_url": text | {"format": "uri-reference", "description": "Where this code is explained."},
            "request_id": text | {"description": "The same as X-Request-Id. Quote it when asking for help."},
            "errors": {"type": "array", "items": field_error, "description": "Every bad field of a 422."},
            "base_url": text | {"format": "uri", "description": "Of a 421: where the request belongs."},
        },
    }
    return {
        "type": "object",
        "description": "What every refusal looks like.",
        "required": ["error"],
        "properties": {"error": error},
    }


def _full_name(model: Model) -> str:
    return f"{model.__module__}.{model.__qualname__}"


def _short_names(components: Json) -> dict[str, str]:
    names = {}
    for name in components:
        short = name.removesuffix(_INNER_SUFFIX)
        names[name] = short if short and short not in components else name
    return names


def _renamed_ref(ref: str, names: dict[str, str]) -> str:
    name = ref.removeprefix(PREFIX)
    return PREFIX + names.get(name, name)


def _rename(node: Any, names: dict[str, str]) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(node, list):
        return [_rename(each, names) for each in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _renamed_ref(value, names) if key == "$ref" and isinstance(value, str) else _rename(value, names)
        for key, value in node.items()
        if (key, value) != ("default", None)  # says no more than that the field may be left out
    }
