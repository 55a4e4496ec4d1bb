"""A module's mutants, as mutmut makes them: all beside the original, behind a switch that says which one is called."""

import difflib
import hashlib
import importlib.machinery
import importlib.util
import sys
import types
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mutmut.mutation.file_mutation import MutatedFile, mutate_file_contents

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Mutants:
    """All mutants of one module, named `function` + `__mutmut_` + number."""

    name: str  # of the module, as it is imported
    digest: str  # of its source: other mutants when that has changed
    code: types.CodeType
    names: Sequence[str]
    _made: MutatedFile = field(repr=False)

    def change(self, name: str) -> list[str]:
        """Return the lines that a mutant takes away (-) and puts in their place (+)."""
        original, mutant = (self._text(each) for each in (function_of(name) + "__mutmut_orig", name))
        lines = difflib.unified_diff(original, mutant, n=0, lineterm="")
        return [line for line in lines if not line.startswith(("---", "+++", "@@"))]

    def _text(self, function: str) -> list[str]:
        span = self._made.line_span_by_function_name[function]
        plain = readable(function_of(function)).rpartition(".")[2]
        return [line.replace(function, plain) for line in self._made.code.splitlines()[span.start - 1 : span.end]]


def mutants_of(name: str) -> Mutants:
    """Make the mutants of a module, named as it is imported."""
    path = ROOT / f"{name.replace('.', '/')}.py"
    source = path.read_text()
    made = mutate_file_contents(str(path), source)
    with warnings.catch_warnings():  # a mutant may compare with `is ""`
        warnings.simplefilter("ignore")
        code = compile(made.code, str(path), "exec", dont_inherit=True)
    return Mutants(name, hashlib.sha256(source.encode()).hexdigest()[:16], code, made.mutant_names, made)


def function_of(mutant: str) -> str:
    """Return the name, as mutmut writes it, of the function that a mutant is of."""
    return mutant.partition("__mutmut_")[0]


def readable(function: str) -> str:
    """Return a function's name as its module writes it: `Rows.get`."""
    return function[2:].replace("ǁ", ".")


def install(mutants: Mutants) -> None:
    """Have the module imported with its mutants, from its usual place; nothing is written there."""
    sys.meta_path.insert(0, _Finder(mutants))


class _Finder:
    def __init__(self, mutants: Mutants) -> None:
        self._mutants = mutants

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != self._mutants.name:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None or spec.origin is None:
            raise ImportError(f"{name} is not where it was")
        return importlib.util.spec_from_file_location(name, spec.origin, loader=_Loader(self._mutants, spec.origin))


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, mutants: Mutants, path: str) -> None:
        super().__init__(mutants.name, path)
        self._code = mutants.code

    def get_code(self, fullname: str) -> types.CodeType:  # noqa: ARG002 - the base class's signature
        return self._code
