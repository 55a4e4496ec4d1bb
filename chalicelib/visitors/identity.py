"""A site's signed word on who its visitor is: a JSON Web Token (RFC 7519) that only the tenant's server can make."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, FiniteFloat, ValidationError

from chalicelib.contacts.schemas import ExternalId
from chalicelib.core import clock
from chalicelib.core.errors import InvalidError
from chalicelib.core.frozen import frozen
from chalicelib.core.http.schema import Email, Name

LONGEST_S = 86_400  # how long a token may be good for
LEEWAY_S = 60  # how far the tenant's clock may be ahead of ours


@frozen
class Identity:
    """Who somebody has been proven to be."""

    external_id: str
    email: str | None
    name: str | None


class _Claims(BaseModel):
    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True, strict=True, defer_build=True)

    sub: ExternalId
    exp: FiniteFloat
    iat: FiniteFloat = 0
    nbf: FiniteFloat = 0
    email: Email | None = None
    name: Name | None = None


def read_identity_token(token: str, secrets: Sequence[str]) -> Identity:
    """Return whom a token proves somebody to be; raises InvalidError with the reason.

    HS256 and nothing else: a token must not choose how it is verified. Claims: `sub` and `exp`, at most a day away,
    and optionally `email`, `name`, `iat` and `nbf`.
    """
    if not secrets:
        raise _refused("not_configured", "This widget has no identity secret. Make one first.")
    claims = _claims(_payload(token, secrets))
    now = clock.now_s()
    if claims.exp <= now:
        raise _refused("expired", "The token has expired. Its exp is past.")
    if claims.exp > now + LONGEST_S + LEEWAY_S:
        raise _refused("too_long", "The token's exp is more than 24 hours away.")
    if max(claims.iat, claims.nbf) > now + LEEWAY_S:
        raise _refused("not_yet_valid", "The token's iat or nbf is still to come. Check your server's clock.")
    return Identity(claims.sub, claims.email, claims.name or None)


def _payload(token: str, secrets: Sequence[str]) -> dict[str, Any]:
    import jwt  # noqa: PLC0415 - slow to import

    # Our own checks of these follow, with messages that say what to do.
    unchecked: Any = {f"verify_{name}": False for name in ("exp", "iat", "nbf", "aud", "iss", "sub", "jti")}
    for secret in secrets:
        try:
            payload: dict[str, Any] = jwt.decode(token, secret, algorithms=["HS256"], options=unchecked)
        except jwt.InvalidSignatureError:
            continue
        except jwt.InvalidAlgorithmError:
            raise _refused("wrong_algorithm", "Sign the token with HS256.") from None
        except (jwt.PyJWTError, ValueError):
            raise _refused("malformed", "This is not a JSON Web Token.") from None
        return payload
    raise _refused("wrong_signature", "The token was not signed with this widget's identity secret.")


def _claims(payload: dict[str, Any]) -> _Claims:
    try:
        return _Claims.model_validate(payload)
    except ValidationError as exc:
        found = exc.errors(include_url=False, include_input=False)[0]
        name = ".".join(map(str, found["loc"]))
        if found["type"] == "missing":
            raise _refused("missing_claim", f"The token has no {name}.") from None
        raise _refused("invalid_claim", f"The token's {name} can't be used: {found['msg']}.") from None


def _refused(code: str, message: str) -> InvalidError:
    return InvalidError.field("identity_token", message, code)
