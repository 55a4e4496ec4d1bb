"""The second factor: begun, switched on, asked for at each log-in, switched off; and what guessing it is worth."""

import base64
import re
from collections import Counter
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.exceptions import InvalidTag

from chalicelib.auth import store, totp, two_factor
from chalicelib.auth.models import InvalidTotpError
from chalicelib.core import ratelimit
from chalicelib.core.table import USERS
from tests.support.client import Answer, Client
from tests.support.clocks import later
from tests.support.faults import injected
from tests.support.operator import parley
from tests.support.people import PASSWORD, link_token, logged_in, mails_to, signed_in, with_session
from tests.support.queues import drain
from tests.support.tenants import anonymous, new_key, new_tenant
from tests.support.threads import at_once
from tests.support.totp import STEP_MS, URL, Guarded, code_of, with_totp


@pytest.fixture
def ada(client, services):
    with later(0):
        yield with_totp(client, services)


def log_in(client: Client, ada: Guarded, code: str | None = None, password: str = PASSWORD) -> Answer:
    body = {"email": ada.email, "password": password} | ({} if code is None else {"totp": code})
    return client.post("/v1/auth/login", body)


def row_of(user_id: str) -> dict[str, Any]:
    row = USERS.get(user_id, "meta")
    assert row
    return row


def events_of(user_id: str) -> list[str]:
    return [row["ty"] for row in USERS.query(user_id, prefix="e#").items]


BOTH = {"password": PASSWORD, "code": "123456"}
OPERATIONS = [
    ("POST", "", {"password": PASSWORD}),
    ("POST", "/verify", {"code": "123456"}),
    ("DELETE", "", BOTH),
    ("POST", "/recovery-codes", BOTH),
]


class TestEveryOperation:
    @pytest.mark.parametrize(("method", "path", "body"), OPERATIONS)
    def test_it_takes_a_signed_in_user_whose_session_stands(self, client, services, method, path, body, monkeypatch):
        from chalicelib.auth.authorizer import authenticate

        assert anonymous().send(method, URL + path, body).status == 401
        assert new_key(new_tenant()).send(method, URL + path, body).code == "wrong_credential"
        person = signed_in(client, services)
        cached = authenticate(f"Bearer {person.tokens['access_token']}")
        monkeypatch.setattr("app.authenticate", lambda _token: cached)
        client.post("/v1/auth/logout", {"refresh_token": person.tokens["refresh_token"]})
        assert person.client.send(method, URL + path, body).status == 401

    @pytest.mark.parametrize(("method", "path", "body"), OPERATIONS)
    def test_bad_input_is_refused(self, client, services, method, path, body):
        answer = signed_in(client, services).client.send(method, URL + path, {"other": 1})
        assert (answer.status, answer.params) == (422, {"other", *body})

    @pytest.mark.parametrize(("method", "path", "body"), [each for each in OPERATIONS if "password" in each[2]])
    def test_a_wrong_password_is_refused_and_counted(self, ada, method, path, body):
        for _ in range(10):
            answer = ada.client.send(method, URL + path, body | {"password": "wrong"})
            assert (answer.status, answer.code) == (403, "wrong_password")
        ada.client.send(method, URL + path, body | {"password": "wrong"})
        assert ada.client.send(method, URL + path, body).status == 429


class TestEnrol:
    def test_it_shows_the_secret_once_and_changes_nothing_yet(self, client, services):
        person = signed_in(client, services)
        answers = [person.client.post(URL, {"password": PASSWORD}, Idempotency_Key="k") for _ in range(2)]
        assert [answer.status for answer in answers] == [201, 201]
        assert answers[1].json == {"secret": None, "otpauth_uri": None}
        uri = urlsplit(answers[0].json["otpauth_uri"])
        assert (uri.scheme, uri.netloc, uri.path) == ("otpauth", "totp", f"/Parley:{person.email.replace('@', '%40')}")
        assert parse_qs(uri.query) == {
            "secret": [answers[0].json["secret"]],
            "issuer": ["Parley"],
            "algorithm": ["SHA1"],
            "digits": ["6"],
            "period": ["30"],
        }
        assert person.client.get("/v1/auth/me").json["totp_enabled"] is False
        assert logged_in(client, person.email)

    def test_the_secret_is_kept_encrypted_and_bound_to_its_user(self, client, services):
        person = signed_in(client, services)
        secret = base64.b32decode(person.client.post(URL, {"password": PASSWORD}).json["secret"])
        sealed = row_of(person.user_id)["tp"]
        assert len(secret) == 20
        assert secret not in sealed
        assert totp.unseal(person.user_id, sealed) == secret
        with pytest.raises(InvalidTag):
            totp.unseal("usr_somebody_else", sealed)

    def test_whoever_has_one_gets_no_second(self, ada):
        answer = ada.client.post(URL, {"password": PASSWORD})
        assert (answer.status, answer.code) == (409, "totp_enabled")


class TestVerify:
    def test_a_code_switches_it_on_and_gives_ten_recovery_codes(self, client, services, ada):
        assert len(set(ada.recovery_codes)) == 10
        assert all(re.fullmatch(r"[a-z2-9]{4}(-[a-z2-9]{4}){2}", code) for code in ada.recovery_codes)
        row = row_of(ada.user_id)
        assert len(row["rc"]) == 10
        assert not any(code in str(row) or code.replace("-", "") in str(row) for code in ada.recovery_codes)
        assert "tp" not in row
        assert ada.client.get("/v1/auth/me").json["totp_enabled"] is True
        drain(services)
        assert events_of(ada.user_id) == ["user.totp_begun", "user.totp_enabled"]
        assert "second factor" in mails_to(services, ada.email)[-1]["Content"]["Simple"]["Subject"]["Data"]

    def test_a_wrong_code_does_not(self, client, services):
        person = signed_in(client, services)
        assert person.client.post(f"{URL}/verify", {"code": "123456"}).code == "totp_not_begun"
        secret = person.client.post(URL, {"password": PASSWORD}).json["secret"]
        with later(0):
            for code in (code_of(secret, -2), code_of(secret, 2), "abcdef", "☃☃☃☃☃☃"):
                answer = person.client.post(f"{URL}/verify", {"code": code})
                assert (answer.status, answer.code, answer.json["error"]["param"]) == (403, "wrong_code", "code")
        assert logged_in(client, person.email)

    def test_a_repeated_key_switches_it_on_once_and_shows_no_codes_again(self, client):
        person = with_session(client)
        secret = person.client.post(URL, {"password": PASSWORD}).json["secret"]
        body = {"code": code_of(secret)}
        answers = [person.client.post(f"{URL}/verify", body, Idempotency_Key="k") for _ in range(2)]
        assert [answer.status for answer in answers] == [200, 200]
        assert answers[1].json == {"recovery_codes": None}

    def test_a_second_time_is_refused(self, ada):
        assert ada.client.post(f"{URL}/verify", {"code": code_of(ada.secret)}).code == "totp_enabled"


class TestLogIn:
    def test_the_right_password_alone_is_told_what_lacks(self, client, ada):
        answer = log_in(client, ada)
        assert (answer.status, answer.code, answer.json["error"]["param"]) == (401, "totp_required", "totp")
        assert log_in(client, ada, code_of(ada.secret)).status == 200

    def test_a_wrong_password_is_told_nothing_of_it(self, client, ada):
        for code in (None, code_of(ada.secret), ada.recovery_codes[0]):
            assert log_in(client, ada, code, "wrong").code == "invalid_credentials"
        assert log_in(client, ada, code_of(ada.secret)).status == 200

    def test_a_step_early_or_late_is_fine_and_two_are_not(self, client, ada):
        with later(5 * STEP_MS):
            for steps, status in ((-2, 401), (-1, 200), (0, 200), (2, 401), (1, 200)):
                answer = log_in(client, ada, code_of(ada.secret, steps))
                assert answer.status == status, steps

    def test_a_code_works_once_and_none_before_it_does_any_more(self, client, ada):
        with later(5 * STEP_MS):
            assert log_in(client, ada, code_of(ada.secret)).status == 200
            for steps in (0, -1):
                answer = log_in(client, ada, code_of(ada.secret, steps))
                assert (answer.status, answer.code, answer.json["error"]["param"]) == (401, "invalid_totp", "totp")

    def test_the_code_that_switched_it_on_is_used_up(self, client, ada):
        assert log_in(client, ada, code_of(ada.secret, -1)).code == "invalid_totp"

    def test_a_recovery_code_works_once_however_it_is_typed_and_the_owner_is_told(self, client, services, ada):
        code = ada.recovery_codes[3]
        assert log_in(client, ada, code.upper().replace("-", " ")).status == 200
        assert log_in(client, ada, code).code == "invalid_totp"
        assert log_in(client, ada, ada.recovery_codes[4]).status == 200
        drain(services)
        assert "recovery code" in mails_to(services, ada.email)[-1]["Content"]["Simple"]["Subject"]["Data"]

    def test_a_code_that_another_log_in_uses_meanwhile_is_none(self, ada):
        before = store.find_user(ada.user_id)
        assert before
        for code in (ada.recovery_codes[0], code_of(ada.secret)):
            two_factor.check(before, code)
            with pytest.raises(InvalidTotpError):
                two_factor.check(before, code)

    def test_a_recovery_code_of_a_second_factor_that_is_off_meanwhile_is_none(self, ada):
        before = store.find_user(ada.user_id)
        assert before
        two_factor.remove(ada.email)
        with pytest.raises(InvalidTotpError):
            two_factor.check(before, ada.recovery_codes[0])

    def test_all_ten_of_them_work(self, client, ada):
        assert {log_in(client, ada, code).status for code in ada.recovery_codes} == {200}
        assert "rc" not in row_of(ada.user_id)
        assert log_in(client, ada, code_of(ada.secret)).status == 200

    def test_who_has_none_may_send_one(self, client, services):
        person = signed_in(client, services)
        body = {"email": person.email, "password": PASSWORD, "totp": "123456"}
        assert client.post("/v1/auth/login", body).status == 200

    def test_guesses_are_counted_and_asking_without_a_code_forgets_none(self, client, ada):
        for _ in range(5):
            assert log_in(client, ada, "000000").code == "invalid_totp"
            assert log_in(client, ada).code == "totp_required"
        assert log_in(client, ada, "000000").status == 401
        assert log_in(client, ada, code_of(ada.secret)).status == 429

    def test_another_password_does_not_remove_it(self, client, services, ada):
        client.post("/v1/auth/forgot-password", {"email": ada.email})
        drain(services)
        body = {"token": link_token(services, ada.email), "password": "new password!"}
        assert client.post("/v1/auth/reset-password", body).status == 200
        assert log_in(client, ada, None, "new password!").code == "totp_required"
        assert log_in(client, ada, code_of(ada.secret), "new password!").status == 200

    @pytest.mark.parametrize("recovery", [False, True])
    def test_of_fifty_log_ins_with_one_code_one_succeeds(self, client, services, ada, recovery, monkeypatch):
        monkeypatch.setattr(ratelimit, "FREE_ATTEMPTS", 100)  # each code is really looked at
        code = ada.recovery_codes[0] if recovery else code_of(ada.secret)
        answers = at_once(50, lambda: log_in(client, ada, code))
        assert Counter(answer.status for answer in answers) == {200: 1, 401: 49}
        assert {answer.code for answer in answers if answer.status == 401} == {"invalid_totp"}
        drain(services)

    def test_parallel_guesses_are_counted_exactly(self, client, ada):
        answers = at_once(50, lambda: log_in(client, ada, "000000"))
        assert Counter(answer.status for answer in answers) == {401: 11, 429: 39}  # ten free, and the first that waits

    def test_bad_input_is_refused(self, client):
        answer = client.post("/v1/auth/login", {"email": "ada@example.com", "password": "x", "totp": "12345"})
        assert (answer.status, answer.params) == (422, {"totp"})


class TestDisable:
    @pytest.mark.parametrize("recovery", [False, True])
    def test_password_and_code_switch_it_off(self, client, services, ada, recovery):
        code = ada.recovery_codes[0] if recovery else code_of(ada.secret)
        assert ada.client.send("DELETE", URL, {"password": PASSWORD, "code": code}).status == 204
        assert log_in(client, ada).status == 200
        assert not {"tk", "ts", "rc"} & set(row_of(ada.user_id))
        again = ada.client.send("DELETE", URL, {"password": PASSWORD, "code": code})
        assert (again.status, again.code) == (409, "totp_not_enabled")
        drain(services)
        assert "no second factor" in mails_to(services, ada.email)[-1]["Content"]["Simple"]["Subject"]["Data"]

    def test_a_used_or_wrong_code_does_not(self, client, ada):
        code = code_of(ada.secret)
        assert log_in(client, ada, code).status == 200
        for each in (code, "000000"):
            answer = ada.client.send("DELETE", URL, {"password": PASSWORD, "code": each})
            assert (answer.status, answer.code, answer.json["error"]["param"]) == (403, "wrong_code", "code")

    def test_a_code_that_a_log_in_uses_meanwhile_does_not(self, client, ada):
        code = code_of(ada.secret)
        entered: list[int] = []

        def log_in_first(service: str, operation: str, params: Any, proceed: Any) -> Any:
            if operation == "transact_write_items" and not entered:
                entered.append(log_in(client, ada, code).status)
            return proceed()

        with injected(log_in_first):
            answer = ada.client.send("DELETE", URL, {"password": PASSWORD, "code": code})
        assert entered == [200]
        assert (answer.status, answer.code) == (403, "wrong_code")


class TestRecoveryCodes:
    def test_new_ones_end_the_old(self, client, ada):
        body = {"password": PASSWORD, "code": code_of(ada.secret)}
        made = ada.client.post(f"{URL}/recovery-codes", body, Idempotency_Key="k")
        assert made.status == 200
        assert log_in(client, ada, ada.recovery_codes[0]).code == "invalid_totp"
        assert log_in(client, ada, made.json["recovery_codes"][0]).status == 200
        assert log_in(client, ada, body["code"]).code == "invalid_totp"
        assert events_of(ada.user_id)[2:] == ["user.recovery_codes_renewed", "user.recovery_code_used"]
        replay = ada.client.post(f"{URL}/recovery-codes", body, Idempotency_Key="k")
        assert replay.json == {"recovery_codes": None}

    def test_who_has_no_second_factor_gets_none(self, client, services):
        answer = signed_in(client, services).client.post(f"{URL}/recovery-codes", BOTH)
        assert (answer.status, answer.code) == (409, "totp_not_enabled")


class TestOperator:
    def test_who_has_lost_both_is_let_in_again(self, client, services, ada):
        assert "say --yes" in parley("remove-totp", "--email", ada.email, code=2).err
        parley("remove-totp", "--email", ada.email.upper(), "--yes")
        assert log_in(client, ada).status == 200
        assert "no second factor" in parley("remove-totp", "--email", ada.email, "--yes", code=1).err
        assert "no account" in parley("remove-totp", "--email", "nobody@example.com", "--yes", code=1).err
        drain(services)
        assert "no second factor" in mails_to(services, ada.email)[-1]["Content"]["Simple"]["Subject"]["Data"]


def test_the_codes_are_those_of_the_standards_table():
    # RFC 6238, appendix B, SHA-1, cut to six digits.
    secret = b"12345678901234567890"
    from chalicelib.core import clock

    for seconds, code in ((59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")):
        with clock.reading(partial(int, seconds * 1000)):
            assert totp.step_of(secret, code, after=0) == seconds // 30
            assert totp.step_of(secret, code, after=seconds // 30) is None
