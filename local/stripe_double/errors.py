"""Stripe's refusals, in the shape of https://docs.stripe.com/api/errors."""

from typing import Any


class Refused(Exception):
    """A request that Stripe answers with an error; `param` names the parameter it is about."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        decline_code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self._error = {"type": kind, "code": code, "param": param, "decline_code": decline_code, "message": message}

    def body(self) -> dict[str, Any]:
        error = {name: value for name, value in self._error.items() if value is not None}
        if "code" in error:
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{error['code'].replace('_', '-')}"
        return {"error": error}


def no_such(noun: str, object_id: str, param: str = "id") -> Refused:
    """What is not there: 404 where the path names it, which is when `param` is `id`, otherwise 400."""
    return Refused(
        f"No such {noun}: '{object_id}'",
        status=404 if param == "id" else 400,
        code="resource_missing",
        param=param,
    )


def unsupported(what: str, param: str | None = None) -> Refused:
    """What Stripe may well know, but this double does not."""
    return Refused(f"This double of Stripe does not know {what}.", code="unsupported_by_the_double", param=param)


def declined(message: str, decline_code: str) -> Refused:
    """A card that its bank refuses."""
    return Refused(message, status=402, kind="card_error", code="card_declined", decline_code=decline_code)
