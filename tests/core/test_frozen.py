"""Our frozen dataclasses do what the standard ones do, and every slice uses them."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.core.frozen import frozen

CODE = Path(__file__).resolve().parents[2] / "chalicelib"


def example(decorate: Any) -> Any:
    class Chair:
        """Something to sit on."""

        name: str
        legs: int = 4
        marks: tuple[str, ...] = field(default_factory=tuple)
        seen: int = field(default=0, compare=False, repr=False)
        notes: dict[str, str] = field(default_factory=dict, hash=False)

    return decorate(Chair)


@pytest.fixture
def ours() -> Any:
    return example(frozen)


@pytest.fixture
def standard() -> Any:
    return example(dataclass(frozen=True))


def test_they_are_made_changed_and_shown_as_the_standard_ones_are(ours, standard):
    for arguments in ({"name": "a"}, {"name": "a", "legs": 3, "marks": ("x",), "seen": 1}):
        mine, theirs = ours(**arguments), standard(**arguments)
        assert repr(mine) == repr(theirs)
        assert asdict(mine) == asdict(theirs)
        assert repr(replace(mine, legs=5)) == repr(replace(theirs, legs=5))
    with pytest.raises(TypeError, match="name"):
        ours(legs=1)


def test_they_are_compared_and_hashed_by_their_fields(ours, standard):
    for kind in (ours, standard):
        assert kind("a") == kind("a", seen=7) != kind("b")
        assert len({kind("a"), kind("a", seen=7), kind("a", 3)}) == 2
        assert kind("a", notes={"a": "b"}) != kind("a")
        assert kind("a").__eq__("a") is NotImplemented
    assert ours("a") != standard("a")


def test_many_threads_may_make_the_first_object():
    for _ in range(50):
        kind = example(frozen)
        with ThreadPoolExecutor(8) as threads:
            assert set(threads.map(kind, ["a"] * 8)) == {kind("a")}


def test_one_that_extends_another_is_refused(ours):
    with pytest.raises(TypeError, match="extends"):
        frozen(type("Bench", (ours,), {}))


def test_no_class_of_the_functions_compiles_more_than_it_needs():
    dear = [
        f"{path.relative_to(CODE)}: {line}"
        for path in sorted(CODE.rglob("*.py"))
        for line in re.findall(r"^@dataclass\(.*frozen=True.*$", path.read_text(), re.MULTILINE)
        if "order=True" not in line and "eq=False" not in line  # those need what ours does not do
    ]
    assert dear == []
