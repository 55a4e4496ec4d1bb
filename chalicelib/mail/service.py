"""Sending mail: callers enqueue, the worker sends."""

from chalicelib.core import aws
from chalicelib.core.config import settings
from chalicelib.mail.models import Mail, check_address


def enqueue(mail: Mail) -> None:
    """Put a mail on the queue; doing so twice is harmless. Raises UnsafeAddressError."""
    check_address(mail.to)
    aws.send(settings().mail_queue_url, mail.to_json())
