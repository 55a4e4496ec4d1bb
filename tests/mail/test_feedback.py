"""Bounces and complaints: believed only with SNS's signature, and then the last mail to that address."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

import app
from chalicelib.core import clock
from chalicelib.core.ids import new
from chalicelib.mail import feedback, sns_gateway
from chalicelib.mail.models import Mail
from chalicelib.mail.service import enqueue
from tests.support import sns
from tests.support.clocks import later
from tests.support.operator import parley
from tests.support.people import new_email
from tests.support.queues import deliver, drain
from tests.support.settings import changed
from tests.support.sns import bounce, complaint, envelope, signer


@pytest.fixture(autouse=True)
def fetched(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Deliver our certificate to whoever asks for one, and note who is asked."""
    asked: list[str] = []

    def download(url: str) -> bytes:
        asked.append(url)
        return signer().pem

    monkeypatch.setattr(sns_gateway, "_download", download)
    with changed(MAIL_FEEDBACK_TOPIC=sns.TOPIC, MAIL_CONFIGURATION_SET="parley-test"):
        yield asked


def told(*bodies: str) -> list[str]:
    """Deliver feedback; returns what was refused."""
    return deliver(app.take_mail_feedback, list(bodies))


def gets_mail(services: Any, address: str) -> bool:
    before = len(services.mails)
    enqueue(Mail(new("mail"), address, "verify_email", "en", {"link": "https://api.test/?token=a"}))
    drain(services)
    return len(services.mails) > before


class TestStopping:
    @pytest.mark.parametrize("version", ["1", "2"])
    @pytest.mark.parametrize("event", [bounce, complaint])
    def test_a_permanent_bounce_or_a_complaint_ends_all_mail_to_the_address(self, services, event, version):
        address, other = new_email(), new_email()
        assert gets_mail(services, address)
        assert told(envelope(event(address.upper()), version=version)) == []
        assert not gets_mail(services, address)
        assert gets_mail(services, other)

    @pytest.mark.parametrize(
        "event",
        [
            bounce("ada@people.test", "Transient"),
            bounce("ada@people.test", "Undetermined"),
            complaint("ada@people.test", complaintFeedbackType="not-spam"),
            {"eventType": "Delivery", "delivery": {"recipients": ["ada@people.test"]}},
            {"eventType": "Bounce"},
            {"eventType": ["Bounce"]},
            ["Bounce"],
            "Successfully validated SNS topic for Amazon SES event publishing.",
        ],
    )
    def test_anything_else_does_not(self, services, event):
        assert told(envelope(event)) == []
        assert gets_mail(services, "ada@people.test")

    def test_what_ses_calls_a_notification_counts_as_well(self, services):
        address, event = new_email(), bounce("x@people.test")
        event = bounce(address) | {"notificationType": event.pop("eventType")}
        del event["eventType"]
        assert told(envelope(event, Subject="Amazon SES Email Event Notification")) == []
        assert not gets_mail(services, address)

    def test_hearing_it_twice_changes_nothing(self, services):
        address = new_email()
        body = envelope(bounce(address))
        assert told(body, body) == []
        assert not gets_mail(services, address)

    def test_an_address_is_kept_only_as_a_keyed_hash(self, services):
        from chalicelib.core import aws
        from tests.support.tables import Watch

        address, watch = new_email(), Watch()
        aws.interceptors.append(watch)
        told(envelope(bounce(address)))
        assert watch.rows == {("M#stop#<hash>", "-"): {"at", "why"}}

    def test_our_mails_go_out_with_the_configuration_set_that_tells_of_them(self, services):
        gets_mail(services, new_email())
        assert services.mails[-1]["ConfigurationSetName"] == "parley-test"


class TestForgery:
    @pytest.mark.parametrize(
        "url",
        [
            "https://sns.eu-west-1.amazonaws.com.evil.test/SimpleNotificationService-0123.pem",
            "https://evil.test/SimpleNotificationService-0123.pem",
            "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123.pem",
            "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123.pem",
            "https://sns.eu-west-1.amazonaws.com@evil.test/SimpleNotificationService-0123.pem",
            "https://sns.eu-west-1.amazonaws.com:8443/SimpleNotificationService-0123.pem",
            "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123.pem?x=.pem",
            "https://sns.eu-west-1.amazonaws.com/../evil/SimpleNotificationService-0123.pem",
            "https://sns-eu-west-1.amazonaws.com/SimpleNotificationService-0123.pem",
            "file:///etc/passwd",
            "",
        ],
    )
    def test_a_certificate_from_elsewhere_is_not_even_fetched(self, services, fetched, url):
        address = new_email()
        body = envelope(bounce(address), SigningCertURL=url)
        assert told(body) == [body]
        assert fetched == []
        assert gets_mail(services, address)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("Message", json.dumps(bounce("eve@people.test"))),
            ("Timestamp", "2030-01-01T00:00:00.000Z"),
            ("MessageId", "another"),
            ("Subject", "added"),
            ("TopicArn", sns.TOPIC + "2"),
            ("Type", "SubscriptionConfirmation"),
            ("SignatureVersion", "1"),
            ("SignatureVersion", "3"),
            ("Signature", "bm90IGEgc2lnbmF0dXJl"),
            ("Signature", "not base64!"),
            ("Signature", ""),
            ("Message", 5),
            ("Message", None),
        ],
    )
    def test_a_changed_message_is_refused(self, services, name, value):
        address = new_email()
        body = json.dumps(json.loads(envelope(bounce(address))) | {name: value})
        assert told(body) == [body]
        assert gets_mail(services, address)
        assert gets_mail(services, "eve@people.test")

    def test_another_topic_of_the_same_region_is_refused_though_sns_signed_it(self):
        body = envelope(bounce(new_email()), TopicArn=sns.TOPIC + "2")
        assert told(body) == [body]

    def test_the_same_message_signed_by_somebody_else_is_refused(self, monkeypatch):
        body = envelope(bounce(new_email()))
        monkeypatch.setattr(sns_gateway, "_download", lambda _: signer(60).pem)
        assert told(body) == [body]

    def test_an_expired_certificate_is_refused(self):
        body = envelope(bounce(new_email()))
        with later(40 * 86_400_000):
            assert told(body) == [body]

    def test_nothing_is_believed_where_no_topic_is_set(self):
        body = envelope(bounce(new_email()))
        with changed(MAIL_FEEDBACK_TOPIC=""):
            assert told(body) == [body]

    @pytest.mark.parametrize("body", ["", "{}", "[]", "null", '{"Type": "Notification"}', "\x00"])
    def test_what_is_no_envelope_is_refused(self, body):
        assert told(body) == [body]

    def test_one_forgery_does_not_hold_up_its_batch(self, services):
        address = new_email()
        assert told("{}", envelope(bounce(address))) == ["{}"]
        assert not gets_mail(services, address)


class TestLifting:
    def test_an_operator_sees_why_and_lets_mail_go_again(self, services):
        address = new_email()
        assert "not stopped" in parley("allow-mail", "--email", address).out
        told(envelope(complaint(address)))
        looked = parley("allow-mail", "--email", address, "--look")
        assert "2026-11-20T10:00:00Z, because of a complaint" in looked.out
        assert not gets_mail(services, address)
        assert "allowed again" in parley("allow-mail", "--email", f" {address.upper()} ", "--yes").out
        assert gets_mail(services, address)

    def test_a_notice_from_before_does_not_stop_it_again_and_a_new_one_does(self, services):
        address = new_email()
        old = envelope(bounce(address))
        told(old)
        feedback.allow(address)
        assert told(old) == []
        assert gets_mail(services, address)
        told(envelope(bounce(address), at=clock.rfc3339(clock.now_ms() + 60_000)))
        assert not gets_mail(services, address)

    def test_what_is_no_address_is_said_to_be_none(self, services):
        assert "not an e-mail address" in parley("allow-mail", "--email", "ada", code=2).err
