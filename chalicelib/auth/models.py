"""People who sign in: what is kept of them, and what can go wrong."""

from dataclasses import field

from chalicelib.core.errors import ApiError, ConflictError, ForbiddenError, UnauthenticatedError
from chalicelib.core.frozen import frozen
from chalicelib.core.http import Role
from chalicelib.tenants.models import Language

MAX_USER_AGENT = 256  # characters kept


@frozen
class Totp:
    """A second factor that is switched on."""

    sealed: bytes  # the secret that the device has, encrypted
    step: int  # the last time step whose code was used: none before it is good again
    recovery: frozenset[str]  # hashes of the recovery codes that are left


@frozen
class Enrolment:
    """What a device needs to know, in the one answer that shows it."""

    secret: str
    otpauth_uri: str


@frozen
class RecoveryCodes:
    """New recovery codes, in the one answer that shows them."""

    codes: list[str]


@frozen
class User:
    """Somebody whose address is verified."""

    id: str
    email: str
    name: str | None
    password_hash: str | None  # None until they have set one
    password_version: int  # raised with every change: what was made under another one, session or link, is over
    created_at: int
    disabled: bool = False  # by an operator, in the table
    language: Language = "en"  # of mails to them
    email_version: int = 0  # raised with every change of the address: links that went to the one before are over
    totp: Totp | None = None
    totp_pending: bytes | None = None  # the sealed secret of one that is not switched on yet
    pool_subject: str | None = None  # the keyed hash of who they are in a trusted user pool
    pos: int = 0  # of their last event; a change is conditioned on it


@frozen
class Registration:
    """Somebody who says an address is theirs; gone once verified, or after a day."""

    id: str
    email: str
    name: str | None
    password_hash: str


@frozen
class EmailChange:
    """A user's wish for another address; gone once confirmed, or after two hours."""

    id: str
    user_id: str
    email: str
    password_version: int  # it ends with the password and with the address that it was made under
    email_version: int


@frozen
class Device:
    """Where somebody signed in or was last: enough to know it again, not enough to follow anyone."""

    user_agent: str | None = None
    network: str | None = None  # the address without its last part

    @classmethod
    def of(cls, user_agent: str, address: str) -> "Device":
        """Read a request's User-Agent and source address."""
        shown = "".join(char for char in user_agent if char.isprintable())[:MAX_USER_AGENT].strip()
        return cls(shown or None, _network(address))


def _network(address: str) -> str | None:
    """Return the /24 of an IPv4 address, the /48 of an IPv6 one."""
    from ipaddress import ip_address, ip_network  # noqa: PLC0415 - only for who signs in

    try:
        return str(ip_network((address, 24 if ip_address(address).version == 4 else 48), strict=False))
    except ValueError:
        return None


@frozen
class Session:
    """One sign-in. `generation` counts how often its refresh token has been exchanged."""

    id: str
    user_id: str
    password_version: int  # of the password it was made with
    generation: int
    created_at: int
    refreshed_at: int
    device: Device = field(default_factory=Device)


@frozen
class OwnSession:
    """A session as its user sees it in the list."""

    session: Session
    current: bool  # the one that asks


@frozen
class Profile:
    """A user with the tenants they belong to."""

    user: User
    memberships: dict[str, Role]


class InvalidTokenError(ApiError):
    code = "invalid_token"
    status = 400
    default_message = "This link is not valid, or no longer. Ask for a new one."

    def __init__(self) -> None:
        super().__init__(param="token")


class TokenUsedError(ConflictError):
    code = "token_used"
    default_message = "This link has been used. Log in, or ask for a new one."

    def __init__(self) -> None:
        super().__init__(param="token")


class InvalidCredentialsError(UnauthenticatedError):
    code = "invalid_credentials"
    default_message = "E-mail or password is wrong, or the address is not verified yet."


class TotpRequiredError(UnauthenticatedError):
    code = "totp_required"
    default_message = "This account has a second factor: give the code of your authenticator app as `totp`."

    def __init__(self) -> None:
        super().__init__(param="totp")


class InvalidTotpError(UnauthenticatedError):
    code = "invalid_totp"
    default_message = "This code is wrong, too old or used already."

    def __init__(self) -> None:
        super().__init__(param="totp")


class WrongCodeError(ForbiddenError):
    code = "wrong_code"
    default_message = "This code is wrong, too old or used already."


class TotpEnabledError(ConflictError):
    code = "totp_enabled"
    default_message = "Your account has a second factor already. Switch it off to set up another."


class TotpNotBegunError(ConflictError):
    code = "totp_not_begun"
    default_message = "Begin with POST /v1/auth/totp, which gives the secret for your authenticator app."


class TotpNotEnabledError(ConflictError):
    code = "totp_not_enabled"
    default_message = "Your account has no second factor."


class LoginElsewhereError(ConflictError):
    code = "login_is_elsewhere"
    default_message = "Here, users sign in at the operator's Cognito user pool, which also has their passwords."


class InvalidIdTokenError(UnauthenticatedError):
    code = "invalid_id_token"
    default_message = "This is no valid id token of the user pool that is trusted here."


class EmailNotVerifiedError(ForbiddenError):
    code = "email_not_verified"
    default_message = "The user pool does not say that your e-mail address is verified."


class WrongPasswordError(ForbiddenError):
    code = "wrong_password"
    default_message = "That is not your password."


class AddressTakenError(ConflictError):
    code = "address_taken"
    default_message = "This address has an account of its own by now, so yours stays where it is."


class InvalidRefreshTokenError(UnauthenticatedError):
    code = "invalid_refresh_token"
    default_message = "The session has ended. Log in again."


class RefreshTokenReusedError(UnauthenticatedError):
    code = "refresh_token_reused"
    default_message = "This refresh token was exchanged before, so its session has been ended. Log in again."


class SignupClosedError(ForbiddenError):
    code = "signup_closed"
    default_message = "Signing up is closed here. Ask for an invitation."
