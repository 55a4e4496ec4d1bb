"""The deployment zip works in Lambda: only its own files and Lambda's libraries, small, and the same bytes each time.

How arm64 libraries are stood in for on this machine: infra/lambda_like.py. That the arm64 wheels exist for Lambda's
Python is shown by the build itself, which takes nothing else.
"""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infra.dependencies import LAMBDA, ROOT
from infra.package import Package, build

pytestmark = pytest.mark.packaging

SETTINGS = {
    "PARLEY_STAGE": "prod",
    "PARLEY_REGION": "eu1",
    "PARLEY_TABLE": "parley-prod-main",
    "PARLEY_EVENTS_QUEUE_URL": "https://queue.invalid/events",
    "PARLEY_MAIL_QUEUE_URL": "https://queue.invalid/mail",
    "PARLEY_REMINDERS_QUEUE_URL": "https://queue.invalid/reminders",
    "PARLEY_WEBHOOKS_QUEUE_URL": "https://queue.invalid/webhooks",
    "PARLEY_BILLING_QUEUE_URL": "https://queue.invalid/billing",
    "PARLEY_KEYS_SECRET": "parley-prod-keys",
    "PARLEY_API_URL": "https://api.example.com",
    "PARLEY_MAIL_FROM": "no-reply@example.com",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
PROBE = """
import importlib, json, sys
task, libraries, handlers = sys.argv[1], sys.argv[2], sys.argv[3:]
sys.path[:0] = [task, libraries]
missing = []
for handler in handlers:
    module, _, name = handler.rpartition(".")
    if not callable(getattr(importlib.import_module(module), name, None)):
        missing.append(handler)
files = [getattr(module, "__file__", None) or "" for module in list(sys.modules.values())]
foreign = [file for file in files if "site-packages" in file and not file.startswith((task, libraries))]
print(json.dumps({"missing": missing, "foreign": foreign}))
"""


def distributions(tree: Path) -> list[importlib.metadata.Distribution]:
    return list(importlib.metadata.distributions(path=[str(tree)]))


def probe(task: Path, libraries: Path, handlers: list[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", "-c", PROBE, str(task), str(libraries), *handlers]
    return subprocess.run(command, env=SETTINGS, capture_output=True, text=True, check=False)


def test_every_handler_imports_with_only_lambdas_own_libraries(
    task: Path, libraries: Path, functions: dict[str, Any]
) -> None:
    handlers = [function["Handler"] for function in functions.values()]
    done = probe(task, libraries, handlers)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"missing": [], "foreign": []}


def test_what_is_imported_only_when_it_is_used_is_packaged_too(task: Path, libraries: Path) -> None:
    """Large packages are packaged in part; see infra/strip.py."""
    late = [
        "aws_lambda_powertools.utilities.batch.process_partial_response",
        "aws_lambda_powertools.utilities.data_classes.sqs_event.SQSRecord",
        "stripe.StripeClient",
        "stripe._customer_service.CustomerService",
        "stripe._invoice_service.InvoiceService",
        "stripe._price_service.PriceService",
        "stripe._product_service.ProductService",
        "stripe._refund_service.RefundService",
        "stripe._subscription_service.SubscriptionService",
        "stripe.billing._meter_event_service.MeterEventService",
        "stripe.billing._meter_service.MeterService",
        "stripe.billing_portal._session_service.SessionService",
        "stripe.checkout._session_service.SessionService",
    ]
    done = probe(task, libraries, late)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"missing": [], "foreign": []}


def test_a_package_that_misses_a_requirement_does_not_import(task: Path, libraries: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(task, broken)
    shutil.rmtree(broken / "pydantic")
    done = probe(broken, libraries, ["app.app"])
    assert done.returncode != 0
    assert "pydantic" in done.stderr


def test_what_lambda_has_already_and_what_only_developers_need_is_not_packaged(tree: Path) -> None:
    names = {canonicalize_name(found.name) for found in distributions(tree)}
    assert "pydantic" in names
    assert names.isdisjoint({"boto3", "botocore", "chalice", "pip", "pytest", "setuptools", "mypy", "uvicorn"})
    assert not [name for name in ("local", "tests", "infra", "bench", "boto3") if (tree / name).exists()]


def test_every_requirement_holds_for_lambdas_python_and_not_just_for_the_builders(tree: Path) -> None:
    """pip judges `; python_version < …` by the Python it runs on, so that the answer for the target is checked here."""
    lambda_python = {
        "python_version": LAMBDA.python,
        "python_full_version": f"{LAMBDA.python}.0",
        "platform_machine": LAMBDA.machine,
        "sys_platform": "linux",
        "platform_system": "Linux",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "extra": "",
    }
    there = {canonicalize_name(found.name): found.version for found in distributions(tree)}
    missing = []
    for found in distributions(tree):
        for requirement in map(Requirement, found.requires or []):
            if requirement.marker is None or requirement.marker.evaluate(lambda_python):
                version = there.get(canonicalize_name(requirement.name))
                if version is None or not requirement.specifier.contains(version, prereleases=True):
                    missing.append(f"{found.name} needs {requirement}, the package has {version}")
    assert missing == []


def test_everything_packaged_is_pinned(tree: Path) -> None:
    """So that the same commit gives the same package on another day."""
    lines = (ROOT / "requirements.txt").read_text() + (ROOT / "constraints.txt").read_text()
    pins = [Requirement(line) for line in lines.splitlines() if line and not line.startswith("#")]
    pinned = {canonicalize_name(pin.name): str(pin.specifier) for pin in pins}
    loose = [f for f in distributions(tree) if pinned.get(canonicalize_name(f.name)) != f"=={f.version}"]
    assert [f"{found.name} {found.version}" for found in loose] == []


def test_native_libraries_are_of_lambdas_processor_and_python(tree: Path) -> None:
    libraries = list(tree.rglob("*.so"))
    assert libraries
    tag = "cpython-" + LAMBDA.python.replace(".", "")
    for library in libraries:
        header = library.read_bytes()[:20]
        assert int.from_bytes(header[18:20], "little") == 0xB7, f"{library.name} is not for AArch64"
        assert "cpython-" not in library.name or tag in library.name, f"{library.name} is for another Python"


def test_no_library_carries_names_for_debuggers(tree: Path) -> None:
    sections = {library.name: library.read_bytes()[40:48] for library in tree.rglob("*.so")}
    assert set(sections.values()) == {bytes(8)}, "where the table of sections begins"


def test_every_distribution_keeps_its_licence(tree: Path) -> None:
    assert [folder.name for folder in tree.glob("*.dist-info") if not [*folder.rglob("LICENSE*")]] == []


def test_the_zip_is_small_enough_for_a_quick_cold_start(package: Package) -> None:
    assert package.zip.stat().st_size <= 14_000_000


def test_bytecode_is_lambdas_and_never_checked_against_times(package: Package, tree: Path) -> None:
    compiled = list(tree.rglob("*.pyc"))
    if not package.has_bytecode:
        assert compiled == []
        pytest.skip(f"no Python {LAMBDA.python} on this machine: the package has no bytecode")
    suffix = f".cpython-{LAMBDA.python.replace('.', '')}.pyc"
    assert (tree / "__pycache__" / f"app{suffix}").is_file()
    assert {file.name for file in compiled if not file.name.endswith(suffix)} == set()
    flags = {int.from_bytes(file.read_bytes()[4:8], "little") for file in compiled}
    assert flags == {1}, "hash-based, unchecked: see PEP 552"


def test_every_file_of_ours_is_in_the_zip_and_nothing_of_a_work_tree(package: Package) -> None:
    with zipfile.ZipFile(package.zip) as archive:
        names = set(archive.namelist())
    sources = {file.relative_to(ROOT).as_posix() for file in (ROOT / "chalicelib").rglob("*.py")} | {"app.py"}
    assert sources <= names
    assert not [
        name for name in names if name.startswith((".", "tests/", "infra/", "parley/")) or name.endswith(".orig")
    ]


def test_the_same_sources_give_the_same_bytes(package: Package, tmp_path: Path) -> None:
    os.utime(ROOT / "app.py")
    again = build(output=tmp_path)
    assert again.sha256 == package.sha256
    assert again.template.read_text() == package.template.read_text()
