"""The deployment zip: with bytecode of the target's Python, and the same bytes for the same content."""

import hashlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the oldest time a zip can tell


def compile_bytecode(tree: Path, python: str) -> bool:
    """Compile for a minor version such as "3.13"; return False, loudly, when this machine has no such interpreter.

    Bytecode halves the import time of a cold start and changes nothing else. Unchecked hashes make it independent of
    file times. Another minor's bytecode would be ignored by Lambda, so it is that one or none.
    """
    interpreter = find_interpreter(python)
    if interpreter is None:
        print(
            f"WARNING: no Python {python} on this machine, so the package ships without bytecode: cold starts take "
            f"about 150 ms longer. Install Python {python} before packaging for production.",
            file=sys.stderr,
        )
        return False
    command = [interpreter, "-I", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    # What tracebacks show is Lambda's path, not the builder's.
    command += ["-s", str(tree), "-p", "/var/task", str(tree)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "0"})
    return True


def find_interpreter(python: str) -> str | None:
    """Return a command that runs this minor version, from the running one, PATH or pyenv; None without one."""
    if python == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [
        f"python{python}",
        *(str(found) for found in sorted(pyenv.glob(f"{python}.*/bin/python"), reverse=True)),
    ]
    return next((candidate for candidate in candidates if _runs(candidate, python)), None)


def _runs(interpreter: str, python: str) -> bool:
    try:
        answer = subprocess.run(
            [interpreter, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True, check=False, text=True,
        )  # fmt: skip
    except OSError:
        return False
    return answer.returncode == 0 and answer.stdout.strip() == python


def write_zip(tree: Path, destination: Path, *, level: int = 9) -> str:
    """Zip a tree in a fixed order with fixed times and modes; return the sha256 of the file. Level 0 is for tests."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(destination, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, file in _entries(tree):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o100644 << 16
            entry.create_system = 3  # Unix, whatever the builder's machine
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.read_bytes(), compresslevel=level)
    return hashlib.sha256(destination.read_bytes()).hexdigest()


def _entries(tree: Path) -> Iterator[tuple[str, Path]]:
    for file in sorted(tree.rglob("*")):
        if file.is_file():
            yield file.relative_to(tree).as_posix(), file
