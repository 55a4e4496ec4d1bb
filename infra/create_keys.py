"""Puts the first signing key and the pepper into a new stack's empty secret: a step of `make deploy`.

By itself it is `python -m parley keys signing create`.
"""

import json

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


def _has_value(secret: str, region: str) -> bool:
    try:
        return bool(client("secretsmanager", region).get_secret_value(SecretId=secret).get("SecretString"))
    except ClientError as exc:
        if exc.response.get("Error", {}).get("Code") != "ResourceNotFoundException":
            raise
        return False  # a secret without a value is answered like one that is not there
