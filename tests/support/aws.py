"""SQS, SES, S3 and Secrets Manager as the route tests need them, at the one door every AWS call goes through.

DynamoDB is the real engine. The stack tests run the others for real.
"""

import base64
from collections import deque
from typing import Any

from chalicelib.core import aws
from chalicelib.core.aws import Params, Proceed
from tests.support import dynamodb, permissions
from tests.support.objects import Bucket

_ALWAYS: dict[tuple[str, str], Params] = {  # what is answered whatever was done before
    ("apigateway", "flush_stage_authorizers_cache"): {},
    ("sesv2", "get_account"): {"SendingEnabled": True},
}
_CAPACITY = {"TOTAL", "INDEXES"}  # who asks for neither is told of none


class Services:
    """Queues that can be drained on demand, mails that can be read, one secret."""

    def __init__(self, secret: str) -> None:
        self.queues: dict[str, deque[str]] = {}
        self.delays: list[int] = []  # seconds, of every queue message; it can be drained at once all the same
        self.mails: list[dict[str, Any]] = []
        self.calls: list[tuple[str, str]] = []  # every AWS call, in order
        self.units = 0.0  # write capacity used since `reset`
        self.secret = secret
        self.secrets: dict[str, str] = {}  # others, by their ids
        self.sessions: list[dict[str, Any]] = []  # that STS was asked for
        self.objects = Bucket()

    def __call__(self, service: str, operation: str, params: Params, proceed: Proceed) -> Params:
        """Answer the call, or ask DynamoDB and count it."""
        self.calls.append((service, operation))
        permissions.note(service, operation, params)
        if service == "dynamodb":
            return self._table(operation, params)
        if service == "s3":
            return self.objects(operation, params)
        if (service, operation) == ("sqs", "send_message"):
            self.queues.setdefault(params["QueueUrl"], deque()).append(params["MessageBody"])
            self.delays.append(params.get("DelaySeconds", 0))
            return {"MessageId": "-"}
        if (service, operation) == ("sqs", "get_queue_attributes"):
            waiting = len(self.queues.get(params["QueueUrl"], ()))
            return {"Attributes": {"ApproximateNumberOfMessages": str(waiting)}}
        if (service, operation) == ("sesv2", "send_email"):
            self.mails.append(params)
            return {"MessageId": str(len(self.mails))}
        if service == "secretsmanager":
            return self._secret(operation, params)
        if (service, operation) == ("sts", "assume_role"):
            self.sessions.append(params)
            keys = {"AccessKeyId": f"ASIA{len(self.sessions)}", "SecretAccessKey": "secret", "SessionToken": "token"}
            return {"Credentials": keys}
        if (service, operation) in _ALWAYS:
            return dict(_ALWAYS[service, operation])
        raise AssertionError(f"no stand-in for {service}.{operation}")

    def _table(self, operation: str, params: Params) -> Params:
        if operation.startswith("describe_"):
            return dynamodb.call(operation, params)
        answer = dynamodb.call(operation, {**params, "ReturnConsumedCapacity": "INDEXES"})
        self._count(operation, answer)
        if params.get("ReturnConsumedCapacity") not in _CAPACITY:
            answer.pop("ConsumedCapacity", None)
        return answer

    def _secret(self, operation: str, params: Params) -> Params:
        if operation == "get_secret_value":
            return {"SecretString": self.secrets.get(params["SecretId"], self.secret)}
        assert operation == "put_secret_value", operation
        self.secret = params["SecretString"]
        return {}

    def _count(self, operation: str, answer: Params) -> None:
        if operation in {"put_item", "update_item", "delete_item", "transact_write_items"}:
            used = answer.get("ConsumedCapacity", [])
            for each in used if isinstance(used, list) else [used]:
                self.units += each["CapacityUnits"]

    def reset(self) -> None:
        """Forget calls and units."""
        self.calls.clear()
        self.units = 0.0


def install(services: Services) -> None:
    """Put `services` in front of every AWS call of this process."""
    aws.interceptors[:] = [services]


def pepper() -> str:
    """Return a pepper for tests."""
    return base64.b64encode(b"p" * 32).decode()
