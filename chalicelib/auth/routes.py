"""`/v1/auth/*`, the public keys, and the pages behind the links in our mails."""

from chalicelib.auth import account, keys, pages, pool, service, sessions, two_factor
from chalicelib.auth.models import (
    AddressTakenError,
    Device,
    EmailNotVerifiedError,
    Enrolment,
    InvalidCredentialsError,
    InvalidIdTokenError,
    InvalidRefreshTokenError,
    InvalidTokenError,
    InvalidTotpError,
    LoginElsewhereError,
    OwnSession,
    Profile,
    RecoveryCodes,
    RefreshTokenReusedError,
    SignupClosedError,
    TokenUsedError,
    TotpEnabledError,
    TotpNotBegunError,
    TotpNotEnabledError,
    TotpRequiredError,
    User,
    WrongCodeError,
    WrongPasswordError,
)
from chalicelib.auth.schemas import (
    AcceptInvitation,
    ChangeEmail,
    ChangePassword,
    ConfirmEmail,
    ConfirmWithTotp,
    EnrolmentOut,
    EnrolTotp,
    ForgotPassword,
    JoinedOut,
    JwksOut,
    LogIn,
    OwnSessionOut,
    PoolSignIn,
    ProfileOut,
    RecoveryCodesOut,
    RefreshToken,
    Register,
    RegisteredOut,
    ResetPassword,
    SentOut,
    TokensOut,
    UpdateProfile,
    UserOut,
    VerifyEmail,
    VerifyTotp,
)
from chalicelib.core.errors import NotFoundError, RateLimitedError
from chalicelib.core.http import Api, Call, Page, PageQuery, Raw
from chalicelib.core.http.access import TenantSuspendedError
from chalicelib.core.regions import WrongRegionError
from chalicelib.mail.languages import language_for
from chalicelib.tenants.models import (
    AlreadyMemberError,
    InvitationAcceptedError,
    InvitationExpiredError,
    InvitationNotFoundError,
    MembershipLimitError,
    PlanLimitError,
)

api = Api("Auth", kinds=("user",))
# What there is only while we are the issuer: passwords, sessions and second factors of our own.
own_api = Api("Auth", kinds=("user",), before=pool.require_own_issuer, errors=(LoginElsewhereError,))

HTML = "text/html; charset=utf-8"

_LINK_ERRORS = (InvalidTokenError, TokenUsedError)
_TOTP_ERRORS = (TotpNotEnabledError, WrongCodeError, WrongPasswordError, RateLimitedError)
_INVITATION_ERRORS = (
    AlreadyMemberError,
    InvitationAcceptedError,
    InvitationExpiredError,
    InvitationNotFoundError,
    LoginElsewhereError,
    MembershipLimitError,
    PlanLimitError,
    TenantSuspendedError,
    WrongRegionError,
)


@own_api.post(
    "/v1/auth/register",
    public=True,
    body=Register,
    answer=RegisteredOut,
    status=201,
    errors=(SignupClosedError, RateLimitedError),
)
def register(call: Call, body: Register) -> RegisteredOut:
    """Sign up. A mail with a link follows; the answer is the same whether or not the address has an account."""
    return service.register(body.email, body.password, body.name, call.source_ip, _language(call))


@own_api.post("/v1/auth/verify-email", public=True, body=VerifyEmail, answer=UserOut, errors=_LINK_ERRORS)
def verify_email(call: Call, body: VerifyEmail) -> User:  # noqa: ARG001 - every view gets the call
    """Confirm an address with the token of the mail. Tokens work once, for 24 hours."""
    return service.verify_email(body.token)


@own_api.post(
    "/v1/auth/login",
    public=True,
    body=LogIn,
    answer=TokensOut,
    errors=(InvalidCredentialsError, InvalidTotpError, TotpRequiredError, RateLimitedError),
)
def log_in(call: Call, body: LogIn) -> TokensOut:
    """Begin a session. An account with a second factor answers `totp_required` to the right password alone."""
    return service.log_in(body.email, body.password, body.totp, _device(call), call.source_ip)


@own_api.post(
    "/v1/auth/refresh",
    public=True,
    body=RefreshToken,
    answer=TokensOut,
    errors=(InvalidRefreshTokenError, RefreshTokenReusedError, WrongRegionError),
)
def refresh(call: Call, body: RefreshToken) -> TokensOut:
    """Exchange a refresh token for new tokens. It works once: using it again after a minute ends the session."""
    return sessions.refresh(body.refresh_token, _device(call))


@own_api.post(
    "/v1/auth/logout", public=True, body=RefreshToken, status=204, errors=(InvalidRefreshTokenError, WrongRegionError)
)
def log_out(call: Call, body: RefreshToken) -> None:  # noqa: ARG001
    """End the session of a refresh token. Doing so twice is fine."""
    sessions.end(body.refresh_token)


@api.get("/v1/auth/me", tenant=False, answer=ProfileOut)
def show_me(call: Call) -> Profile:
    """Show the caller and the tenants they belong to."""
    return account.get_profile(call.principal)


@api.patch("/v1/auth/me", tenant=False, body=UpdateProfile, answer=ProfileOut)
def update_me(call: Call, body: UpdateProfile) -> Profile:
    """Change your name or language. The members' lists of your tenants follow within seconds."""
    return account.update_profile(call.principal, body.given())


@own_api.post(
    "/v1/auth/change-password",
    tenant=False,
    body=ChangePassword,
    answer=UserOut,
    errors=(WrongPasswordError, RateLimitedError),
)
def change_password(call: Call, body: ChangePassword) -> User:
    """Choose another password. Ends all your other sessions, and a mail tells you."""
    return account.change_password(call.principal, body.current_password, body.new_password)


@own_api.post(
    "/v1/auth/change-email",
    tenant=False,
    body=ChangeEmail,
    answer=SentOut,
    status=202,
    errors=(WrongPasswordError, RateLimitedError),
)
def change_email(call: Call, body: ChangeEmail) -> SentOut:
    """Ask to move your account to another address. The answer is the same whether or not that has an account."""
    return account.change_email(call.principal, body.email, body.password)


@own_api.post(
    "/v1/auth/confirm-email",
    public=True,
    body=ConfirmEmail,
    answer=UserOut,
    errors=(*_LINK_ERRORS, AddressTakenError),
)
def confirm_email(call: Call, body: ConfirmEmail) -> User:  # noqa: ARG001
    """Move the account to the new address with the token of the mail. Tokens work once, for one hour."""
    return account.confirm_email(body.token)


@own_api.post(
    "/v1/auth/totp",
    tenant=False,
    body=EnrolTotp,
    answer=EnrolmentOut,
    status=201,
    errors=(TotpEnabledError, WrongPasswordError, RateLimitedError),
)
def enrol_totp(call: Call, body: EnrolTotp) -> Enrolment:
    """Begin with a second factor: get the secret for an authenticator app. Nothing changes until it is verified."""
    return two_factor.enrol(call.principal, body.password)


@own_api.post(
    "/v1/auth/totp/verify",
    tenant=False,
    body=VerifyTotp,
    answer=RecoveryCodesOut,
    errors=(TotpEnabledError, TotpNotBegunError, WrongCodeError, RateLimitedError),
)
def verify_totp(call: Call, body: VerifyTotp) -> RecoveryCodes:
    """Switch the second factor on with a first code, and get the recovery codes. Log-ins need a code from now on."""
    return two_factor.switch_on(call.principal, body.code)


@own_api.delete("/v1/auth/totp", tenant=False, body=ConfirmWithTotp, errors=_TOTP_ERRORS)
def disable_totp(call: Call, body: ConfirmWithTotp) -> None:
    """Switch the second factor off."""
    two_factor.switch_off(call.principal, body.password, body.code)


@own_api.post(
    "/v1/auth/totp/recovery-codes", tenant=False, body=ConfirmWithTotp, answer=RecoveryCodesOut, errors=_TOTP_ERRORS
)
def renew_recovery_codes(call: Call, body: ConfirmWithTotp) -> RecoveryCodes:
    """Get new recovery codes; the ones before no longer work."""
    return two_factor.renew_recovery_codes(call.principal, body.password, body.code)


@own_api.get("/v1/auth/sessions", tenant=False, query=PageQuery, answer=OwnSessionOut, paged=True)
def list_sessions(call: Call, query: PageQuery) -> Page[OwnSession]:
    """List where you are signed in, newest first: the last 500 sign-ins that still stand."""
    return sessions.list_own(call.principal, query)


@own_api.delete("/v1/auth/sessions", tenant=False)
def revoke_other_sessions(call: Call) -> None:
    """End all your sessions but this one."""
    sessions.revoke_others(call.principal)


@own_api.delete("/v1/auth/sessions/{session_id}", tenant=False, errors=(NotFoundError,))
def revoke_session(call: Call, session_id: str) -> None:
    """End one of your sessions; of this one it is a log-out."""
    sessions.revoke(call.principal, session_id)


@own_api.post(
    "/v1/auth/forgot-password",
    public=True,
    body=ForgotPassword,
    answer=SentOut,
    status=202,
    errors=(RateLimitedError,),
)
def forgot_password(call: Call, body: ForgotPassword) -> SentOut:
    """Ask for a link to choose a new password. The answer is the same whether or not there is an account."""
    return service.forgot_password(body.email, call.source_ip, _language(call))


@own_api.post("/v1/auth/reset-password", public=True, body=ResetPassword, answer=UserOut, errors=_LINK_ERRORS)
def reset_password(call: Call, body: ResetPassword) -> User:  # noqa: ARG001
    """Choose a new password with the token of the mail. Ends all sessions. Tokens work once, for one hour."""
    return service.reset_password(body.token, body.password)


@api.post("/v1/auth/accept-invite", public=True, body=AcceptInvitation, answer=JoinedOut, errors=_INVITATION_ERRORS)
def accept_invitation(call: Call, body: AcceptInvitation) -> JoinedOut:  # noqa: ARG001
    """Join a tenant with the token of the invitation. Who has no account yet gives a `password`, which makes one."""
    return service.accept_invitation(body.token, body.password, body.name)


@api.post(
    "/v1/auth/cognito",
    public=True,
    body=PoolSignIn,
    answer=UserOut,
    errors=(InvalidIdTokenError, EmailNotVerifiedError, AddressTakenError, NotFoundError),
)
def sign_in_from_pool(call: Call, body: PoolSignIn) -> User:  # noqa: ARG001
    """Make yourself known with an id token, once, where users sign in at a Cognito user pool; 404 elsewhere."""
    return pool.sign_in(body.id_token)


@api.get("/.well-known/jwks.json", public=True, answer=JwksOut)
def list_public_keys(call: Call) -> JwksOut:
    """Show the public keys of our tokens (RFC 7517)."""
    call.answer_headers["Cache-Control"] = "public, max-age=300"
    return JwksOut(keys=keys.public_jwks())


@api.get("/auth/verify-email", public=True, raw=HTML)
def show_verification(call: Call) -> Raw:
    """Show the page that confirms an address."""
    return _page(call, "verify-email")


@api.get("/auth/reset-password", public=True, raw=HTML)
def show_reset(call: Call) -> Raw:
    """Show the page that sets a new password."""
    return _page(call, "reset-password")


@api.get("/auth/confirm-email", public=True, raw=HTML)
def show_email_change(call: Call) -> Raw:
    """Show the page that confirms a new address."""
    return _page(call, "confirm-email")


@api.get("/auth/accept-invite", public=True, raw=HTML)
def show_invitation(call: Call) -> Raw:
    """Show the page that accepts an invitation."""
    return _page(call, "accept-invite")


def _device(call: Call) -> Device:
    return Device.of(call.headers.get("user-agent", ""), call.source_ip)


def _language(call: Call) -> str:
    """A mail or a page is read by who asks for it, with the same wishes as their browser's."""
    return language_for(call.headers.get("accept-language"))


def _page(call: Call, name: str) -> Raw:
    call.answer_headers.update(pages.security_headers())
    return Raw(pages.page(name, _language(call)), HTML)
