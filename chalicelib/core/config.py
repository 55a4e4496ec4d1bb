"""The settings of one deployment, read once from the environment."""

import json
import os
from collections.abc import Mapping
from functools import lru_cache

from chalicelib.core.frozen import frozen


@frozen
class Settings:
    """Everything that differs between two deployments. No secret is among them: those are in Secrets Manager.

    Endpoints of AWS services are not settings of ours: botocore reads `AWS_ENDPOINT_URL_<SERVICE>` itself.
    """

    stage: str
    region: str  # the operator's short code for this stack, e.g. "eu1"
    regions: Mapping[str, str]  # base URL by code, of all regions of the stage; empty: there is only this one
    directory_table: str  # of all regions, in one of them; empty: slugs are unique in this region only
    directory_aws_region: str  # where that table is; empty: where we are
    directory_endpoint: str  # its address where that is not AWS's own
    table: str
    events_queue_url: str
    mail_queue_url: str
    reminders_queue_url: str
    files_bucket: str
    files_url: str  # public base URL of the files, no slash at the end: what stands before the key
    uploads_url: str  # where browsers post files; empty: the bucket's own address
    webhooks_queue_url: str
    billing_queue_url: str
    keys_secret: str  # Secrets Manager id of the signing keys and the pepper
    api_url: str  # public base URL of this API, no slash at the end; also the token issuer
    inbox_url: str  # where members read their conversations: links in mails lead there
    mail_from: str
    mail_configuration_set: str  # of SES, which tells of bounces and complaints; empty: nobody does
    mail_feedback_topic: str  # the ARN of the SNS topic that it tells; nothing from elsewhere is believed
    signup_open: bool
    # Partitions per index key of a tenant: writes go to one of the first, reads merge the second, or the first if more.
    # To have more, raise what is read, wait until no function reads less, then what is written; never lower either.
    index_shards: int
    index_shards_read: int  # see docs/decisions/index-shards.md
    tenant_index_shards: Mapping[str, tuple[int, int]]  # both, of tenants who need more than others
    login_attempts_per_address: int  # wrong or right, per 15 minutes
    sessions_per_address: int  # new visitors from one address, per minute
    user_requests: int  # per minute, as all four that follow; 0: any number
    key_requests: int
    visitor_requests: int
    tenant_requests: int  # of its users and keys together
    tenant_visitor_requests: int  # of its visitors together
    invitations_per_tenant: int  # mails, per day
    visitor_burst: int  # messages a visitor may send at once…
    visitor_rate: float  # …and per second after that
    rest_api_id: str  # of API Gateway; empty where there is no authorizer cache to flush
    rest_api_stage: str
    allow_loopback_domains: bool  # hosts such as 127.0.0.1:8000 as a widget's site; a deploy refuses it
    cognito_issuer: str  # of the user pool whose users are ours; empty: we have our own
    cognito_client_ids: frozenset[str]  # the pool's app clients whose tokens count
    cognito_jwks_url: str  # where the pool publishes its keys
    allow_loopback_webhooks: bool  # http:// and this machine as a webhook's target; a deploy refuses it
    billing: bool  # whether tenants pay, through Stripe; if not, none has a limit
    stripe_secret: str  # Secrets Manager id of Stripe's keys; see docs/billing.md
    stripe_api_url: str  # empty: Stripe's own
    jobs_role: str  # whose sessions fence a tenant's jobs; empty: they run unfenced, see core/fence.py
    canary: bool  # whether the stack tries itself every five minutes; see docs/operations.md


@lru_cache(maxsize=1)
def settings() -> Settings:
    """Return the settings of this process; a missing required variable raises KeyError at first use."""
    env = os.environ
    cognito_issuer = env.get("PARLEY_COGNITO_ISSUER", "").rstrip("/")
    return Settings(
        stage=env["PARLEY_STAGE"],
        region=env["PARLEY_REGION"],
        regions=_regions(env.get("PARLEY_REGIONS", "")),
        directory_table=env.get("PARLEY_DIRECTORY_TABLE", ""),
        directory_aws_region=env.get("PARLEY_DIRECTORY_AWS_REGION", ""),
        directory_endpoint=env.get("PARLEY_DIRECTORY_ENDPOINT", ""),
        table=env["PARLEY_TABLE"],
        events_queue_url=env["PARLEY_EVENTS_QUEUE_URL"],
        mail_queue_url=env["PARLEY_MAIL_QUEUE_URL"],
        reminders_queue_url=env["PARLEY_REMINDERS_QUEUE_URL"],
        files_bucket=env["PARLEY_FILES_BUCKET"],
        files_url=env["PARLEY_FILES_URL"].rstrip("/"),
        uploads_url=env.get("PARLEY_UPLOADS_URL", "").rstrip("/"),
        webhooks_queue_url=env["PARLEY_WEBHOOKS_QUEUE_URL"],
        billing_queue_url=env["PARLEY_BILLING_QUEUE_URL"],
        keys_secret=env["PARLEY_KEYS_SECRET"],
        api_url=env["PARLEY_API_URL"].rstrip("/"),
        inbox_url=env.get("PARLEY_INBOX_URL", "").rstrip("/") or env["PARLEY_API_URL"].rstrip("/") + "/inbox",
        mail_from=env["PARLEY_MAIL_FROM"],
        mail_configuration_set=env.get("PARLEY_MAIL_CONFIGURATION_SET", ""),
        mail_feedback_topic=env.get("PARLEY_MAIL_FEEDBACK_TOPIC", ""),
        signup_open=env.get("PARLEY_SIGNUP", "open") == "open",
        index_shards=int(env.get("PARLEY_INDEX_SHARDS", "1")),
        index_shards_read=int(env.get("PARLEY_INDEX_SHARDS_READ", "1")),
        tenant_index_shards=_shards(env.get("PARLEY_TENANT_INDEX_SHARDS", "")),
        login_attempts_per_address=int(env.get("PARLEY_LOGIN_ATTEMPTS_PER_ADDRESS", "100")),
        sessions_per_address=int(env.get("PARLEY_SESSIONS_PER_ADDRESS", "60")),
        user_requests=int(env.get("PARLEY_USER_REQUESTS", "1200")),
        key_requests=int(env.get("PARLEY_KEY_REQUESTS", "1200")),
        visitor_requests=int(env.get("PARLEY_VISITOR_REQUESTS", "120")),
        tenant_requests=int(env.get("PARLEY_TENANT_REQUESTS", "6000")),
        tenant_visitor_requests=int(env.get("PARLEY_TENANT_VISITOR_REQUESTS", "6000")),
        invitations_per_tenant=int(env.get("PARLEY_INVITATIONS_PER_TENANT", "200")),
        visitor_burst=int(env.get("PARLEY_VISITOR_BURST", "60")),
        visitor_rate=float(env.get("PARLEY_VISITOR_RATE", "1")),
        rest_api_id=env.get("PARLEY_REST_API_ID", ""),
        rest_api_stage=env.get("PARLEY_REST_API_STAGE", "api"),
        allow_loopback_domains=env.get("PARLEY_ALLOW_LOOPBACK_DOMAINS", "") == "1",
        cognito_issuer=cognito_issuer,
        cognito_client_ids=frozenset(env.get("PARLEY_COGNITO_CLIENT_IDS", "").replace(",", " ").split()),
        cognito_jwks_url=env.get("PARLEY_COGNITO_JWKS_URL") or f"{cognito_issuer}/.well-known/jwks.json",
        allow_loopback_webhooks=env.get("PARLEY_ALLOW_LOOPBACK_WEBHOOKS", "") == "1",
        billing=env.get("PARLEY_BILLING", "off") == "stripe",
        stripe_secret=env.get("PARLEY_STRIPE_SECRET", ""),
        stripe_api_url=env.get("PARLEY_STRIPE_API_URL", ""),
        jobs_role=env.get("PARLEY_JOBS_ROLE", ""),
        canary=env.get("PARLEY_CANARY", "off") == "on",
    )


def _regions(text: str) -> Mapping[str, str]:
    found: dict[str, str] = json.loads(text or "{}")
    return {code: url.rstrip("/") for code, url in found.items()}


def _shards(text: str) -> Mapping[str, tuple[int, int]]:
    """Read `tn_…=1/8 tn_…=4/4`: what is written, and what is read."""
    found = {}
    for each in text.split():
        tenant_id, _, numbers = each.partition("=")
        written, _, read = numbers.partition("/")
        found[tenant_id] = int(written), int(read)
    return found
