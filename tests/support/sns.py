"""SNS as our queue sees it: envelopes signed with a certificate of the test's own."""

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

TOPIC = "arn:aws:sns:eu-west-1:123456789012:parley-test-mail-feedback"
CERTIFICATE = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem"
SIGNED = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")


@dataclass(frozen=True)
class Signer:
    """A key with its certificate."""

    key: rsa.RSAPrivateKey
    pem: bytes

    def sign(self, envelope: dict[str, str]) -> dict[str, str]:
        """Return the envelope with its signature."""
        algorithm: hashes.HashAlgorithm = hashes.SHA1() if envelope["SignatureVersion"] == "1" else hashes.SHA256()  # noqa: S303 - SNS still has it
        text = "".join(f"{name}\n{envelope[name]}\n" for name in SIGNED if name in envelope)
        signature = self.key.sign(text.encode(), padding.PKCS1v15(), algorithm)
        return envelope | {"Signature": base64.b64encode(signature).decode()}


@lru_cache(maxsize=4)
def signer(valid_days: int = 30) -> Signer:
    """Make a key and a certificate that is valid from yesterday for so many days."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    begin = datetime.now(UTC) - timedelta(days=1 + max(0, -valid_days))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin - timedelta(days=1))
        .not_valid_after(begin + timedelta(days=1 + max(0, valid_days)))
        .sign(key, hashes.SHA256())
    )
    return Signer(key, certificate.public_bytes(serialization.Encoding.PEM))


def envelope(message: object, *, version: str = "2", at: str = "2026-11-20T10:00:00.000Z", **changed: str) -> str:
    """Return a signed notification; `changed` is signed too."""
    text = message if isinstance(message, str) else json.dumps(message)
    found = {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Message": text,
        "Timestamp": at,
        "SignatureVersion": version,
        "SigningCertURL": CERTIFICATE,
        "UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe",
    }
    return json.dumps(signer().sign(found | changed))


def bounce(address: str, kind: str = "Permanent") -> dict[str, object]:
    """Return SES's event of a bounce."""
    recipients = [{"emailAddress": address, "action": "failed", "status": "5.1.1", "diagnosticCode": "smtp; 550"}]
    details = {"bounceType": kind, "bounceSubType": "General", "bouncedRecipients": recipients, "feedbackId": "x"}
    return {"eventType": "Bounce", "bounce": details, "mail": {"messageId": "m", "destination": [address]}}


def complaint(address: str, **more: str) -> dict[str, object]:
    """Return SES's event of a complaint."""
    details = {"complainedRecipients": [{"emailAddress": address}], "feedbackId": "x", **more}
    return {"eventType": "Complaint", "complaint": details, "mail": {"messageId": "m", "destination": [address]}}
