"""The runtime requirements as Lambda needs them: wheels for its Python and processor, unpacked once and kept."""

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Target:
    """The Lambda runtime that is built for. Amazon Linux 2023 has glibc 2.34."""

    python: str = "3.13"
    machine: str = "aarch64"
    platforms: tuple[str, ...] = ("manylinux2014", "manylinux_2_28", "manylinux_2_34")

    @property
    def runtime(self) -> str:
        """Lambda's name of this Python."""
        return f"python{self.python}"


LAMBDA = Target()


def unpacked(project: Path, target: Target = LAMBDA, cache: Path = ROOT / ".wheels") -> Path:
    """Return a folder with the wheels of a project's requirements unpacked; downloads them the first time only.

    Raises CalledProcessError when the registry has no wheel for the target: nothing is ever compiled here.
    """
    requirements, constraints = project / "requirements.txt", project / "constraints.txt"
    wanted = "\n".join([requirements.read_text(), constraints.read_text(), *target.platforms])
    digest = hashlib.sha256(wanted.encode()).hexdigest()
    folder = cache / f"py{target.python}-{target.machine}-{digest[:16]}"
    if folder.is_dir():
        return folder
    building = folder.with_name(f"{folder.name}.{os.getpid()}")
    shutil.rmtree(building, ignore_errors=True)
    command = [
        sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile",
        "--target", str(building), "--only-binary=:all:", "--implementation", "cp", "--python-version", target.python,
        *[f"--platform={name}_{target.machine}" for name in target.platforms],
        "--requirement", str(requirements), "--constraint", str(constraints),
    ]  # fmt: skip
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    try:
        building.rename(folder)
    except OSError:  # another build was first
        shutil.rmtree(building)
    return folder
