"""Which function runs, and whether its policy (infra/permissions.py) allows what it calls: asked at every AWS call.

What a test does outside any function, such as building its rows, is its own business. The calls of threads that a
function starts are noted for it but not refused: with several callers at once it isn't known whose they are.
What is refused is kept besides (`refused`), and fails the test at its end: some callers catch whatever a call raises.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from fnmatch import fnmatchcase
from functools import cache, wraps
from typing import Any, TypeVar, cast

from chalicelib.core import fence
from chalicelib.core.aws import Params
from infra import permissions

Act = TypeVar("Act", bound=Callable[..., Any])
Need = tuple[str, str, str]  # service, action, and the resource as a policy names it

_STAGE = "test"
_running: ContextVar[str] = ContextVar("running", default="")
_last = ""
operations: set[tuple[str, str]] = set()  # of every function
seen: set[tuple[str, str, str, str]] = set()  # function, service, action and resource of every call so far
refused: list[str] = []  # since the last test ended


@contextmanager
def running(function: str) -> Iterator[None]:
    """Say which function runs inside the block: a process of its own, which no other's fence is around."""
    global _last
    before, _last = _last, function
    token, fenced = _running.set(function), fence._tenant.set("")
    try:
        yield
    finally:
        fence._tenant.reset(fenced)
        _running.reset(token)
        _last = before


def function() -> str:
    """Return the name of the function that runs; empty outside any, and in a thread of one."""
    return _running.get()


def name_of(handler: Any) -> str:
    """The name in app.py of a handler, as Chalice keeps it."""
    import app

    return next((name for name, found in app.app.handler_map.items() if found is handler), "")


def note(service: str, operation: str, params: Params) -> None:
    """Take note of a call. AssertionError when the running function may not make it."""
    function = _running.get()
    if function or _last:
        operations.add((service, operation))
    for need in needed(service, operation, params):
        for each in {function, _last} - {""}:
            seen.add((each, *need))
        _require(not function or allows(function, need), f"infra/permissions.py doesn't let {function} do {need}")
    if service == "dynamodb" and fence.tenant():
        keys = leading_keys(operation, params)
        for need in needed(service, operation, params):
            seen.add(("jobs", *need))
            _require(allows("jobs", need), f"infra/permissions.py doesn't let a job do {need}")
            allowed = permits(fence.policy(fence.tenant()), need[1], keys)
            _require(allowed, f"the session of {fence.tenant()} doesn't let a job {need[1]} {keys}")


def _require(allowed: bool, otherwise: str) -> None:
    if not allowed:
        refused.append(otherwise)
        raise AssertionError(otherwise)


def noting(act: Act, service: str, operation: str, params: Callable[..., Params]) -> Act:
    """Return `act` so that it is noted, too, as a call whose parameters are made from its arguments."""

    @wraps(act)
    def noted(*args: Any, **named: Any) -> Any:
        note(service, operation, params(*args, **named))
        return act(*args, **named)

    return cast("Act", noted)


def allows(function: str, need: Need) -> bool:
    """Tell whether a function's grants have an action on a resource."""
    service, action, resource = need
    return any(
        (kind, what) == (service, action) and fnmatchcase(resource, pattern)
        for kind, what, pattern in granted(function)
    )


@cache
def granted(function: str) -> tuple[Need, ...]:
    """Every single allowance of a function, with the names that tests have."""
    return tuple(
        (grant.service, action, _plain(resource))
        for grant in (permissions.FUNCTIONS | {"jobs": permissions.JOBS})[function]
        for action in grant.actions
        for resource in grant.resources
    )


def _plain(resource: str) -> str:
    resource = resource.replace("-${AWS::AccountId}-${AWS::Region}", "").replace("${Stage}", _STAGE)
    return resource.replace("${AWS::Region}", "").replace("${AWS::AccountId}", "").split(":", 2)[-1].lstrip(":")


def permits(policy: Params, action: str, keys: list[str]) -> bool:
    """Evaluate a session's policy as IAM does, for all keys of a call; an operator that isn't known fails the test."""
    return any(
        any(fnmatchcase(f"dynamodb:{action}", each) for each in statement["Action"])
        and all(_holds(operator, wanted, keys) for operator, wanted in statement["Condition"].items())
        for statement in policy["Statement"]
    )


def _holds(operator: str, wanted: Params, keys: list[str]) -> bool:
    ((name, values),) = wanted.items()
    assert name == "dynamodb:LeadingKeys"
    if operator == "Null":
        return bool(keys) is (values == "false")
    assert operator == "ForAllValues:StringLike"
    return all(any(fnmatchcase(key, pattern) for pattern in values) for key in keys)


def leading_keys(operation: str, params: Params) -> list[str]:
    """Return the partition keys that a call names, of the table or of the index that is asked."""
    if operation == "transact_write_items":
        return [_pk(each) for item in params["TransactItems"] for each in item.values()]
    if operation == "batch_get_item":
        return [key["pk"]["S"] for asked in params["RequestItems"].values() for key in asked["Keys"]]
    if operation == "batch_write_item":
        return [_pk(each) for asked in params["RequestItems"].values() for item in asked for each in item.values()]
    if operation == "query":
        found = re.match(r"\S+ = (:\w+)", params["KeyConditionExpression"])
        return [params["ExpressionAttributeValues"][found[1]]["S"]] if found else []
    return [_pk(params)] if "Key" in params or "Item" in params else []


def _pk(params: Params) -> str:
    found: str = (params.get("Key") or params["Item"])["pk"]["S"]
    return found


_WRITES = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
_OBJECTS = {
    "put_object": "PutObject",
    "delete_object": "DeleteObject",
    "create_multipart_upload": "PutObject",
    "upload_part": "PutObject",
    "complete_multipart_upload": "PutObject",
    "list_parts": "ListMultipartUploadParts",
}


def needed(service: str, operation: str, params: Params) -> Iterator[Need]:
    """What AWS asks for a call: https://docs.aws.amazon.com/service-authorization/latest/reference/."""
    if service == "dynamodb":
        yield from _table(operation, params)
    elif service == "s3":
        yield from _bucket(operation, params)
    elif service == "sqs":
        queue = params["QueueUrl"].rpartition("/")[2]
        yield "sqs", _action(operation), f"parley-{_STAGE}-{queue}"
    elif service == "secretsmanager":
        yield "secretsmanager", _action(operation), f"secret:{params['SecretId']}-AbCdEf"
    elif service == "sts":
        yield "sts", "AssumeRole", params["RoleArn"].rpartition(":")[2]
    elif (service, operation) == ("sesv2", "get_account"):
        yield "ses", "GetAccount", "*"
    elif service == "sesv2":
        action = "SendRawEmail" if "Raw" in params["Content"] else "SendEmail"
        yield "ses", action, "identity/${MailIdentity}"
        if "ConfigurationSetName" in params:
            yield "ses", action, f"configuration-set/{params['ConfigurationSetName']}"
    elif (service, operation) == ("apigateway", "flush_stage_authorizers_cache"):
        yield "apigateway", "DELETE", f"/restapis/{params['restApiId']}/stages/{params['stageName']}/cache/authorizers"
    else:
        raise AssertionError(f"which permission does {service}.{operation} need?")


def _table(operation: str, params: Params) -> Iterator[Need]:
    table = f"table/parley-{_STAGE}-main"
    if operation == "transact_write_items":
        for item in params["TransactItems"]:
            yield from (("dynamodb", _WRITES[kind], table) for kind in item)
    elif operation == "transact_get_items":
        yield "dynamodb", "GetItem", table
    elif params.get("TableName") == f"parley-{_STAGE}-directory":
        yield "dynamodb", _action(operation), f"table/{params['TableName']}"
    else:
        index = params.get("IndexName")
        yield "dynamodb", _action(operation), f"{table}/index/{index}" if index else table


def _bucket(operation: str, params: Params) -> Iterator[Need]:
    def on(action: str, place: Params) -> Need:
        return "s3", action, f"{place['Bucket']}/{place['Key']}"

    if operation in {
        "head_bucket",
        "head_object",
        "list_objects_v2",
    }:  # without it, S3 doesn't tell a missing object from others'
        yield "s3", "ListBucket", params["Bucket"]
    if operation == "head_object":
        yield on("GetObject", params)
    elif operation in {"head_bucket", "list_objects_v2"}:
        return
    elif operation == "delete_objects":
        for each in params["Delete"]["Objects"]:
            yield on("DeleteObject", {**params, **each})
    elif operation == "copy_object":
        source = params["CopySource"]
        yield on("GetObjectVersion" if "VersionId" in source else "GetObject", source)
        yield on("PutObject", params)
    elif operation == "get_object":
        yield on("GetObjectVersion" if "VersionId" in params else "GetObject", params)
    else:
        yield on(_OBJECTS[operation], params)


def _action(operation: str) -> str:
    return "".join(part.capitalize() for part in operation.split("_"))
