"""The pieces of the packager that need no build."""

import importlib.util
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from infra import archive
from infra.strip import strip, strip_library


def some_tree(folder: Path) -> Path:
    for name in ("pkg/a.py", "pkg/tests/test_a.py", "pkg/__pycache__/a.pyc", "pkg/a.pyx", "pkg-1.dist-info/RECORD"):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x = 1\n")
    (folder / "pkg-1.dist-info" / "METADATA").write_text("Name: pkg\nVersion: 1\n\n# pkg\n\nReads well.\n")
    return folder


def test_stripping_keeps_code_and_metadata_only(tmp_path: Path) -> None:
    strip(some_tree(tmp_path))
    left = {file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*") if file.is_file()}
    assert left == {"pkg/a.py", "pkg-1.dist-info/METADATA"}
    assert (tmp_path / "pkg-1.dist-info" / "METADATA").read_text() == "Name: pkg\nVersion: 1\n"


def test_a_library_without_its_names_for_debuggers_is_smaller_and_still_loads(tmp_path: Path) -> None:
    found = importlib.util.find_spec("_cffi_backend")
    assert found is not None
    library = Path(shutil.copy(str(found.origin), tmp_path))
    before = library.stat().st_size
    strip_library(library)
    once = library.read_bytes()
    assert len(once) < before
    strip_library(library)
    assert library.read_bytes() == once
    code = "import sys; sys.path.insert(0, sys.argv[1]); import _cffi_backend as b; print(b.FFI().sizeof('int'))"
    command = [sys.executable, "-I", "-S", "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("4\n", "")


def test_what_is_no_library_for_lambda_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "mach-o.so"
    other.write_bytes(b"\xcf\xfa\xed\xfe" + bytes(60))
    with pytest.raises(ValueError, match=r"mach-o\.so is not a library for Lambda"):
        strip_library(other)


def test_a_zip_does_not_depend_on_times_or_on_the_order_of_creation(tmp_path: Path) -> None:
    digests = set()
    for names in (["a.py", "b.py"], ["b.py", "a.py"]):
        tree = tmp_path / names[0]
        tree.mkdir()
        for name in names:
            (tree / name).write_text(f"{name}\n")
        (tree / names[0]).chmod(0o755)
        digests.add(archive.write_zip(tree, tmp_path / f"{names[0]}.zip"))
    assert len(digests) == 1
    with zipfile.ZipFile(tmp_path / "a.py.zip") as built:
        assert [entry.filename for entry in built.infolist()] == ["a.py", "b.py"]
        assert {entry.date_time for entry in built.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_bytecode_is_made_by_the_running_python_when_that_is_the_target(tmp_path: Path) -> None:
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    tree = some_tree(tmp_path)
    assert archive.compile_bytecode(tree, minor)
    assert (tree / "pkg" / "__pycache__" / f"a.{sys.implementation.cache_tag}.pyc").is_file()


def test_without_the_targets_python_there_is_no_bytecode_and_a_loud_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = some_tree(tmp_path)
    strip(tree)
    assert not archive.compile_bytecode(tree, "3.99")
    assert list(tree.rglob("*.pyc")) == []
    assert "WARNING: no Python 3.99" in capsys.readouterr().err
