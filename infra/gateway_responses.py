"""What API Gateway answers without asking a function, in the product's own error envelope.

The one source for the deployed gateway (the SAM template) and for the local one. Kinds and their default statuses:
https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-responses-types.html
"""

import json
from dataclasses import dataclass

# Only literals here: a value that comes from a request is never echoed, except the request id, which is the gateway's.
REQUEST_ID_VARIABLE = "$context.requestId"


@dataclass(frozen=True)
class GatewayResponse:
    """One kind of answer: its HTTP status and the fields of its envelope."""

    status: int
    type: str
    code: str
    message: str


_NO_CREDENTIAL = GatewayResponse(
    401, "authentication_error", "unauthenticated", "Send a valid credential: Authorization: Bearer <token or API key>."
)
_FORBIDDEN = GatewayResponse(403, "permission_error", "forbidden", "This credential may not do that.")
_UNAVAILABLE = GatewayResponse(500, "api_error", "internal_error", "Something went wrong on our side.")
_NO_ROUTE = GatewayResponse(404, "not_found_error", "route_not_found", "There is nothing at this path and method.")

GATEWAY_RESPONSES: dict[str, GatewayResponse] = {
    "ACCESS_DENIED": _FORBIDDEN,
    "API_CONFIGURATION_ERROR": _UNAVAILABLE,
    "AUTHORIZER_CONFIGURATION_ERROR": _UNAVAILABLE,
    "AUTHORIZER_FAILURE": _UNAVAILABLE,
    "BAD_REQUEST_BODY": GatewayResponse(400, "invalid_request_error", "malformed_request", "The body is malformed."),
    "BAD_REQUEST_PARAMETERS": GatewayResponse(
        400, "invalid_request_error", "malformed_parameters", "A parameter is malformed."
    ),
    "DEFAULT_4XX": GatewayResponse(400, "invalid_request_error", "bad_request", "The request is malformed."),
    "DEFAULT_5XX": _UNAVAILABLE,
    # No method uses IAM, so API Gateway looks for an AWS signature only where it has no route: these three say 404.
    "EXPIRED_TOKEN": _NO_ROUTE,
    "INVALID_SIGNATURE": _NO_ROUTE,
    "MISSING_AUTHENTICATION_TOKEN": _NO_ROUTE,
    "INTEGRATION_FAILURE": GatewayResponse(503, "api_error", "unavailable", "Something we need is down. Try again."),
    "INTEGRATION_TIMEOUT": GatewayResponse(
        504, "api_error", "timeout", "The answer took too long. Whether the request had an effect is open."
    ),
    "INVALID_API_KEY": _FORBIDDEN,
    "QUOTA_EXCEEDED": GatewayResponse(429, "rate_limit_error", "quota_exceeded", "The quota is used up."),
    "REQUEST_TOO_LARGE": GatewayResponse(
        413,
        "invalid_request_error",
        "too_large",
        "The request is too large: 6 MB at most, 4 MB for a file. Larger files go directly: POST /v1/files/uploads.",
    ),
    "RESOURCE_NOT_FOUND": _NO_ROUTE,
    "THROTTLED": GatewayResponse(429, "rate_limit_error", "rate_limited", "Too many requests. Slow down and retry."),
    "UNAUTHORIZED": _NO_CREDENTIAL,
    "UNSUPPORTED_MEDIA_TYPE": GatewayResponse(
        415, "invalid_request_error", "unsupported_media_type", "The Content-Type must be application/json."
    ),
    "WAF_FILTERED": _FORBIDDEN,
}


def envelope(kind: str, request_id: str) -> dict[str, object]:
    """Return the error body of one kind; KeyError for a kind API Gateway doesn't have."""
    response = GATEWAY_RESPONSES[kind]
    return {
        "error": {
            "type": response.type,
            "code": response.code,
            "message": response.message,
            "param": None,
            "doc_url": f"/docs#error-{response.code}",
            "request_id": request_id,
            "errors": [],
        }
    }


def headers(kind: str) -> dict[str, str]:
    """Return the headers of one kind, with literal values; `*` without credentials is what Bearer routes answer."""
    found = {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Expose-Headers": "X-Request-Id, Retry-After, WWW-Authenticate",
        "Cache-Control": "no-store",
    }
    status = GATEWAY_RESPONSES[kind].status
    if status == 401:
        found["WWW-Authenticate"] = "Bearer"
    if status == 429:
        found["Retry-After"] = "1"
    return found


def swagger_extension() -> dict[str, object]:
    """Return what goes under `x-amazon-apigateway-gateway-responses` in the API definition."""
    return {kind: _swagger_response(kind) for kind in sorted(GATEWAY_RESPONSES)}


def _swagger_response(kind: str) -> dict[str, object]:
    parameters = {f"gatewayresponse.header.{name}": f"'{value}'" for name, value in headers(kind).items()}
    parameters["gatewayresponse.header.X-Request-Id"] = "context.requestId"
    found: dict[str, object] = {
        "responseParameters": parameters,
        "responseTemplates": {"application/json": json.dumps(envelope(kind, REQUEST_ID_VARIABLE))},
    }
    if not kind.startswith("DEFAULT_"):  # a status there would flatten 502, 503 … of every kind not listed
        found["statusCode"] = GATEWAY_RESPONSES[kind].status
    return found
