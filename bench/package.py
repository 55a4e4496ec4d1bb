"""What a cold start costs: import CPU of the packaged app beside boto3 with one client, and the package's size."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from infra.archive import compile_bytecode
from infra.lambda_like import runnable_copy, runtime_libraries
from infra.package import build

RUNS = 9
IMPORT_LIMIT = 1.75  # times boto3 with one client
SIZE_LIMIT_MB = 15.0

# user + sys of the imports alone: the interpreter's own start is the same for both and not counted.
_TIMED = """
import sys, time
sys.path[:0] = sys.argv[1:]
before = time.process_time()
{code}
print(time.process_time() - before)
"""
_APP = "import app"
_CLIENT = "import boto3; boto3.client('dynamodb')"
_ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "PYTHONDONTWRITEBYTECODE": "1",
}


def _cpu(code: str, path: list[str]) -> float:
    command = [sys.executable, "-I", "-S", "-c", _TIMED.format(code=code), *path]
    environment = {**os.environ, **_ENVIRONMENT}
    return float(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


def run() -> dict[str, float]:
    """Build, measure and print; returns import CPU as a ratio to boto3 with a client, and the size in MB.

    The two are measured in turn and the least of each is taken, so that a busy machine slows both or neither. The
    running Python's bytecode is used for both, as both have it in Lambda.
    """
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as temporary:
        work = Path(temporary)
        package = build(output=work)
        size = package.zip.stat().st_size / 1_000_000
        task = runnable_copy(package.zip, work / "task")
        compile_bytecode(task, f"{sys.version_info.major}.{sys.version_info.minor}")
        path = [str(task), str(runtime_libraries(work / "libraries"))]
        pairs = [(_cpu(_APP, path), _cpu(_CLIENT, path)) for _ in range(RUNS)]
    app, client = min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)
    ratio = app / client
    print(f"import app: {app * 1000:.0f} ms CPU; boto3 and one client: {client * 1000:.0f} ms CPU")
    print(f"import CPU beside boto3 and one client: {ratio:.2f} x (limit {IMPORT_LIMIT})")
    print(f"package: {size:.1f} MB (limit {SIZE_LIMIT_MB:.0f})")
    return {"import_cpu_ratio": round(ratio, 3), "zip_mb": round(size, 2)}


if __name__ == "__main__":
    run()
