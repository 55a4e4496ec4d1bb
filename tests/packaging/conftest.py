"""The deployment package, built once per run, and its template before and after SAM's translation."""

import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from samtranslator.translator.transform import transform

from infra.package import Package, build
from infra.template import Template, load


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give all packaging tests to one worker: they share one build."""
    for item in items:
        if item.get_closest_marker("packaging"):
            item.add_marker(pytest.mark.xdist_group("packaging"))


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return build("prod", output=tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="session")
def tree(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as Lambda unpacks it into /var/task."""
    folder = tmp_path_factory.mktemp("task")
    with zipfile.ZipFile(package.zip) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture
def template(package: Package) -> Template:
    return load(package.template)


@pytest.fixture
def functions(template: Template) -> dict[str, dict[str, Any]]:
    """Logical id → properties of every function."""
    found = template["Resources"].items()
    return {name: r["Properties"] for name, r in found if r["Type"] == "AWS::Serverless::Function"}


class _NoManagedPolicies:
    def load(self) -> dict[str, str]:
        return {}


@pytest.fixture
def translated(template: Template, monkeypatch: pytest.MonkeyPatch) -> Template:
    """What CloudFormation makes of the template: plain resources."""
    monkeypatch.setitem(os.environ, "AWS_DEFAULT_REGION", "eu-central-1")
    for resource in template["Resources"].values():
        if (
            resource["Type"] == "AWS::Serverless::Function"
        ):  # where `sam deploy` or `aws cloudformation package` puts it
            resource["Properties"]["CodeUri"] = "s3://artifacts/parley.zip"
    values = {name: value["Default"] for name, value in template["Parameters"].items() if "Default" in value}
    return dict(transform(template, values, _NoManagedPolicies()))
