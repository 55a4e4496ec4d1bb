"""The settings of the app in the local stack: what a deployment's template would set, with local limits."""

import os
from collections.abc import Mapping

from local.engines import AWS_REGION, CREDENTIAL
from local.stripe_double.paths import API_PATH

STAGE = "local"
TABLE = f"parley-{STAGE}-main"
API_ID = "local"  # of the gateway
FILES_BUCKET = f"parley-{STAGE}-files"
FILES_PATH = "/_files"  # of the gateway, where files are served and direct uploads posted
KEYS_SECRET = f"parley-{STAGE}-keys"
STRIPE_SECRET = f"parley-{STAGE}-stripe"

# Many users of the demo and of load tests come from one address. The outer environment wins over these.
_DEFAULTS = {
    "PARLEY_REGION": "eu1",
    "PARLEY_MAIL_FROM": "Parley <parley@localhost>",
    "PARLEY_LOGIN_ATTEMPTS_PER_ADDRESS": "10000",
    "PARLEY_SESSIONS_PER_ADDRESS": "100000",
    "PARLEY_VISITOR_BURST": "300",
    "PARLEY_VISITOR_RATE": "30",
    "PARLEY_USER_REQUESTS": "60000",
    "PARLEY_KEY_REQUESTS": "60000",
    "PARLEY_VISITOR_REQUESTS": "6000",
    "PARLEY_TENANT_REQUESTS": "300000",
    "PARLEY_TENANT_VISITOR_REQUESTS": "300000",
    "PARLEY_INVITATIONS_PER_TENANT": "10000",
    "PARLEY_ALLOW_LOOPBACK_DOMAINS": "1",
    "PARLEY_ALLOW_LOOPBACK_WEBHOOKS": "1",
    "PARLEY_SIGNUP": "open",
    "PARLEY_INDEX_SHARDS": "1",
    "PARLEY_BILLING": "stripe",
}


def forget_users_aws() -> None:
    """Keep no AWS credential, profile or endpoint of the user's: nothing here may reach a real account."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(
        {
            "AWS_ACCESS_KEY_ID": CREDENTIAL,
            "AWS_SECRET_ACCESS_KEY": CREDENTIAL,
            "AWS_DEFAULT_REGION": AWS_REGION,
            "AWS_REGION": AWS_REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    )


def set_environment(*, base_url: str, dynamodb: str, ministack: str, inner: str, queues: Mapping[str, str]) -> None:
    """Point this process at the local parts."""
    os.environ.update(
        {
            "AWS_ENDPOINT_URL": ministack,  # for a service not named below: nothing may leave the machine
            "AWS_ENDPOINT_URL_DYNAMODB": dynamodb,
            "AWS_ENDPOINT_URL_S3": ministack,
            "AWS_ENDPOINT_URL_SQS": ministack,
            "AWS_ENDPOINT_URL_SESV2": ministack,
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": ministack,
            "AWS_ENDPOINT_URL_API_GATEWAY": inner,
            "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI": inner,
            "PARLEY_STAGE": STAGE,
            "PARLEY_TABLE": TABLE,
            "PARLEY_EVENTS_QUEUE_URL": queues[f"parley-{STAGE}-events"],
            "PARLEY_MAIL_QUEUE_URL": queues[f"parley-{STAGE}-mail"],
            "PARLEY_REMINDERS_QUEUE_URL": queues[f"parley-{STAGE}-reminders"],
            "PARLEY_FILES_BUCKET": FILES_BUCKET,
            "PARLEY_FILES_URL": base_url + FILES_PATH,
            "PARLEY_UPLOADS_URL": base_url + FILES_PATH,
            "PARLEY_WEBHOOKS_QUEUE_URL": queues[f"parley-{STAGE}-webhooks"],
            "PARLEY_BILLING_QUEUE_URL": queues[f"parley-{STAGE}-billing"],
            "PARLEY_KEYS_SECRET": KEYS_SECRET,
            "PARLEY_STRIPE_SECRET": STRIPE_SECRET,
            "PARLEY_STRIPE_API_URL": base_url + API_PATH,
            "PARLEY_API_URL": base_url,
            "PARLEY_REST_API_ID": API_ID,
        }
    )
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
