"""The SAM template: what Chalice generates from app.py, merged with app.merge.yaml and finished for every function."""

import copy
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from samtranslator.translator.transform import transform

from infra import alarms, edge, permissions
from infra.dependencies import ROOT
from infra.gateway_responses import swagger_extension

Template = dict[str, Any]  # CloudFormation is free JSON to us

STATEFUL = ROOT / "infra" / "stateful.yaml"

_NO_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_DEFAULT_REGION": "eu-central-1",  # only shapes service principals, which are the same in every region
    "AWS_EC2_METADATA_DISABLED": "true",
}


def stage_project(project: Path, folder: Path) -> None:
    """Copy what Chalice packages, and nothing else, so that no cache or leftover of a work tree gets in.

    There is no requirements.txt among it: Chalice's own download is for the running Python and can't be repeated.
    Each function gets the policy that infra/permissions.py makes for it.
    """
    shutil.copytree(
        project / "chalicelib", folder / "chalicelib", ignore=shutil.ignore_patterns("__pycache__", "*.pyc", ".*")
    )
    shutil.copy(project / "app.py", folder)
    settings = folder / ".chalice"
    settings.mkdir()
    config = json.loads((project / ".chalice" / "config.json").read_text())
    functions = config["stages"]["prod"]["lambda_functions"]
    for name in permissions.FUNCTIONS:
        file = f"policy-{name}.json"
        (settings / file).write_text(json.dumps(permissions.policy(name)))
        functions.setdefault(name, {})["iam_policy_file"] = file
    (settings / "config.json").write_text(json.dumps(config))


def chalice_package(staged: Path, merge_template: Path, output: Path) -> Template:
    """Run Chalice's packager on a staged project: app code in `output/deployment.zip`, and the template returned."""
    merge = staged / "app.merge.yaml"
    merged = load(merge_template)
    merged["Resources"]["RestAPI"] = {
        "Properties": {"DefinitionBody": {"x-amazon-apigateway-gateway-responses": swagger_extension()}}
    }
    merged["Resources"]["JobsRole"] = permissions.jobs_role()
    merge.write_text(dump(merged))
    command = [sys.executable, "-c", "from chalice.cli import main; raise SystemExit(main())", "package"]
    command += ["--stage", "prod", "--merge-template", str(merge), "--template-format", "yaml", str(output)]
    done = subprocess.run(
        command, cwd=staged, env={**os.environ, **_NO_CREDENTIALS}, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(
            f"chalice package failed (has each function a line in infra/permissions.py?):\n{done.stdout}{done.stderr}"
        )
    return load(output / "sam.yaml")


def finish(template: Template, runtime: str) -> Template:
    """Set what holds for every function and every queue mapping, so that a new one can't miss it.

    Chalice names the running Python as runtime, can't ask for partial batch failures, and gives the API function
    another logical id than the one its log group refers to.
    """
    resources = template["Resources"]
    _identify_preflights(resources["RestAPI"]["Properties"]["DefinitionBody"])
    resources["ApiHandlerLogGroup"]["Properties"]["LogGroupName"] = {"Fn::Sub": "/aws/lambda/${APIHandler}"}
    edge.add(template, load)
    for resource in resources.values():
        if resource["Type"] == "AWS::Logs::LogGroup":
            resource["Properties"]["RetentionInDays"] = {"Ref": "LogDays"}
        if resource["Type"] != "AWS::Serverless::Function":
            continue
        properties = resource["Properties"]
        properties["Runtime"] = runtime
        properties["CodeUri"] = {"Bucket": {"Ref": "CodeBucket"}, "Key": {"Ref": "CodeKey"}}
        del properties["Tags"]  # Chalice's own: they name the one stage that its configuration has
        for event in properties.get("Events", {}).values():
            if event["Type"] == "SQS":
                event["Properties"]["FunctionResponseTypes"] = ["ReportBatchItemFailures"]
                if permissions.feeds_itself(properties["Handler"].removeprefix("app.")):
                    properties["RecursiveLoop"] = "Allow"  # see docs/decisions/own-queues.md
    alarms.add(template, load(STATEFUL))
    return template


def translate(sam: Template) -> Template:
    """Return a SAM template as plain CloudFormation: what is linted and tested is then what is deployed."""
    os.environ.setdefault("AWS_DEFAULT_REGION", _NO_CREDENTIALS["AWS_DEFAULT_REGION"])  # the translator asks boto3
    values = {name: rule["Default"] for name, rule in sam["Parameters"].items() if "Default" in rule}
    return dict(transform(copy.deepcopy(sam), values, _NoManagedPolicies()))


class _NoManagedPolicies:
    """No function uses a policy of Amazon's, and asking for their list would need credentials."""

    def load(self) -> dict[str, str]:
        return {}


def _identify_preflights(definition: Template) -> None:
    """Give the static answers to OPTIONS the request id that every answer has; Chalice can only set literals."""
    for methods in definition["paths"].values():
        if "options" in methods:
            options = methods["options"]
            options["responses"]["200"]["headers"]["X-Request-Id"] = {"type": "string"}
            mock = options["x-amazon-apigateway-integration"]["responses"]["default"]
            mock["responseParameters"]["method.response.header.X-Request-Id"] = "context.requestId"


class _Dumper(yaml.SafeDumper):
    """CloudFormation reads no YAML aliases, so equal parts are written out each time."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True


def dump(template: Template) -> str:
    """Return the template as YAML, keys sorted."""
    return yaml.dump(template, Dumper=_Dumper, allow_unicode=True, width=120)


# libyaml's, where yaml was built with it, is seven times as quick: the application's template has 500 kB.
class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # one of two bases
    """Reads short tags such as !Sub."""


def _long_form(loader: Any, name: str, node: yaml.Node) -> Template:  # noqa: ANN401 - either loader
    key = name if name in {"Ref", "Condition"} else f"Fn::{name}"
    if isinstance(node, yaml.ScalarNode):
        text: str = loader.construct_scalar(node)
        return {key: text.split(".", 1) if name == "GetAtt" else text}
    if isinstance(node, yaml.SequenceNode):
        return {key: loader.construct_sequence(node, deep=True)}
    return {key: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _long_form)


def load(file: Path) -> Template:
    """Read a template; short tags such as !Sub become their long form."""
    return dict(yaml.load(file.read_text(), Loader=_Loader))  # noqa: S506 - a safe loader with tags
