"""CloudFormation stacks: what would change, doing it with everything told as it happens, and what came out."""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from infra.clients import client

Tell = Callable[[str], None]

_POLL_SECONDS = 1.0
_NEVER_UP = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"}  # of a stack's first deploy; it takes no other
_UNCHANGED = ("didn't contain changes", "No updates are to be performed")


class StackFailedError(Exception):
    """A stack did not come to where it was to be; the events told say why."""


@dataclass(frozen=True)
class Template:
    """A template where CloudFormation can read it: by `url`, or in full where it is small enough."""

    body: str = ""
    url: str = ""

    @property
    def params(self) -> dict[str, str]:
        """How calls name it."""
        return {"TemplateURL": self.url} if self.url else {"TemplateBody": self.body}


@dataclass(frozen=True)
class ChangeSet:
    """What would change. No lines: nothing."""

    id: str
    creates: bool
    lines: list[str]


@dataclass(frozen=True)
class Stack:
    """A stack by name, in the region of its clients."""

    name: str
    region: str

    @property
    def _cloudformation(self) -> Any:  # noqa: ANN401 - botocore makes its client classes at run time
        return client("cloudformation", self.region)

    def find(self) -> dict[str, Any] | None:
        """Return CloudFormation's description, or None when there is no such stack."""
        try:
            found: dict[str, Any] = self._cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]
        except ClientError as exc:
            if "does not exist" in str(exc):
                return None
            raise
        return None if found["StackStatus"] in {"REVIEW_IN_PROGRESS", "DELETE_COMPLETE"} else found

    def never_came_up(self) -> bool:
        """Tell whether what is there is only the rest of a first deploy that failed."""
        found = self.find()
        return found is not None and found["StackStatus"] in _NEVER_UP

    def outputs(self) -> dict[str, str]:
        """Return what the stack tells of itself; nothing when there is none."""
        found = self.find() or {}
        return {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])}

    def propose(self, template: Template, parameters: dict[str, str]) -> ChangeSet:
        """Ask what would change. Raises StackFailedError for what CloudFormation would not even try."""
        creates = self.find() is None
        digest = hashlib.sha256(repr((template, sorted(parameters.items()), time.time_ns())).encode()).hexdigest()
        made = self._cloudformation.create_change_set(
            StackName=self.name,
            ChangeSetName=f"parley-{digest[:16]}",
            ChangeSetType="CREATE" if creates else "UPDATE",
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in sorted(parameters.items())],
            **template.params,
        )
        try:
            self._cloudformation.get_waiter("change_set_create_complete").wait(
                ChangeSetName=made["Id"], StackName=self.name, WaiterConfig={"Delay": 1, "MaxAttempts": 300}
            )
        except WaiterError as exc:
            reason = self._cloudformation.describe_change_set(ChangeSetName=made["Id"]).get("StatusReason", "")
            self.forget(ChangeSet(made["Id"], creates=creates, lines=[]))
            if any(phrase in reason for phrase in _UNCHANGED):
                return ChangeSet("", creates=creates, lines=[])
            raise StackFailedError(f"{self.name}: {reason}") from exc
        return ChangeSet(made["Id"], creates=creates, lines=self._changes(made["Id"]))

    def forget(self, proposed: ChangeSet) -> None:
        """Delete a change set that is not wanted, with the empty stack that a first one leaves."""
        if proposed.id:
            self._cloudformation.delete_change_set(ChangeSetName=proposed.id)
        if proposed.creates:
            self._cloudformation.delete_stack(StackName=self.name)

    def apply(self, proposed: ChangeSet, tell: Tell) -> None:
        """Make a proposed change and tell each step. Raises StackFailedError; CloudFormation has then rolled back."""
        began = self._newest_event()
        self._cloudformation.execute_change_set(ChangeSetName=proposed.id, StackName=self.name)
        self._follow(began, tell, {"CREATE_COMPLETE", "UPDATE_COMPLETE"})

    def delete(self, tell: Tell) -> None:
        """Delete the stack; what its template says to retain stays. Raises StackFailedError."""
        found = self.find()
        if found is None:
            return
        began = self._newest_event()
        self._cloudformation.delete_stack(StackName=self.name)
        # By its id: a deleted stack is not found by its name.
        Stack(found["StackId"], self.region)._follow(began, tell, {"DELETE_COMPLETE"})  # noqa: SLF001 - one of us

    def protect(self, *, on: bool) -> None:
        """Let nobody delete the stack by mistake, or allow it again."""
        self._cloudformation.update_termination_protection(StackName=self.name, EnableTerminationProtection=on)

    def now(self) -> tuple[str, dict[str, str]]:
        """Return the template and the parameters that the stack has now, to go back to them."""
        found = self._cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]
        parameters = {each["ParameterKey"]: each["ParameterValue"] for each in found.get("Parameters", [])}
        body = self._cloudformation.get_template(StackName=self.name, TemplateStage="Original")["TemplateBody"]
        return body if isinstance(body, str) else json.dumps(body), parameters  # botocore reads what is JSON

    def _changes(self, change_set: str) -> list[str]:
        lines = []
        pages = self._cloudformation.get_paginator("describe_change_set").paginate(ChangeSetName=change_set)
        for change in (each["ResourceChange"] for page in pages for each in page["Changes"]):
            replaced = change.get("Replacement", "False")
            mark = "!" if change["Action"] == "Remove" or replaced != "False" else " "
            note = {"True": "  REPLACED", "Conditional": "  perhaps replaced"}.get(replaced, "")
            lines.append(
                f"{mark} {change['Action']:<7} {change['ResourceType']:<42} {change['LogicalResourceId']}{note}"
            )
        return sorted(lines)

    def _newest_event(self) -> str:
        try:
            events = self._cloudformation.describe_stack_events(StackName=self.name)["StackEvents"]
        except ClientError:
            return ""
        return str(events[0]["EventId"]) if events else ""

    def _follow(self, began: str, tell: Tell, wanted: set[str]) -> None:
        """Tell every event after `began` until the stack rests."""
        told: set[str] = set()
        status = ""
        # By its own events: the status may still be the one from before for a moment.
        while not status or status.endswith("_IN_PROGRESS"):
            time.sleep(_POLL_SECONDS)
            for event in reversed(self._events_since(began)):
                if event["EventId"] not in told:
                    told.add(event["EventId"])
                    reason = f"  {event['ResourceStatusReason']}" if "FAILED" in event["ResourceStatus"] else ""
                    tell(f"  {event['ResourceStatus']:<32} {event['LogicalResourceId']}{reason}")
                if event["PhysicalResourceId"] == event["StackId"]:
                    status = event["ResourceStatus"]
        if status not in wanted:
            raise StackFailedError(f"{self.name} is in {status}")

    def _events_since(self, began: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for page in self._cloudformation.get_paginator("describe_stack_events").paginate(StackName=self.name):
            for event in page["StackEvents"]:  # newest first
                if event["EventId"] == began:
                    return found
                found.append(event)
        return found
