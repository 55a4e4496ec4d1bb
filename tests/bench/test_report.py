"""Figures, their limits and the exit code."""

import json

import pytest

from bench import __main__ as bench
from bench.report import Figure, table

KEPT = Figure("import CPU", 1.4, "x", 1.75)
BROKEN = Figure("zip", 16.0, "MB", 15.0)


def test_a_figure_without_a_limit_is_always_kept():
    assert Figure("requests", 3.0, "req/s").kept


def test_the_table_says_which_limit_was_broken():
    lines = table([KEPT, BROKEN]).splitlines()
    assert "OVER THE LIMIT" not in lines[1]
    assert "OVER THE LIMIT" in lines[2]


@pytest.mark.parametrize(("figures", "code"), [([KEPT], 0), ([KEPT, BROKEN], 1)])
def test_a_broken_limit_is_the_exit_code_and_in_the_json(figures, code, monkeypatch, tmp_path):
    output = tmp_path / "made" / "bench.json"
    monkeypatch.setattr(bench, "SECTIONS", {"toy": lambda _quick: figures})
    monkeypatch.setattr("sys.argv", ["bench", "--output", str(output)])
    assert bench.main() == code
    assert [each["kept"] for each in json.loads(output.read_text())["figures"]] == [each.kept for each in figures]
