"""The mail queue: each mail once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chalicelib.core import aws
from chalicelib.core.errors import UnavailableError
from chalicelib.core.ids import new
from chalicelib.mail import workers
from chalicelib.mail.models import Mail, MailBusyError
from chalicelib.mail.service import enqueue
from tests.support.clocks import later
from tests.support.queues import deliver, drain, take
from tests.support.threads import at_once

LINK = "https://api.test/auth/verify-email?token=abc&x=<y>"


def mail(**changed: Any) -> Mail:
    given: dict[str, Any] = {"id": new("mail"), "to": "ada@example.com", "template": "verify_email", "language": "en"}
    return Mail(**{**given, "params": {"link": LINK}, **changed})


class TestSending:
    def test_a_mail_goes_out_as_text_and_html_from_our_address(self, services):
        enqueue(mail())
        drain(services)
        (sent,) = services.mails
        assert sent["FromEmailAddress"] == "Parley <no-reply@parley.test>"
        assert sent["Destination"] == {"ToAddresses": ["ada@example.com"]}
        body = sent["Content"]["Simple"]["Body"]
        assert LINK in body["Text"]["Data"].splitlines()
        assert 'href="https://api.test/auth/verify-email?token=abc&amp;x=&lt;y&gt;"' in body["Html"]["Data"]

    def test_the_same_mail_is_sent_once_however_often_it_is_queued(self, services):
        one = mail()
        for _ in range(3):
            enqueue(one)
        drain(services)
        enqueue(one)
        drain(services)
        assert len(services.mails) == 1

    def test_the_same_mail_delivered_to_many_workers_at_once_is_sent_once(self, services):
        body = mail().to_json()

        def send():
            try:
                workers.send(body)
            except MailBusyError:
                return "busy"
            return "done"

        outcomes = at_once(32, send)
        assert len(services.mails) == 1
        assert "done" in outcomes

    def test_a_mail_whose_worker_died_is_sent_after_its_lease(self, services):
        import app

        enqueue(mail())
        bodies = take(services, "mail")
        with failing_ses():
            assert deliver(app.send_mail, bodies) == bodies
        assert deliver(app.send_mail, bodies) == bodies  # still leased: it comes back
        assert services.mails == []
        with later(121_000):
            assert deliver(app.send_mail, bodies) == []
        assert len(services.mails) == 1

    def test_one_bad_mail_does_not_hold_up_its_batch(self, services):
        import app

        bad = Mail(new("mail"), "ada@example.com", "no_such_template", "en").to_json()
        assert deliver(app.send_mail, [bad, mail().to_json()]) == [bad]
        assert len(services.mails) == 1


@contextmanager
def failing_ses() -> Iterator[None]:
    """Let SES not answer."""

    def fail(service: str, operation: str, params: aws.Params, proceed: aws.Proceed) -> aws.Params:
        if service == "sesv2":
            raise UnavailableError
        return proceed()

    aws.interceptors.append(fail)
    yield
    aws.interceptors.remove(fail)
