"""What each function may do in AWS, and nothing else: the one table that the packager makes every policy from.

A function's name is Chalice's (`name=` in app.py). That each call of the suite is allowed to its function, and that
nothing here is more than the calls need, is tested: tests/packaging/test_permissions.py.
"""

from dataclasses import dataclass
from typing import Any

Statement = dict[str, Any]

_HERE = "${AWS::Region}:${AWS::AccountId}"
_BUCKET = "parley-${Stage}-files-${AWS::AccountId}-${AWS::Region}"


@dataclass(frozen=True)
class Grant:
    """Some actions of one service, on some resources: what stands behind `arn:aws:<service>:` in an ARN."""

    service: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    owner: str = ""  # the service in the resources' ARNs, where it is another


def table(*actions: str) -> Grant:
    """Allow reading or writing rows. Every row of a tenant begins with its id; see docs/decisions/fenced-jobs.md."""
    return Grant("dynamodb", actions, (f"{_HERE}:table/parley-${{Stage}}-main",))


def indexes(*names: str) -> Grant:
    """Allow asking these indexes."""
    return Grant("dynamodb", ("Query",), tuple(f"{_HERE}:table/parley-${{Stage}}-main/index/{name}" for name in names))


def directory(*actions: str) -> Grant:
    """Allow reading or writing the table that all regions of a stage share, in its home; none where there is none."""
    return Grant("dynamodb", actions, ("${DirectoryAwsRegion}:${AWS::AccountId}:table/parley-${Stage}-directory",))


def keys(*actions: str) -> Grant:
    """Allow reading the signing keys and the pepper, or putting new ones in. AWS ends a secret's ARN with six signs."""
    return Grant("secretsmanager", actions, (f"{_HERE}:secret:parley-${{Stage}}-keys-??????",))


def stripe_keys() -> Grant:
    """Allow reading Stripe's keys."""
    return Grant("secretsmanager", ("GetSecretValue",), (f"{_HERE}:secret:parley-${{Stage}}-stripe-??????",))


def consume(queue: str) -> Grant:
    """Allow Lambda to take messages off a queue for this function."""
    actions = ("ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "ReceiveMessage")
    return Grant("sqs", actions, (f"{_HERE}:parley-${{Stage}}-{queue}",))


def send(*queues: str) -> Grant:
    """Allow putting messages on queues."""
    return Grant("sqs", ("SendMessage",), tuple(f"{_HERE}:parley-${{Stage}}-{queue}" for queue in queues))


def measure(*queues: str) -> Grant:
    """Allow asking how many messages wait."""
    return Grant("sqs", ("GetQueueAttributes",), tuple(f"{_HERE}:parley-${{Stage}}-{queue}" for queue in queues))


def files(*actions: str, below: tuple[str, ...] = ("files", "incoming")) -> Grant:
    """Allow handling objects of the bucket; `incoming/` is where strangers post."""
    return Grant("s3", actions, tuple(f"::{_BUCKET}/{folder}/*" for folder in below))


# Without it S3 answers 403 where there is no object, so that a missing one can't be told from a forbidden one.
FIND_FILES = Grant("s3", ("ListBucket",), (f"::{_BUCKET}",))
SEND_MAIL = Grant(
    "ses",
    ("SendEmail",),
    (f"{_HERE}:identity/${{MailIdentity}}", f"{_HERE}:configuration-set/parley-${{Stage}}"),
)
ASK_MAIL = Grant("ses", ("GetAccount",), ("*",))  # AWS knows no narrower resource for it
# The id of the API is not known before the stack is made, and in a role it would be a cycle.
FLUSH_AUTHORIZER = Grant("apigateway", ("DELETE",), ("${AWS::Region}::/restapis/*/stages/*/cache/authorizers",))

# Its name is of this region's stack alone: roles belong to all regions of an account.
_JOBS_ROLE = "parley-${Stage}-${AWS::Region}-jobs"
FENCE_JOBS = Grant("sts", ("AssumeRole",), (f":${{AWS::AccountId}}:role/{_JOBS_ROLE}",), owner="iam")

_WRITE = ("ConditionCheckItem", "DeleteItem", "PutItem", "UpdateItem")
_READ = ("BatchGetItem", "GetItem", "Query")

# X-Ray knows no resources: these two actions are allowed on all or on nothing.
TRACES = {"Effect": "Allow", "Action": ["xray:PutTelemetryRecords", "xray:PutTraceSegments"], "Resource": ["*"]}

FUNCTIONS: dict[str, tuple[Grant, ...]] = {
    "api_handler": (
        directory("GetItem", "PutItem"),
        table(*_READ, *_WRITE),
        indexes("activity", "log", "owner"),
        keys("GetSecretValue"),
        stripe_keys(),
        send("billing", "events", "webhooks"),
        measure("billing", "events", "mail", "reminders", "webhooks"),
        ASK_MAIL,
        files("GetObject", "GetObjectVersion", "PutObject"),
        files("GetObject", below=("exports",)),
        FIND_FILES,
        FENCE_JOBS,
    ),
    "authorize": (table("BatchGetItem", "GetItem", "UpdateItem"), keys("GetSecretValue")),
    "dispatch_events": (
        consume("events"),
        directory("DeleteItem", "GetItem", "PutItem"),
        table(*_READ, *_WRITE),
        indexes("activity", "log", "owner"),
        table("BatchWriteItem"),
        keys("GetSecretValue"),
        stripe_keys(),
        send("billing", "events", "mail", "reminders", "webhooks"),
        FLUSH_AUTHORIZER,
        FENCE_JOBS,
        FIND_FILES,
        files("DeleteObject", below=("exports", "files", "incoming", "pieces")),
        files("GetObject", "GetObjectVersion", below=("files",)),
        files("GetObject", "PutObject", below=("pieces",)),
        files("GetObject", "ListMultipartUploadParts", "PutObject", below=("exports",)),
    ),
    "send_mail": (
        consume("mail"),
        table("ConditionCheckItem", "GetItem", "UpdateItem"),
        keys("GetSecretValue"),
        SEND_MAIL,
    ),
    "take_mail_feedback": (consume("mail-feedback"), table("UpdateItem"), keys("GetSecretValue")),
    "remind": (
        consume("reminders"),
        table("BatchGetItem", "ConditionCheckItem", "GetItem", "Query", "UpdateItem"),
        keys("GetSecretValue"),
        send("mail", "reminders"),
    ),
    "deliver_webhooks": (
        consume("webhooks"),
        table("BatchGetItem", "PutItem", "UpdateItem"),
        keys("GetSecretValue"),
        send("events", "webhooks"),
    ),
    "sweep_deliveries": (table("UpdateItem"), indexes("pending"), send("webhooks")),
    "look_at_accounts": (
        consume("billing"),
        table("BatchGetItem", "GetItem", "PutItem", "Query", "UpdateItem"),
        stripe_keys(),
        send("events"),
    ),
    "look_at_due_accounts": (indexes("pending"), send("billing")),
    "sweep_pending": (table("UpdateItem"), indexes("pending"), send("events"), measure("events")),
    "wake_conversations": (table("DeleteItem", "PutItem", "Query", "UpdateItem"), indexes("pending"), send("events")),
    "run_canary": (table("GetItem", "PutItem", "UpdateItem"), keys("GetSecretValue"), send("events")),
    "sweep_files": (
        table("BatchGetItem", "GetItem", *_WRITE),
        indexes("activity", "pending"),
        send("events"),
    ),
    "rotate_signing_keys": (keys("GetSecretValue", "PutSecretValue"),),
}

# What a session of the role for jobs may do, of a tenant's rows: chalicelib/core/fence.py.
JOBS = (table(*_READ, *_WRITE, "BatchWriteItem"), indexes("activity", "log", "owner"))


def jobs_role() -> Statement:
    """Return the role, which the functions that take steps of jobs may assume and nobody else, as a resource."""
    runners = [role_of(name) for name, grants in FUNCTIONS.items() if FENCE_JOBS in grants]
    trusted = {"Principal": {"AWS": [{"Fn::GetAtt": [role, "Arn"]} for role in runners]}}
    document = {"Version": "2012-10-17", "Statement": [_statement(grant) for grant in JOBS]}
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "RoleName": {"Fn::Sub": _JOBS_ROLE},
            "AssumeRolePolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", **trusted}],
            },
            "Policies": [{"PolicyName": "rows", "PolicyDocument": document}],
        },
    }


def role_of(function: str) -> str:
    """Return a function's role in the template, as Chalice names it."""
    return "".join(part.capitalize() for part in function.split("_")) + "Role"


def feeds_itself(function: str) -> bool:
    """Tell whether a function may send to the queue that it consumes."""
    taken, sent = (
        {queue for grant in FUNCTIONS[function] if action in grant.actions for queue in grant.resources}
        for action in ("ReceiveMessage", "SendMessage")
    )
    return bool(taken & sent)


def policy(function: str) -> Statement:
    """Return a function's policy for CloudFormation. KeyError for a function that the table doesn't have."""
    return {
        "Version": "2012-10-17",
        "Statement": [_own_logs(), TRACES, *(_statement(grant) for grant in FUNCTIONS[function])],
    }


def _statement(grant: Grant) -> Statement:
    return {
        "Effect": "Allow",
        "Action": [f"{grant.service}:{action}" for action in sorted(grant.actions)],
        "Resource": [_resource(grant.owner or grant.service, name) for name in sorted(grant.resources)],
    }


def _resource(service: str, name: str) -> str | Statement:
    return name if name == "*" else {"Fn::Sub": f"arn:${{AWS::Partition}}:{service}:{name}"}


def _own_logs() -> Statement:
    # Functions are named after the stack; a function's own name in its own role would be a cycle.
    return _statement(
        Grant(
            "logs",
            ("CreateLogStream", "PutLogEvents"),
            (f"{_HERE}:log-group:/aws/lambda/${{AWS::StackName}}-*",),
        )
    )
