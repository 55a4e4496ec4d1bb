"""One request, read: credential, tenant, headers and body, each checked once and in a fixed order."""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import ValidationError

from chalicelib.core import strictjson
from chalicelib.core.errors import (
    FieldError,
    InvalidError,
    MalformedRequestError,
    UnauthenticatedError,
    UnsupportedMediaTypeError,
)
from chalicelib.core.http.principal import Principal
from chalicelib.core.http.schema import Request
from chalicelib.core.leases import Standing
from chalicelib.core.table import TEST_SUFFIX

Model = TypeVar("Model", bound=Request)


@dataclass
class Call:
    """What a view may ask about the request it serves."""

    event: Mapping[str, Any]  # API Gateway's REST proxy event
    caller: Principal | None = None  # None on public routes
    tenant_id: str = ""  # the tenant whose data the call works on; `tn_…~test` for a test-mode key
    allowed_origin: str | None = None  # set once the Origin is known to be allowed: it is then echoed
    answer_headers: dict[str, str] = field(default_factory=dict)
    made: bool = False  # set by a PUT that made its object: the answer is 201, not 200
    standings: list[Standing] = field(default_factory=list)  # the rate limits it counts against

    @property
    def principal(self) -> Principal:
        """The caller of a route that needs one."""
        if self.caller is None:
            raise UnauthenticatedError
        return self.caller

    @property
    def live_tenant_id(self) -> str:
        """The tenant itself, also for a test-mode key."""
        return self.tenant_id.removesuffix(TEST_SUFFIX)

    @property
    def request_id(self) -> str:
        """API Gateway's id of this request."""
        request_id: str = self.event["requestContext"].get("requestId", "")
        return request_id

    @property
    def source_ip(self) -> str:
        """The address API Gateway saw, never a header's claim."""
        address: str = self.event["requestContext"].get("identity", {}).get("sourceIp", "")
        return address

    @cached_property
    def headers(self) -> dict[str, str]:
        """The request's headers, names in lower case; the last of repeated ones."""
        return {name.lower(): value for name, value in (self.event.get("headers") or {}).items()}

    @property
    def origin(self) -> str:
        """The Origin header, empty when there is none."""
        return self.headers.get("origin", "")

    @cached_property
    def if_match(self) -> int | None:
        """The version an If-Match header asks for. A tag we never gave asks for one that no object has."""
        tag = self.headers.get("if-match", "").strip()
        if tag in {"", "*"}:
            return None
        digits = tag.removeprefix("W/").strip('"')
        return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 16 else -1

    @cached_property
    def raw_body(self) -> bytes:
        """The body's bytes."""
        body = self.event.get("body") or ""
        if not self.event.get("isBase64Encoded"):
            return body.encode("utf-8", "surrogatepass") if isinstance(body, str) else b""
        try:
            return base64.b64decode(body, validate=True)
        except binascii.Error:
            raise MalformedRequestError("The body could not be decoded.") from None

    def body(self, model: type[Model]) -> Model:
        """Return the JSON body as `model`. Raises the 400, 415 or 422 that the caller should see."""
        if not self.raw_body.strip():
            return parse(model, {})
        media_type = self.headers.get("content-type", "").split(";")[0].strip().lower()
        if media_type != "application/json":
            raise UnsupportedMediaTypeError
        value = strictjson.loads(self.raw_body)
        if not isinstance(value, dict):
            raise InvalidError("The body must be a JSON object.")
        return _checked(lambda: model.model_validate_json(self.raw_body, strict=True))  # "5" and true are no numbers

    def query(self, model: type[Model]) -> Model:
        """Return the query string as `model`; a repeated parameter is a list where the model has one."""
        found: dict[str, object] = {}
        for name, values in (self.event.get("multiValueQueryStringParameters") or {}).items():
            model_field = model.model_fields.get(name)
            wants_list = model_field is not None and _is_list(model_field.annotation)
            if len(values) > 1 and not wants_list:
                raise InvalidError.field(name, "Give this parameter once.")
            found[name] = values if wants_list else values[0]
        for name, value in found.items():
            if isinstance(value, str) and ("\x00" in value or not value.isprintable()):
                raise InvalidError.field(name, "The value has characters that cannot be printed.", "invalid_text")
        return parse(model, found)


def _is_list(annotation: object) -> bool:
    """Whether a field takes several values: `list[…]`, or a union with one."""
    if get_origin(annotation) in {Union, UnionType}:
        return any(_is_list(each) for each in get_args(annotation))
    return annotation is list or get_origin(annotation) is list


def parse(model: type[Model], value: Mapping[str, object]) -> Model:
    """Validate what is text or read already; raises InvalidError."""
    return _checked(lambda: model.model_validate(value))


def _checked(validate: Callable[[], Model]) -> Model:
    """Turn pydantic's findings into an InvalidError that lists every bad field."""
    try:
        return validate()
    except ValidationError as exc:
        errors = [_field_error(each) for each in exc.errors(include_url=False, include_input=False)]
    raise InvalidError(
        "; ".join(f"{error.param}: {error.message}" for error in errors[:3]), param=errors[0].param, errors=errors
    )


_OF_A_NAME = "[key]"  # pydantic adds it behind a name that is wrong itself; callers know no such field
_CODES = {"missing": "required", "extra_forbidden": "unknown_field"}
_MESSAGES = {"missing": "This field is required.", "extra_forbidden": "There is no such field."}


def _field_error(found: Mapping[str, Any]) -> FieldError:
    kind: str = found["type"]
    parts = [str(part) for part in found["loc"] if part != _OF_A_NAME]
    path = ".".join(parts) or "body"
    message = str(found["msg"]).removeprefix("Value error, ")
    return FieldError(path, _CODES.get(kind, kind), _MESSAGES.get(kind, message))
