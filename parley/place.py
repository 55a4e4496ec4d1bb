"""Which installation a command is about: a stage of a region on AWS, the local stack, or what the environment says."""

import fcntl
import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from infra import clients, regions
from parley.errors import CommandError, Exit

# Ours, not the functions' settings: they stay when another place's settings are taken.
_OURS = {"PARLEY_API_KEY", "PARLEY_DATA", "PARLEY_DEBUG"}
_WHERE = "Say where: --region eu1 [--stage prod], or --local."


@dataclass(frozen=True)
class Place:
    """An installation; `enter` makes its settings this process's."""

    region: str | None
    stage: str
    local: bool

    @property
    def name(self) -> str:
        """What questions call it."""
        return "the local stack" if self.local else f"{self.region}-{self.stage}" if self.region else "this environment"

    @property
    def api_url(self) -> str:
        """The base URL of its HTTP API, which needs no credential of AWS."""
        if self.local:
            return str(self._local["base_url"])
        if self.region:
            return self._target.settings["ApiUrl"].rstrip("/")
        return _of_environment("PARLEY_API_URL").rstrip("/")

    @property
    def demo(self) -> dict[str, Any] | None:
        """What the local stack tells of its demo data; None where there is none."""
        file = _data() / "demo.json"
        if not self.local or not file.is_file():
            return None
        found: dict[str, Any] = json.loads(file.read_text())
        return found

    @cached_property
    def _target(self) -> regions.Target:
        return regions.read(str(self.region), self.stage)

    @cached_property
    def _local(self) -> dict[str, Any]:
        if not _runs(_data()):
            raise CommandError(
                f"No local stack runs on {_data()}. Start it with `make run`; another folder is PARLEY_DATA=…",
                Exit.FAILED,
            )
        found: dict[str, Any] = json.loads((_data() / "stack.json").read_text())
        return found

    def enter(self) -> None:
        """Take on the settings of the installation's functions, and its AWS region. Doing it again changes nothing."""
        if self.local:
            from local.environment import forget_users_aws

            environment = self._local["environment"]  # first: where no stack runs nothing is forgotten
            forget_users_aws()
            self._take(environment)
        elif self.region:
            self._take(self._deployed())
            os.environ |= {"AWS_REGION": self._target.aws_region, "AWS_DEFAULT_REGION": self._target.aws_region}
        else:
            _of_environment("PARLEY_TABLE")

    def client(self, service: str) -> Any:  # noqa: ANN401 - botocore makes its client classes at run time
        """Return a client of AWS, which needs no deployed function."""
        if self.local:
            self.enter()
        return clients.client(service, self.aws_region)

    @property
    def aws_region(self) -> str:
        """The AWS region it is in."""
        if self.region:
            return self._target.aws_region
        return os.environ.get("AWS_REGION") or _of_environment("AWS_DEFAULT_REGION")

    @property
    def aws_stage(self) -> str:
        """The stage, which is in the names of queues, table and secrets."""
        if self.local:
            return str(self._local["environment"]["PARLEY_STAGE"])
        return self.stage if self.region else _of_environment("PARLEY_STAGE")

    def _deployed(self) -> dict[str, str]:
        """Ask AWS for the settings of the function that answers the API: they are what the others have, too."""
        stack = f"parley-{self.stage}-app"
        try:
            resource = self.client("cloudformation").describe_stack_resource(
                StackName=stack, LogicalResourceId="APIHandler"
            )
        except ClientError as exc:
            if "does not exist" not in str(exc):
                raise
            raise CommandError(
                f"There is no stack {stack} in {self.aws_region}. Is {self.name} deployed, and in this AWS account?",
                Exit.FAILED,
            ) from None
        name = resource["StackResourceDetail"]["PhysicalResourceId"]
        found = self.client("lambda").get_function_configuration(FunctionName=name)
        variables: dict[str, str] = found["Environment"]["Variables"]
        return variables

    @staticmethod
    def _take(variables: dict[str, str]) -> None:
        from chalicelib.core.config import settings

        for name in [name for name in os.environ if name.startswith("PARLEY_") and name not in _OURS]:
            del os.environ[name]
        os.environ |= variables
        settings.cache_clear()


def chosen(region: str | None, stage: str, *, local: bool) -> Place:
    """Return the place that the command line, or else the environment, names. Raises CommandError."""
    if local and region:
        raise CommandError("Either --local or --region, not both.", Exit.USAGE)
    return Place(region, stage, local)


def _data() -> Path:
    return Path(os.environ.get("PARLEY_DATA") or ".local").resolve()


def _runs(data: Path) -> bool:
    """Tell whether a stack holds the folder's lock; its file of endpoints is left behind when it is killed."""
    if not (data / "stack.json").is_file():
        return False
    with (data / "lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _of_environment(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise CommandError(
            f"{_WHERE} (Without either, the settings of the functions are taken from the environment,"
            f" where there is no {name}.)",
            Exit.USAGE,
        )
    return value
