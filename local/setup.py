"""`python -m local.setup`: installs what the local stack needs; does nothing, and needs no network, the second time."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from local.engines import find_dynoxide
from local.ministack import VENV
from local.template import ROOT

LOCAL = ROOT / "local"


def main() -> int:
    """Install; 1 when the stack could not run with what is there."""
    return 0 if install_ministack() and install_dynoxide() else 1


def install_dynoxide() -> bool:
    """Put the DynamoDB engine into local/node_modules; the stack runs without it, slower."""
    modules = LOCAL / "node_modules"
    stamp = modules / ".installed"
    wanted = _digest(LOCAL / "package-lock.json", LOCAL / "package.json")
    if _read(stamp) == wanted:
        return True
    npm = shutil.which("npm")
    if npm is None:
        print("Node's npm is not installed, so there is no dynoxide: DynamoDB will be ministack's, which is slower.")
        return True
    print("Installing dynoxide (DynamoDB) …")
    if not _run([npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"], LOCAL):
        print("`npm ci` failed in local/: DynamoDB will be ministack's, which is slower. Run it again to retry.")
        return True
    modules.mkdir(exist_ok=True)  # npm makes none where no binary fits this platform
    stamp.write_text(wanted)
    if find_dynoxide() is None:
        print("There is no dynoxide for this platform: DynamoDB will be ministack's, which is slower.")
    return True


def install_ministack() -> bool:
    """Make ministack's virtual environment."""
    requirements = LOCAL / "requirements-ministack.txt"
    stamp = VENV / ".installed"
    wanted = _digest(requirements)
    if _read(stamp) == wanted:
        return True
    print("Installing ministack (S3, SQS, SES, Secrets Manager) …")
    python = VENV / "bin" / "python"
    installed = (python.exists() or _run([sys.executable, "-m", "venv", str(VENV)], ROOT)) and _run(
        [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", str(requirements)], ROOT
    )
    if not installed:
        print("ministack could not be installed; see above. The stack does not run without it.", file=sys.stderr)
        return False
    stamp.write_text(wanted)
    return True


def _run(command: Sequence[str], folder: Path) -> bool:
    env = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    return subprocess.run(command, cwd=folder, env=env, check=False).returncode == 0


def _digest(*files: Path) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _read(file: Path) -> str | None:
    return file.read_text() if file.exists() else None


if __name__ == "__main__":
    sys.exit(main())
