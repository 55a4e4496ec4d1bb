"""`make deploy`, `make diff` and `make destroy`: the stacks of one stage in one region, from dist/.

The data stack holds what must not be lost; the application stack can be made again at any time. In the region that is
their home there is one more, of what all regions of the stage share.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from infra import create_keys, regions, smoke, web
from infra.clients import client
from infra.dependencies import ROOT
from infra.package import CODE, DIRECTORY, STATEFUL, WEB
from infra.stacks import Stack, StackFailedError, Template
from infra.template import load

Ask = Callable[[str], str]


@dataclass(frozen=True)
class Deployment:
    """One stage in one region, with the folder that `make package` made for it."""

    target: regions.Target
    folder: Path

    @property
    def data(self) -> Stack:
        """The stack that holds what must not be lost."""
        return Stack(f"parley-{self.target.stage}-data", self.target.aws_region)

    @property
    def app(self) -> Stack:
        """The stack of the functions and the API."""
        return Stack(f"parley-{self.target.stage}-app", self.target.aws_region)

    @property
    def directory(self) -> Stack | None:
        """The stack that the stage's regions share, wherever it is; None where the region is alone."""
        if not (home := self.target.settings.get("DirectoryAwsRegion")):
            return None
        return Stack(f"parley-{self.target.stage}-directory", home)

    def kept(self) -> list[tuple[Stack, Template, dict[str, str]]]:
        """Return the stacks that hold what must not be lost and are of this region, with templates and parameters."""
        home = [(self.directory, self.folder / DIRECTORY.name)] if self.directory and self.target.is_home else []
        found = [*home, (self.data, self.folder / STATEFUL.name)]
        return [(stack, Template(body=file.read_text()), self.parameters(file.stem)) for stack, file in found]

    def parameters(self, stack: str) -> dict[str, str]:
        """Return what `make package` has written down for a template."""
        found: dict[str, str] = json.loads((self.folder / f"{stack}.parameters.json").read_text())
        return found


def read(region: str, stage: str, dist: Path) -> Deployment:
    """Return what was packaged. Raises UnusableSettingsError when nothing was, or the settings are no good."""
    folder = dist / f"{region}-{stage}"
    if not (folder / "app.yaml").is_file():
        raise regions.UnusableSettingsError(f"{folder} is not there. Run: make package REGION={region} STAGE={stage}")
    templates = [load(folder / "stateful.yaml"), load(folder / "app.yaml")]
    return Deployment(regions.load(region, stage, templates), folder)


def deploy(deployment: Deployment, ask: Ask, smoke_url: str = "", *, emulated: bool = False) -> int:
    """Bring the stacks to what is packaged, asking before each; returns the exit code.

    The application stack goes back to where it was when the smoke test fails. The others never do: going back there
    could lose what was written meanwhile.
    """
    if not _deploy_kept(deployment, ask):
        return 1
    before = deployment.app.now() if deployment.app.find() and not deployment.app.never_came_up() else None
    template, parameters = upload(deployment)
    if not _change(deployment.app, template, parameters, ask):
        return 1
    outputs = deployment.app.outputs()
    for name, value in sorted((deployment.data.outputs() | outputs).items()):
        print(f"{name:<24} {value}")
    url = smoke_url.format(**outputs) or smoke_address(outputs, parameters["ApiUrl"], is_new=before is None)
    print(f"Asking {url} whether it works")
    found = smoke.failures(url, emulated=emulated)
    if not found:
        print("It works.")
        if parameters.get("Web") == "on":
            web.upload(
                deployment.folder / WEB, deployment.data.outputs()["WebBucket"], deployment.target.aws_region, print
            )
        return 0
    print("\n".join(["It does not work:", *found]), file=sys.stderr)
    _go_back(deployment, before)
    return 1


def _deploy_kept(deployment: Deployment, ask: Ask) -> bool:
    """Bring what holds data to what is packaged; tell whether the application may follow."""
    if deployment.directory and not deployment.target.is_home and not deployment.directory.find():
        print(f"{deployment.directory.name} is not there. Deploy its home, {deployment.directory.region}, first.")
        return False
    for stack, template, parameters in deployment.kept():
        if not _change(stack, template, parameters, ask):
            return False
        stack.protect(on=True)
    if create_keys.fill(secret := deployment.data.outputs()["KeysSecret"], deployment.target.aws_region):
        print(f"{secret} has its first keys.")
    return True


def smoke_address(outputs: dict[str, str], api_url: str, *, is_new: bool) -> str:
    """Return where to ask whether a stack works: no domain can lead to a new one yet, so that is asked directly."""
    return outputs["EndpointURL"].rstrip("/") if is_new else api_url


def upload(deployment: Deployment) -> tuple[Template, dict[str, str]]:
    """Put code and template into the code bucket, each under its hash; return the template and its parameters."""
    outputs = deployment.data.outputs()
    key = _put(deployment, deployment.folder / CODE, outputs["CodeBucket"])
    template = _put(deployment, deployment.folder / "app.yaml", outputs["CodeBucket"])
    where = client("s3", deployment.target.aws_region).meta.endpoint_url
    parameters = deployment.parameters("app") | {"CodeBucket": outputs["CodeBucket"], "CodeKey": key}
    return Template(url=f"{where}/{outputs['CodeBucket']}/{template}"), parameters


def diff(deployment: Deployment) -> int:
    """Tell what a deploy would change, and change nothing."""
    stacks = deployment.kept()
    if deployment.data.find() and not deployment.data.never_came_up():
        stacks.append((deployment.app, *upload(deployment)))
    else:
        print(f"{deployment.app.name}: will be made after {deployment.data.name}, which is not there yet")
    for stack, template, parameters in stacks:
        if stack.never_came_up():
            print(f"{stack.name}: its first deploy failed; what is left of it will be deleted, and all made again")
            continue
        proposed = stack.propose(template, parameters)
        _show(stack, proposed.lines)
        if proposed.lines:
            stack.forget(proposed)
    return 0


def destroy(deployment: Deployment, ask: Ask, *, data: bool = False) -> int:
    """Delete the application stack; with `data` the other, too, once its name was typed. The data itself stays."""
    if ask(f"Delete {deployment.app.name} in {deployment.target.aws_region}? Type yes: ") != "yes":
        print("Nothing was deleted.")
        return 1
    deployment.app.delete(print)
    if not data:
        return 0
    name = deployment.target.name
    if ask(f"Delete {deployment.data.name}, too? Its table, buckets and secret stay. Type {name}: ") != name:
        print(f"{deployment.data.name} was not touched.")
        return 1
    deployment.data.protect(on=False)
    deployment.data.delete(print)
    print("Its table, buckets, queues and secret are still there; see docs/deploying.md for what to do with them.")
    return 0


def _change(stack: Stack, template: Template, parameters: dict[str, str], ask: Ask) -> bool:
    """Show, ask, change; tell whether the stack is now as it is to be."""
    if stack.never_came_up():  # CloudFormation changes no such stack
        if (
            ask(f"The first deploy of {stack.name} failed. Delete what is left of it and begin anew? Type yes: ")
            != "yes"
        ):
            print("Nothing was changed.")
            return False
        stack.delete(print)
    proposed = stack.propose(template, parameters)
    _show(stack, proposed.lines)
    if not proposed.lines:
        return True
    if ask(f"Change {stack.name} in {stack.region}? Type yes: ") != "yes":
        stack.forget(proposed)
        print("Nothing was changed.")
        return False
    stack.apply(proposed, print)
    return True


def _show(stack: Stack, lines: list[str]) -> None:
    print(f"{stack.name}: {len(lines) or 'no'} change{'' if len(lines) == 1 else 's'}")
    for line in lines:
        print(line)


def _go_back(deployment: Deployment, before: tuple[str, dict[str, str]] | None) -> None:
    if before is None:
        print(f"Deleting {deployment.app.name}, which was new.")
        deployment.app.delete(print)
        return
    body, parameters = before
    print(f"Taking {deployment.app.name} back to what it was.")
    file = deployment.folder / "before.yaml"
    file.write_text(body)
    bucket = parameters["CodeBucket"]
    where = client("s3", deployment.target.aws_region).meta.endpoint_url
    template = Template(url=f"{where}/{bucket}/{_put(deployment, file, bucket)}")
    proposed = deployment.app.propose(template, parameters)
    if proposed.lines:
        deployment.app.apply(proposed, print)


def _put(deployment: Deployment, file: Path, bucket: str) -> str:
    """Store a file under its hash and return the key."""
    key = f"{hashlib.sha256(file.read_bytes()).hexdigest()}{file.suffix}"
    with file.open("rb") as content:
        client("s3", deployment.target.aws_region).put_object(Bucket=bucket, Key=key, Body=content)
    return key


def main(arguments: list[str] | None = None, ask: Ask = input) -> int:
    """Read the command line and do one of the three."""
    parser = argparse.ArgumentParser(prog="python -m infra.deploy", description=__doc__)
    parser.add_argument("command", choices=["deploy", "diff", "destroy"])
    parser.add_argument("--region", required=True)
    parser.add_argument("--stage", default="prod")
    parser.add_argument("--dist", type=Path, default=ROOT / "dist")
    parser.add_argument(
        "--smoke-url", default="", help="where to ask instead of api_url; may name outputs: {RestAPIId}"
    )
    parser.add_argument("--emulated", action="store_true", help="deploy: to an emulator of AWS, which can do less")
    parser.add_argument("--data", action="store_true", help="destroy: the data stack, too")
    parser.add_argument("--yes", action="store_true", help="deploy: don't ask")
    given = parser.parse_args(arguments)
    try:
        deployment = read(given.region, given.stage, given.dist)
        if given.command == "diff":
            return diff(deployment)
        if given.command == "destroy":
            return destroy(deployment, ask, data=given.data)
        return deploy(
            deployment, (lambda _question: "yes") if given.yes else ask, given.smoke_url, emulated=given.emulated
        )
    except NoCredentialsError:
        print("No AWS credentials. Set AWS_PROFILE, or log in with the AWS CLI.", file=sys.stderr)
    except EOFError:
        print("\nNobody can be asked here, so nothing more was changed. For deploy, YES=1 says yes.", file=sys.stderr)
    except (regions.UnusableSettingsError, StackFailedError, BotoCoreError, ClientError) as exc:
        print(exc, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
