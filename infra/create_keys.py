"""Puts the first signing key and the pepper into a new stack's empty secret: a step of `make deploy`.

By itself it is `PARLEY_KEYS_SECRET=parley-prod-keys AWS_REGION=eu-central-1 python -m infra.create_keys`.
"""

import json
import os
import sys

from botocore.exceptions import ClientError

from chalicelib.auth.keys import new_key_set
from infra.clients import client

# A version id of our own makes a second run at the same moment fail instead of replacing what the first put in.
_VERSION = "parley-first-key-set-of-this-secret"


def fill(secret: str, region: str) -> bool:
    """Fill a secret that has no value yet; False if it has one, which is never replaced."""
    if _has_value(secret, region):
        return False
    text = json.dumps(new_key_set())
    client("secretsmanager", region).put_secret_value(SecretId=secret, SecretString=text, ClientRequestToken=_VERSION)
    return True


def main() -> int:
    """Fill the secret that PARLEY_KEYS_SECRET names; 1 if it has keys already."""
    secret, region = os.environ["PARLEY_KEYS_SECRET"], os.environ.get("AWS_REGION") or os.environ["AWS_DEFAULT_REGION"]
    if fill(secret, region):
        print(f"{secret} has its first keys.")
        return 0
    print(f"{secret} has keys already; they are rotated by the schedule, never replaced.", file=sys.stderr)
    return 1


def _has_value(secret: str, region: str) -> bool:
    try:
        return bool(client("secretsmanager", region).get_secret_value(SecretId=secret).get("SecretString"))
    except ClientError as exc:
        if exc.response.get("Error", {}).get("Code") != "ResourceNotFoundException":
            raise
        return False  # a secret without a value is answered like one that is not there


if __name__ == "__main__":
    sys.exit(main())
