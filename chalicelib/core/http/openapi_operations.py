"""The parts of one operation in the OpenAPI document: who may call it, what it takes, which headers it answers."""

import re
from collections.abc import Iterator

from chalicelib.core.http.limits import HEADERS
from chalicelib.core.http.openapi_examples import Examples
from chalicelib.core.http.openapi_schemas import Json, Schemas
from chalicelib.core.http.route import Route
from chalicelib.core.idempotency import MAX_KEY_LENGTH

_NUMBER: Json = {"type": "integer", "minimum": 0}
_SCHEMES = {"user": "accessToken", "api_key": "apiKey", "visitor": "visitorToken"}


def security(route: Route) -> list[Json]:
    """Return the credentials of which any one will do; none for a public route."""
    found: list[Json] = []
    if "user" in route.kinds:
        found.append({_SCHEMES["user"]: [route.role.label] if route.tenant else []})
    if "api_key" in route.kinds and route.scope:
        found.append({_SCHEMES["api_key"]: [route.scope]})
    if "visitor" in route.kinds:
        found.append({_SCHEMES["visitor"]: []})
    return found


def security_schemes() -> Json:
    """Return the three kinds of credential, all sent as `Authorization: Bearer`."""
    return {
        "accessToken": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A signed-in user's access token. The list names the least role in the tenant.",
        },
        "apiKey": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "parley_live_… or parley_test_…",
            "description": "A tenant's API key. The list names the scope it needs.",
        },
        "visitorToken": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "opaque",
            "description": "A visitor's token, good on the site it was made for.",
        },
    }


def parameters(route: Route, schemas: Schemas, examples: Examples) -> list[Json]:
    """Return path variables, query parameters and the headers that matter."""
    found = [_path_parameter(name, examples) for name in re.findall(r"{(\w+)}", route.path)]
    if route.query is not None:
        schema = schemas.query(route.query)
        found += [
            _query_parameter(name, each, required=name in schema.get("required", ()))
            for name, each in schema.get("properties", {}).items()
        ]
    return found + [{"$ref": f"#/components/parameters/{name}"} for name in _headers_taken(route)]


def _headers_taken(route: Route) -> Iterator[str]:
    if "user" in route.kinds and route.tenant and "{tenant_id}" not in route.path:
        yield "X-Tenant-ID"
    if route.idempotent_post:
        yield "Idempotency-Key"
    if route.reads_if_match:
        yield "If-Match"


def _path_parameter(name: str, examples: Examples) -> Json:
    schema: Json = {"type": "string"}
    thing = name.removesuffix("_id").replace("_", " ")
    said = f"The {thing}'s id." if name.endswith("_id") else f"The {thing}."
    example = examples.of(schema, name)
    return {"name": name, "in": "path", "required": True, "description": said, "schema": schema, "example": example}


def _query_parameter(name: str, schema: Json, *, required: bool) -> Json:
    schema = dict(schema)
    options = [option for option in schema.get("anyOf", ()) if option != {"type": "null"}]
    if len(options) == 1:  # a query string has no null, only absence
        del schema["anyOf"]
        schema = options[0] | schema
    if schema.get("default", ...) is None:
        del schema["default"]
    parameter: Json = {"name": name, "in": "query", "required": required}
    if said := schema.pop("description", None):
        parameter["description"] = said
    return parameter | {"schema": schema}


def shared_parameters() -> Json:
    """Return the request headers that many operations take."""
    return {
        "X-Tenant-ID": {
            "name": "X-Tenant-ID",
            "in": "header",
            "description": "Which tenant, for a user who belongs to several.",
            "schema": {"type": "string"},
        },
        "Idempotency-Key": {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "Makes it safe to repeat the request: for 24 hours the same key answers as the first time.",
            "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY_LENGTH},
        },
        "If-Match": {
            "name": "If-Match",
            "in": "header",
            "description": "The ETag you read. If the object has changed since, the answer is 412 and nothing changes.",
            "schema": {"type": "string"},
        },
    }


def shared_headers() -> Json:
    """Return the answer headers by their names."""
    text: Json = {"type": "string"}
    return {
        "X-Request-Id": {"description": "The id of this request; quote it when asking for help.", "schema": text},
        "ETag": {"description": "The object's version; send it back as If-Match.", "schema": text},
        "RateLimit-Policy": {
            "description": "The limits the request counts against: `q` requests in `w` seconds.",
            "schema": text,
            "example": '"key";q=1200;w=60, "tenant";q=6000;w=60',
        },
        "RateLimit": {
            "description": "What is left of each: `r` requests for the next `t` seconds, as far as is known.",
            "schema": text,
            "example": '"key";r=1187;t=42, "tenant";r=5903;t=17',
        },
        "X-RateLimit-Limit": {"description": "The nearest limit, in requests.", "schema": _NUMBER},
        "X-RateLimit-Remaining": {"description": "What is left of it.", "schema": _NUMBER},
        "X-RateLimit-Reset": {"description": "Seconds until it begins anew.", "schema": _NUMBER},
        "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}},
        "WWW-Authenticate": {"description": "Which kind of credential is wanted.", "schema": text},
        "Idempotency-Replayed": {
            "description": "`true` when this is the first answer again.",
            "schema": {"const": "true"},
        },
    }


def headers(route: Route | None, *more: str) -> Json:
    """Return references to the headers of one answer: the request's id, the limits of a caller, and `more`."""
    limits = () if route is None or route.public else HEADERS
    return {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-Id", *limits, *more)}
