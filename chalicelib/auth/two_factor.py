"""The second factor of a log-in: begun, switched on, asked for, and switched off again."""

from collections.abc import Callable
from typing import Any

from chalicelib.auth import attempts, sessions, store, totp
from chalicelib.auth.account import confirm_password, forget_attempts
from chalicelib.auth.models import (
    Enrolment,
    InvalidTotpError,
    RecoveryCodes,
    Totp,
    TotpEnabledError,
    TotpNotBegunError,
    TotpNotEnabledError,
    TotpRequiredError,
    User,
    WrongCodeError,
)
from chalicelib.core import ratelimit
from chalicelib.core.http import Principal
from chalicelib.core.table import NOTHING, ConditionFailedError, retrying

_OFF = {"tk": None, "ts": None, "rc": None}


def enrol(caller: Principal, password: str) -> Enrolment:
    """Begin: make a secret that counts once `switch_on` has seen a code of it. Another call makes another.

    Raises what `confirm_password` does, and TotpEnabledError.
    """
    confirm_password(caller, password)
    secret = totp.new_secret()

    def attempt() -> Enrolment:
        _, user = sessions.find_own(caller)
        if user.totp:
            raise TotpEnabledError
        begun = Enrolment(totp.shown(secret), totp.uri(secret, user.email))
        store.change_user(user, "user.totp_begun", {"tp": totp.seal(user.id, secret)}, result=begun)
        forget_attempts(user)
        return begun

    return retrying(attempt)


def switch_on(caller: Principal, code: str) -> RecoveryCodes:
    """Switch the second factor on with a first code; from now on every log-in needs one. Every try counts.

    Raises TotpEnabledError, TotpNotBegunError, WrongCodeError and RateLimitedError.
    """
    _, known = sessions.find_own(caller)
    _pending(known)
    ratelimit.take_attempt(attempts.account(known.email))
    codes = RecoveryCodes(totp.new_recovery_codes())

    def attempt() -> RecoveryCodes:
        _, user = sessions.find_own(caller)
        sealed = _pending(user)
        step = totp.step_of(totp.unseal(user.id, sealed), code, after=0)
        if step is None:
            raise WrongCodeError(param="code")
        changed = {"tk": sealed, "ts": step, "rc": _hashes(user, codes), "tp": None}
        store.change_user(user, "user.totp_enabled", changed, result=codes)
        forget_attempts(user)
        return codes

    return retrying(attempt)


def check(user: User, code: str | None) -> None:
    """Let a log-in pass that has the right password; a code is good for one.

    Raises TotpRequiredError and InvalidTotpError. The caller has counted the try.
    """
    if user.totp is None:
        return
    if code is None:
        raise TotpRequiredError
    step = _step(user, user.totp, code)
    if step is not None:
        try:
            store.use_totp_step(user, step)
        except ConditionFailedError:
            raise InvalidTotpError from None  # somebody else used this code, or a later one
        return
    if totp.recovery_hash(user.id, code) not in user.totp.recovery:
        raise InvalidTotpError
    retrying(lambda: _use_recovery_code(user.id, code))


def _use_recovery_code(user_id: str, code: str) -> None:
    user, used = store.find_user(user_id), totp.recovery_hash(user_id, code)
    if user is None or user.totp is None or used not in user.totp.recovery:
        raise InvalidTotpError
    store.change_user(user, "user.recovery_code_used", {"rc": user.totp.recovery - {used} or None})


def switch_off(caller: Principal, password: str, code: str) -> None:
    """Switch the second factor off, with the password and a code, which may be a recovery code.

    Raises what `confirm_password` does, TotpNotEnabledError and WrongCodeError.
    """
    _with_code(caller, password, code, "user.totp_disabled", lambda _user: _OFF)


def renew_recovery_codes(caller: Principal, password: str, code: str) -> RecoveryCodes:
    """Replace all recovery codes; raises as `switch_off`."""
    codes = RecoveryCodes(totp.new_recovery_codes())
    event, result = "user.recovery_codes_renewed", codes
    _with_code(caller, password, code, event, lambda user: {"rc": _hashes(user, codes)}, result)
    return codes


def _with_code(
    caller: Principal,
    password: str,
    code: str,
    event: str,
    change: Callable[[User], dict[str, Any]],
    result: object = NOTHING,
) -> None:
    confirm_password(caller, password)

    def attempt() -> None:
        _, user = sessions.find_own(caller)
        if user.totp is None:
            raise TotpNotEnabledError
        step = _step(user, user.totp, code)
        if step is None and totp.recovery_hash(user.id, code) not in user.totp.recovery:
            raise WrongCodeError(param="code")
        changed = {"ts": step or user.totp.step, **change(user)}
        store.change_user(user, event, changed, when={"ts": user.totp.step}, result=result)
        forget_attempts(user)

    retrying(attempt)


def remove(email: str) -> User | None:
    """Switch the second factor of a user off, for an operator who has made sure who they are. None: no such user."""

    def attempt() -> User | None:
        user_id = store.find_user_id(email)
        user = store.find_user(user_id) if user_id else None
        if user and user.totp:
            store.change_user(user, "user.totp_disabled", _OFF)
        return user

    return retrying(attempt)


def _pending(user: User) -> bytes:
    if user.totp:
        raise TotpEnabledError
    if user.totp_pending is None:
        raise TotpNotBegunError
    return user.totp_pending


def _step(user: User, factor: Totp, code: str) -> int | None:
    return totp.step_of(totp.unseal(user.id, factor.sealed), code, after=factor.step)


def _hashes(user: User, codes: RecoveryCodes) -> frozenset[str]:
    return frozenset(totp.recovery_hash(user.id, code) for code in codes.codes)
