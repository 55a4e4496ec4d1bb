"""The gateway's own answers: one envelope, the right statuses, the app's error types."""

import json

import pytest

from infra.gateway_responses import GATEWAY_RESPONSES, envelope, headers, swagger_extension

TYPES_BY_STATUS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "invalid_request_error",
    415: "invalid_request_error",
    429: "rate_limit_error",
    500: "api_error",
    503: "api_error",
    504: "api_error",
}


@pytest.mark.parametrize("kind", sorted(GATEWAY_RESPONSES))
def test_the_type_of_an_answer_follows_from_its_status(kind: str) -> None:
    assert GATEWAY_RESPONSES[kind].type == TYPES_BY_STATUS[GATEWAY_RESPONSES[kind].status]


def test_an_unknown_path_is_a_404_with_every_field_of_the_envelope() -> None:
    assert envelope("MISSING_AUTHENTICATION_TOKEN", "req_1") == {
        "error": {
            "type": "not_found_error",
            "code": "route_not_found",
            "message": "There is nothing at this path and method.",
            "param": None,
            "doc_url": "/docs#error-route_not_found",
            "request_id": "req_1",
            "errors": [],
        }
    }


def test_a_bearer_token_on_an_unknown_path_is_a_404_too() -> None:
    """API Gateway takes it for a broken AWS signature; no method of ours uses those."""
    assert {GATEWAY_RESPONSES[kind].status for kind in ("INVALID_SIGNATURE", "EXPIRED_TOKEN")} == {404}


def test_a_template_stays_json_whatever_the_message_says() -> None:
    for response in swagger_extension().values():
        assert isinstance(response, dict)
        assert "error" in json.loads(response["responseTemplates"]["application/json"])


def test_default_answers_keep_the_status_of_what_happened() -> None:
    extension = swagger_extension()
    without = {kind for kind, answer in extension.items() if isinstance(answer, dict) and "statusCode" not in answer}
    assert without == {"DEFAULT_4XX", "DEFAULT_5XX"}


def test_throttling_says_when_to_come_back_and_401_says_how_to_authenticate() -> None:
    assert headers("THROTTLED")["Retry-After"] == "1"
    assert headers("UNAUTHORIZED")["WWW-Authenticate"] == "Bearer"
