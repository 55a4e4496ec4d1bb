"""The error every slice raises and `core.http` renders."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from chalicelib.core.frozen import frozen


@frozen
class FieldError:
    """One bad field: `param` is its path in dots, as in `visitor.email`."""

    param: str
    code: str
    message: str


class ApiError(Exception):
    """A refusal with a stable `code`; subclasses set `code`, `status` and a message that says what to do."""

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    default_message: ClassVar[str] = "Something went wrong on our side. Try again; if it lasts, quote the request id."
    more: Mapping[str, str] = {}  # members of the envelope beyond those that all errors have

    def __init__(
        self,
        message: str | None = None,
        *,
        param: str | None = None,
        errors: Sequence[FieldError] = (),
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message or self.default_message)
        self.message = message or self.default_message
        self.param = param
        if self.status == 422 and param is not None and not errors:
            errors = [FieldError(param, self.code, self.message)]  # whoever lists bad fields finds the only one, too
        self.errors = tuple(errors)
        self.retry_after = retry_after  # seconds


class MalformedRequestError(ApiError):
    code = "malformed_request"
    status = 400
    default_message = "The body could not be read as JSON."


class TenantRequiredError(ApiError):
    code = "tenant_required"
    status = 400
    default_message = "You belong to several tenants. Name one in the X-Tenant-ID header."


class UnauthenticatedError(ApiError):
    code = "unauthenticated"
    status = 401
    default_message = "The credential is missing, expired or wrong."


class ForbiddenError(ApiError):
    code = "forbidden"
    status = 403
    default_message = "This credential may not do that."


class NotFoundError(ApiError):
    """Missing, or another tenant's: the answer must not tell which."""

    code = "not_found"
    status = 404
    default_message = "There is no such object, or you may not see it."


class ConflictError(ApiError):
    code = "conflict"
    status = 409
    default_message = "The object's state does not allow that."


class PreconditionFailedError(ApiError):
    code = "precondition_failed"
    status = 412
    default_message = "The object has changed since you read it. Read it again and repeat your change."


class UnsupportedMediaTypeError(ApiError):
    code = "unsupported_media_type"
    status = 415
    default_message = "Send the body as application/json."


class TooLargeError(ApiError):
    code = "too_large"
    status = 413
    default_message = "The request is larger than this route accepts."


class InvalidError(ApiError):
    """Well-formed but invalid; `errors` lists every bad field."""

    code = "invalid"
    status = 422
    default_message = "Some fields are invalid."

    @classmethod
    def field(cls, param: str, message: str, code: str = "invalid") -> "InvalidError":
        """The common case of one bad field."""
        return cls(message, param=param, errors=[FieldError(param, code, message)])


class RateLimitedError(ApiError):
    code = "rate_limited"
    status = 429
    default_message = "Too many requests. Wait as long as Retry-After says, then try again."


class UnavailableError(ApiError):
    code = "unavailable"
    status = 503
    default_message = (
        "A part we depend on is not answering. Repeat the request with the same Idempotency-Key or client_msg_id."
    )


class ContentionError(UnavailableError):
    code = "contention"
    default_message = "Too many changes to the same object at once. Nothing was changed; try again."


TYPES_BY_STATUS = {
    401: "authentication_error",
    402: "payment_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


def type_of(status: int) -> str:
    """Return the envelope's `type` for an HTTP status."""
    return TYPES_BY_STATUS.get(status, "api_error" if status >= 500 else "invalid_request_error")
