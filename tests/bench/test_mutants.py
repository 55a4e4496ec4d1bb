"""What `make mutants` is told to try is there, and what it shows is what it changes."""

import tomllib
from pathlib import Path

import pytest

from bench.mutants.source import ROOT, mutants_of, readable

CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutants"]
NAMED = {test for tests in CONFIG["tests"].values() for test in tests} | set(CONFIG["leave_out"])


@pytest.mark.parametrize("test", sorted(NAMED))
def test_a_test_that_is_named_is_there(test: str):
    path, *names = test.split("::")
    source = Path(ROOT, path).read_text()
    assert all(f"class {name}:" in source or f"def {name}(" in source for name in names)


@pytest.mark.parametrize("module", CONFIG["tests"])
def test_a_module_that_is_named_is_there(module: str):
    assert Path(ROOT, "chalicelib", f"{module}.py").exists()


def test_a_mutant_is_shown_as_its_change():
    mutants = mutants_of("chalicelib.core.due")
    assert mutants.names
    for name in mutants.names:
        change = mutants.change(name)
        assert {line[0] for line in change} <= {"-", "+"}
        assert change, name
        assert "__mutmut_" not in "".join(change)


def test_functions_are_named_as_their_module_writes_them():
    assert readable("x_decode") == "decode"
    assert readable("x__mac") == "_mac"
    assert readable("xǁRowsǁget") == "Rows.get"
    assert readable("xǁRowsǁ_fenced") == "Rows._fenced"
