"""The deployment package, built once per run, and its template before and after SAM's translation."""

import copy
import zipfile
from pathlib import Path
from typing import Any

import pytest

from infra.lambda_like import runnable_copy, runtime_libraries
from infra.package import Package, build
from infra.template import Template, load


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give all packaging tests to one worker: they share one build. With a stack besides they have another group."""
    for item in items:
        if item.get_closest_marker("packaging") and not item.get_closest_marker("stack"):
            item.add_marker(pytest.mark.xdist_group("packaging"))


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return build(output=tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="session")
def tree(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as Lambda unpacks it into /var/task."""
    folder = tmp_path_factory.mktemp("task")
    with zipfile.ZipFile(package.zip) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="session")
def task(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, to be run on this machine."""
    return runnable_copy(package.zip, tmp_path_factory.mktemp("native") / "task")


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lambda's own."""
    return runtime_libraries(tmp_path_factory.mktemp("lambda-libraries"))


@pytest.fixture
def template(package: Package) -> Template:
    """What it was translated from."""
    return copy.deepcopy(package.sam)


@pytest.fixture
def functions(template: Template) -> dict[str, dict[str, Any]]:
    """Logical id → properties of every function."""
    found = template["Resources"].items()
    return {name: r["Properties"] for name, r in found if r["Type"] == "AWS::Serverless::Function"}


@pytest.fixture
def translated(package: Package) -> Template:
    """What is deployed: plain resources."""
    return load(package.template)
