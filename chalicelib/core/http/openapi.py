"""The API's OpenAPI 3.1 document, made from the routes themselves; imported at first use, so no cold start pays."""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chalicelib.core.errors import type_of
from chalicelib.core.http.openapi_errors import Problem, catalogue, problems_of
from chalicelib.core.http.openapi_examples import Examples
from chalicelib.core.http.openapi_operations import (
    headers,
    parameters,
    security,
    security_schemes,
    shared_headers,
    shared_parameters,
)
from chalicelib.core.http.openapi_schemas import PREFIX, Json, Schemas
from chalicelib.core.http.route import Route
from chalicelib.core.http.schema import Request

JSON = "application/json"
_SUCCESS = {200: "Done.", 201: "Created.", 202: "Accepted.", 204: "Done; there is no body.", 304: "Not modified."}
_FORM = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {"file": {"type": "string", "format": "binary"}},
            }
        }
    },
}
_SAMPLE_REQUEST_ID = "01JB3D2N6T8V4W5X7Y9Z0A1B2C"


def openapi(
    routes: Sequence[Route], api_url: str, *, version: str, description: str, samples: Mapping[str, Any]
) -> Json:
    """Return the document. `samples` are believable example values by field name."""
    return _Document(routes, api_url, samples).build(version, description)


class _Document:
    def __init__(self, routes: Sequence[Route], api_url: str, samples: Mapping[str, Any]) -> None:
        self.routes, self.api_url = routes, api_url
        self.schemas = Schemas(routes)
        self.samples = samples
        for route in routes:
            if route.paged and route.answer:
                self.schemas.page_of(route.answer)
        self.examples = Examples(self.schemas.components, samples)
        self.responses: Json = {}
        # What can be changed under If-Match has a version, which every answer with one such object shows as ETag.
        self.changeable = {route.answer for route in routes if route.answer and route.reads_if_match}

    def build(self, version: str, description: str) -> Json:
        """Put the document together."""
        paths: Json = {}
        for route in self.routes:
            paths.setdefault(route.path, {})[route.method.lower()] = self._operation(route)
        problems = catalogue()
        return {
            "openapi": "3.1.0",
            "info": {
                "title": "Parley API",
                "version": version,
                "description": description,
                "license": {"name": "MIT", "identifier": "MIT"},
            },
            "servers": [{"url": self.api_url}],
            "tags": [{"name": tag} for tag in dict.fromkeys(route.tag for route in self.routes)],
            "paths": paths,
            "components": {
                "schemas": dict(sorted(self.schemas.components.items())),
                "responses": dict(sorted(self.responses.items())),
                "parameters": shared_parameters(),
                "headers": shared_headers(),
                "examples": {f"error_{problem.code}": self._error_example(problem) for problem in problems},
                "securitySchemes": security_schemes(),
            },
            "x-errors": [
                {"code": each.code, "status": each.status, "message": each.message, "note": each.note}
                for each in problems
            ],
        }

    def _operation(self, route: Route) -> Json:
        summary, description = _words(route)
        operation: Json = {"operationId": route.view.__name__, "summary": summary, "tags": [route.tag]}
        if description:
            operation["description"] = description
        if found := parameters(route, self.schemas, self.examples):
            operation["parameters"] = found
        if route.body is not None:
            operation["requestBody"] = self._body(route.body)
        if route.upload:
            operation["requestBody"] = _FORM
        operation["responses"] = self._success(route) | self._refusals(route)
        operation["security"] = security(route)
        if "user" in route.kinds and route.tenant:
            operation["x-minimum-role"] = route.role.label
        if "api_key" in route.kinds and route.scope:
            operation["x-required-scope"] = route.scope
        return operation

    def _body(self, model: type[Request]) -> Json:
        ref = self.schemas.taken(model)
        required = bool(self.schemas.components[ref["$ref"].removeprefix(PREFIX)].get("required"))
        return {"required": required, "content": {JSON: {"schema": ref, "example": self.examples.request(ref)}}}

    def _success(self, route: Route) -> Json:
        versioned = self._versioned(route)
        found: Json = {str(route.status): self._answer(route, route.status, versioned=versioned)}
        for status, model in route.also.items():
            more = ["ETag"] if versioned and model is route.answer else []
            words = _SUCCESS.get(status, "See the body.")
            found[str(status)] = {"description": words, "headers": headers(route, *more)}
            if model is not None:
                found[str(status)]["content"] = self._content(self.schemas.shown(model))
        if 304 in route.also or (versioned and route.method == "GET"):
            found["304"] = {"description": _SUCCESS[304], "headers": headers(route, "ETag")}
        return found

    def _versioned(self, route: Route) -> bool:
        if route.paged or route.answer is None:
            return 304 in route.also
        if not route.answer.versioned:
            return False
        if any(issubclass(route.answer, each) for each in self.changeable):
            return True
        return route.method == "GET" and "{" in route.path

    def _answer(self, route: Route, status: int, *, versioned: bool) -> Json:
        more = (["ETag"] if versioned else []) + (["Idempotency-Replayed"] if route.idempotent_post else [])
        found: Json = {"description": _SUCCESS.get(status, "Done."), "headers": headers(route, *more)}
        if route.raw is not None:
            raw = (route.raw,) if isinstance(route.raw, str) else route.raw
            kinds = [each.partition(";")[0] for each in raw]
            found["content"] = {
                each: {"schema": {"type": "object" if each.endswith("json") else "string"}} for each in kinds
            }
        elif route.answer is not None and status != 204:
            found["content"] = self._content(
                self.schemas.page_of(route.answer) if route.paged else self.schemas.shown(route.answer)
            )
        return found

    def _content(self, ref: Json) -> Json:
        return {JSON: {"schema": ref, "example": self.examples.of(ref)}}

    def _refusals(self, route: Route) -> Json:
        found: Json = {str(status): self._refusal(route, status, each) for status, each in problems_of(route).items()}
        self.responses.setdefault(
            "Failure",
            {"description": "Any other failure, in the same envelope.", "headers": headers(None), "content": _error()},
        )
        return found | {"default": {"$ref": "#/components/responses/Failure"}}

    def _refusal(self, route: Route, status: int, problems: list[Problem]) -> Json:
        response: Json = {
            "description": ", ".join(problem.code for problem in problems),
            "headers": headers(
                route, *({401: ["WWW-Authenticate"], 429: ["Retry-After"], 503: ["Retry-After"]}.get(status, []))
            ),
            "content": _error(problem.code for problem in problems),
        }
        # Most routes refuse in the same few ways, so the document says each way once.
        name = ".".join([str(status), *(problem.code for problem in problems), *(["public"] if route.public else [])])
        self.responses[name] = response
        return {"$ref": f"#/components/responses/{name}"}

    def _error_example(self, problem: Problem) -> Json:
        error: Json = {
            "type": type_of(problem.status),
            "code": problem.code,
            "message": problem.message,
            "param": None,
            "doc_url": f"{self.api_url}/docs#error-{problem.code}",
            "request_id": _SAMPLE_REQUEST_ID,
            "errors": [],
        }
        return {"summary": problem.message, "value": {"error": error}}


def _error(codes: Iterable[str] = ()) -> Json:
    content: Json = {"schema": {"$ref": PREFIX + "Error"}}
    if examples := {code: {"$ref": f"#/components/examples/error_{code}"} for code in codes}:
        content["examples"] = examples
    return {JSON: content}


def _words(route: Route) -> tuple[str, str]:
    """Return the first sentence of a view's docstring, without its full stop, and the rest."""
    text = inspect.getdoc(route.view) or route.view.__name__.replace("_", " ").capitalize()
    first, _, rest = text.partition("\n")
    summary, stop, more = first.partition(". ")
    description = "\n".join(part for part in (more if stop else "", rest.strip()) if part)
    return summary.rstrip("."), description
