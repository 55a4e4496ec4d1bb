"""The deployment package made runnable here, for tests and benchmarks: as near to Lambda as another machine gets.

The package holds arm64 builds of its native parts, which this machine may not be able to load. So every arm64 library
is taken out of an unpacked copy, and those of the same distribution, at the same version, are put there from the
environment this runs in, stripped as the packaged ones were. Another Python's bytecode is left out, too; everything
written in Python stays as packaged.
"""

import importlib.metadata
import importlib.util
import shutil
import sys
import zipfile
from pathlib import Path

from infra.strip import strip_library

# What Lambda's Python runtime brings: boto3 and what it stands on.
RUNTIME_LIBRARIES = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")


def runnable_copy(package: Path, folder: Path) -> Path:
    """Unpack a deployment zip into a new folder; raises RuntimeError when the environment has another version."""
    with zipfile.ZipFile(package) as archive:
        usable = f".{sys.implementation.cache_tag}.pyc"
        archive.extractall(folder, [name for name in archive.namelist() if not name.endswith(".pyc") or usable in name])
    libraries = [*folder.rglob("*.so")]
    native = {_top_level(library.relative_to(folder)) for library in libraries}
    for library in libraries:
        library.unlink()
    for packaged in importlib.metadata.distributions(path=[str(folder)]):
        ours = importlib.metadata.distribution(packaged.name)
        files = [file for file in ours.files or [] if file.suffix == ".so" and _top_level(Path(file)) in native]
        if files and ours.version != packaged.version:
            raise RuntimeError(
                f"{packaged.name} is {packaged.version} in the package and {ours.version} here: make setup"
            )
        for file in files:
            shutil.copy(str(file.locate()), folder / file)
            strip_library(folder / file)
    return folder


def _top_level(file: Path) -> str:
    return file.parts[0].split(".")[0]


def runtime_libraries(folder: Path) -> Path:
    """Fill a folder with links to Lambda's own libraries, as found in this environment, and to nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in RUNTIME_LIBRARIES:
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None:
            raise RuntimeError(f"{name} is not installed: make setup")
        origin = Path(found.origin)
        source = origin.parent if origin.name == "__init__.py" else origin
        (folder / source.name).symlink_to(source)
    return folder
