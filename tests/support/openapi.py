"""Checks every answer the tests see against the API's own OpenAPI document."""

import copy
import json
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

Json = dict[str, Any]

_URI = "urn:parley"
_making = threading.Lock()
ERRORS_PAGE = Path(__file__).resolve().parents[2] / "docs" / "errors.md"


class UndeclaredAnswerError(AssertionError):
    """An answer the document does not declare: a status, a header, a content type, or a body of another shape."""


@dataclass
class ResponseCheck:
    """The document, strictly read: a field that a schema does not name is an error."""

    document: Json
    seen: set[tuple[str, int]] = field(default_factory=set)  # operations and statuses that were checked

    def __post_init__(self) -> None:
        self._strict = _closed(copy.deepcopy(self.document))
        resource = Resource.from_contents(self._strict, default_specification=DRAFT202012)
        self._registry: Registry[Any] = Registry().with_resource(_URI, resource)
        self._validators: dict[str, Draft202012Validator] = {}
        self._paths = _patterns(tuple(self._strict["paths"]))

    def __call__(self, method: str, path: str, status: int, headers: Mapping[str, str], body: str) -> None:
        """Raise UndeclaredAnswerError unless the document declares the answer. `path` has no query."""
        if not headers:  # the client's stand-in for API Gateway's own refusals, which no operation made
            return
        found = self._operation(method, path)
        if found is None:
            raise UndeclaredAnswerError(f"{method} {path} is no operation of the document")
        template, operation = found
        where = f"{method} {template} {status}"
        answer, pointer = self._answer(where, template, method, operation, status)
        self.seen.add((operation["operationId"], status))
        self._headers(where, answer, headers)
        self._body(where, answer, pointer, headers, body)

    def _operation(self, method: str, path: str) -> tuple[str, Json] | None:
        for template, pattern in self._paths:
            if pattern.fullmatch(path) and method.lower() in self._strict["paths"][template]:
                return template, self._strict["paths"][template][method.lower()]
        return None

    def _answer(self, where: str, template: str, method: str, operation: Json, status: int) -> tuple[Json, str]:
        declared = operation["responses"].get(str(status))  # `default` is for clients: here it would allow anything
        if declared is None:
            raise UndeclaredAnswerError(f"{where}: declared are {', '.join(operation['responses'])}")
        if "$ref" in declared:
            pointer = declared["$ref"].removeprefix("#")
            return self._strict["components"]["responses"][pointer.rpartition("/")[2]], pointer
        path = template.replace("~", "~0").replace("/", "~1")
        return declared, f"/paths/{path}/{method.lower()}/responses/{status}"

    def _headers(self, where: str, answer: Json, headers: Mapping[str, str]) -> None:
        sent = {name.lower(): value for name, value in headers.items()}
        if not sent.get("x-request-id"):
            raise UndeclaredAnswerError(f"{where}: no X-Request-Id")
        declared = {name.lower() for name in answer.get("headers", ())}
        documented = {name.lower() for name in self._strict["components"]["headers"]}
        if undeclared := (documented & sent.keys()) - declared:
            raise UndeclaredAnswerError(f"{where}: undeclared headers {sorted(undeclared)}")

    def _body(self, where: str, answer: Json, pointer: str, headers: Mapping[str, str], body: str) -> None:
        content = answer.get("content")
        if not content:
            if body:
                raise UndeclaredAnswerError(f"{where}: has a body, and none is declared")
            return
        kind = {name.lower(): value for name, value in headers.items()}.get("content-type", "").split(";")[0]
        if kind not in content:
            raise UndeclaredAnswerError(f"{where}: {kind or 'no content type'}; declared are {', '.join(content)}")
        if kind != "application/json":
            return
        value = json.loads(body)
        if "error" in value and "examples" in content[kind] and value["error"]["code"] not in content[kind]["examples"]:
            raise UndeclaredAnswerError(f"{where}: undeclared code {value['error']['code']}")
        codes = {each["code"] for each in value["error"]["errors"]} if "error" in value else set()
        if unexplained := codes - explained_codes():
            raise UndeclaredAnswerError(f"{where}: docs/errors.md lacks {', '.join(sorted(unexplained))}")
        validator = self._validator(f"{pointer}/content/{kind.replace('/', '~1')}/schema")
        if errors := [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]:
            raise UndeclaredAnswerError(f"{where}: {'; '.join(errors)}")

    def _validator(self, pointer: str) -> Draft202012Validator:
        if pointer not in self._validators:
            self._validators[pointer] = Draft202012Validator(
                {"$ref": f"{_URI}#{pointer.replace('{', '%7B').replace('}', '%7D')}"},
                registry=self._registry,
                format_checker=FormatChecker(),
            )
        return self._validators[pointer]


def declared(method: str, path: str, status: int, headers: Mapping[str, str], body: str) -> None:
    """Raise UndeclaredAnswerError unless the product's document declares this answer."""
    with _making:  # a test may begin with many requests at once
        check = product_check()
    check(method, path, status, headers, body)


@lru_cache(maxsize=1)
def product_check() -> ResponseCheck:
    """Return the check of the product's own document, made at the first answer."""
    return ResponseCheck(document())


@lru_cache(maxsize=1)
def explained_codes() -> frozenset[str]:
    """Return every code that `docs/errors.md` explains."""
    return frozenset(re.findall(r"`(\w+)`", ERRORS_PAGE.read_text()))


def document() -> Json:
    """Return the product's OpenAPI document."""
    from app import APIS
    from chalicelib.health.description import describe

    return describe(tuple(route for api in APIS for route in api.routes))


def schema_errors(document: Json, schema: Json, value: object) -> list[str]:
    """Return what is wrong with a value under a schema of the document, formats included."""
    registry: Registry[Any] = Registry().with_resource(
        _URI, Resource.from_contents(document, default_specification=DRAFT202012)
    )
    absolute = json.loads(json.dumps(schema).replace('"$ref": "#/', f'"$ref": "{_URI}#/'))
    validator = Draft202012Validator(absolute, registry=registry, format_checker=FormatChecker())
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def _closed(node: Any) -> Any:
    """Close every object schema that does not say what else it may hold; examples are left alone."""
    if isinstance(node, list):
        return [_closed(each) for each in node]
    if not isinstance(node, dict):
        return node
    closed = {key: value if key in {"example", "examples"} else _closed(value) for key, value in node.items()}
    if node.get("type") == "object" and isinstance(node.get("properties"), dict):
        closed.setdefault("additionalProperties", False)
    return closed


def _patterns(templates: Sequence[str]) -> list[tuple[str, re.Pattern[str]]]:
    # Fixed parts before variables, as API Gateway matches.
    ordered = sorted(templates, key=lambda template: [part.startswith("{") for part in template.split("/")])
    return [(each, re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(each)))) for each in ordered]
