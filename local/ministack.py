"""Starts ministack: S3, SQS, SES, Secrets Manager and, where there is no dynoxide, DynamoDB on this machine."""

import os
import urllib.error
import urllib.request
from pathlib import Path

from local.engines import AWS_REGION, CREDENTIAL, Engine
from local.processes import LOOPBACK, Child, StartFailed, free_port
from local.template import ROOT

VENV = ROOT / ".venv-ministack"


def start_ministack(state: Path, *, smtp_port: int | None = None, log: Path | None = None) -> Engine:
    """Start it on a free loopback port with its state below `state`; the caller waits with `wait_for_ministack`.

    Mails go to `smtp_port`. Raises StartFailed when it is not installed.
    """
    python = VENV / "bin" / "python"
    if not python.exists():
        raise StartFailed("ministack is not installed; run `python -m local.setup`")
    port = free_port()
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))},
        "AWS_ACCESS_KEY_ID": CREDENTIAL,
        "AWS_SECRET_ACCESS_KEY": CREDENTIAL,
        "BIND_HOST": LOOPBACK,
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": AWS_REGION,
        "PERSIST_STATE": "1",
        "STATE_DIR": str(state / "state"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(state / "s3"),
        "SMTP_HOST": f"{LOOPBACK}:{smtp_port}" if smtp_port else "",
        "DOCKER_HOST": "unix:///nonexistent",  # it would look after containers; none of this machine's are its own
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
    }
    state.mkdir(parents=True, exist_ok=True)
    child = Child("ministack", [str(python), "-uP", str(ROOT / "local" / "ministack_server.py")], env, log)
    return Engine(f"http://{LOOPBACK}:{port}", child)


def wait_for_ministack(engine: Engine, seconds: float = 30) -> None:
    """Block until it answers. Raises StartFailed."""
    engine.child.wait_until(lambda: _answers(engine.endpoint), seconds)


def _answers(endpoint: str) -> bool:
    try:
        with urllib.request.urlopen(f"{endpoint}/_ministack/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
