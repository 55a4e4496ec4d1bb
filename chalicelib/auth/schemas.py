"""What callers of `/v1/auth/*` send and see."""

from typing import Annotated, Any, ClassVar

from pydantic import Field, StringConstraints

from chalicelib.auth.models import Enrolment, OwnSession, RecoveryCodes, User
from chalicelib.auth.passwords import MAX_LENGTH, MIN_LENGTH
from chalicelib.core.http import Request, Response
from chalicelib.core.http.schema import Email, Name, Timestamp
from chalicelib.tenants.models import Language

NewPassword = Annotated[
    str,
    # The one text that is not trimmed: its blanks are part of it.
    StringConstraints(min_length=MIN_LENGTH, max_length=MAX_LENGTH, strip_whitespace=False),
    Field(json_schema_extra={"format": "password"}),
]
Password = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_LENGTH, strip_whitespace=False),
    Field(json_schema_extra={"format": "password"}),
]
Code = Annotated[str, StringConstraints(min_length=6, max_length=20), Field(examples=["492039"])]
Token = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Register(Request):
    """A new account."""

    email: Email
    password: NewPassword
    name: Name | None = None


class VerifyEmail(Request):
    """The token of the verification mail."""

    token: Token


class LogIn(Request):
    """An address and its password."""

    email: Email
    password: Password
    totp: Code | None = Field(
        default=None, description="The authenticator app's code, or a recovery code, if there is a second factor."
    )


class RefreshToken(Request):
    """The refresh token of a session."""

    refresh_token: Token


class ForgotPassword(Request):
    """The address to send a link to, if it has an account."""

    email: Email


class ResetPassword(Request):
    """The token of the mail and the new password."""

    token: Token
    password: NewPassword


class AcceptInvitation(Request):
    """The token of the invitation; `password` makes the account of somebody who has none yet."""

    token: Token
    password: NewPassword | None = None
    name: Name | None = None


class UpdateProfile(Request):
    """What to change about oneself; what is absent stays."""

    name: Name = Field(default_factory=str)
    language: Language = Field(default_factory=lambda: "en", description="Of the mails we send you.")


class ChangePassword(Request):
    """The password there is and the one to come."""

    current_password: Password
    new_password: NewPassword


class ChangeEmail(Request):
    """The new address, and the account's password."""

    email: Email
    password: Password


class ConfirmEmail(Request):
    """The token of the mail to the new address."""

    token: Token


class EnrolTotp(Request):
    """The account's password."""

    password: Password


class VerifyTotp(Request):
    """A code of the authenticator app."""

    code: Code


class ConfirmWithTotp(Request):
    """The account's password and a code, which may be a recovery code."""

    password: Password
    code: Code


class PoolSignIn(Request):
    """An id token of the user pool."""

    id_token: Annotated[str, StringConstraints(min_length=1, max_length=4096)]


class RegisteredOut(Response):
    """What happens next; the same whether or not the address has an account."""

    email: str
    name: str | None
    status: str = Field(description="`verification_sent`")


class SentOut(Response):
    """`status: sent`, whether or not there was anybody to send to."""

    status: str


class UserOut(Response):
    """A user as they see themselves."""

    id: str
    email: str
    name: str | None
    created_at: Timestamp

    @classmethod
    def of(cls, user: User) -> "UserOut":
        """Show a user."""
        return cls(id=user.id, email=user.email, name=user.name, created_at=user.created_at)  # type: ignore[arg-type]


class MembershipOut(Response):
    """A tenant somebody belongs to."""

    tenant_id: str
    role: str


class ProfileOut(UserOut):
    """A user and their tenants."""

    language: Language
    totp_enabled: bool = Field(description="Whether a log-in needs a second factor.")
    memberships: list[MembershipOut]

    @classmethod
    def of(cls, profile: Any) -> "ProfileOut":  # noqa: ANN401 - a Profile; wider because UserOut.of takes a User
        """Show a profile."""
        memberships = [MembershipOut(tenant_id=tenant, role=role.label) for tenant, role in profile.memberships.items()]
        user = profile.user
        more = {"language": user.language, "totp_enabled": user.totp is not None, "memberships": memberships}
        return cls(**UserOut.of(user).model_dump(), **more)


class JoinedOut(Response):
    """The tenant somebody has joined, as whom."""

    tenant_id: str
    role: str
    user: UserOut


class TokensOut(Response):
    """A session's tokens. The access token goes into `Authorization: Bearer`; the refresh token works once."""

    access_token: str
    id_token: str
    refresh_token: str
    token_type: str = Field(default="Bearer", description="Always `Bearer`")
    expires_in: int = Field(description="Seconds until the access token expires")
    user: UserOut


class OwnSessionOut(Response):
    """A sign-in."""

    id: str
    created_at: Timestamp
    last_used_at: Timestamp = Field(description="When its tokens were last exchanged: exact to 15 minutes.")
    user_agent: str | None = Field(examples=["Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"])
    network: str | None = Field(
        description="Where it was then: the address without its last part.", examples=["203.0.113.0/24"]
    )
    current: bool = Field(description="Whether it is the one that asks.")

    @classmethod
    def of(cls, own: OwnSession) -> "OwnSessionOut":
        """Show a session."""
        return cls(
            id=own.session.id,
            created_at=own.session.created_at,  # type: ignore[arg-type]  # Timestamp renders milliseconds
            last_used_at=own.session.refreshed_at,  # type: ignore[arg-type]  # as above
            user_agent=own.session.device.user_agent,
            network=own.session.device.network,
            current=own.current,
        )


class EnrolmentOut(Response):
    """What an authenticator app needs, shown this once: the secret, and the same as the address behind a QR code."""

    shown_once: ClassVar[frozenset[str]] = frozenset({"secret", "otpauth_uri"})
    secret: str | None = Field(description="Null when this answer is a replay.", examples=["GEZDGNBVGY3TQOJQ"])
    otpauth_uri: str | None = Field(examples=["otpauth://totp/Parley:ada%40example.com?secret=GEZDGNBVGY3TQOJQ"])

    @classmethod
    def of(cls, begun: Enrolment) -> "EnrolmentOut":
        """Show a new secret."""
        return cls(secret=begun.secret, otpauth_uri=begun.otpauth_uri)


class RecoveryCodesOut(Response):
    """Codes that each work once in place of the authenticator app's, shown this once."""

    shown_once: ClassVar[frozenset[str]] = frozenset({"recovery_codes"})
    recovery_codes: list[str] | None = Field(
        description="Null when this answer is a replay.", examples=[["k7qm-2v9x-hd3t"]]
    )

    @classmethod
    def of(cls, made: RecoveryCodes) -> "RecoveryCodesOut":
        """Show new codes."""
        return cls(recovery_codes=made.codes)


class JwksOut(Response):
    """The public keys of our tokens, RFC 7517."""

    keys: list[dict[str, str]]
