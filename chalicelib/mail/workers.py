"""The mail queue's consumer."""

from email.header import Header
from email.utils import formataddr, parseaddr

from chalicelib.core import aws, log
from chalicelib.core.config import settings
from chalicelib.mail import feedback, sns_gateway, store
from chalicelib.mail.models import Mail, MailBusyError, check_address
from chalicelib.mail.store import Claim
from chalicelib.mail.templates import one_line, render

SENDER_LENGTH = 60


def send(body: str) -> None:
    """Send the mail of one queue message unless it has been sent, or its reader is to get no more.

    A crash between SES's answer and our record sends it twice: SES has no idempotency key. Raises MailBusyError.
    """
    mail = Mail.from_json(body)
    request = request_for(mail)  # first: what cannot be rendered must not look as if it was on its way
    claimed = store.claim(mail.id, check_address(mail.to))
    if claimed is Claim.STOPPED:
        log.warning("mail_not_sent", mail_id=mail.id, template=mail.template, reason="bounced or complained")
        return
    if claimed is Claim.TAKEN:
        if store.is_sent(mail.id):
            return
        raise MailBusyError(mail.id)
    aws.call("sesv2", "send_email", request)
    store.mark_sent(mail.id)
    log.info("mail_sent", mail_id=mail.id, template=mail.template)


def take_feedback(body: str) -> None:
    """Take SES's word on what became of a mail, as SNS put it on the queue.

    Raises ForgedMessageError for what our topic did not sign: it ends among the dead letters, with an alarm.
    """
    feedback.take(sns_gateway.read(body, settings().mail_feedback_topic))


def request_for(mail: Mail) -> aws.Params:
    """Return what SES is asked to send; raises UnsafeAddressError."""
    rendered = render(mail)
    simple = {
        "Subject": _utf8(rendered.subject),
        "Body": {"Text": _utf8(rendered.text), "Html": _utf8(rendered.html)},
        "Headers": _headers(mail),
    }
    request: aws.Params = {
        "FromEmailAddress": _sender(mail.sender),
        "Destination": {"ToAddresses": [check_address(mail.to)]},
        "Content": {"Simple": simple},
    }
    if settings().mail_configuration_set:
        request["ConfigurationSetName"] = settings().mail_configuration_set
    return request


def _headers(mail: Mail) -> list[dict[str, str]]:
    # Our mails follow from what somebody did: no holiday notice should answer them (RFC 3834).
    headers = {"Auto-Submitted": "auto-generated"}
    if mail.unsubscribe:
        headers |= {"List-Unsubscribe": f"<{mail.unsubscribe}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    return [{"Name": name, "Value": value} for name, value in headers.items()]


def _sender(name: str) -> str:
    """Return the From header: our address, under a tenant's name if one is given, which SES wants in ASCII."""
    shown = one_line(name)[:SENDER_LENGTH]
    if not shown:
        return settings().mail_from
    address = parseaddr(settings().mail_from)[1]
    if shown.isascii():
        return formataddr((shown, address))
    return f"{Header(shown, 'utf-8').encode(linesep='')} <{address}>"


def _utf8(text: str) -> dict[str, str]:
    return {"Data": text, "Charset": "UTF-8"}
