"""Amazon SNS messages as a subscribed queue gets them, believed only with SNS's own signature.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

import base64
import binascii
import http.client
import json
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from chalicelib.core import clock
from chalicelib.core.frozen import frozen

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

MAX_CERTIFICATE_BYTES = 64 * 1024
TIMEOUT_S = 5

_SIGNED = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")  # of a notification, in this order
_ARN = re.compile(r"arn:(aws|aws-cn|aws-us-gov):sns:([a-z0-9-]+):\d{12}:[A-Za-z0-9_-]+")
_CERTIFICATE_PATH = r"/SimpleNotificationService-[A-Za-z0-9]+\.pem"


class ForgedMessageError(Exception):
    """Not a message that our topic sent; the text says what is wrong with it."""


@frozen
class Notification:
    """A message that the topic sent."""

    id: str
    sent_at: str  # RFC 3339
    message: str


def read(envelope: str, topic_arn: str) -> Notification:
    """Return a message of the topic; raises ForgedMessageError, and OSError when its certificate cannot be fetched."""
    try:
        found: Any = json.loads(envelope)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for name, value in found.items() if name in _READ):
        raise ForgedMessageError("not an SNS envelope")
    if found.get("Type") != "Notification" or not topic_arn or found.get("TopicArn") != topic_arn:
        raise ForgedMessageError("not a notification of our topic")
    _verify(found, topic_arn)
    return Notification(found["MessageId"], found["Timestamp"], found["Message"])


_READ = {*_SIGNED, "SignatureVersion", "Signature", "SigningCertURL"}


def _verify(found: dict[str, str], topic_arn: str) -> None:
    # Slow to import, and only this function needs it.
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import padding, rsa  # noqa: PLC0415

    algorithm = {"1": hashes.SHA1(), "2": hashes.SHA256()}.get(found.get("SignatureVersion", ""))  # noqa: S303 - SNS's
    if algorithm is None or not {"Message", "MessageId", "Timestamp"} <= found.keys():
        raise ForgedMessageError("a part is missing, or the signature's version is unknown")
    try:
        signature = base64.b64decode(found.get("Signature", ""), validate=True)
    except binascii.Error:
        raise ForgedMessageError("the signature is not base64") from None
    key = _certificate(_checked_url(found.get("SigningCertURL", ""), topic_arn)).public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise ForgedMessageError("the certificate's key is of another kind")
    signed = "".join(f"{name}\n{found[name]}\n" for name in _SIGNED if name in found)
    try:
        key.verify(signature, signed.encode(), padding.PKCS1v15(), algorithm)
    except InvalidSignature:
        raise ForgedMessageError("the signature does not fit") from None


def _checked_url(url: str, topic_arn: str) -> str:
    """Return the address of a certificate if it is SNS's own in the topic's region."""
    arn = _ARN.fullmatch(topic_arn)
    if arn is None:
        raise ForgedMessageError("the topic is not named by an ARN")
    host = f"sns.{arn[2]}.amazonaws.com" + (".cn" if arn[1] == "aws-cn" else "")
    if not re.fullmatch(f"https://{re.escape(host)}{_CERTIFICATE_PATH}", url):
        raise ForgedMessageError("the certificate is not SNS's")
    return url


def _certificate(url: str) -> "Certificate":
    """Return the certificate at an address, while it is valid."""
    from cryptography.x509 import load_pem_x509_certificate  # noqa: PLC0415 - slow to import

    try:
        found = load_pem_x509_certificate(_download(url))
    except ValueError:
        raise ForgedMessageError("the certificate cannot be read") from None
    now = datetime.fromtimestamp(clock.now_s(), UTC)
    if not found.not_valid_before_utc <= now <= found.not_valid_after_utc:
        raise ForgedMessageError("the certificate is not valid now")
    return found


@lru_cache(maxsize=8)
def _download(url: str) -> bytes:
    """Fetch a certificate, once per process: SNS gives a renewed one another name. No redirect is followed."""
    parts = urlsplit(url)
    connection = http.client.HTTPSConnection(parts.netloc, timeout=TIMEOUT_S)
    try:
        connection.request("GET", parts.path)
        answer = connection.getresponse()
        body = answer.read(MAX_CERTIFICATE_BYTES)
        if answer.status != 200:
            raise OSError(f"the certificate was not delivered: {answer.status}")
        return body
    finally:
        connection.close()
