"""The part of the dependency rule that import-linter can't say: private modules of a slice, and who may import what.

See "Dependency rule" in CONTRIBUTING.md; the layers themselves are contracts in pyproject.toml.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PRIVATE = {"store", "routes", "workers"}
# Who may touch AWS: the clients' module, the table layer (it reads DynamoDB's error codes), and gateways by name.
AWS_MODULES = {"chalicelib.core.aws", "chalicelib.core.dynamodb", "chalicelib.core.writes"}


def imports(source: str) -> Iterator[str]:
    """Every module a source imports, wherever in the file; `from a import b` counts as a.b too: b may be a module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def slice_of(module: str) -> str:
    """The slice a module is in: chalicelib.<slice>, or chalicelib.compat.<dialect>."""
    parts = module.split(".")
    return ".".join(parts[: 3 if parts[1:2] == ["compat"] else 2])


def may_import_aws(module: str) -> bool:
    return module in AWS_MODULES or module.endswith("_gateway")


def may_import_chalice(module: str) -> bool:
    in_http = module == "chalicelib.core.http" or module.startswith("chalicelib.core.http.")
    return module == "app" or in_http or module.rpartition(".")[2] == "routes"


def violations(module: str, source: str) -> list[str]:
    """What one module imports and may not."""
    found = set()
    operators = module.partition(".")[0] == "parley"
    for imported in imports(source):
        top = imported.partition(".")[0]
        parts = imported.split(".")
        if top in {"boto3", "botocore"} and not (operators or may_import_aws(module)):
            found.add(f"{module} imports {top}: only core.aws and a *_gateway may")
        if top == "chalice" and not may_import_chalice(module):
            found.add(f"{module} imports chalice: only core.http, routes and app.py may")
        if top in {"local", "infra", "parley", "bench", "tests"} and not operators:
            found.add(f"{module} imports {top}, which is not deployed")
        inside = slice_of(imported).count(".") + 1  # where the name of a module in the slice stands
        private = top == "chalicelib" and set(parts[inside : inside + 1]) & PRIVATE
        if private and module != "app" and slice_of(imported) != slice_of(module):
            found.add(f"{module} imports {'.'.join(parts[: inside + 1])}: private to its slice")
    return sorted(found)


def modules() -> Iterator[tuple[str, Path]]:
    yield "app", ROOT / "app.py"
    for file in sorted([*(ROOT / "chalicelib").rglob("*.py"), *(ROOT / "parley").rglob("*.py")]):
        yield ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"), file


def test_every_module_keeps_the_dependency_rule() -> None:
    assert [v for module, file in modules() for v in violations(module, file.read_text())] == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("chalicelib.tags.service", "import boto3"),
        ("chalicelib.tags.service", "def late():\n    from botocore.exceptions import ClientError"),
        ("chalicelib.tags.service", "from chalice import Response"),
        ("chalicelib.tags.models", "import chalice.app"),
        ("chalicelib.tags.service", "from chalicelib.teams.store import find_team"),
        ("chalicelib.tags.service", "from chalicelib.teams import store"),
        ("chalicelib.tags.routes", "import chalicelib.teams.routes"),
        ("chalicelib.compat.fivechat.routes", "from chalicelib.compat.chatwoot import routes"),
        ("chalicelib.tags.service", "from local.demo import seed"),
        ("chalicelib.tags.service", "from parley.output import Output"),
        ("parley.commands.tags", "def late():\n    from chalicelib.tags import store"),
        ("parley.commands.tags", "from chalice import Chalice"),
    ],
)
def test_a_planted_violation_is_found(module: str, source: str) -> None:
    assert len(violations(module, source)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("app", "from chalice import Rate\nfrom chalicelib.tags.routes import routes"),
        ("chalicelib.core.aws", "import botocore.session"),
        ("chalicelib.billing.stripe_gateway", "import boto3"),
        ("chalicelib.tags.routes", "from chalice import Response\nfrom chalicelib.tags import service, store"),
        (
            "chalicelib.tags.service",
            "from chalicelib.teams import service as teams\nfrom chalicelib.core.table import T",
        ),
        ("chalicelib.core.http.app", "from chalice import Chalice"),
        ("parley.sqs", "from botocore.exceptions import ClientError\nfrom infra import clients"),
        ("parley.commands.tags", "from chalicelib.tags import service"),
    ],
)
def test_what_the_rule_allows_passes(module: str, source: str) -> None:
    assert violations(module, source) == []
