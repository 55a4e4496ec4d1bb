"""`python -m infra.create_keys`: puts the first signing key and the pepper into a new stack's empty secret."""

import json
import sys

from botocore.exceptions import ClientError

from chalicelib.auth.keys import new_key_set
from chalicelib.core import aws
from chalicelib.core.config import settings


def main() -> int:
    """Fill the secret that PARLEY_KEYS_SECRET names; 1 if it has keys already, which are never replaced."""
    secret = settings().keys_secret
    if _has_value(secret):
        print(f"{secret} has keys already; they are rotated by the schedule, never replaced.", file=sys.stderr)
        return 1
    # A version id of our own makes a second run at the same moment fail instead of replacing what the first put in.
    text = json.dumps(new_key_set())
    aws.call(
        "secretsmanager",
        "put_secret_value",
        {"SecretId": secret, "SecretString": text, "ClientRequestToken": "parley-first-key-set-of-this-secret"},
    )
    print(f"{secret} has its first keys.")
    return 0


def _has_value(secret: str) -> bool:
    try:
        return bool(aws.call("secretsmanager", "get_secret_value", {"SecretId": secret}).get("SecretString"))
    except ClientError as exc:
        if aws.error_code(exc) != "ResourceNotFoundException":
            raise
        return False  # a secret without a value is answered like one that is not there


if __name__ == "__main__":
    sys.exit(main())
