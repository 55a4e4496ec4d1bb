"""What a deployment finds ready in its region, made here if it is missing: queues, keys, a verified mail sender."""

import contextlib
import json
import os
import secrets as randomness
from collections.abc import Callable
from email.utils import parseaddr
from pathlib import Path
from typing import Any

from local.kinds import AwsClient
from local.template import stateful_resources


def make_queues(sqs: AwsClient, stage: str, region: str) -> dict[str, str]:
    """Create the queues of infra/stateful.yaml, or bring them up to date, and return their URLs by name."""
    definitions = stateful_resources("AWS::SQS::Queue")
    names = {logical: d["QueueName"].replace("${Stage}", stage) for logical, d in definitions.items()}
    urls = {}
    for logical in sorted(names, key=lambda name: "RedrivePolicy" in definitions[name]):  # dead-letter queues first
        name, attributes = names[logical], _attributes(definitions[logical], names, region)
        try:
            urls[name] = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        except sqs.exceptions.QueueNameExists:  # with attributes of an older version
            urls[name] = sqs.get_queue_url(QueueName=name)["QueueUrl"]
            sqs.set_queue_attributes(QueueUrl=urls[name], Attributes=attributes)
    return urls


def make_bucket(s3: AwsClient, name: str, region: str) -> None:
    """Create the bucket of infra/stateful.yaml; what is deleted there after a while is not deleted here."""
    definition = stateful_resources("AWS::S3::Bucket")["FilesBucket"]
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration=definition["VersioningConfiguration"])


def keep_secret(
    secrets: AwsClient, secret_id: str, file: Path, make: Callable[[], dict[str, Any]] | None = None
) -> dict[str, Any]:
    """Bring a secret (the signing keys unless `make` makes another) and its copy in `file` (mode 600) together.

    Returns what is in it.

    Secrets Manager wins, because the app may have rotated them there; the copy is for its last second before a kill,
    which ministack may forget. Where neither has any, new ones are made.
    """
    try:
        document = json.loads(secrets.get_secret_value(SecretId=secret_id)["SecretString"])
    except secrets.exceptions.ResourceNotFoundException:
        document = json.loads(file.read_text()) if file.exists() else (make or _new_keys)()
        write_private(file, document)  # before anyone can have seen a token signed with them
        secrets.create_secret(Name=secret_id, SecretString=json.dumps(document))
    else:
        write_private(file, document)
    found: dict[str, Any] = document
    return found


def new_stripe_keys() -> dict[str, Any]:
    """Make what an operator copies from Stripe's Dashboard: an API key, and the secret that hooks are signed with."""
    return {"api_key": f"sk_test_{randomness.token_hex(12)}", "webhook_secrets": [f"whsec_{randomness.token_hex(16)}"]}


def verify_sender(sesv2: AwsClient, sender: str) -> None:
    """Let mails be sent from this address, as an operator does once for a region."""
    with contextlib.suppress(sesv2.exceptions.AlreadyExistsException):
        sesv2.create_email_identity(EmailIdentity=parseaddr(sender)[1])


def _attributes(definition: dict[str, Any], names: dict[str, str], region: str) -> dict[str, str]:
    wanted = ("VisibilityTimeout", "MessageRetentionPeriod", "DelaySeconds")
    found = {name: str(definition[name]) for name in wanted if name in definition}
    policy = definition.get("RedrivePolicy")
    if policy:
        dead_letters = names[policy["deadLetterTargetArn"].removesuffix(".Arn")]
        arn = f"arn:aws:sqs:{region}:000000000000:{dead_letters}"
        count = policy["maxReceiveCount"]
        found["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": count})
    return found


def _new_keys() -> dict[str, Any]:
    from chalicelib.auth.keys import new_key_set

    return new_key_set()


def write_private(file: Path, document: object) -> None:
    """Write JSON that only its owner may read, all of it or nothing."""
    new = file.with_suffix(".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as out:
        json.dump(document, out)
        out.flush()
        os.fsync(out.fileno())
    new.replace(file)
