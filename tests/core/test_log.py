"""Lines of the log: no secret gets into one, and those with metrics are what CloudWatch reads."""

import json
import logging
from dataclasses import replace

import pytest

from chalicelib.core import log
from chalicelib.core.ids import new_ulid
from tests.support import faults
from tests.support.faults import At, injected
from tests.support.logs import SECRETS, Watch, secret_in
from tests.support.people import PASSWORD, new_email, registered, signed_in
from tests.support.tenants import new_tenant
from tests.support.totp import code_of, with_totp
from tests.support.webhooks import new_webhook

SAMPLES = {
    "an API key": "parley_live_0123456789abcdefghijKLM",
    "a token": "parley_rt_0123456789abcdefghijKLM",
    "a JWT": "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1c3JfMSJ9.x",
    "a webhook's secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "a TOTP secret": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
    "a password": PASSWORD,
    "a credential": "Bearer 0123456789abcdef",
    "a link's token": "https://api.test/x?token=1",
    "an address": "ana@example.com",
}


def lines(logged) -> list[dict[str, object]]:
    return [json.loads(line) for line in logged if line.startswith("{")]


def test_a_line_has_the_fields_of_powertools_and_nothing_of_an_exceptions_text(logged):
    with pytest.raises(ValueError, match=PASSWORD) as told:
        int(PASSWORD)
    log.error("went_wrong", exc=told.value, tenant="tn_1")
    (line,) = lines(logged)
    assert (line["level"], line["message"], line["service"], line["tenant"]) == (
        "ERROR",
        "went_wrong",
        "parley",
        "tn_1",
    )
    assert str(line["location"]).startswith("test_a_line_has")
    assert line["exception_name"] == "ValueError"


def test_an_error_counts_once_where_its_alarm_looks(logged):
    log.error("went_wrong")
    (line,) = lines(logged)
    assert line["_aws"] == {
        "Timestamp": line["_aws"]["Timestamp"],  # type: ignore[index]  # free JSON
        "CloudWatchMetrics": [
            {
                "Namespace": "Parley",
                "Dimensions": [["Stage"]],
                "Metrics": [{"Name": "ErrorsLogged", "Unit": "Count"}],
            }
        ],
    }
    assert (line["Stage"], line["ErrorsLogged"]) == ("test", 1)


def test_one_with_metrics_of_its_own_counts_as_these_alone(logged):
    log.error("parked", metrics={"EventsParked": 1})
    log.info("took", metrics={"CanaryMs": 812})
    log.warning("healed")
    first, second, third = lines(logged)
    assert (first["EventsParked"], "ErrorsLogged" in first) == (1, False)
    assert second["CanaryMs"] == 812
    assert second["_aws"]["CloudWatchMetrics"][0]["Metrics"] == [{"Name": "CanaryMs", "Unit": "Milliseconds"}]  # type: ignore[index]
    assert "_aws" not in third


@pytest.mark.parametrize("kind", SECRETS)
def test_the_watch_over_all_tests_finds_a_planted_secret(kind):
    assert secret_in(json.dumps({"message": "x", "planted": SAMPLES[kind]})) == kind
    watch = Watch(logging.Formatter())
    watch.handle(logging.makeLogRecord({"msg": SAMPLES[kind]}))
    assert len(watch.found) == 1


def test_what_is_logged_every_day_is_no_secret():
    for line in ("usr_01JD3Q0Z5N8V9W2X4Y6Z8A0BCD", "2026-11-20T10:00:00Z", "POST /v1/auth/login", "tn_x#conv_y"):
        assert secret_in(line) is None


class TestSecretsThatAreSentAndRefused:
    """Each is made for its test, so that it is looked for as it is and not only by its shape."""

    def test_of_people(self, client, services, logged):
        password = f"Canary-{new_ulid()}"
        email = new_email()
        secrets = {password, email, registered(client, services, email, password)}
        person = signed_in(client, services)
        guarded = with_totp(client, services)
        secrets |= {
            person.tokens["access_token"],
            person.tokens["refresh_token"],
            guarded.secret,
            *guarded.recovery_codes,
        }
        secrets |= {code := code_of(guarded.secret)}
        wrong = {"email": guarded.email, "password": PASSWORD, "totp": code[::-1]}
        refresh = {"refresh_token": person.tokens["refresh_token"]}
        requests = [
            ("/v1/auth/login", {"email": email, "password": password}),
            ("/v1/auth/login", wrong),
            ("/v1/auth/login", wrong | {"totp": guarded.recovery_codes[0]}),
            ("/v1/auth/register", {"email": email, "password": password}),
            ("/v1/auth/refresh", refresh),
            ("/v1/auth/verify-email", {"token": f"parley_ev_{new_ulid()}"}),
        ]
        self.on_bad_days(client, requests)
        client.using(person.tokens["access_token"][:-4]).get("/v1/me")
        client.get(f"/v1/me?access_token={password}")
        assert client.post("/v1/auth/refresh", refresh).status in {200, 401}
        self.nothing_of(secrets, logged)

    def test_of_tenants(self, services, logged):
        tenant = new_tenant()
        owner = tenant.owner.client
        key = owner.post("/v1/api-keys", {"name": "Server"}).json["secret"]
        webhook = new_webhook(owner)
        target = f"https://hook-{new_ulid().lower()}.example.com/in?key={new_ulid()}"
        requests = [
            ("/v1/webhooks", {"url": target, "events": ["message.created"]}),
            (f"/v1/webhooks/{webhook['id']}/rotate-secret", {}),
            ("/v1/api-keys", {"name": "Another"}),
            ("/v1/contacts", {"name": "Kim", "email": f"kim-{new_ulid()}@example.com"}),
        ]
        self.on_bad_days(owner, requests)
        self.on_bad_days(owner.using(key), requests)
        owner.using(key[:-1]).get("/v1/me")
        self.nothing_of({key, webhook["secret"], target, new_ulid()}, logged)

    def test_of_stripe(self, client, logged):
        secret = f"whsec_{new_ulid()}"
        client.using(Stripe_Signature=f"t=1,v1={secret}").post("/hooks/stripe", {"key": secret})
        log.info("looked")
        self.nothing_of({secret}, logged)

    def on_bad_days(self, client, requests) -> None:
        """Send each while AWS fails in a way that we know, and in one that is a bug of ours."""
        careless = replace(client, check=None)  # no operation's documentation has a 500
        for path, body in requests:
            bug = KeyError(json.dumps(body))
            for error in (faults.no_endpoint, lambda _operation, bug=bug: bug):
                for number in (0, 1):
                    with injected(At(number, "before", error, faults.is_functions_table)):
                        careless.post(path, body)

    def nothing_of(self, secrets: set[str], logged) -> None:
        assert logged
        assert [(secret, line) for line in logged for secret in secrets if secret in line] == []
