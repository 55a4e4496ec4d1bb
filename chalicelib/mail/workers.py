"""The mail queue's consumer."""

from chalicelib.core import aws, log
from chalicelib.core.config import settings
from chalicelib.mail import store
from chalicelib.mail.models import Mail, MailBusyError, check_address
from chalicelib.mail.templates import render


def send(body: str) -> None:
    """Send the mail of one queue message unless it has been sent.

    A crash between SES's answer and our record sends it twice: SES has no idempotency key. Raises MailBusyError.
    """
    mail = Mail.from_json(body)
    if not store.claim(mail.id):
        if store.is_sent(mail.id):
            return
        raise MailBusyError(mail.id)
    rendered = render(mail.template, mail.language, mail.params)
    content = {"Text": _utf8(rendered.text), "Html": _utf8(rendered.html)}
    params = {
        "FromEmailAddress": settings().mail_from,
        "Destination": {"ToAddresses": [check_address(mail.to)]},
        "Content": {"Simple": {"Subject": _utf8(rendered.subject), "Body": content}},
    }
    aws.call("sesv2", "send_email", params)
    store.mark_sent(mail.id)
    log.info("mail_sent", mail_id=mail.id, template=mail.template)


def _utf8(text: str) -> dict[str, str]:
    return {"Data": text, "Charset": "UTF-8"}
